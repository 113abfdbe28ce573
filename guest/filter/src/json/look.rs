//! Looking into the text of an array or object, step by step, where no path of a trie leads: through elements by number.

use super::extract::Extractor;
use super::number;
use super::scan::{self, byte, skip_space};
use super::slot::{Raw, Slots};
use super::text::unescape;
use super::trie::{NodeId, Trie};
use std::borrow::Cow;

/// What is at one place of a JSON text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found<'t> {
    /// Nothing, or `null`.
    Nothing,
    /// A string.
    Text(Cow<'t, str>),
    /// The text of an integer or of a boolean.
    Literal(Cow<'t, str>),
    /// An array, an object, or a number that is no integer and so has no one text.
    Other,
    /// Readers of JSON differ on it: a key on the way is there twice, or an escape is no character.
    Ambiguous,
}

/// An object is looked through once for each value that is asked for, so one that is larger has none.
const LARGEST_OBJECT: usize = 64 << 10;

/// The value at a JSON pointer (RFC 6901) in a text that was read as a whole before.
pub(crate) fn look<'t>(text: &'t str, pointer: &str) -> Found<'t> {
    match reach(text, pointer) {
        Ok(text) => scalar(text),
        Err(found) => found,
    }
}

/// The text of the value at a JSON pointer, or what stands in the way.
pub(crate) fn reach<'t>(text: &'t str, pointer: &str) -> Result<&'t str, Found<'t>> {
    let mut text = text;
    for step in pointer.split('/').skip(1) {
        let step = unescaped(step);
        text = match text.as_bytes().first() {
            Some(b'{') if text.len() > LARGEST_OBJECT => return Err(Found::Other),
            Some(b'{') => member(text, &step)?,
            Some(b'[') => index(&step).and_then(|index| items(text).nth(index)),
            _ => None,
        }
        .ok_or(Found::Nothing)?;
    }
    Ok(text)
}

/// The steps of a JSON pointer escape `~` and `/`.
pub(crate) fn unescaped(step: &str) -> Cow<'_, str> {
    if step.contains('~') { Cow::Owned(step.replace("~1", "/").replace("~0", "~")) } else { step.into() }
}

/// The number of an element, as RFC 6901 writes it.
pub(crate) fn index(step: &str) -> Option<usize> {
    let digits = step.bytes().all(|byte| byte.is_ascii_digit());
    (digits && (step == "0" || !step.starts_with('0'))).then(|| step.parse().ok()).flatten()
}

/// The texts of an array's elements.
pub(crate) fn items(text: &str) -> impl Iterator<Item = &str> {
    let bytes = text.as_bytes();
    let mut at = 1;
    std::iter::from_fn(move || {
        let start = skip_space(bytes, at);
        if byte(bytes, start) == b']' {
            return None;
        }
        let end = end(text, start)?;
        at = skip_space(bytes, end);
        if byte(bytes, at) == b',' {
            at += 1;
        }
        text.get(start..end)
    })
}

/// Where the value ends that begins at `start`. The text was read as a whole before, so that there is one.
#[cold]
#[inline(never)]
fn end(text: &str, start: usize) -> Option<usize> {
    Extractor::default().value(text, start, &Trie::default(), NodeId::NONE, &mut Slots::default()).ok()
}

/// The text of the member of an object.
fn member<'t>(text: &'t str, name: &str) -> Result<Option<&'t str>, Found<'t>> {
    let bytes = text.as_bytes();
    let mut found = None;
    let mut decoded = String::new();
    let mut at = skip_space(bytes, 1);
    while byte(bytes, at) == b'"' {
        let Ok(key) = scan::string(bytes, at + 1) else { break };
        let raw = text.get(at + 1..key.end).unwrap_or_default();
        decoded.clear();
        let is = if key.escaped {
            unescape(raw, &mut decoded);
            decoded == name
        } else {
            raw == name
        };
        let start = skip_space(bytes, skip_space(bytes, key.end + 1) + 1);
        let Some(end) = end(text, start) else { break };
        if is && std::mem::replace(&mut found, text.get(start..end)).is_some() {
            return Err(Found::Ambiguous);
        }
        at = skip_space(bytes, end);
        if byte(bytes, at) == b',' {
            at = skip_space(bytes, at + 1);
        }
    }
    Ok(found)
}

fn scalar(text: &str) -> Found<'_> {
    let bytes = text.as_bytes();
    match byte(bytes, 0) {
        b'"' => {
            let Ok(string) = scan::string(bytes, 1) else { return Found::Other };
            let raw = text.get(1..string.end).unwrap_or_default();
            if !string.escaped {
                return Found::Text(raw.into());
            }
            let mut decoded = String::with_capacity(raw.len());
            if unescape(raw, &mut decoded) { Found::Text(decoded.into()) } else { Found::Ambiguous }
        }
        b't' | b'f' => Found::Literal(text.into()),
        b'n' => Found::Nothing,
        b'-' | b'0'..=b'9' => match number::scan(bytes, 0) {
            Ok((end, integral)) => match number::value(text.get(..end).unwrap_or_default(), integral) {
                Raw::Int(value) => Found::Literal(value.to_string().into()),
                Raw::Uint(value) => Found::Literal(value.to_string().into()),
                _ => Found::Other,
            },
            Err(_) => Found::Other,
        },
        _ => Found::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::{Found, LARGEST_OBJECT, items, look};

    fn text(text: &str) -> Found<'_> {
        Found::Text(text.into())
    }

    fn literal(text: &str) -> Found<'_> {
        Found::Literal(text.into())
    }

    #[test]
    fn follows_names_and_numbers() {
        let body = r#"{"list": [ 1, {"a/b": "x\ty", "~": [true]} , "z"], "0": {"1": -5}, "n": null}"#;
        for (pointer, found) in [
            ("/list/0", literal("1")),
            ("/list/1/a~1b", text("x\ty")),
            ("/list/1/~0/0", literal("true")),
            ("/list/2", text("z")),
            ("/0/1", literal("-5")),
            ("/n", Found::Nothing),
            ("/list", Found::Other),
            ("", Found::Other),
        ] {
            assert_eq!(look(body, pointer), found, "{pointer}");
        }
        for pointer in ["/list/3", "/list/01", "/list/-", "/list/x", "/list/0/a", "/none", "/n/a", "/0/0"] {
            assert_eq!(look(body, pointer), Found::Nothing, "{pointer}");
        }
    }

    #[test]
    fn what_readers_differ_on_is_ambiguous() {
        let body = r#"{"a":1,"b":{"c":1,"\u0063":2},"d":"\ud83d","e":1.0,"a":1,"f":1e400}"#;
        for pointer in ["/a", "/b/c", "/d"] {
            assert_eq!(look(body, pointer), Found::Ambiguous, "{pointer}");
        }
        assert_eq!([look(body, "/e"), look(body, "/f")], [Found::Other, Found::Other]);
    }

    #[test]
    fn an_object_that_is_too_large_is_not_looked_through() {
        let body = format!(r#"{{"a":1,"b":"{}"}}"#, "x".repeat(LARGEST_OBJECT));
        assert_eq!(look(&body, "/a"), Found::Other);
        assert_eq!(look(&format!("[{body}]"), "/0/a"), Found::Other);
        assert_eq!(look(&format!("[0,{body}]"), "/0"), literal("0"));
    }

    #[test]
    fn gives_the_elements_of_an_array_in_order() {
        assert_eq!(items(r#"[ 1 , "a,b",[2,3] ]"#).collect::<Vec<_>>(), ["1", r#""a,b""#, "[2,3]"]);
        assert_eq!(items("[ ]").count(), 0);
    }
}
