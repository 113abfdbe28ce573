//! Paths: a variable and fields in it.

use std::fmt;

/// The position of a [`Path`] in [`crate::Expression::paths`], or in a table of many expressions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathId(pub u32);

/// A variable that an expression can name: its position among the variables of the environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Root(pub u8);

impl Root {
    /// `message`: the body as JSON.
    pub const MESSAGE: Self = Self(0);
    /// `event`: the CloudEvents attributes.
    pub const EVENT: Self = Self(1);
    /// `headers`: the request's header fields by lower-case name.
    pub const HEADERS: Self = Self(2);
    /// `source`: the source's name.
    pub const SOURCE: Self = Self(3);
    /// `now`: when the request was received.
    pub const NOW: Self = Self(4);
}

/// A chain of fields from a variable: `message.order.id`, and just so `message["order"].id`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path {
    /// The variable.
    pub root: Root,
    /// The names of the fields; none for the variable itself.
    pub fields: Fields,
}

/// The names of a path's fields.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Fields {
    count: u16,
    /// All names in a row.
    text: Box<str>,
    /// Where each name but the last ends.
    ends: Box<[u16]>,
}

impl Fields {
    /// The fields of these names. Beyond 65,535 bytes, for which no expression is long enough, names are left out.
    pub fn new<'n>(names: impl Iterator<Item = &'n str> + Clone) -> Self {
        let length = |name: &str| u16::try_from(name.len()).ok();
        let mut count = 0_u16;
        let mut total = 0_u16;
        for name in names.clone() {
            let (Some(longer), Some(more)) =
                (length(name).and_then(|length| total.checked_add(length)), count.checked_add(1))
            else {
                break;
            };
            (total, count) = (longer, more);
        }
        let mut text = String::with_capacity(usize::from(total));
        let mut ends = Vec::with_capacity(usize::from(count.saturating_sub(1)));
        for (at, name) in names.take(usize::from(count)).enumerate() {
            if at > 0 {
                ends.extend(u16::try_from(text.len()));
            }
            text.push_str(name);
        }
        Self { count, text: text.into(), ends: ends.into() }
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The names, from the outermost.
    pub fn iter(&self) -> impl Iterator<Item = &str> + Clone {
        let ends = || self.ends.iter().map(|end| usize::from(*end));
        let starts = std::iter::once(0).chain(ends());
        let ends = ends().chain([self.text.len()]);
        starts.zip(ends).take(self.len()).map(|(start, end)| self.text.get(start..end).unwrap_or_default())
    }
}

/// Whether a field's name can stand behind a dot.
fn is_plain(field: &str) -> bool {
    !field.is_empty()
        && field.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !field.starts_with(|c: char| c.is_ascii_digit())
}

impl Path {
    /// How an expression asks whether there is nothing here: `!has(message.a)`, `!("x-a" in headers)`.
    #[must_use]
    pub fn absence(&self) -> String {
        let last = self.fields.iter().last().unwrap_or_default();
        if is_plain(last) {
            return format!("!has({self})");
        }
        let around = self.fields.iter().take(self.fields.len().saturating_sub(1));
        let around = Self { root: self.root, fields: Fields::new(around) };
        format!("!({last:?} in {around})")
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.root {
            Root::MESSAGE => f.write_str("message")?,
            Root::EVENT => f.write_str("event")?,
            Root::HEADERS => f.write_str("headers")?,
            Root::SOURCE => f.write_str("source")?,
            Root::NOW => f.write_str("now")?,
            Root(other) => write!(f, "variable {other}")?,
        }
        for field in self.fields.iter() {
            if is_plain(field) { write!(f, ".{field}")? } else { write!(f, "[{field:?}]")? }
        }
        Ok(())
    }
}
