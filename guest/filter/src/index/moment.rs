//! One event while it is asked about.

use super::scalar::Seen;
use super::test::Tri;
use crate::fact::{Fact, Facts, Unreadable};
use crate::ir::{PathId, Root};
use crate::json::{NodeId, Raw, Slots, Step, Trie, materialise};
use crate::table::EventInput;
use crate::value::{Key, Map, Text, Timestamp, Value};
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use std::cell::RefCell;

/// The roots of a table's paths, in the order of [`Root`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Roots {
    pub(crate) message: NodeId,
    pub(crate) event: NodeId,
    pub(crate) headers: NodeId,
    pub(crate) source: NodeId,
    pub(crate) now: NodeId,
    /// For variables that have no value here.
    pub(crate) unbound: NodeId,
}

impl Roots {
    pub(crate) fn new(trie: &mut Trie) -> Self {
        let mut root = || trie.root();
        Self { message: root(), event: root(), headers: root(), source: root(), now: root(), unbound: root() }
    }

    pub(crate) const fn of(&self, root: Root) -> NodeId {
        match root {
            Root::MESSAGE => self.message,
            Root::EVENT => self.event,
            Root::HEADERS => self.headers,
            Root::SOURCE => self.source,
            Root::NOW => self.now,
            Root(_) => self.unbound,
        }
    }
}

/// The field of `event` that holds the extension attributes.
const EXTENSIONS: &str = "extensions";

/// Puts what is not in the body into the slots.
pub(crate) fn fill(input: &EventInput<'_>, trie: &Trie, roots: &Roots, slots: &mut Slots) {
    let below = |_: NodeId| false;
    let text = |slots: &mut Slots, node: NodeId, text: Option<&str>| {
        if node != NodeId::NONE
            && let Some(text) = text
        {
            let raw = slots.keep(|out| out.push_str(text));
            slots.set(node, raw, below);
        }
    };
    let millis = |millis: u64| i64::try_from(millis).map_or(Raw::Overflow, Raw::Timestamp);
    slots.set(roots.now, millis(input.now), below);
    text(slots, roots.source, Some(input.source));
    slots.set(roots.event, Raw::Map, below);
    for (name, value) in [
        ("id", Some(input.id)),
        ("source", Some(input.source)),
        ("type", Some(input.kind)),
        ("subject", input.subject),
        ("datacontenttype", input.datacontenttype),
    ] {
        text(slots, trie.child(roots.event, name), value);
    }
    let time = trie.child(roots.event, "time");
    if time != NodeId::NONE {
        slots.set(time, millis(input.time), below);
    }
    let extensions = trie.child(roots.event, EXTENSIONS);
    if extensions != NodeId::NONE {
        // Always a map, so that `has` of an attribute that an event lacks is false and no error.
        slots.set(extensions, Raw::Map, below);
        for (name, value) in input.extensions {
            text(slots, trie.child(extensions, name), Some(value));
        }
    }
    slots.set(roots.headers, Raw::Map, below);
    for (name, value) in input.headers {
        text(slots, trie.child(roots.headers, name), Some(value));
    }
}

/// One event with its slots filled; makes values of arrays and objects when they are first asked for, and keeps them.
pub(crate) struct Moment<'e> {
    trie: &'e Trie,
    roots: Roots,
    slots: &'e Slots,
    body: &'e str,
    input: &'e EventInput<'e>,
    made: RefCell<HashMap<NodeId, Value<'e>, FixedState>>,
}

impl<'e> Moment<'e> {
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
    pub(crate) fn seen(&self, raw: Raw) -> Option<Seen<'e>> {
        Seen::new(raw, self.slots, self.body)
    }

    /// `has()` of a path that is not there.
    pub(crate) fn has_absent(&self, path: NodeId) -> Tri {
        match self.raw(self.trie.parent(path)) {
            Raw::Object(..) | Raw::Map => Tri::False,
            _ => Tri::Error,
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

impl Facts for Moment<'_> {
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

/// The path in a trie, added if it is not there; the caller holds a use of it.
pub(crate) fn acquire(trie: &mut Trie, roots: &Roots, path: &crate::ir::Path) -> NodeId {
    let mut node = roots.of(path.root);
    trie.hold(node);
    for field in path.fields.iter() {
        let next = trie.acquire(node, &Step::Key(field));
        trie.release(node);
        node = next;
    }
    node
}

/// A path as an expression names it.
pub(crate) fn name(trie: &Trie, roots: &Roots, path: NodeId) -> String {
    let mut steps = Vec::new();
    let mut node = path;
    while trie.parent(node) != NodeId::NONE {
        steps.push(trie.step(node));
        node = trie.parent(node);
    }
    let known = [
        (roots.message, "message"),
        (roots.event, "event"),
        (roots.headers, "headers"),
        (roots.source, "source"),
        (roots.now, "now"),
    ];
    let mut name = known.iter().find(|(root, _)| *root == node).map_or("?", |(_, name)| name).to_owned();
    for step in steps.into_iter().rev() {
        match step {
            None => name.push_str("[*]"),
            Some(key) if is_identifier(key) => {
                name.push('.');
                name.push_str(key);
            }
            Some(key) => name.push_str(&format!("[{key:?}]")),
        }
    }
    name
}

fn is_identifier(key: &str) -> bool {
    !key.is_empty()
        && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !key.starts_with(|first: char| first.is_ascii_digit())
}
