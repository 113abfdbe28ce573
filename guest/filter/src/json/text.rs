//! Decoding a string that has escapes.

/// Appends the decoded form of `raw`, the checked text between two quotes, to `out`; whether every escape stands for a
/// character.
pub(super) fn unescape(raw: &str, out: &mut String) -> bool {
    let mut rest = raw;
    let mut exact = true;
    while let Some((plain, escape)) = rest.split_once('\\') {
        out.push_str(plain);
        let mut characters = escape.chars();
        let character = match characters.next() {
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('u') => {
                let (character, length) = code_point(escape);
                exact &= character.is_some();
                out.push(character.unwrap_or(char::REPLACEMENT_CHARACTER));
                rest = escape.get(length..).unwrap_or_default();
                continue;
            }
            Some(other) => other,
            None => char::REPLACEMENT_CHARACTER,
        };
        out.push(character);
        rest = characters.as_str();
    }
    out.push_str(rest);
    exact
}

/// The character that `escape` (what follows the backslash of a `\u` escape) starts with, if it is one and no lone
/// surrogate, and the number of bytes it takes.
fn code_point(escape: &str) -> (Option<char>, usize) {
    let unit = |at: usize| escape.get(at..at + 4).and_then(|digits| u32::from_str_radix(digits, 16).ok());
    let Some(first) = unit(1) else {
        return (None, escape.len());
    };
    if (0xd800..0xdc00).contains(&first)
        && escape.get(5..7) == Some("\\u")
        && let Some(second) = unit(7)
        && (0xdc00..0xe000).contains(&second)
    {
        let joined = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
        return (char::from_u32(joined), 11);
    }
    (char::from_u32(first), 5)
}

#[cfg(test)]
mod tests {
    use super::unescape;

    fn decoded(raw: &str) -> String {
        let mut out = String::new();
        let exact = unescape(raw, &mut out);
        assert_eq!(exact, !out.contains('\u{fffd}'));
        out
    }

    #[test]
    fn decodes_every_escape() {
        assert_eq!(decoded(r#"a\"\\\/\b\f\n\r\t\u0041z"#), "a\"\\/\u{8}\u{c}\n\r\tAz");
        assert_eq!(decoded(r"\ud83d\ude00\u20AC"), "\u{1f600}\u{20ac}");
        assert_eq!(decoded("plain"), "plain");
    }

    #[test]
    fn reads_a_lone_surrogate_as_the_replacement_character() {
        assert_eq!(decoded(r"\ud83d"), "\u{fffd}");
        assert_eq!(decoded(r"\ude00x"), "\u{fffd}x");
        assert_eq!(decoded(r"\ud83d\u0041"), "\u{fffd}A");
        assert_eq!(decoded(r"\ud83d\n"), "\u{fffd}\n");
    }
}
