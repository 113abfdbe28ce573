//! What verification reads of a JSON body.
//!
//! A definition names a few places of the body. They are named in the table that filters are in, too, so that one pass over
//! the body serves both, and it is made when the first of them is asked for.

use anglerfish_filter::json::Found;
use anglerfish_filter::table::{Element, Pointer, Reading, Table};
use std::cell::LazyCell;

/// A JSON body.
pub(crate) trait Json {
    /// Whether it is JSON at all.
    fn is_json(&self) -> bool;
    /// What is at a JSON pointer that the scheme names.
    fn find(&self, pointer: &str) -> Found<'_>;
    /// The elements of an array that the scheme names, at most so many.
    fn elements(&self, pointer: &str, most: usize) -> Option<Vec<Element<'_>>>;
}

/// The places of the body that a scheme names, as JSON pointers, each once. They are few.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct WantedPointers(Vec<String>);

/// The places that a scheme names, in one table.
#[derive(Debug, Default)]
pub(crate) struct Names(Vec<(String, Pointer)>);

impl WantedPointers {
    /// Adds a JSON pointer.
    pub(crate) fn insert(&mut self, pointer: &str) {
        if !self.0.iter().any(|known| known == pointer) {
            self.0.push(pointer.to_owned());
        }
    }

    /// Names the places in a table.
    pub(crate) fn name(&self, table: &mut Table) -> Names {
        Names(self.0.iter().map(|pointer| (pointer.clone(), table.pointer(pointer))).collect())
    }
}

impl Names {
    /// Gives the places back to the table that they were named in.
    pub(crate) fn forget(self, table: &mut Table) {
        for (_, pointer) in self.0 {
            table.forget(pointer);
        }
    }

    fn get(&self, pointer: &str) -> Option<&Pointer> {
        self.0.iter().find(|(known, _)| known == pointer).map(|(_, named)| named)
    }
}

/// A body that a table reads when something of it is first asked for.
pub(crate) struct Read<'r, 't, 'b, F> {
    names: &'r Names,
    reading: &'r LazyCell<Reading<'t, 'b>, F>,
}

impl<'r, 't, 'b, F> Read<'r, 't, 'b, F> {
    pub(crate) const fn new(names: &'r Names, reading: &'r LazyCell<Reading<'t, 'b>, F>) -> Self {
        Self { names, reading }
    }
}

impl<'t, 'b, F: FnOnce() -> Reading<'t, 'b>> Json for Read<'_, 't, 'b, F> {
    fn is_json(&self) -> bool {
        self.reading.error().is_none()
    }

    fn find(&self, pointer: &str) -> Found<'_> {
        // A place that was not named is held to be unreadable, which verifies nothing.
        self.names.get(pointer).map_or(Found::Ambiguous, |pointer| self.reading.find(pointer))
    }

    fn elements(&self, pointer: &str, most: usize) -> Option<Vec<Element<'_>>> {
        self.reading.elements(self.names.get(pointer)?, most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a body has at places.
    fn found(pointers: &[&str], body: &[u8]) -> Vec<String> {
        let mut wanted = WantedPointers::default();
        pointers.iter().for_each(|pointer| wanted.insert(pointer));
        let mut table = Table::new();
        let names = wanted.name(&mut table);
        let reading = LazyCell::new(|| table.read(Some(body)));
        let read = Read::new(&names, &reading);
        let shown = |pointer: &&str| match read.find(pointer) {
            Found::Text(text) | Found::Literal(text) => text.into_owned(),
            other => format!("{other:?}"),
        };
        pointers.iter().map(shown).collect()
    }

    #[test]
    fn finds_what_is_named_in_objects_and_arrays() {
        let pointers =
            ["/id", "/data/object/kind", "/list/1", "/items/1/name", "/a~1b", "/data", "/x", "/f", "/0"];
        let body = br#"{"id":7,"x":null,"data":{"object":{"kind":"k","more":{}},"y":1},"list":[1,2,3],
            "items":[{"name":"a","z":0},{"name":"b\u0063"}],"a/b":true,"f":1.5,"0":"zero"}"#;
        let expected = ["7", "k", "2", "bc", "true", "Other", "Nothing", "Other", "zero"];
        assert_eq!(found(&pointers, body), expected);
    }

    #[test]
    fn nothing_is_in_what_is_not_one_document() {
        for body in ["", "{", "{\"id\":1}x", "\u{feff}{}", "id=1", "[1]", "7"] {
            assert_eq!(found(&["/id", "/id/x"], body.as_bytes()), ["Nothing", "Nothing"], "{body}");
        }
    }

    #[test]
    fn what_readers_of_json_differ_on_is_not_believed_and_does_not_spoil_the_rest() {
        let body = br#"{"id":1,"a":{"b":1},"a":{"b":2},"c":"\ud83d","d":[{"e":1,"e":2}],"id":1,"f":"f"}"#;
        let pointers = ["/id", "/a", "/a/b", "/a/c", "/c", "/d/0/e", "/f"];
        let expected = ["Ambiguous", "Ambiguous", "Ambiguous", "Ambiguous", "Ambiguous", "Ambiguous", "f"];
        assert_eq!(found(&pointers, body), expected);
    }

    #[test]
    fn a_body_that_repeats_a_name_over_and_over_is_not_believed_at_all() {
        let body = format!("{{\"id\":1,{}\"a\":1}}", "\"a\":1,".repeat(100));
        assert_eq!(found(&["/id", "/a"], body.as_bytes()), ["Ambiguous", "Ambiguous"]);
    }

    #[test]
    fn survives_a_nested_bomb() {
        for bomb in ["[".repeat(1_000_000), format!("{{\"id\":{}", "{\"id\":".repeat(200_000))] {
            assert_eq!(found(&["/id"], bomb.as_bytes()), ["Nothing"]);
        }
    }
}
