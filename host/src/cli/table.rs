//! Rows of text for people, as wide as their terminal.

use super::{Failure, Output};
use std::fmt::Write;
use unicode_width::UnicodeWidthStr;

/// How wide a column may be; a wider cell breaks its own row only.
const COLUMN: usize = 38;

/// What stands between two columns.
const GAP: &str = "  ";

/// What begins a line that goes on with a row.
const INDENT: &str = "    ";

/// Rows under a head. Nothing is cut off: what does not fit goes on in the next line.
pub(super) struct Table<const N: usize> {
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    /// A table with these column heads.
    pub(super) fn new(head: [&str; N]) -> Self {
        Self { rows: vec![head.map(str::to_owned)] }
    }

    /// Adds a row.
    pub(super) fn row(&mut self, cells: [String; N]) {
        self.rows.push(cells.map(|cell| if cell.is_empty() { "-".into() } else { plain(&cell) }));
    }

    /// Writes all rows.
    pub(super) fn write(&self, output: &mut Output) -> Result<(), Failure> {
        for line in self.lines(output.width()) {
            output.line(line)?;
        }
        Ok(())
    }

    fn lines(&self, limit: usize) -> Vec<String> {
        let mut widths = [0; N];
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                if cell.width() <= COLUMN {
                    *width = cell.width().max(*width);
                }
            }
        }
        self.rows.iter().flat_map(|row| lines_of(row, &widths, limit)).collect()
    }
}

/// A row: each cell in its column, or on from where there is room.
fn lines_of<const N: usize>(row: &[String; N], widths: &[usize; N], limit: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut column = 0;
    for (cell, width) in row.iter().zip(widths) {
        if !line.is_empty() {
            let end = line.width().max(column);
            if end + GAP.len() + cell.width() > limit {
                lines.push(std::mem::take(&mut line));
                let mut on = wrapped(cell, INDENT, INDENT, limit);
                line = on.pop().unwrap_or_default();
                column = INDENT.len() + width;
                lines.extend(on);
                continue;
            }
            let padding = end - line.width();
            line.extend(std::iter::repeat_n(' ', padding));
            line.push_str(GAP);
            column = line.width();
        }
        line.push_str(cell);
        column += width;
    }
    lines.push(line);
    lines.into_iter().map(|line| line.trim_end().to_owned()).collect()
}

/// A text as lines that are broken between words; `indent` stands before each but the first. A word that is longer than a
/// line stays whole.
pub(super) fn wrapped(text: &str, first: &str, indent: &str, limit: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = first.to_owned();
    let mut empty = true;
    for word in text.split(' ') {
        if !empty && line.width() + 1 + word.width() > limit {
            lines.push(std::mem::replace(&mut line, indent.to_owned()));
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    lines.push(line);
    lines
}

/// Text from outside with its control characters spelled out: what a sender writes must not steer the terminal.
pub(super) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            // Characters that reorder or hide the text around them.
            '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' => {
                let _ = write!(plain, "{}", character.escape_unicode());
            }
            _ if character.is_control() => {
                let _ = write!(plain, "{}", character.escape_default());
            }
            _ => plain.push(character),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_empty_cells_show() {
        let mut table = Table::new(["ID", "STATUS"]);
        table.row(["7".into(), "pending".into()]);
        table.row(["12345".into(), String::new()]);
        assert_eq!(table.lines(80), ["ID     STATUS", "7      pending", "12345  -"]);
    }

    #[test]
    fn what_does_not_fit_goes_on_in_the_next_line_and_is_never_cut() {
        let id = format!("sha256:{}", "0".repeat(64));
        let mut table = Table::new(["RECEIVED", "SOURCE", "TYPE", "ID"]);
        table.row(["2026-01-31T12:00:00Z".into(), "shop".into(), "order.created".into(), id.clone()]);
        table.row(["2026-01-31T12:00:00Z".into(), "s".repeat(64), "t".repeat(30), "evt_1".into()]);
        let lines = table.lines(80);
        assert_eq!(lines[0], "RECEIVED              SOURCE  TYPE                            ID");
        assert_eq!(lines[1], "2026-01-31T12:00:00Z  shop    order.created");
        assert_eq!(lines[2], format!("    {id}"));
        assert!(lines.iter().all(|line| line.width() <= 80), "{lines:#?}");
        assert!(lines[3..].concat().contains(&"s".repeat(64)));
        assert_eq!(table.lines(usize::MAX).len(), 3, "another program gets one line for each row");
    }

    #[test]
    fn a_cell_that_is_longer_than_a_line_is_broken_between_its_words() {
        let mut table = Table::new(["ID", "REASON", "PEER"]);
        table.row(["7".into(), "the signature does not match ".repeat(4).trim_end().into(), "a".into()]);
        let lines = table.lines(40);
        assert!(lines.iter().all(|line| line.width() <= 40), "{lines:#?}");
        assert_eq!(lines[1..3], ["7", "    the signature does not match the"]);
        assert_eq!(lines.last().unwrap(), "    signature does not match  a");
    }

    #[test]
    fn long_text_goes_on_under_its_beginning() {
        assert_eq!(wrapped("one two three", "a  ", "   ", 10), ["a  one two", "   three"]);
        assert_eq!(wrapped("a-word-that-is-too-long", "a  ", "   ", 10), ["a  a-word-that-is-too-long"]);
        assert_eq!(wrapped("", "a", "", 10), ["a"]);
        assert_eq!(wrapped("a  b", "", "", 80), ["a  b"], "what is not broken stays as it is");
    }

    #[test]
    fn what_a_sender_writes_does_not_steer_the_terminal() {
        let shown = plain("a\u{1b}[2Jb\r\nc\u{202e}d\u{9b}");
        assert_eq!(shown, "a\\u{1b}[2Jb\\r\\nc\\u{202e}d\\u{9b}");
    }
}
