//! Undoing the escapes that programs put into texts, with the place in the text that each byte came from.
//!
//! An endpoint chooses for itself which characters it escapes, and how: as JSON, as JavaScript, for a URL, for HTML. So a
//! text is read as whoever knows all of these would read it.

/// One byte of what a text says, and where in the text it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) byte: u8,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// Named characters of HTML that secrets may hold.
const NAMED: [(&str, u8); 33] = [
    ("amp", b'&'),
    ("apos", b'\''),
    ("ast", b'*'),
    ("bsol", b'\\'),
    ("colon", b':'),
    ("comma", b','),
    ("commat", b'@'),
    ("dollar", b'$'),
    ("equals", b'='),
    ("excl", b'!'),
    ("grave", b'`'),
    ("gt", b'>'),
    ("hat", b'^'),
    ("lbrace", b'{'),
    ("lbrack", b'['),
    ("lcub", b'{'),
    ("lowbar", b'_'),
    ("lpar", b'('),
    ("lsqb", b'['),
    ("lt", b'<'),
    ("num", b'#'),
    ("percnt", b'%'),
    ("period", b'.'),
    ("plus", b'+'),
    ("quest", b'?'),
    ("quot", b'"'),
    ("rcub", b'}'),
    ("rpar", b')'),
    ("rsqb", b']'),
    ("semi", b';'),
    ("sol", b'/'),
    ("verbar", b'|'),
    ("vert", b'|'),
];

/// The text as it stands, in lower case.
pub(super) fn plain(text: &str) -> Vec<Said> {
    let bytes = text.bytes().enumerate();
    bytes.map(|(start, byte)| Said { byte: byte.to_ascii_lowercase(), start, end: start + 1 }).collect()
}

/// A way to escape characters. Each is undone by itself: what is an escape in one stands for itself in another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Notation {
    /// Of JSON, of JavaScript and of most other languages.
    Backslash,
    /// Of URLs.
    Percent,
    /// Of HTML and XML.
    Entity,
}

impl Notation {
    pub(super) const ALL: [Self; 3] = [Self::Backslash, Self::Percent, Self::Entity];
}

/// One layer of escapes of this notation less; `None` if there is none in it.
pub(super) fn undo(said: &[Said], notation: Notation) -> Option<Vec<Said>> {
    let mut undone = Vec::with_capacity(said.len());
    let mut rest = said;
    let mut found = false;
    while let Some(first) = rest.first() {
        match escape(rest, notation) {
            Some((bytes, length)) => {
                found = true;
                let (escape, behind) = rest.split_at_checked(length).unwrap_or((rest, &[]));
                let end = escape.last().map_or(first.end, |last| last.end);
                undone.extend(bytes.as_bytes().iter().map(|byte| Said {
                    byte: byte.to_ascii_lowercase(),
                    start: first.start,
                    end,
                }));
                rest = behind;
            }
            None => {
                undone.push(*first);
                rest = rest.get(1..).unwrap_or_default();
            }
        }
    }
    found.then_some(undone)
}

/// What an escape stands for.
enum Meant {
    Byte(u8),
    Char([u8; 4], usize),
}

impl Meant {
    fn char(code: u32) -> Option<Self> {
        let mut bytes = [0; 4];
        let length = char::from_u32(code)?.encode_utf8(&mut bytes).len();
        Some(Self::Char(bytes, length))
    }

    fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Byte(byte) => std::slice::from_ref(byte),
            Self::Char(bytes, length) => bytes.get(..*length).unwrap_or_default(),
        }
    }
}

/// The escape that a text begins with, and its length.
fn escape(text: &[Said], notation: Notation) -> Option<(Meant, usize)> {
    match (byte(text, 0)?, notation) {
        (b'\\', Notation::Backslash) => backslash(text),
        (b'&', Notation::Entity) => entity(text),
        (b'%', Notation::Percent) => percent(text),
        _ => None,
    }
}

fn percent(text: &[Said]) -> Option<(Meant, usize)> {
    Some(match byte(text, 1)? {
        b'u' => (Meant::char(number(text, 2, 4, 16)?)?, 6),
        _ => (Meant::Byte(u8::try_from(number(text, 1, 2, 16)?).ok()?), 3),
    })
}

fn backslash(text: &[Said]) -> Option<(Meant, usize)> {
    Some(match byte(text, 1)? {
        b'u' if byte(text, 2) == Some(b'{') => {
            let end = (3..=9).find(|place| byte(text, *place) == Some(b'}'))?;
            (Meant::char(number(text, 3, end - 3, 16)?)?, end + 1)
        }
        b'u' => {
            let unit = number(text, 2, 4, 16)?;
            if !(0xd800..0xdc00).contains(&unit) {
                return Some((Meant::char(unit)?, 6));
            }
            // The first half of a pair.
            let is_pair = byte(text, 6) == Some(b'\\') && byte(text, 7) == Some(b'u');
            let low = is_pair.then(|| number(text, 8, 4, 16)).flatten()?.checked_sub(0xdc00)?;
            (Meant::char(0x1_0000 + ((unit - 0xd800) << 10) + low)?, 12)
        }
        b'x' => (Meant::Byte(u8::try_from(number(text, 2, 2, 16)?).ok()?), 4),
        b'0'..=b'3' => (Meant::Byte(u8::try_from(number(text, 1, 3, 8)?).ok()?), 4),
        b'n' => (Meant::Byte(b'\n'), 2),
        b'r' => (Meant::Byte(b'\r'), 2),
        b't' => (Meant::Byte(b'\t'), 2),
        byte if byte.is_ascii_punctuation() => (Meant::Byte(byte), 2),
        _ => return None,
    })
}

/// With or without its semicolon, which browsers do not insist on.
fn entity(text: &[Said]) -> Option<(Meant, usize)> {
    let (from, radix) = match (byte(text, 1)?, byte(text, 2)) {
        (b'#', Some(b'x')) => (3, 16),
        (b'#', _) => (2, 10),
        _ => {
            return NAMED.iter().find_map(|(name, byte)| {
                let named = text.get(1..=name.len())?.iter().map(|said| said.byte).eq(name.bytes());
                (named && self::byte(text, name.len() + 1) == Some(b';'))
                    .then_some((Meant::Byte(*byte), name.len() + 2))
            });
        }
    };
    let is_digit = |place: &usize| byte(text, *place).is_some_and(|byte| char::from(byte).is_digit(radix));
    let digits = (from..from + 8).take_while(is_digit).count();
    let end = from + digits;
    let length = if byte(text, end) == Some(b';') { end + 1 } else { end };
    Some((Meant::char(number(text, from, digits, radix)?)?, length))
}

fn byte(text: &[Said], place: usize) -> Option<u8> {
    text.get(place).map(|said| said.byte)
}

/// A number of so many digits.
fn number(text: &[Said], from: usize, digits: usize, radix: u32) -> Option<u32> {
    let digits = text.get(from..from + digits).filter(|digits| !digits.is_empty())?;
    digits.iter().try_fold(0u32, |number, said| {
        number.checked_mul(radix)?.checked_add(char::from(said.byte).to_digit(radix)?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn undone(text: &str) -> String {
        let mut undone = plain(text);
        for notation in Notation::ALL {
            undone = undo(&undone, notation).unwrap_or(undone);
        }
        String::from_utf8(undone.iter().map(|said| said.byte).collect()).unwrap()
    }

    #[test]
    fn reads_what_programs_write_for_one_character() {
        for text in
            ["\\u002b", "\\x2B", "\\053", "\\u{2b}", "%2b", "%u002B", "&#43;", "&#x2B;", "&#043", "&plus;"]
        {
            assert_eq!(undone(&format!("a{text}b")), "a+b", "{text}");
        }
        assert_eq!(undone("\\ud83d\\ude00 \\u00fc %c3%bc &uuml;"), "😀 ü ü &uuml;");
        assert_eq!(undone("\\\"a\\/b\\\\"), "\"a/b\\");
    }

    #[test]
    fn leaves_what_only_looks_like_an_escape() {
        for text in ["100% of", "a & b", "&#; &#x; &no;", "\\", "\\u12", "\\ud83d", "%", "&", "%zz"] {
            assert_eq!(undone(text), text);
        }
    }

    #[test]
    fn knows_where_each_byte_stands() {
        let said = undo(&undo(&plain("a%255c"), Notation::Percent).unwrap(), Notation::Percent).unwrap();
        assert_eq!(said.last(), Some(&Said { byte: b'\\', start: 1, end: 6 }));
    }
}
