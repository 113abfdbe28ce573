//! One event while it is asked about.

use super::roots::{EXTENSIONS, Roots, name};
use super::scalar::BorrowedScalar;
use super::test::Truth;
use crate::fact::{EventInput, Fact, Facts};
use crate::failure::Unreadable;
use crate::ir::PathId;
use crate::json::{NodeId, Raw, Slots, Trie, materialise};
use crate::value::{Key, Map, Text, Timestamp, Value};
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use std::cell::RefCell;

/// One event with its slots filled; makes values of arrays and objects when they are first asked for, and keeps them.
pub(crate) struct EventView<'e> {
    trie: &'e Trie,
    roots: Roots,
    slots: &'e Slots,
    body: &'e str,
    input: &'e EventInput<'e>,
    made: RefCell<HashMap<NodeId, Value<'e>, FixedState>>,
}

impl<'e> EventView<'e> {
    pub(crate) fn new(
        trie: &'e Trie,
        roots: Roots,
        slots: &'e Slots,
        body: &'e str,
        input: &'e EventInput<'e>,
    ) -> Self {
        Self {
            trie,
            roots,
            slots,
            body,
            input,
            made: RefCell::new(HashMap::with_hasher(FixedState::with_seed(0))),
        }
    }

    #[inline(always)]
    pub(crate) fn raw(&self, path: NodeId) -> Raw {
        self.slots.get(path)
    }

    #[inline]
    pub(crate) fn text(&self, raw: Raw) -> Option<&'e str> {
        self.slots.text(raw, self.body)
    }

    #[inline]
    pub(crate) fn seen(&self, raw: Raw) -> Option<BorrowedScalar<'e>> {
        BorrowedScalar::new(raw, self.slots, self.body)
    }

    /// `has()` of a path that is not there.
    pub(crate) fn has_absent(&self, path: NodeId) -> Truth {
        match self.raw(self.trie.parent(path)) {
            Raw::Object(..) | Raw::Map => Truth::False,
            _ => Truth::Error,
        }
    }

    /// A path as an expression names it.
    pub(crate) fn name(&self, path: NodeId) -> String {
        name(self.trie, &self.roots, path)
    }

    /// Why a path is not there, in words.
    pub(crate) fn absence(&self, path: NodeId) -> String {
        let mut node = path;
        while self.trie.parent(node) != NodeId::NONE && self.raw(self.trie.parent(node)) == Raw::Absent {
            node = self.trie.parent(node);
        }
        let parent = self.trie.parent(node);
        if parent == NodeId::NONE {
            return format!("there is no {}, because the body is not JSON", self.name(node));
        }
        match self.raw(parent) {
            Raw::Object(..) | Raw::Map => format!("there is no {}", self.name(node)),
            _ => format!("{} has no fields", self.name(parent)),
        }
    }

    /// Why a path is not there.
    fn absent(&self, path: NodeId) -> Fact<'e> {
        let mut node = path;
        let mut parent = self.trie.parent(node);
        while parent != NodeId::NONE {
            let at = (self.trie.depth(node) as usize).saturating_sub(1);
            match self.raw(parent) {
                Raw::Absent => {}
                Raw::Object(..) | Raw::Map => return Fact::Missing { at, last: node == path },
                Raw::Overflow => return Fact::Unreadable(Unreadable::NumberTooLarge),
                _ => return Fact::NotMap { at },
            }
            node = parent;
            parent = self.trie.parent(node);
        }
        let why = if node == self.roots.message { Unreadable::NotJson } else { Unreadable::Unbound };
        Fact::Unreadable(why)
    }

    fn value(&self, path: NodeId, raw: Raw) -> Fact<'e> {
        Fact::Value(match raw {
            Raw::Absent => return self.absent(path),
            Raw::Null => Value::Null,
            Raw::Bool(value) => Value::Bool(value),
            Raw::Int(value) => Value::Int(value),
            Raw::Uint(value) => Value::Uint(value),
            Raw::Double(value) => Value::Double(value),
            Raw::Overflow => return Fact::Unreadable(Unreadable::NumberTooLarge),
            Raw::Plain(..) | Raw::Decoded(..) => match self.text(raw) {
                Some(text) => Value::str(text),
                None => return Fact::Unreadable(Unreadable::TooLarge),
            },
            Raw::Timestamp(millis) => match u64::try_from(millis).ok().and_then(Timestamp::from_millis) {
                Some(time) => Value::Timestamp(time),
                None => return Fact::Unreadable(Unreadable::NumberTooLarge),
            },
            Raw::Array(..) | Raw::Object(..) | Raw::Map => return self.container(path, raw),
        })
    }

    /// The value of an array or object, made once.
    fn container(&self, path: NodeId, raw: Raw) -> Fact<'e> {
        if let Some(value) = self.made.borrow().get(&path) {
            return Fact::Value(value.clone());
        }
        let value = match raw {
            Raw::Map if path == self.roots.event => self.event(),
            Raw::Map if path == self.roots.headers => texts(self.input.headers),
            Raw::Map => texts(self.input.extensions),
            _ => match materialise(self.text(raw).unwrap_or_default()) {
                Ok(value) => value,
                Err(why) => return Fact::Unreadable(why),
            },
        };
        self.made.borrow_mut().insert(path, value.clone());
        Fact::Value(value)
    }

    fn event(&self) -> Value<'e> {
        let input = self.input;
        let mut entries = Vec::with_capacity(7);
        let mut add = |name: &'static str, value: Option<Value<'e>>| {
            if let Some(value) = value {
                entries.push((Key::String(Text::Borrowed(name)), value));
            }
        };
        add("id", Some(Value::str(input.id)));
        add("source", Some(Value::str(input.source)));
        add("type", Some(Value::str(input.kind)));
        add("subject", input.subject.map(Value::str));
        add("time", Timestamp::from_millis(input.time).map(Value::Timestamp));
        add("datacontenttype", input.datacontenttype.map(Value::str));
        add(EXTENSIONS, Some(texts(input.extensions)));
        Value::Map(Map::with_last(entries))
    }
}

/// A map of texts; of equal names the last one wins.
fn texts<'e>(pairs: &'e [(&'e str, &'e str)]) -> Value<'e> {
    let entry = |(name, value): &(&'e str, &'e str)| (Key::String(Text::Borrowed(name)), Value::str(value));
    Value::Map(Map::with_last(pairs.iter().map(entry).collect()))
}

impl Facts for EventView<'_> {
    fn path(&self, path: PathId) -> Fact<'_> {
        let node = NodeId::from(path);
        self.value(node, self.raw(node))
    }

    fn presence(&self, path: PathId) -> Fact<'_> {
        let node = NodeId::from(path);
        match self.raw(node) {
            Raw::Absent => self.absent(node),
            _ => Fact::Value(Value::Null),
        }
    }
}
