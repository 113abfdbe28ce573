//! The paths of a table, from the variables that they begin with.

use crate::fact::EventInput;
use crate::ir::Root;
use crate::json::{NodeId, Raw, Slots, Step, Trie};

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
pub(super) const EXTENSIONS: &str = "extensions";

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
