//! Numbers: the grammar, and the number model (`int`, else `uint`, else `double`).

use super::error::{JsonError, JsonErrorKind};
use super::scan::byte;
use super::slot::Raw;

/// Checks the number at `at`; its end, and whether it is written as an integer.
#[inline(always)]
pub(super) fn scan(text: &[u8], start: usize) -> Result<(usize, bool), JsonError> {
    let mut at = start;
    if byte(text, at) == b'-' {
        at += 1;
    }
    match byte(text, at) {
        b'0' => at += 1,
        b'1'..=b'9' => at = digits(text, at),
        _ => return Err(JsonErrorKind::Number.at(start)),
    }
    if !matches!(byte(text, at), b'.' | b'e' | b'E') {
        if byte(text, at).is_ascii_digit() {
            return Err(JsonErrorKind::Number.at(start));
        }
        return Ok((at, true));
    }
    if byte(text, at) == b'.' {
        let end = digits(text, at + 1);
        if end == at + 1 {
            return Err(JsonErrorKind::Number.at(start));
        }
        at = end;
    }
    if matches!(byte(text, at), b'e' | b'E') {
        at += 1;
        if matches!(byte(text, at), b'+' | b'-') {
            at += 1;
        }
        let end = digits(text, at);
        if end == at {
            return Err(JsonErrorKind::Number.at(start));
        }
        at = end;
    }
    Ok((at, false))
}

#[inline(always)]
fn digits(text: &[u8], mut at: usize) -> usize {
    while byte(text, at).is_ascii_digit() {
        at += 1;
    }
    at
}

/// The value of a checked number.
pub(super) fn value(text: &str, integral: bool) -> Raw {
    if integral {
        if let Ok(int) = text.parse::<i64>() {
            return Raw::Int(int);
        }
        if let Ok(uint) = text.parse::<u64>() {
            return Raw::Uint(uint);
        }
    }
    match text.parse::<f64>() {
        Ok(double) if double.is_finite() => Raw::Double(double),
        _ => Raw::Overflow,
    }
}

#[cfg(test)]
mod tests {
    use super::{Raw, scan, value};

    fn number(text: &str) -> Option<Raw> {
        let (end, integral) = scan(text.as_bytes(), 0).ok()?;
        (end == text.len()).then(|| value(text, integral))
    }

    #[test]
    fn integers_stay_integers_while_they_fit() {
        assert_eq!(number("0"), Some(Raw::Int(0)));
        assert_eq!(number("-0"), Some(Raw::Int(0)));
        assert_eq!(number("-9223372036854775808"), Some(Raw::Int(i64::MIN)));
        assert_eq!(number("9223372036854775807"), Some(Raw::Int(i64::MAX)));
        assert_eq!(number("9223372036854775808"), Some(Raw::Uint(1 << 63)));
        assert_eq!(number("18446744073709551615"), Some(Raw::Uint(u64::MAX)));
        assert_eq!(number("18446744073709551616"), Some(Raw::Double(18_446_744_073_709_551_616.0)));
    }

    #[test]
    fn a_fraction_or_an_exponent_makes_a_double() {
        assert_eq!(number("1.0"), Some(Raw::Double(1.0)));
        assert_eq!(number("1e3"), Some(Raw::Double(1000.0)));
        assert_eq!(number("-2.5E-1"), Some(Raw::Double(-0.25)));
        assert_eq!(number("1e400"), Some(Raw::Overflow));
        assert_eq!(number("1e-400"), Some(Raw::Double(0.0)));
    }

    #[test]
    fn refuses_what_the_grammar_does_not_have() {
        for text in ["", "-", "01", "+1", ".5", "1.", "1.e3", "1e", "1e+", "0x1", "--1", "-a", "1_0", "NaN"] {
            assert_eq!(number(text), None, "{text}");
        }
    }
}
