//! `format`: values written into a text.

use super::{convert, time};
use crate::failure::Failure;
use crate::value::{Budget, List, Text, Value};
use std::fmt::Write as _;

/// The precision of `%f` and `%e` without one.
const PRECISION: usize = 6;
/// The largest precision: digits are written out.
const MOST: usize = 100;

/// `"%d items for %s".format([3, "x"])`.
pub(super) fn format<'a>(arguments: &[Value<'a>], budget: &mut Budget) -> Result<Value<'a>, Failure> {
    let [Value::String(pattern), Value::List(list)] = arguments else { return Err(Failure::NoOverload) };
    written(pattern, list, budget).map(Value::string)
}

fn written(pattern: &Text<'_>, list: &List<'_>, budget: &mut Budget) -> Result<String, Failure> {
    let mut out = String::with_capacity(pattern.len());
    let mut rest = &**pattern;
    let mut arguments = list.iter();
    while let Some((before, clause)) = rest.split_once('%') {
        out.push_str(before);
        if let Some(after) = clause.strip_prefix('%') {
            out.push('%');
            rest = after;
            continue;
        }
        let (precision, clause) = precision(clause)?;
        let mut letters = clause.chars();
        let letter = letters.next().ok_or(Failure::BadFormat)?;
        let value = arguments.next().ok_or(Failure::BadFormat)?;
        let start = out.len();
        write(&mut out, letter, precision, value, budget)?;
        budget.spend(1)?;
        budget.spend_bytes(out.len() - start)?;
        rest = letters.as_str();
    }
    out.push_str(rest);
    budget.spend_bytes(out.len())?;
    Ok(out)
}

fn precision(clause: &str) -> Result<(usize, &str), Failure> {
    let Some(rest) = clause.strip_prefix('.') else { return Ok((PRECISION, clause)) };
    let length = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, rest) = rest.split_at(length);
    let precision = digits.parse().ok().filter(|precision| *precision <= MOST);
    Ok((precision.ok_or(Failure::BadFormat)?, rest))
}

fn write(
    out: &mut String,
    letter: char,
    precision: usize,
    value: &Value<'_>,
    budget: &mut Budget,
) -> Result<(), Failure> {
    let done = match (letter, value) {
        ('s', value) => return plain(out, value, budget),
        ('d', Value::Int(int)) => write!(out, "{int}"),
        ('d', Value::Uint(uint)) => write!(out, "{uint}"),
        ('d', Value::Double(double)) => out.write_str(&convert::double(*double)),
        ('f' | 'e', number) => {
            let double = match number {
                Value::Int(int) => *int as f64,
                Value::Uint(uint) => *uint as f64,
                Value::Double(double) => *double,
                _ => return Err(Failure::BadFormat),
            };
            if !double.is_finite() {
                out.write_str(&convert::double(double))
            } else if letter == 'f' {
                write!(out, "{double:.precision$}")
            } else {
                return scientific(out, double, precision);
            }
        }
        ('b', Value::Bool(bool)) => write!(out, "{}", u8::from(*bool)),
        ('b', Value::Int(int)) => write!(out, "{}{:b}", sign(*int), int.unsigned_abs()),
        ('b', Value::Uint(uint)) => write!(out, "{uint:b}"),
        ('o', Value::Int(int)) => write!(out, "{}{:o}", sign(*int), int.unsigned_abs()),
        ('o', Value::Uint(uint)) => write!(out, "{uint:o}"),
        ('x', Value::Int(int)) => write!(out, "{}{:x}", sign(*int), int.unsigned_abs()),
        ('x', Value::Uint(uint)) => write!(out, "{uint:x}"),
        ('X', Value::Int(int)) => write!(out, "{}{:X}", sign(*int), int.unsigned_abs()),
        ('X', Value::Uint(uint)) => write!(out, "{uint:X}"),
        ('x' | 'X', Value::String(text)) => return hex(out, text.as_bytes(), letter == 'X'),
        ('x' | 'X', Value::Bytes(bytes)) => return hex(out, bytes, letter == 'X'),
        _ => return Err(Failure::BadFormat),
    };
    done.map_err(|_| Failure::BadFormat)
}

const fn sign(int: i64) -> &'static str {
    if int < 0 { "-" } else { "" }
}

fn hex(out: &mut String, bytes: &[u8], upper: bool) -> Result<(), Failure> {
    for byte in bytes {
        if upper { write!(out, "{byte:02X}") } else { write!(out, "{byte:02x}") }
            .map_err(|_| Failure::BadFormat)?;
    }
    Ok(())
}

/// `1.052033e+03`: at least two digits of exponent.
fn scientific(out: &mut String, double: f64, precision: usize) -> Result<(), Failure> {
    let text = format!("{double:.precision$e}");
    let (mantissa, exponent) = text.split_once('e').ok_or(Failure::BadFormat)?;
    let exponent: i32 = exponent.parse().map_err(|_| Failure::BadFormat)?;
    let sign = if exponent < 0 { '-' } else { '+' };
    write!(out, "{mantissa}e{sign}{:02}", exponent.unsigned_abs()).map_err(|_| Failure::BadFormat)
}

/// `%s`: any value that has a text, also inside lists and maps. A map's entries are in the order of their keys' texts.
fn plain(out: &mut String, value: &Value<'_>, budget: &mut Budget) -> Result<(), Failure> {
    budget.spend(1)?;
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(bool) => out.push_str(if *bool { "true" } else { "false" }),
        Value::Int(int) => out.push_str(&int.to_string()),
        Value::Uint(uint) => out.push_str(&uint.to_string()),
        Value::Double(double) => out.push_str(&convert::double(*double)),
        Value::String(text) => {
            budget.spend_bytes(text.len())?;
            out.push_str(text);
        }
        Value::Bytes(bytes) => {
            budget.spend_bytes(bytes.len())?;
            lossy(out, bytes);
        }
        Value::Timestamp(timestamp) => out.push_str(&time::write_timestamp(*timestamp)),
        Value::Duration(duration) => out.push_str(&time::write_duration(*duration)),
        Value::Type(kind) => out.push_str(kind.name()),
        Value::List(list) => {
            out.push('[');
            for (at, element) in list.iter().enumerate() {
                if at > 0 {
                    out.push_str(", ");
                }
                plain(out, element, budget)?;
            }
            out.push(']');
        }
        Value::Map(map) => {
            let mut entries = Vec::with_capacity(map.len());
            for (key, value) in map.entries() {
                let (mut name, mut text) = (String::new(), String::new());
                plain(&mut name, &key.value(), budget)?;
                plain(&mut text, value, budget)?;
                budget.spend_bytes(name.len() + text.len())?;
                entries.push((name, text));
            }
            entries.sort_unstable();
            let entries: Vec<String> =
                entries.into_iter().map(|(name, text)| format!("{name}: {text}")).collect();
            out.push('{');
            out.push_str(&entries.join(", "));
            out.push('}');
        }
        Value::Optional(_) | Value::Address(_) | Value::Network(_) => return Err(Failure::BadFormat),
    }
    Ok(())
}

/// Octets as text; a run of those that are not UTF-8 becomes one replacement character.
fn lossy(out: &mut String, bytes: &[u8]) {
    let mut broken = false;
    for chunk in bytes.utf8_chunks() {
        if !chunk.valid().is_empty() {
            broken = false;
            out.push_str(chunk.valid());
        }
        if !chunk.invalid().is_empty() && !std::mem::replace(&mut broken, true) {
            out.push(char::REPLACEMENT_CHARACTER);
        }
    }
}
