//! From text to tokens.

use super::literal::{self, Quoted};
use crate::ir::Span;
use crate::problem::Fault;
use crate::value::Value;

/// A token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token {
    /// A number, string or octets, which the lexer keeps. `true`, `false` and `null` are names here.
    Literal,
    /// 9223372036854775808, which is only an int after a minus sign.
    MinusOnly,
    /// A name or a word of the language.
    Name,
    /// A name in backquotes.
    Quoted,
    /// An operator or a bracket.
    Symbol(Symbol),
    End,
}

/// An operator or a bracket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Symbol {
    And,
    Or,
    Equal,
    NotEqual,
    LessOrEqual,
    GreaterOrEqual,
    Less,
    Greater,
    Plus,
    Minus,
    Star,
    Slash,
    Percent,
    Not,
    Question,
    Colon,
    Dot,
    Comma,
    OpenParenthesis,
    CloseParenthesis,
    OpenBracket,
    CloseBracket,
    OpenBrace,
    CloseBrace,
}

impl Symbol {
    /// The one at the start of the text: of one character, unless two are one.
    fn at(first: u8, second: Option<u8>) -> Option<Self> {
        Some(match (first, second) {
            (b'&', Some(b'&')) => Self::And,
            (b'|', Some(b'|')) => Self::Or,
            (b'=', Some(b'=')) => Self::Equal,
            (b'!', Some(b'=')) => Self::NotEqual,
            (b'<', Some(b'=')) => Self::LessOrEqual,
            (b'>', Some(b'=')) => Self::GreaterOrEqual,
            (b'<', _) => Self::Less,
            (b'>', _) => Self::Greater,
            (b'+', _) => Self::Plus,
            (b'-', _) => Self::Minus,
            (b'*', _) => Self::Star,
            (b'/', _) => Self::Slash,
            (b'%', _) => Self::Percent,
            (b'!', _) => Self::Not,
            (b'?', _) => Self::Question,
            (b':', _) => Self::Colon,
            (b'.', _) => Self::Dot,
            (b',', _) => Self::Comma,
            (b'(', _) => Self::OpenParenthesis,
            (b')', _) => Self::CloseParenthesis,
            (b'[', _) => Self::OpenBracket,
            (b']', _) => Self::CloseBracket,
            (b'{', _) => Self::OpenBrace,
            (b'}', _) => Self::CloseBrace,
            _ => return None,
        })
    }

    /// How it is written.
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::And => "&&",
            Self::Or => "||",
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::LessOrEqual => "<=",
            Self::GreaterOrEqual => ">=",
            Self::Less => "<",
            Self::Greater => ">",
            Self::Plus => "+",
            Self::Minus => "-",
            Self::Star => "*",
            Self::Slash => "/",
            Self::Percent => "%",
            Self::Not => "!",
            Self::Question => "?",
            Self::Colon => ":",
            Self::Dot => ".",
            Self::Comma => ",",
            Self::OpenParenthesis => "(",
            Self::CloseParenthesis => ")",
            Self::OpenBracket => "[",
            Self::CloseBracket => "]",
            Self::OpenBrace => "{",
            Self::CloseBrace => "}",
        }
    }
}

/// Cuts a text into tokens, one at a time.
#[derive(Debug)]
pub(crate) struct Lexer<'a> {
    source: &'a str,
    at: usize,
    /// The value of the last literal.
    pub(crate) literal: Value<'static>,
}

impl<'a> Lexer<'a> {
    pub(crate) const fn new(source: &'a str) -> Self {
        Self { source, at: 0, literal: Value::Null }
    }

    #[inline(always)]
    fn rest(&self) -> &'a str {
        self.source.get(self.at..).unwrap_or_default()
    }

    #[inline(always)]
    fn take(&mut self, bytes: usize) -> Span {
        let start = self.at;
        self.at += bytes;
        span(start, self.at)
    }

    fn skip(&mut self) {
        loop {
            let rest = self.rest().as_bytes();
            let blank =
                rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0c)).count();
            self.at += blank;
            let Some(rest) = rest.get(blank..).filter(|rest| rest.starts_with(b"//")) else { return };
            self.at += rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
        }
    }

    /// The next token and where it stands.
    pub(crate) fn next(&mut self) -> Result<(Token, Span), Fault> {
        self.skip();
        let rest = self.rest();
        let bytes = rest.as_bytes();
        let Some(first) = bytes.first().copied() else { return Ok((Token::End, span(self.at, self.at))) };
        let second = bytes.get(1).copied();
        if matches!(first, b'\'' | b'"' | b'r' | b'R' | b'b' | b'B')
            && let Some(quoted) = Quoted::open(rest)
        {
            return self.quoted(&quoted);
        }
        if first.is_ascii_alphabetic() || first == b'_' {
            let length =
                bytes.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
            return Ok((Token::Name, self.take(length)));
        }
        if first.is_ascii_digit() || (first == b'.' && second.is_some_and(|second| second.is_ascii_digit())) {
            return self.number();
        }
        if let Some(symbol) = Symbol::at(first, second) {
            return Ok((Token::Symbol(symbol), self.take(symbol.text().len())));
        }
        self.other(rest)
    }

    /// A name in backquotes, or what is no token.
    fn other(&mut self, rest: &str) -> Result<(Token, Span), Fault> {
        let first = rest.chars().next().unwrap_or_default();
        if first == '`' {
            let body = rest.get(1..).unwrap_or_default();
            let length =
                body.find(|c: char| !c.is_ascii_alphanumeric() && !"_.-/ ".contains(c)).unwrap_or(body.len());
            if length == 0 || !body.get(length..).unwrap_or_default().starts_with('`') {
                return Err(Fault::new(
                    self.take(length + 1),
                    "a name in backquotes has only letters, digits, _, ., -, / and spaces, and ends with a backquote",
                ));
            }
            return Ok((Token::Quoted, self.take(length + 2)));
        }
        let place = self.take(first.len_utf8());
        match first {
            '=' if self.rest().starts_with('~') => {
                return Err(Fault::new(
                    place,
                    "unexpected '=~': a pattern is tried with x.matches('pattern')",
                ));
            }
            '=' if self.rest().starts_with('>') => {
                let message = "unexpected '=>': what is asked of elements is written list.exists(e, e > 0)";
                return Err(Fault::new(place, message));
            }
            '=' => return Err(Fault::new(place, "unexpected '=': equality is written '=='")),
            '$' | '@' => {
                let message =
                    format!("unexpected character {first:?}; the body is message, as in message.field");
                return Err(Fault::new(place, message));
            }
            '#' => return Err(Fault::new(place, "unexpected character '#'; a comment begins with '//'")),
            '~' => {
                return Err(Fault::new(
                    place,
                    "unexpected '~': a pattern is tried with x.matches('pattern')",
                ));
            }
            '&' => return Err(Fault::new(place, "unexpected '&': conjunction is written '&&'")),
            '|' => return Err(Fault::new(place, "unexpected '|': disjunction is written '||'")),
            _ => {}
        }
        Err(Fault::new(place, format!("unexpected character {first:?}")))
    }

    fn quoted(&mut self, quoted: &Quoted) -> Result<(Token, Span), Fault> {
        let start = self.at;
        let body = self.source.get(start + quoted.opening..).unwrap_or_default();
        let Some(length) = quoted.length(body) else {
            return Err(Fault::new(self.take(quoted.opening), "this string has no end"));
        };
        let place = self.take(quoted.opening + length + quoted.quote.len());
        let body = body.get(..length).unwrap_or_default();
        match quoted.value(body) {
            Ok(value) => {
                self.literal = value;
                Ok((Token::Literal, place))
            }
            Err((at, bytes, message)) => {
                let at = start + quoted.opening + at;
                Err(Fault::new(span(at, at + bytes), message))
            }
        }
    }

    fn number(&mut self) -> Result<(Token, Span), Fault> {
        let (length, token) = literal::number(self.rest());
        let place = self.take(length);
        if self.rest().starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_') {
            let extra = self.rest().find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            let extra = extra.unwrap_or(self.rest().len());
            return Err(Fault::new(place.to(self.take(extra)), "this is not a number"));
        }
        match token {
            Ok(Some(value)) => {
                self.literal = value;
                Ok((Token::Literal, place))
            }
            Ok(None) => Ok((Token::MinusOnly, place)),
            Err(message) => Err(Fault::new(place, message)),
        }
    }
}

/// A part of the text; the parser refuses texts beyond `u16::MAX` bytes before it cuts them into tokens.
pub(crate) fn span(start: usize, end: usize) -> Span {
    let cut = |at| u16::try_from(at).unwrap_or(u16::MAX);
    Span { start: cut(start), end: cut(end) }
}
