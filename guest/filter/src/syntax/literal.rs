//! Numbers, strings and octets as they are written.

use crate::value::Value;

/// How a string or bytes literal opens.
#[derive(Debug)]
pub(crate) struct Quoted {
    /// How many bytes the prefix and the opening quotes take.
    pub(crate) opening: usize,
    /// `'`, `"`, `'''` or `"""`.
    pub(crate) quote: &'static str,
    raw: bool,
    bytes: bool,
}

/// Where in a literal, over how many bytes, and what is wrong.
type Wrong = (usize, usize, &'static str);

impl Quoted {
    /// Recognises the start of a literal.
    pub(crate) fn open(text: &str) -> Option<Self> {
        let (mut raw, mut bytes, mut prefix) = (false, false, 0);
        for letter in text.bytes() {
            match letter {
                b'r' | b'R' if !raw => raw = true,
                b'b' | b'B' if !bytes => bytes = true,
                _ => break,
            }
            prefix += 1;
        }
        let rest = text.get(prefix..)?;
        let quote = ["'''", "\"\"\"", "'", "\""].into_iter().find(|quote| rest.starts_with(quote))?;
        Some(Self { opening: prefix + quote.len(), quote, raw, bytes })
    }

    /// How many bytes there are before the closing quotes, if there are any.
    pub(crate) fn length(&self, body: &str) -> Option<usize> {
        let (bytes, quote) = (body.as_bytes(), self.quote.as_bytes());
        let mut at = 0;
        loop {
            let byte = *bytes.get(at)?;
            if Some(&byte) == quote.first() && bytes.get(at..)?.starts_with(quote) {
                return Some(at);
            }
            if quote.len() == 1 && matches!(byte, b'\n' | b'\r') {
                return None;
            }
            at += if byte == b'\\' && !self.raw { 2 } else { 1 };
        }
    }

    /// The value of the text between the quotes.
    pub(crate) fn value(&self, body: &str) -> Result<Value<'static>, Wrong> {
        if !self.bytes && !body.contains('\r') && (self.raw || !body.contains('\\')) {
            return Ok(Value::string(body));
        }
        let mut text = Vec::with_capacity(body.len());
        let mut at = 0;
        while let Some(rest) = body.get(at..).filter(|rest| !rest.is_empty()) {
            if rest.starts_with('\\') && !self.raw {
                at += self.escape(rest, &mut text).map_err(|(bytes, message)| (at, bytes, message))?;
            } else if rest.starts_with('\r') {
                // A line ends in one way, however the text was stored.
                text.push(b'\n');
                at += if rest.starts_with("\r\n") { 2 } else { 1 };
            } else {
                let plain = rest.find(['\\', '\r']).unwrap_or(rest.len()).max(1);
                text.extend_from_slice(rest.get(..plain).unwrap_or_default().as_bytes());
                at += plain;
            }
        }
        if self.bytes {
            return Ok(Value::bytes(text));
        }
        match String::from_utf8(text) {
            Ok(text) => Ok(Value::string(text)),
            Err(_) => Err((0, body.len(), "this string is not valid unicode")),
        }
    }

    /// Decodes one escape sequence, and returns how long it is.
    fn escape(&self, text: &str, into: &mut Vec<u8>) -> Result<usize, (usize, &'static str)> {
        const UNKNOWN: &str =
            "unknown escape sequence; write '\\\\' for a backslash, or r'...' for a raw string";
        let letter = text.chars().nth(1).ok_or((1, UNKNOWN))?;
        let single = match letter {
            'a' => 0x07,
            'b' => 0x08,
            'f' => 0x0c,
            'n' => b'\n',
            'r' => b'\r',
            't' => b'\t',
            'v' => 0x0b,
            '\\' | '?' | '"' | '\'' | '`' => u8::try_from(letter).unwrap_or_default(),
            _ => 0,
        };
        if single != 0 {
            into.push(single);
            return Ok(2);
        }
        let (skip, digits, radix) = match letter {
            'x' | 'X' => (2, 2, 16),
            'u' if !self.bytes => (2, 4, 16),
            'U' if !self.bytes => (2, 8, 16),
            '0'..='3' => (1, 3, 8),
            _ => return Err((1 + letter.len_utf8(), UNKNOWN)),
        };
        let length = skip + digits;
        let code = text
            .get(skip..length)
            .filter(|code| code.bytes().all(|digit| char::from(digit).is_digit(radix)))
            .and_then(|code| u32::from_str_radix(code, radix).ok())
            .ok_or((skip, "this escape sequence has too few digits"))?;
        if self.bytes {
            into.push(u8::try_from(code).map_err(|_| (length, "this octet is out of range"))?);
        } else {
            let character = char::from_u32(code).ok_or((length, "this is not a unicode code point"))?;
            into.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
        Ok(length)
    }
}

/// The value of a number; `None` for 9223372036854775808, which is an int only after a minus sign.
type Number = Result<Option<Value<'static>>, &'static str>;

/// Reads the number at the start of the text: how long it is, and its value.
pub(crate) fn number(text: &str) -> (usize, Number) {
    let bytes = text.as_bytes();
    let run = |from: usize, hex: bool| {
        let digit = |byte: &&u8| if hex { byte.is_ascii_hexdigit() } else { byte.is_ascii_digit() };
        bytes.iter().skip(from).take_while(digit).count()
    };
    let at = |position: usize| bytes.get(position).copied().unwrap_or_default();
    if at(0) == b'0' && matches!(at(1), b'x' | b'X') {
        let digits = run(2, true);
        return integer(text, 2, 2 + digits, 16);
    }
    let whole = run(0, false);
    let fraction = if at(whole) == b'.' { run(whole + 1, false) } else { 0 };
    let mut length = if fraction > 0 { whole + 1 + fraction } else { whole };
    let mut double = fraction > 0;
    if matches!(at(length), b'e' | b'E') {
        let sign = usize::from(matches!(at(length + 1), b'+' | b'-'));
        let exponent = run(length + 1 + sign, false);
        if exponent > 0 {
            length += 1 + sign + exponent;
            double = true;
        }
    }
    if !double {
        return integer(text, 0, length, 10);
    }
    let value = text.get(..length).and_then(|text| text.parse::<f64>().ok());
    (length, value.map(|value| Some(Value::Double(value))).ok_or("this is not a number"))
}

fn integer(text: &str, start: usize, end: usize, radix: u32) -> (usize, Number) {
    let unsigned = matches!(text.as_bytes().get(end), Some(b'u' | b'U'));
    let length = end + usize::from(unsigned);
    let digits = text.get(start..end).unwrap_or_default();
    if digits.is_empty() {
        return (length, Err("this is not a number"));
    }
    let Ok(value) = u64::from_str_radix(digits, radix) else {
        return (length, Err("this integer does not fit into 64 bits"));
    };
    let number = match i64::try_from(value) {
        _ if unsigned => Some(Value::Uint(value)),
        Ok(value) => Some(Value::Int(value)),
        Err(_) if value == 1 << 63 => None,
        Err(_) => return (length, Err("this integer does not fit into an int; add a 'u' to make it a uint")),
    };
    (length, Ok(number))
}
