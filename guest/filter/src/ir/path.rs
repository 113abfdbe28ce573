use std::fmt;

/// The position of a [`Path`] in [`super::Program::paths`], or in a table that several programs were mapped to.
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
    pub fields: Box<[Box<str>]>,
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
        for field in &self.fields {
            let plain = !field.is_empty()
                && field.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
                && !field.starts_with(|c: char| c.is_ascii_digit());
            if plain { write!(f, ".{field}")? } else { write!(f, "[{field:?}]")? }
        }
        Ok(())
    }
}
