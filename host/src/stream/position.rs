//! How a place in the log is named outside: a text that nobody needs to look into.

use crate::store::{EventSeq, LogId};
use std::fmt;

/// A place in the log. Whoever has read up to it goes on behind it.
///
/// The log's own identity is in it, so that a position of another log (of a gateway that lost its data, say) is not taken
/// for one of this. Positions of one log are in the order of their texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) log: LogId,
    pub(super) seq: EventSeq,
}

impl Position {
    /// A position by its text; `None` if it is none.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (log, seq) = text.split_at_checked(8)?;
        let is_hex = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if text.len() != 24 || !is_hex {
            return None;
        }
        let seq = i64::from_str_radix(seq, 16).ok()?;
        Some(Self { log: LogId(u32::from_str_radix(log, 16).ok()?), seq: EventSeq(seq) })
    }
}

impl fmt::Display for Position {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:08x}{:016x}", self.log.0, self.seq.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_read_back_from_its_text_and_texts_are_in_the_order_of_the_log() {
        let at = |seq| Position { log: LogId(0xfeed_beef), seq: EventSeq(seq) };
        for seq in [0, 1, 255, i64::MAX] {
            assert_eq!(Position::parse(&at(seq).to_string()), Some(at(seq)));
        }
        assert!(at(9).to_string() < at(10).to_string());
        assert_eq!(at(10).to_string(), "feedbeef000000000000000a");
    }

    #[test]
    fn what_is_no_position_is_not_taken_for_one() {
        for text in [
            "",
            "1",
            "feedbeef",
            "feedbeef000000000000000A",
            "feedbeef+00000000000000a",
            "feedbeefffffffffffffffff",
            "feedbeef000000000000000a0",
            "éeedbeef000000000000000a",
        ] {
            assert_eq!(Position::parse(text), None, "{text}");
        }
    }
}
