//! An entry of the log that somebody who reads wants, and how it is written.

use super::gzip::Packed;
use super::position::Position;
use crate::store::{EventSeq, LogEntry, LogId};
use anglerfish_core::attempt::{CloudEvent, DataForm};
use anglerfish_core::event::Event;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use std::fmt::Write;
use std::sync::{Arc, OnceLock};

/// What stands in for the type of an event whose message cannot be written as text.
pub(super) const BINARY: &str = "anglerfish.binary";

/// Names that a browser or this stream gives a meaning of its own.
const RESERVED: [&str; 5] = ["gap", "end", "error", "open", BINARY];

/// How an event is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum DataStyle {
    /// In CloudEvents' JSON format, with the data as JSON or text where that can be.
    #[default]
    CloudEvent,
    /// The same with all data in base64.
    Base64,
    /// The data alone.
    Raw,
}

/// How an event is written in a stream of Server-Sent Events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SseStyle {
    pub(super) data: DataStyle,
    /// Whether `event` says the type.
    pub(super) is_named: bool,
}

impl Default for SseStyle {
    fn default() -> Self {
        Self { data: DataStyle::CloudEvent, is_named: true }
    }
}

/// An entry of the log that somebody who reads wants. What most readers ask for is written once for all of them.
pub(super) struct Item {
    entry: LogEntry,
    /// The numbers of the feeds that want it.
    feeds: Vec<u64>,
    sse: OnceLock<Bytes>,
    line: OnceLock<Bytes>,
    packed_sse: OnceLock<Arc<Packed>>,
    packed_line: OnceLock<Arc<Packed>>,
}

impl Item {
    pub(super) fn new(entry: LogEntry, feeds: Vec<u64>) -> Self {
        Self {
            entry,
            feeds,
            sse: OnceLock::new(),
            line: OnceLock::new(),
            packed_sse: OnceLock::new(),
            packed_line: OnceLock::new(),
        }
    }

    /// Its place in the log.
    pub(super) fn seq(&self) -> EventSeq {
        self.entry.seq
    }

    /// The event and its data.
    pub(super) fn event(&self) -> (&Event, &Bytes) {
        (&self.entry.event, &self.entry.data)
    }

    /// Whether a feed wants it.
    pub(super) fn is_for(&self, feed: u64) -> bool {
        self.feeds.contains(&feed)
    }

    /// The length of its data, in bytes.
    pub(super) fn length(&self) -> usize {
        self.entry.data.len()
    }

    /// One event of a stream.
    pub(super) fn sse(&self, log: &LogId, style: SseStyle) -> Bytes {
        let write = || Bytes::from(self.write_sse(log, style));
        match style == SseStyle::default() {
            true => self.sse.get_or_init(write).clone(),
            false => write(),
        }
    }

    /// The same, packed.
    pub(super) fn packed_sse(&self, log: &LogId, style: SseStyle) -> Arc<Packed> {
        let pack = || Arc::new(Packed::new(&self.sse(log, style)));
        match style == SseStyle::default() {
            true => Arc::clone(self.packed_sse.get_or_init(pack)),
            false => pack(),
        }
    }

    fn write_sse(&self, log: &LogId, style: SseStyle) -> String {
        let LogEntry { event, data, seq, .. } = &self.entry;
        let mut text = format!("id: {}\n", Position::new(log, *seq));
        let raw = match style.data {
            DataStyle::Raw => Some(std::str::from_utf8(data).ok().filter(|text| !text.contains('\0'))),
            DataStyle::CloudEvent | DataStyle::Base64 => None,
        };
        match raw {
            Some(None) => text += &format!("event: {BINARY}\n"),
            _ if style.is_named && !RESERVED.contains(&event.kind.as_str()) => {
                // A type with a line break in it must not become a field of its own.
                let kind = event.kind.replace(['\r', '\n', '\0'], " ");
                let _ = writeln!(text, "event: {kind}");
            }
            _ => {}
        }
        match raw {
            None => text += &format!("data: {}\n", self.json(style.data)),
            Some(None) => text += &format!("data: {}\n", STANDARD.encode(data)),
            Some(Some(message)) => {
                // Each line is a field; the reader puts them together again with line feeds.
                for line in message.replace("\r\n", "\n").split(['\n', '\r']) {
                    let _ = writeln!(text, "data: {line}");
                }
            }
        }
        text.push('\n');
        text
    }

    /// One line: the position and the event.
    pub(super) fn line(&self, log: &LogId, style: DataStyle) -> Bytes {
        let write = || {
            let position = Position::new(log, self.entry.seq);
            Bytes::from(format!("{{\"position\":\"{position}\",\"event\":{}}}\n", self.json(style)))
        };
        match style {
            DataStyle::CloudEvent => self.line.get_or_init(write).clone(),
            DataStyle::Base64 | DataStyle::Raw => write(),
        }
    }

    /// The same, packed.
    pub(super) fn packed_line(&self, log: &LogId, style: DataStyle) -> Arc<Packed> {
        let pack = || Arc::new(Packed::new(&self.line(log, style)));
        match style {
            DataStyle::CloudEvent => Arc::clone(self.packed_line.get_or_init(pack)),
            DataStyle::Base64 | DataStyle::Raw => pack(),
        }
    }

    /// The event as JSON without a line break in it.
    pub(super) fn json(&self, style: DataStyle) -> String {
        let form = match style {
            DataStyle::CloudEvent | DataStyle::Raw => DataForm::Plain,
            DataStyle::Base64 => DataForm::Base64,
        };
        let event = CloudEvent::new(&self.entry.event, &self.entry.data, form);
        // Every value of it can be written: its maps have texts for keys.
        let text = serde_json::to_string(&event).unwrap_or_default();
        // JSON has line breaks only between its tokens, where a space says the same.
        match text.contains(['\n', '\r']) {
            true => text.replace(['\n', '\r'], " "),
            false => text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::test::entry;

    fn log() -> LogId {
        LogId::new(1, [])
    }

    fn sse(kind: &str, data: &[u8], data_style: DataStyle, is_named: bool) -> String {
        let item = Item::new(entry(7, kind, data), Vec::new());
        String::from_utf8(item.sse(&log(), SseStyle { data: data_style, is_named }).to_vec()).unwrap()
    }

    #[test]
    fn an_event_has_its_position_its_type_and_one_line_of_data() {
        let text = sse("order.paid", b"{\n \"a\": 1.0,\r\n \"b\": \"x\\ny\"}", DataStyle::CloudEvent, true);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 4, "{text}");
        assert_eq!(lines[..2], ["id: 00000001000000000000000700000000", "event: order.paid"]);
        assert!(lines[2].ends_with("\"data\":{  \"a\": 1.0,   \"b\": \"x\\ny\"}}"), "{text}");
        assert_eq!(lines[3], "");
        assert!(text.ends_with("\n\n"));
    }

    #[test]
    fn no_type_becomes_a_field_of_its_own_or_one_of_the_streams_own_signals() {
        let text = sse("a\ndata: forged\r\nid: 9", b"1", DataStyle::CloudEvent, true);
        assert_eq!(text.lines().nth(1), Some("event: a data: forged  id: 9"));
        for kind in RESERVED {
            assert!(!sse(kind, b"1", DataStyle::CloudEvent, true).contains("event:"), "{kind}");
        }
        assert!(!sse("t", b"1", DataStyle::CloudEvent, false).contains("event:"));
    }

    #[test]
    fn a_raw_message_is_text_line_by_line_and_in_base64_where_it_is_none() {
        let text = sse("t", b"a\nb\r\nc\rd\n", DataStyle::Raw, true);
        let data: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
        assert_eq!(data, ["a", "b", "c", "d", ""]);
        for bytes in [&b"\xff"[..], b"a\0b"] {
            let text = sse("t", bytes, DataStyle::Raw, true);
            let expected = format!("event: {BINARY}\ndata: {}\n\n", STANDARD.encode(bytes));
            assert!(text.ends_with(&expected), "{text}");
        }
        assert!(sse("t", b"", DataStyle::Raw, true).ends_with("data: \n\n"));
    }

    #[test]
    fn a_line_is_one_line_of_json() {
        let item = Item::new(entry(7, "t", b"{\n\"a\":\t1}"), Vec::new());
        for style in [DataStyle::CloudEvent, DataStyle::Base64] {
            let line = item.line(&log(), style);
            assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
            let value: serde_json::Value = serde_json::from_slice(&line).unwrap();
            assert_eq!(value["position"], "00000001000000000000000700000000");
            assert_eq!(value["event"]["data"]["a"] == 1, style == DataStyle::CloudEvent);
        }
    }
}
