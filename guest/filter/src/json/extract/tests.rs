//! One pass over a text finds what a look at each path finds.

use super::{DEPTH_LIMIT, Extractor, elements};
use crate::json::{JsonErrorKind, NodeId, Raw, Slots, Step, Trie};

/// Paths, and what was read at them.
pub(super) struct Reader {
    trie: Trie,
    root: NodeId,
    pub(super) slots: Slots,
    extractor: Extractor,
}

impl Reader {
    pub(super) fn new() -> Self {
        let mut trie = Trie::default();
        let root = trie.root();
        Self { trie, root, slots: Slots::default(), extractor: Extractor::default() }
    }

    pub(super) fn path(&mut self, path: &[&str]) -> NodeId {
        path.iter().fold(self.root, |node, key| self.trie.acquire(node, &Step::Key(key)))
    }

    pub(super) fn read(&mut self, body: &[u8]) -> Result<(), JsonErrorKind> {
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
    assert_eq!([a, ab, ac, z].map(|path| reader.shown(path, body)), [r#"{"c":3,"c":4}"#, "absent", "4", "2"]);
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
