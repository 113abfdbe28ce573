//! How a place in the log is named outside: a text that nobody needs to look into.

use crate::store::{EventSeq, LogId};
use std::fmt;

/// How long the parts of a position are, in hexadecimal digits: the store, the place, and the mark of its opening.
const STORE: usize = 8;
const PLACE: usize = 16;
const MARK: usize = 8;

/// A place in the log. Whoever has read up to it goes on behind it.
///
/// What the log is known by is in it, so that a position of another log (of a gateway that lost its data, or the end of it) is
/// not taken for one of this. Positions of one log are in the order of their texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    store: u32,
    pub(super) seq: EventSeq,
    mark: u32,
}

impl Position {
    /// A place in this log.
    pub(super) fn new(log: &LogId, seq: EventSeq) -> Self {
        Self { store: log.store, seq, mark: log.mark(seq) }
    }

    /// Whether it was given out for a place in this log.
    pub(super) fn is_of(self, log: &LogId) -> bool {
        self == Self::new(log, self.seq)
    }

    /// Up to where it is known to be a place in this log, if it is none as a whole: of an opening that went on elsewhere, the part
    /// that is in the copy.
    pub(super) fn shared(self, log: &LogId) -> EventSeq {
        let end = log.end(self.mark).filter(|end| self.store == log.store && *end < self.seq);
        end.unwrap_or_default()
    }

    /// A position by its text; `None` if it is none. Those that were given out before there were marks have none.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (store, rest) = text.split_at_checked(STORE)?;
        let (seq, mark) = rest.split_at_checked(PLACE)?;
        let is_hex = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let mark = match mark.len() {
            0 => "0",
            MARK => mark,
            _ => return None,
        };
        let number = |text| u32::from_str_radix(text, 16).ok().filter(|_| is_hex);
        let seq = i64::from_str_radix(seq, 16).ok()?;
        Some(Self { store: number(store)?, seq: EventSeq(seq), mark: number(mark)? })
    }
}

impl fmt::Display for Position {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { store, seq, mark } = self;
        write!(formatter, "{store:0STORE$x}{:0PLACE$x}{mark:0MARK$x}", seq.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Opening;

    fn log() -> LogId {
        LogId::new(0xfeed_beef, [Opening { behind: EventSeq(9), mark: 0x00c0_ffee }])
    }

    #[test]
    fn a_position_is_read_back_from_its_text_and_texts_are_in_the_order_of_the_log() {
        let at = |seq| Position::new(&log(), EventSeq(seq));
        for seq in [0, 1, 255, i64::MAX] {
            assert_eq!(Position::parse(&at(seq).to_string()), Some(at(seq)));
        }
        assert!(at(9).to_string() < at(10).to_string());
        assert_eq!(at(10).to_string(), "feedbeef000000000000000a00c0ffee");
    }

    #[test]
    fn a_position_is_of_the_log_that_gave_it_out() {
        let is_of = |text: &str| Position::parse(text).unwrap().is_of(&log());
        assert!(is_of("feedbeef000000000000000a00c0ffee"));
        // Given out before there were marks, or behind nothing that was appended since.
        assert!(is_of("feedbeef0000000000000009") && is_of("feedbeef000000000000000900000000"));
        for text in [
            "feedbeee000000000000000a00c0ffee",
            "feedbeef000000000000000a00c0ffed",
            "feedbeef000000000000000a",
            "feedbeef000000000000000900c0ffee",
        ] {
            assert!(!is_of(text), "{text}");
        }
    }

    #[test]
    fn of_an_opening_that_went_on_elsewhere_the_part_that_is_here_is_known() {
        let shared = |text: &str| Position::parse(text).unwrap().shared(&log()).0;
        assert_eq!(shared("feedbeef000000000000000b00000000"), 9);
        for text in ["feedbeee000000000000000b00000000", "feedbeef000000000000000b00c0ffed"] {
            assert_eq!(shared(text), 0, "{text}");
        }
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
            "feedbeef000000000000000a+0c0ffee",
            "feedbeef000000000000000a00c0ffee0",
            "éeedbeef000000000000000a",
        ] {
            assert_eq!(Position::parse(text), None, "{text}");
        }
    }
}
