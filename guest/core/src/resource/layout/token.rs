//! The elements of a layout.

/// An element of a layout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    Literal(String),
    /// `2006`
    LongYear,
    /// `06`
    Year,
    /// `January`
    LongMonth,
    /// `Jan`
    Month,
    /// `1`, or `01` with two digits.
    NumberedMonth {
        fixed: bool,
    },
    /// `Monday`
    LongWeekday,
    /// `Mon`
    Weekday,
    /// `2`, `02` with two digits, `_2` with a space before one digit.
    Day {
        fixed: bool,
        padded: bool,
    },
    /// `002`, `__2`
    YearDay {
        padded: bool,
    },
    /// `15`
    Hour,
    /// `3`, or `03` with two digits.
    Hour12 {
        fixed: bool,
    },
    /// `4`, or `04` with two digits.
    Minute {
        fixed: bool,
    },
    /// `5`, or `05` with two digits.
    Second {
        fixed: bool,
    },
    /// `.000`: so many digits. The separator may be a comma.
    Fraction(usize),
    /// `.999`: digits, or nothing.
    OptionalFraction,
    /// `PM`
    UpperHalf,
    /// `pm`
    LowerHalf,
    /// `MST`
    Abbreviation,
    /// `Z07:00`, `-0700` and so on.
    Zone {
        zulu: bool,
        colon: bool,
        parts: u8,
    },
}

/// The beginning of a layout that is an element, and how long it is.
fn first(rest: &str) -> Option<(Token, usize)> {
    /// Of two that begin the same the longer one stands first.
    const WORDS: &[(&str, Token)] = &[
        ("January", Token::LongMonth),
        ("Monday", Token::LongWeekday),
        ("MST", Token::Abbreviation),
        ("2006", Token::LongYear),
        ("002", Token::YearDay { padded: false }),
        ("__2", Token::YearDay { padded: true }),
        ("01", Token::NumberedMonth { fixed: true }),
        ("02", Token::Day { fixed: true, padded: false }),
        ("03", Token::Hour12 { fixed: true }),
        ("04", Token::Minute { fixed: true }),
        ("05", Token::Second { fixed: true }),
        ("06", Token::Year),
        ("15", Token::Hour),
        ("1", Token::NumberedMonth { fixed: false }),
        ("2", Token::Day { fixed: false, padded: false }),
        ("3", Token::Hour12 { fixed: false }),
        ("4", Token::Minute { fixed: false }),
        ("5", Token::Second { fixed: false }),
        ("PM", Token::UpperHalf),
        ("pm", Token::LowerHalf),
        ("Z07:00:00", Token::Zone { zulu: true, colon: true, parts: 3 }),
        ("Z070000", Token::Zone { zulu: true, colon: false, parts: 3 }),
        ("Z07:00", Token::Zone { zulu: true, colon: true, parts: 2 }),
        ("Z0700", Token::Zone { zulu: true, colon: false, parts: 2 }),
        ("Z07", Token::Zone { zulu: true, colon: false, parts: 1 }),
        ("-07:00:00", Token::Zone { zulu: false, colon: true, parts: 3 }),
        ("-070000", Token::Zone { zulu: false, colon: false, parts: 3 }),
        ("-07:00", Token::Zone { zulu: false, colon: true, parts: 2 }),
        ("-0700", Token::Zone { zulu: false, colon: false, parts: 2 }),
        ("-07", Token::Zone { zulu: false, colon: false, parts: 1 }),
    ];
    // Behind an underscore that stands for itself.
    if rest.starts_with("_2") && !rest.starts_with("_2006") {
        return Some((Token::Day { fixed: false, padded: true }, 2));
    }
    if let Some((word, token)) = WORDS.iter().find(|(word, _)| rest.starts_with(word)) {
        return Some((token.clone(), word.len()));
    }
    // `Jan` and `Mon` are no elements within a longer word.
    for (word, token) in [("Jan", Token::Month), ("Mon", Token::Weekday)] {
        if let Some(behind) = rest.strip_prefix(word) {
            let is_longer = behind.starts_with(|next: char| next.is_ascii_lowercase());
            return (!is_longer).then_some((token, word.len()));
        }
    }
    fraction(rest)
}

/// `.000`, `,000`, `.999` and so on: digits of one kind, and no other digit behind them.
fn fraction(rest: &str) -> Option<(Token, usize)> {
    let digits = rest.strip_prefix(['.', ','])?;
    let kind = digits.chars().next().filter(|digit| matches!(digit, '0' | '9'))?;
    let behind = digits.trim_start_matches(kind);
    if behind.starts_with(|next: char| next.is_ascii_digit()) {
        return None;
    }
    let count = digits.len() - behind.len();
    Some((if kind == '0' { Token::Fraction(count) } else { Token::OptionalFraction }, count + 1))
}

/// Takes a layout apart.
pub(super) fn tokens(mut rest: &str) -> Vec<Token> {
    let (mut tokens, mut literal) = (Vec::new(), String::new());
    while let Some(next) = rest.chars().next() {
        let (token, length) = match first(rest) {
            Some(found) => found,
            None => {
                literal.push(next);
                rest = rest.get(next.len_utf8()..).unwrap_or_default();
                continue;
            }
        };
        if !literal.is_empty() {
            tokens.push(Token::Literal(std::mem::take(&mut literal)));
        }
        tokens.push(token);
        rest = rest.get(length..).unwrap_or_default();
    }
    if !literal.is_empty() {
        tokens.push(Token::Literal(literal));
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_a_layout_apart_as_go_does() {
        use Token::{Abbreviation, Day, Literal, LongYear, Month, OptionalFraction, Second, YearDay};
        let literal = |text: &str| Literal(text.to_owned());
        let day = |padded| Day { fixed: false, padded };
        for (layout, expected) in [
            ("Jan _2", vec![Month, literal(" "), day(true)]),
            ("Janet MST", vec![literal("Janet "), Abbreviation]),
            ("_2006", vec![literal("_"), LongYear]),
            ("__2", vec![YearDay { padded: true }]),
            ("05.999", vec![Second { fixed: true }, OptionalFraction]),
            (".0001", vec![literal(".00"), Token::NumberedMonth { fixed: true }]),
            ("invalid", vec![literal("invalid")]),
        ] {
            assert_eq!(tokens(layout), expected, "{layout}");
        }
    }
}
