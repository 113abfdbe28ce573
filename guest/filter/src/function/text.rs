//! The functions of the strings extension.

use super::Function;
use crate::failure::Failure;
use crate::value::{Budget, List, Text, Value};

/// The functions of the strings extension. Positions count characters.
pub(super) fn text<'a>(
    function: Function,
    arguments: &[Value<'a>],
    budget: &mut Budget,
) -> Result<Value<'a>, Failure> {
    use Function as F;
    use Value::{Int, String};
    if let [Value::List(list), rest @ ..] = arguments {
        return match (function, rest) {
            (F::Join, []) => join(list, "", budget),
            (F::Join, [String(separator)]) => join(list, separator, budget),
            _ => Err(Failure::NoOverload),
        };
    }
    let [String(subject), rest @ ..] = arguments else { return Err(Failure::NoOverload) };
    budget.spend_bytes(subject.len())?;
    match (function, rest) {
        (F::CharAt, [Int(at)]) => {
            let start = position(subject, *at)?;
            let character = subject.get(start..).and_then(|rest| rest.chars().next());
            Ok(Value::string(
                character.map_or_else(std::string::String::new, |character| character.to_string()),
            ))
        }
        (F::IndexOf, [String(part)]) => index(subject, part, 0),
        (F::IndexOf, [String(part), Int(from)]) => index(subject, part, position(subject, *from)?),
        (F::LastIndexOf, [String(part)]) => last_index(subject, part, subject.len()),
        (F::LastIndexOf, [String(part), Int(upto)]) => last_index(subject, part, position(subject, *upto)?),
        (F::LowerAscii, []) => Ok(Value::string(subject.to_ascii_lowercase())),
        (F::UpperAscii, []) => Ok(Value::string(subject.to_ascii_uppercase())),
        (F::Replace, [String(old), String(new)]) => replace(subject, old, new, -1, budget),
        (F::Replace, [String(old), String(new), Int(most)]) => replace(subject, old, new, *most, budget),
        (F::Split, [String(separator)]) => split(subject, separator, -1, budget),
        (F::Split, [String(separator), Int(most)]) => split(subject, separator, *most, budget),
        (F::Substring, [Int(start)]) => {
            let start = position(subject, *start)?;
            Ok(part(subject, start, subject.len()))
        }
        (F::Substring, [Int(start), Int(end)]) => {
            let (start, end) = (position(subject, *start)?, position(subject, *end)?);
            if start > end { Err(Failure::BadIndex) } else { Ok(part(subject, start, end)) }
        }
        (F::Trim, []) => {
            let trimmed = subject.trim();
            Ok(Value::string(trimmed))
        }
        (F::Reverse, []) => Ok(Value::string(subject.chars().rev().collect::<std::string::String>())),
        (F::Quote, []) => Ok(Value::string(quote(subject))),
        _ => Err(Failure::NoOverload),
    }
}

/// The byte at which the character number `at` starts, which may be the end.
fn position(text: &str, at: i64) -> Result<usize, Failure> {
    let at = usize::try_from(at).map_err(|_| Failure::BadIndex)?;
    let mut starts = text.char_indices().map(|(start, _)| start).chain([text.len()]);
    starts.nth(at).ok_or(Failure::BadIndex)
}

/// A part of the text, borrowed where the text is.
fn part<'a>(text: &Text<'a>, start: usize, end: usize) -> Value<'a> {
    match text {
        Text::Borrowed(text) => Value::str(text.get(start..end).unwrap_or_default()),
        Text::Shared(text) => Value::string(text.get(start..end).unwrap_or_default()),
    }
}

fn count(text: &str, upto: usize) -> Result<i64, Failure> {
    let before = text.get(..upto).unwrap_or_default();
    i64::try_from(before.chars().count()).map_err(|_| Failure::Overflow)
}

fn index<'a>(text: &str, part: &str, from: usize) -> Result<Value<'a>, Failure> {
    let found = text.get(from..).and_then(|rest| rest.find(part));
    found.map_or(Ok(-1), |at| count(text, from + at)).map(Value::Int)
}

/// The last place at which the part starts, not beyond `upto`.
fn last_index<'a>(text: &str, part: &str, upto: usize) -> Result<Value<'a>, Failure> {
    let mut end = upto.saturating_add(part.len()).min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let found = text.get(..end).and_then(|head| head.rfind(part));
    found.map_or(Ok(-1), |at| count(text, at)).map(Value::Int)
}

fn join<'a>(list: &List<'a>, separator: &str, budget: &mut Budget) -> Result<Value<'a>, Failure> {
    let mut joined = String::new();
    for (at, element) in list.iter().enumerate() {
        let Value::String(text) = element else { return Err(Failure::NoOverload) };
        budget.spend(1)?;
        budget.spend_bytes(text.len() + separator.len())?;
        if at > 0 {
            joined.push_str(separator);
        }
        joined.push_str(text);
    }
    Ok(Value::string(joined))
}

fn replace<'a>(
    text: &str,
    old: &str,
    new: &str,
    most: i64,
    budget: &mut Budget,
) -> Result<Value<'a>, Failure> {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let places = text.matches(old).take(most).count();
    budget.spend(places)?;
    budget.spend_bytes(places.saturating_mul(new.len()))?;
    Ok(Value::string(text.replacen(old, new, places)))
}

fn split<'a>(text: &Text<'a>, separator: &str, most: i64, budget: &mut Budget) -> Result<Value<'a>, Failure> {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let mut parts = Vec::new();
    let mut start = 0;
    let mut add = |start: usize, end: usize, parts: &mut Vec<Value<'a>>| {
        parts.push(part(text, start, end));
        budget.spend(1)
    };
    if most == 0 {
        return Ok(Value::list(parts));
    }
    if separator.is_empty() {
        let mut ends = text.char_indices().map(|(at, character)| at + character.len_utf8());
        while parts.len() + 1 < most
            && let Some(end) = ends.next()
        {
            add(start, end, &mut parts)?;
            start = end;
        }
        if start < text.len() {
            add(start, text.len(), &mut parts)?;
        }
        return Ok(Value::list(parts));
    }
    while parts.len() + 1 < most
        && let Some(at) = text.get(start..).and_then(|rest| rest.find(separator))
    {
        add(start, start + at, &mut parts)?;
        start += at + separator.len();
    }
    add(start, text.len(), &mut parts)?;
    Ok(Value::list(parts))
}

/// The text as a literal in double quotes.
fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '\x07' => quoted.push_str("\\a"),
            '\x08' => quoted.push_str("\\b"),
            '\x0c' => quoted.push_str("\\f"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\x0b' => quoted.push_str("\\v"),
            '\\' => quoted.push_str("\\\\"),
            '"' => quoted.push_str("\\\""),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}
