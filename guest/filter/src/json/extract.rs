//! The pass itself.

use super::error::{JsonError, JsonErrorKind};
use super::scan::{byte, skip_space};
use super::slot::{Raw, Slots};
use super::text::unescape;
use super::trie::{NodeId, Trie};
use super::{number, scan};

/// How deep arrays and objects may nest.
pub const DEPTH_LIMIT: usize = 128;

#[derive(Debug, Clone, Copy)]
struct Frame {
    node: NodeId,
    object: bool,
}

/// What comes next in the text.
enum Expect {
    Value(NodeId),
    Key,
    Next,
}

/// Reads texts; keeps its stack from one to the next.
#[derive(Debug, Default)]
pub(crate) struct Extractor {
    frames: Vec<Frame>,
    key: String,
}

impl Extractor {
    /// Checks the whole of `body` and puts what it has at the paths below `root` (and at `root` itself) into `slots`.
    /// Gives back the body as text.
    ///
    /// # Errors
    ///
    /// When the body is not JSON; `slots` then holds a part, which the caller throws away.
    pub(crate) fn read<'b>(
        &mut self,
        body: &'b [u8],
        trie: &Trie,
        root: NodeId,
        slots: &mut Slots,
    ) -> Result<&'b str, JsonError> {
        if u32::try_from(body.len()).is_err() {
            return Err(JsonErrorKind::Size.at(0));
        }
        let text = simdutf8::basic::from_utf8(body).map_err(|_| encoding_error(body))?;
        let end = self.value(text, 0, trie, root, slots)?;
        let end = skip_space(text.as_bytes(), end);
        if end < text.len() {
            return Err(JsonErrorKind::Trailing.at(end));
        }
        Ok(text)
    }

    /// Reads the value that starts at `at` (or after white space there); its end.
    pub(crate) fn value(
        &mut self,
        text: &str,
        start: usize,
        trie: &Trie,
        root: NodeId,
        slots: &mut Slots,
    ) -> Result<usize, JsonError> {
        let bytes = text.as_bytes();
        let mut at = start;
        let mut frame = Frame { node: NodeId::NONE, object: false };
        let mut expect = Expect::Value(root);
        self.frames.clear();
        loop {
            at = skip_space(bytes, at);
            match expect {
                Expect::Value(node) => {
                    let first = byte(bytes, at);
                    match first {
                        b'"' => {
                            let string = scan::string(bytes, at + 1)?;
                            if node != NodeId::NONE {
                                let raw = string_value(text, at + 1, string, slots);
                                slots.set(node, raw, |other| trie.deeper(other, node));
                            }
                            at = string.end + 1;
                        }
                        b'{' | b'[' => {
                            if self.frames.len() >= DEPTH_LIMIT {
                                return Err(JsonErrorKind::Depth.at(at));
                            }
                            if node != NodeId::NONE {
                                slots.set(node, container(first, at, at), |other| trie.deeper(other, node));
                            }
                            self.frames.push(frame);
                            let object = first == b'{';
                            at = skip_space(bytes, at + 1);
                            if byte(bytes, at) == closing(object) {
                                at += 1;
                                close(node, at, slots);
                                frame = self.frames.pop().unwrap_or(frame);
                            } else {
                                frame = Frame { node, object };
                                expect = if object { Expect::Key } else { Expect::Value(NodeId::NONE) };
                                continue;
                            }
                        }
                        b'-' | b'0'..=b'9' => {
                            let (end, integral) = number::scan(bytes, at)?;
                            if node != NodeId::NONE {
                                let raw = number::value(text.get(at..end).unwrap_or_default(), integral);
                                slots.set(node, raw, |other| trie.deeper(other, node));
                            }
                            at = end;
                        }
                        _ => {
                            let (raw, length) = literal(bytes, at)?;
                            if node != NodeId::NONE {
                                slots.set(node, raw, |other| trie.deeper(other, node));
                            }
                            at += length;
                        }
                    }
                    if self.frames.is_empty() {
                        return Ok(at);
                    }
                    expect = Expect::Next;
                }
                Expect::Key => {
                    if byte(bytes, at) != b'"' {
                        return Err(unexpected(bytes, at));
                    }
                    let key = scan::string(bytes, at + 1)?;
                    let child = if frame.node == NodeId::NONE {
                        NodeId::NONE
                    } else {
                        self.child(text, at + 1, key, trie, frame.node)
                    };
                    at = skip_space(bytes, key.end + 1);
                    if byte(bytes, at) != b':' {
                        return Err(unexpected(bytes, at));
                    }
                    at += 1;
                    expect = Expect::Value(child);
                }
                Expect::Next => match byte(bytes, at) {
                    b',' => {
                        at += 1;
                        expect = if frame.object { Expect::Key } else { Expect::Value(NodeId::NONE) };
                    }
                    end if end == closing(frame.object) => {
                        at += 1;
                        close(frame.node, at, slots);
                        let Some(outer) = self.frames.pop() else { return Ok(at) };
                        frame = outer;
                        if self.frames.is_empty() {
                            return Ok(at);
                        }
                    }
                    _ => return Err(unexpected(bytes, at)),
                },
            }
        }
    }

    #[inline]
    fn child(&mut self, text: &str, start: usize, key: scan::Scanned, trie: &Trie, parent: NodeId) -> NodeId {
        let raw = text.get(start..key.end).unwrap_or_default();
        if !key.escaped {
            return trie.child(parent, raw);
        }
        self.key.clear();
        unescape(raw, &mut self.key);
        trie.child(parent, &self.key)
    }
}

/// Reads every element of the array that starts at `start`, one after the other: `each` is its path, and `visit` is called
/// after each with what it has. Strings decoded for one element stay.
///
/// # Errors
///
/// When there is no whole, valid array; there is one where a text that was read has one.
pub(crate) fn elements(
    extractor: &mut Extractor,
    text: &str,
    start: usize,
    trie: &Trie,
    each: NodeId,
    slots: &mut Slots,
    mut visit: impl FnMut(&Slots),
) -> Result<(), JsonError> {
    let bytes = text.as_bytes();
    let mut at = skip_space(bytes, start + 1);
    if byte(bytes, at) == b']' {
        return Ok(());
    }
    loop {
        slots.next(trie.capacity());
        at = extractor.value(text, at, trie, each, slots)?;
        visit(slots);
        at = skip_space(bytes, at);
        match byte(bytes, at) {
            b',' => at += 1,
            b']' => return Ok(()),
            _ => return Err(unexpected(bytes, at)),
        }
    }
}

#[inline(always)]
fn string_value(text: &str, start: usize, string: scan::Scanned, slots: &mut Slots) -> Raw {
    if string.escaped {
        let raw = text.get(start..string.end).unwrap_or_default();
        return slots.keep(|out| unescape(raw, out));
    }
    Raw::Plain(start as u32, string.end as u32)
}

#[inline(always)]
fn container(first: u8, start: usize, end: usize) -> Raw {
    if first == b'{' { Raw::Object(start as u32, end as u32) } else { Raw::Array(start as u32, end as u32) }
}

/// Notes where the container at `node` ends.
#[inline(always)]
fn close(node: NodeId, end: usize, slots: &mut Slots) {
    if node == NodeId::NONE {
        return;
    }
    match slots.get(node) {
        Raw::Object(start, _) => slots.update(node, Raw::Object(start, end as u32)),
        Raw::Array(start, _) => slots.update(node, Raw::Array(start, end as u32)),
        _ => {}
    }
}

#[inline(always)]
fn literal(bytes: &[u8], at: usize) -> Result<(Raw, usize), JsonError> {
    let rest = bytes.get(at..).unwrap_or_default();
    if rest.starts_with(b"true") {
        Ok((Raw::Bool(true), 4))
    } else if rest.starts_with(b"false") {
        Ok((Raw::Bool(false), 5))
    } else if rest.starts_with(b"null") {
        Ok((Raw::Null, 4))
    } else {
        Err(unexpected(bytes, at))
    }
}

#[cold]
fn unexpected(bytes: &[u8], at: usize) -> JsonError {
    if at < bytes.len() { JsonErrorKind::Unexpected.at(at) } else { JsonErrorKind::End.at(at) }
}

#[cold]
fn encoding_error(body: &[u8]) -> JsonError {
    let valid = std::str::from_utf8(body).err().map_or(0, |error| error.valid_up_to());
    JsonErrorKind::Encoding.at(valid)
}

const fn closing(object: bool) -> u8 {
    if object { b'}' } else { b']' }
}

#[cfg(test)]
mod tests {
    use super::{DEPTH_LIMIT, Extractor, elements};
    use crate::json::{JsonErrorKind, NodeId, Raw, Slots, Step, Trie};
    use proptest::prelude::*;

    struct Reader {
        trie: Trie,
        root: NodeId,
        slots: Slots,
        extractor: Extractor,
    }

    impl Reader {
        fn new() -> Self {
            let mut trie = Trie::default();
            let root = trie.root();
            Self { trie, root, slots: Slots::default(), extractor: Extractor::default() }
        }

        fn path(&mut self, path: &[&str]) -> NodeId {
            path.iter().fold(self.root, |node, key| self.trie.acquire(node, &Step::Key(key)))
        }

        fn read(&mut self, body: &[u8]) -> Result<(), JsonErrorKind> {
            self.slots.begin(self.trie.capacity());
            self.extractor
                .read(body, &self.trie, self.root, &mut self.slots)
                .map(|_| ())
                .map_err(|error| error.kind)
        }

        /// The value as JSON.
        fn shown(&self, node: NodeId, body: &str) -> String {
            let raw = self.slots.get(node);
            match raw {
                Raw::Absent => "absent".to_owned(),
                Raw::Null => "null".to_owned(),
                Raw::Bool(value) => value.to_string(),
                Raw::Int(value) => value.to_string(),
                Raw::Uint(value) => value.to_string(),
                Raw::Double(value) => format!("{value:?}"),
                Raw::Array(..) | Raw::Object(..) => self.slots.text(raw, body).unwrap().to_owned(),
                Raw::Plain(..) | Raw::Decoded(..) => format!("{:?}", self.slots.text(raw, body).unwrap()),
                other => format!("{other:?}"),
            }
        }
    }

    #[test]
    fn finds_the_values_at_the_paths_named_and_nothing_else() {
        let mut reader = Reader::new();
        let paths = [&["a"][..], &["b", "c"], &["b", "d", "e"], &["list"], &["no"], &["b"], &["a", "x"]]
            .map(|path| reader.path(path));
        let body = r#" {"a": "x\u0041", "other": {"a": [1, {"c": 2}]}, "b": {"c": -1.5, "d": {"e": true}, "z": {}},
            "list": [ {"a": 1}, [] ] } "#;
        reader.read(body.as_bytes()).unwrap();
        let shown = paths.map(|path| reader.shown(path, body));
        assert_eq!(
            shown,
            [
                r#""xA""#,
                "-1.5",
                "true",
                r#"[ {"a": 1}, [] ]"#,
                "absent",
                r#"{"c": -1.5, "d": {"e": true}, "z": {}}"#,
                "absent"
            ]
        );
        assert_eq!(reader.slots.present().len(), 7, "the root, a, b, c, d, e and list");
    }

    #[test]
    fn compares_keys_after_decoding_them() {
        let mut reader = Reader::new();
        let path = reader.path(&["qu\"o", "\u{e9}"]);
        let body = r#"{"q\u0075\"o": {"\u00e9": 7}}"#;
        reader.read(body.as_bytes()).unwrap();
        assert_eq!(reader.shown(path, body), "7");
    }

    #[test]
    fn the_last_of_equal_keys_wins_with_everything_below_it() {
        let mut reader = Reader::new();
        let [a, ab, ac, z] = [&["a"][..], &["a", "b"], &["a", "c"], &["z"]].map(|path| reader.path(path));
        let body = r#"{"a":{"b":1,"c":2},"z":1,"a":{"c":3,"c":4},"z":2}"#;
        reader.read(body.as_bytes()).unwrap();
        assert_eq!(
            [a, ab, ac, z].map(|path| reader.shown(path, body)),
            [r#"{"c":3,"c":4}"#, "absent", "4", "2"]
        );
        let present = reader.slots.present().iter().filter(|node| **node != NodeId::NONE).count();
        assert_eq!(present, 4, "the root, a, c and z, each once");
        let body = r#"{"a":{"b":1},"a":5}"#;
        reader.read(body.as_bytes()).unwrap();
        assert_eq!([a, ab].map(|path| reader.shown(path, body)), ["5", "absent"]);
    }

    #[test]
    fn refuses_what_is_not_json() {
        let mut reader = Reader::new();
        reader.path(&["a"]);
        for body in [
            "",
            " ",
            "{",
            "[",
            "{]",
            "[}",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "[1,]",
            "[1 2]",
            "{\"a\":1 \"b\":2}",
            "{a:1}",
            "{1:1}",
            "nul",
            "truex",
            "tru",
            "\"",
            "\"\\x\"",
            "\"\\u12g4\"",
            "\"\\u12",
            "\"\n\"",
            "1 1",
            "{}{}",
            "[,1]",
            "[1,,2]",
            ":",
            ",",
            "01",
            "-",
            "[1",
            "{\"a\":[1}",
            "{\"a\":{\"b\":1}",
            "'a'",
            "\u{feff}1",
        ] {
            assert!(reader.read(body.as_bytes()).is_err(), "{body}");
        }
        assert_eq!(reader.read(b"\"\xff\""), Err(JsonErrorKind::Encoding));
        assert_eq!(reader.read(b"{\"a\":\"\xed\xa0\x80\"}"), Err(JsonErrorKind::Encoding));
    }

    #[test]
    fn bounds_nesting() {
        let mut reader = Reader::new();
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(reader.read(nested(DEPTH_LIMIT).as_bytes()), Ok(()));
        assert_eq!(reader.read(nested(DEPTH_LIMIT + 1).as_bytes()), Err(JsonErrorKind::Depth));
        assert_eq!(reader.read("[".repeat(1_000_000).as_bytes()), Err(JsonErrorKind::Depth));
        let objects = format!("{}1{}", "{\"a\":".repeat(DEPTH_LIMIT), "}".repeat(DEPTH_LIMIT));
        assert_eq!(reader.read(objects.as_bytes()), Ok(()));
    }

    #[test]
    fn visits_every_element_of_an_array() {
        let mut reader = Reader::new();
        let list = reader.path(&["list"]);
        let each = reader.trie.acquire(list, &Step::Each);
        let id = reader.trie.acquire(each, &Step::Key("id"));
        let body = r#"{"list":[ {"id":1}, 2 ,{"id":3,"id":4}, [] ]}"#;
        reader.read(body.as_bytes()).unwrap();
        let Raw::Array(start, _) = reader.slots.get(list) else { panic!() };
        let mut found = Vec::new();
        let mut slots = Slots::default();
        elements(&mut reader.extractor, body, start as usize, &reader.trie, each, &mut slots, |slots| {
            found.push(slots.get(id));
        })
        .unwrap();
        assert_eq!(found, [Raw::Int(1), Raw::Absent, Raw::Int(4), Raw::Absent]);
    }

    fn json() -> impl Strategy<Value = String> {
        let space = "[ \n\t]{0,2}";
        let leaf = prop_oneof![
            Just("null".to_owned()),
            Just("true".to_owned()),
            Just("false".to_owned()),
            "-?(0|[1-9][0-9]{0,25})([.][0-9]{1,4})?([eE][+-]?[0-9]{1,3})?",
            r#""([ -!#-\[\]-~]|é|😀|\\[nrtbf"/\\]|\\u00[0-9a-f]{2}){0,24}""#,
        ];
        let leaf = (space, leaf, space).prop_map(|(before, leaf, after)| format!("{before}{leaf}{after}"));
        leaf.prop_recursive(4, 40, 5, move |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5)
                    .prop_map(|items| format!("[{}]", items.join(","))),
                proptest::collection::vec(("[ab]|\\\\u0061", inner), 0..5).prop_map(|items| {
                    let items: Vec<_> =
                        items.into_iter().map(|(key, value)| format!("\"{key}\" :{value}")).collect();
                    format!("{{{}}}", items.join(","))
                }),
            ]
        })
    }

    fn expected(value: Option<&serde_json::Value>) -> Option<Raw> {
        Some(match value {
            None => Raw::Absent,
            Some(serde_json::Value::Null) => Raw::Null,
            Some(serde_json::Value::Bool(value)) => Raw::Bool(*value),
            Some(serde_json::Value::Number(number)) => number
                .as_i64()
                .map(Raw::Int)
                .or(number.as_u64().map(Raw::Uint))
                .or(number.as_f64().map(Raw::Double))?,
            Some(_) => return None,
        })
    }

    proptest! {
        #[test]
        fn agrees_with_serde_json(body in json(), cut in any::<prop::sample::Index>(), change in any::<Option<u8>>()) {
            let mut bytes = body.into_bytes();
            if let Some(change) = change && !bytes.is_empty() {
                let place = cut.index(bytes.len());
                bytes[place] = change;
            }
            let mut reader = Reader::new();
            let paths = [&["a"][..], &["b"], &["a", "a"], &["a", "b"], &["b", "b", "a"]];
            let nodes = paths.map(|path| reader.path(path));
            let ours = reader.read(&bytes);
            let theirs = serde_json::from_slice::<serde_json::Value>(&bytes);
            match (ours, theirs) {
                (Ok(()), Ok(value)) => {
                    let text = std::str::from_utf8(&bytes).unwrap();
                    for (path, node) in paths.iter().zip(nodes) {
                        let theirs = path.iter().try_fold(&value, |value, key| value.get(key));
                        let ours = reader.slots.get(node);
                        match theirs {
                            Some(value @ (serde_json::Value::Array(_) | serde_json::Value::Object(_))) => {
                                let text = reader.slots.text(ours, text).unwrap();
                                prop_assert_eq!(&serde_json::from_str::<serde_json::Value>(text).unwrap(), value);
                            }
                            Some(serde_json::Value::String(value)) => {
                                prop_assert_eq!(reader.slots.text(ours, text), Some(value.as_str()));
                            }
                            value if ours == Raw::Int(0) => {
                                prop_assert_eq!(value.and_then(|value| value.as_f64()), Some(0.0));
                            }
                            // Without its feature `float_roundtrip`, `serde_json` may miss the nearest double by a little.
                            value => match (ours, expected(value)) {
                                (Raw::Double(ours), Some(Raw::Double(theirs))) => prop_assert!(
                                    (ours - theirs).abs() <= theirs.abs() * f64::EPSILON * 2.0,
                                    "{ours} {theirs}"
                                ),
                                (ours, theirs) => prop_assert_eq!(Some(ours), theirs),
                            },
                        }
                    }
                }
                (Err(_), Err(_)) => {}
                // Ours has a value for these, theirs refuses them.
                (Ok(()), Err(error)) => prop_assert!(
                    error.to_string().contains("number out of range") || error.to_string().contains("surrogate")
                        || error.to_string().contains("hex escape"),
                    "{error}"
                ),
                (Err(error), Ok(value)) => prop_assert!(false, "{error} for {value}"),
            }
        }
    }
}
