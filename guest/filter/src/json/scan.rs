//! Finding the end of a string, sixteen bytes at a time.

use super::error::{JsonError, JsonErrorKind};
use wide::u8x16;

/// The byte at `at`, or NUL past the end, which no JSON token starts with.
#[inline(always)]
pub(super) fn byte(text: &[u8], at: usize) -> u8 {
    text.get(at).copied().unwrap_or(0)
}

/// The first position from `at` that is not white space.
#[inline(always)]
pub(super) fn skip_space(text: &[u8], mut at: usize) -> usize {
    while matches!(byte(text, at), b' ' | b'\n' | b'\r' | b'\t') {
        at += 1;
    }
    at
}

/// The first position from `at` of a quote, a backslash or a control character; the text's length if there is none.
#[inline(always)]
fn stop(text: &[u8], mut at: usize) -> usize {
    let quote = u8x16::splat(b'"');
    let backslash = u8x16::splat(b'\\');
    let control = u8x16::splat(0x1f);
    while let Some(chunk) = text.get(at..).and_then(|rest| rest.first_chunk::<16>()) {
        let chunk = u8x16::from(*chunk);
        let stops = chunk.simd_eq(quote) | chunk.simd_eq(backslash) | chunk.simd_eq(chunk.min(control));
        let mask = stops.to_bitmask();
        if mask != 0 {
            return at + mask.trailing_zeros() as usize;
        }
        at += 16;
    }
    while let Some(&byte) = text.get(at) {
        if byte == b'"' || byte == b'\\' || byte < 0x20 {
            break;
        }
        at += 1;
    }
    at
}

/// A string's end and whether it has escapes.
#[derive(Clone, Copy)]
pub(super) struct Scanned {
    /// The position of the closing quote.
    pub(super) end: usize,
    /// Whether the text between the quotes has escapes.
    pub(super) escaped: bool,
}

/// Scans a string whose first byte after the opening quote is at `at`, and checks its escapes.
#[inline(always)]
pub(super) fn string(text: &[u8], at: usize) -> Result<Scanned, JsonError> {
    let end = stop(text, at);
    if byte(text, end) == b'"' {
        return Ok(Scanned { end, escaped: false });
    }
    escaped_string(text, end)
}

/// Goes on with a string from its first backslash.
#[inline(never)]
fn escaped_string(text: &[u8], mut at: usize) -> Result<Scanned, JsonError> {
    loop {
        match text.get(at) {
            None => return Err(JsonErrorKind::End.at(at)),
            Some(b'"') => return Ok(Scanned { end: at, escaped: true }),
            Some(b'\\') => match byte(text, at + 1) {
                b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => at += 2,
                b'u' => {
                    let digits = text.get(at + 2..at + 6).ok_or(JsonErrorKind::End.at(at))?;
                    if !digits.iter().all(u8::is_ascii_hexdigit) {
                        return Err(JsonErrorKind::Escape.at(at));
                    }
                    at += 6;
                }
                _ => return Err(JsonErrorKind::Escape.at(at)),
            },
            Some(_) => return Err(JsonErrorKind::Control.at(at)),
        }
        at = stop(text, at);
    }
}
