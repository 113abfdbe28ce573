//! Where in a file the parts of a document stand.

use super::error::ConfigProblem;
use anglerfish_core::problem::Problem;
use std::collections::HashMap;
use std::ops::Range;

/// Where one value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// The file: where its key (or the element itself) begins, and the value with its quotes.
    Text { key: usize, value: Range<usize> },
    /// An environment variable.
    Variable(String),
}

/// The places of all values of a document, by path.
#[derive(Clone, Default)]
pub(crate) struct Places {
    file: String,
    text: String,
    places: HashMap<String, Place>,
}

impl Places {
    pub(crate) fn new(file: &str, text: &str) -> Self {
        Self { file: file.to_owned(), text: text.to_owned(), places: HashMap::new() }
    }

    pub(crate) fn insert(&mut self, path: String, place: Place) {
        self.places.insert(path, place);
    }

    pub(crate) fn get(&self, path: &str) -> Option<&Place> {
        self.places.get(path)
    }

    /// The problem at its place: its key, or the nearest table around a key that is missing; inside a string where the
    /// problem tells a line and column of it.
    pub(crate) fn locate(&self, problem: Problem) -> ConfigProblem {
        let mut path = problem.path.as_str();
        loop {
            match self.places.get(path) {
                Some(Place::Variable(name)) => return ConfigProblem::new(name, None, None, problem),
                Some(Place::Text { key, value }) => {
                    let inner = match (problem.line, problem.column) {
                        (Some(line), Some(column)) if path == problem.path => {
                            self.text.get(value.clone()).and_then(|raw| inner_offset(raw, line, column))
                        }
                        _ => None,
                    };
                    return self.at(inner.map_or(*key, |offset| value.start + offset), problem);
                }
                None => match parent(path) {
                    Some(shorter) => path = shorter,
                    None => return ConfigProblem::new(&self.file, None, None, problem),
                },
            }
        }
    }

    /// The problem at a byte of the text.
    pub(crate) fn at(&self, offset: usize, problem: Problem) -> ConfigProblem {
        let (line, column) = position(&self.text, offset);
        ConfigProblem::new(&self.file, Some(line), Some(column), problem)
    }
}

/// The path without its last key or index.
fn parent(path: &str) -> Option<&str> {
    let end = path.rfind(['.', '['])?;
    path.get(..end)
}

/// Line and column, both from 1, of a byte of a text.
fn position(text: &str, offset: usize) -> (u32, u32) {
    let mut end = offset.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let before = text.get(..end).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|character| *character != '\n').count() + 1;
    (u32::try_from(line).unwrap_or(u32::MAX), u32::try_from(column).unwrap_or(u32::MAX))
}

/// The byte in a TOML string, as it is written with its quotes and escapes, at which this line and column of its value
/// begins.
fn inner_offset(raw: &str, line: u32, column: u32) -> Option<usize> {
    let delimiter = ["\"\"\"", "'''", "\"", "'"].into_iter().find(|delimiter| raw.starts_with(delimiter))?;
    let escapes = delimiter.starts_with('"');
    let mut offset = delimiter.len();
    if delimiter.len() == 3 {
        // A newline right after the opening quotes is not part of the value.
        let rest = raw.get(offset..)?;
        offset += if rest.starts_with("\r\n") { 2 } else { usize::from(rest.starts_with('\n')) };
    }
    let (mut at_line, mut at_column) = (1, 1);
    while (at_line, at_column) != (line, column) {
        let rest = raw.get(offset..)?;
        let character = rest.chars().next()?;
        if escapes && character == '\\' {
            let (length, decoded) = escape(rest)?;
            offset += length;
            match decoded {
                Escape::Nothing => {}
                Escape::Newline => (at_line, at_column) = (at_line + 1, 1),
                Escape::Character => at_column += 1,
            }
            continue;
        }
        offset += character.len_utf8();
        if character == '\n' {
            (at_line, at_column) = (at_line + 1, 1)
        } else {
            at_column += 1
        }
        if at_line > line {
            return None;
        }
    }
    (offset <= raw.len().saturating_sub(delimiter.len())).then_some(offset)
}

enum Escape {
    Nothing,
    Newline,
    Character,
}

/// How long the escape at the beginning of the text is, and what it stands for.
fn escape(text: &str) -> Option<(usize, Escape)> {
    Some(match text.as_bytes().get(1)? {
        b'n' => (2, Escape::Newline),
        b'x' => (4, Escape::Character),
        b'u' => (6, Escape::Character),
        b'U' => (10, Escape::Character),
        b' ' | b'\t' | b'\r' | b'\n' => {
            let rest = text.get(1..)?;
            (text.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len(), Escape::Nothing)
        }
        _ => (2, Escape::Character),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_characters_not_bytes() {
        assert_eq!(position("a\nüb", 0), (1, 1));
        assert_eq!(position("a\nüb", 4), (2, 2));
        assert_eq!(position("a\n", 99), (2, 1));
    }

    #[test]
    fn finds_the_place_inside_each_kind_of_string() {
        let character = |raw: &str, line, column| {
            inner_offset(raw, line, column).and_then(|offset| raw[offset..].chars().next())
        };
        assert_eq!(character("'ab@'", 1, 3), Some('@'));
        assert_eq!(character(r#""a\"\u00fc@""#, 1, 4), Some('@'));
        assert_eq!(character("'''\nab\nc@'''", 2, 2), Some('@'));
        assert_eq!(character("\"\"\"a\\\n   b@\"\"\"", 1, 3), Some('@'));
        assert_eq!(character(r#""a\nb@""#, 2, 2), Some('@'));
        assert_eq!(character("'ab'", 1, 3), Some('\''), "the end of the value is a place, too");
        assert_eq!(character("'ab'", 1, 9), None);
        assert_eq!(character("'ab'", 2, 1), None);
    }
}
