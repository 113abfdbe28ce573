//! What one event holds at the paths of a trie.

use super::trie::NodeId;

/// A value as it was found: scalars decoded, strings and containers as positions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Raw {
    /// Nothing there.
    Absent,
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number written as an integer.
    Int(i64),
    /// A number written as an integer, above the largest `int`.
    Uint(u64),
    /// Any other number.
    Double(f64),
    /// A number beyond the largest `double`.
    Overflow,
    /// A string without escapes: its place in the body, without quotes.
    Plain(u32, u32),
    /// A decoded string: its place in the event's own buffer.
    Decoded(u32, u32),
    /// An array: its place in the body, with brackets.
    Array(u32, u32),
    /// An object: its place in the body, with braces.
    Object(u32, u32),
    /// A map that is not in the body: `event`, `headers`.
    Map,
    /// Milliseconds since the Unix epoch.
    Timestamp(i64),
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    /// The event that filled it.
    epoch: u32,
    /// Its entry in `present`; the entries of what lies below it follow.
    entry: u32,
    raw: Raw,
}

const VACANT: Slot = Slot { epoch: 0, entry: 0, raw: Raw::Absent };

/// The values of one event by path, and the paths that it has in the order met.
///
/// Kept from event to event: starting anew costs nothing for paths that the event does not have.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    slots: Vec<Slot>,
    present: Vec<NodeId>,
    decoded: String,
    /// Paths at which readers of JSON differ; see [`Slots::is_doubtful`].
    doubtful: Vec<NodeId>,
    epoch: u32,
}

/// With more doubtful paths than this, every path is held to be one.
const MOST_DOUBTFUL: usize = 64;

impl Slots {
    /// Forgets the event before; `paths` is the trie's [`super::Trie::capacity`].
    pub(crate) fn begin(&mut self, paths: usize) {
        self.decoded.clear();
        self.next(paths);
    }

    /// Forgets all values, but keeps the strings that were decoded for them.
    pub(crate) fn next(&mut self, paths: usize) {
        if self.slots.len() < paths {
            self.slots.resize(paths, VACANT);
        }
        self.present.clear();
        self.doubtful.clear();
        if self.epoch == u32::MAX {
            self.slots.fill(VACANT);
            self.epoch = 0;
        }
        self.epoch += 1;
    }

    /// What the event has at a path.
    #[inline(always)]
    pub(crate) fn get(&self, node: NodeId) -> Raw {
        match self.slots.get(node.index()) {
            Some(slot) if slot.epoch == self.epoch => slot.raw,
            _ => Raw::Absent,
        }
    }

    /// The paths that the event has, parents before children; [`NodeId::NONE`] stands for one that a later duplicate
    /// of its key has replaced.
    pub(crate) fn present(&self) -> &[NodeId] {
        &self.present
    }

    /// Puts a value at a path. One that is there already goes, with everything below it: `belongs` tells which paths
    /// lie below which.
    #[inline]
    pub(crate) fn set(&mut self, node: NodeId, raw: Raw, below: impl Fn(NodeId) -> bool) {
        let epoch = self.epoch;
        let entry = u32::try_from(self.present.len()).unwrap_or(u32::MAX);
        let Some(slot) = self.slots.get_mut(node.index()) else { return };
        let earlier = (slot.epoch == epoch).then_some(slot.entry);
        *slot = Slot { epoch, entry, raw };
        if let Some(earlier) = earlier {
            self.doubt(node);
            self.forget(earlier as usize, below);
        }
        self.present.push(node);
    }

    /// Notes that readers of JSON differ on what is at a path.
    #[cold]
    pub(crate) fn doubt(&mut self, node: NodeId) {
        if self.doubtful.len() < MOST_DOUBTFUL {
            self.doubtful.push(node);
        }
    }

    /// Whether readers of JSON differ on what is at a path itself: its key was there twice, or its string has an escape that
    /// is no character.
    pub(crate) fn is_doubtful(&self, node: NodeId) -> bool {
        self.doubtful.len() == MOST_DOUBTFUL || self.doubtful.contains(&node)
    }

    /// Changes the value of a path that [`Slots::set`] has filled.
    #[inline]
    pub(crate) fn update(&mut self, node: NodeId, raw: Raw) {
        if let Some(slot) = self.slots.get_mut(node.index()) {
            slot.raw = raw;
        }
    }

    /// Vacates the entry of a replaced value and those below it, which follow it without a gap.
    #[cold]
    fn forget(&mut self, entry: usize, below: impl Fn(NodeId) -> bool) {
        let mut entries = self.present.iter_mut().skip(entry);
        if let Some(own) = entries.next() {
            *own = NodeId::NONE;
        }
        for node in entries {
            if *node == NodeId::NONE {
                continue;
            }
            if !below(*node) {
                break;
            }
            if let Some(slot) = self.slots.get_mut(node.index()) {
                *slot = VACANT;
            }
            *node = NodeId::NONE;
        }
    }

    /// Keeps a string of the event's own.
    pub(crate) fn keep(&mut self, write: impl FnOnce(&mut String)) -> Raw {
        let start = self.decoded.len();
        write(&mut self.decoded);
        match (u32::try_from(start), u32::try_from(self.decoded.len())) {
            (Ok(start), Ok(end)) => Raw::Decoded(start, end),
            _ => Raw::Overflow,
        }
    }

    /// The text of a string or of a container; `None` for everything else.
    #[inline]
    pub(crate) fn text<'a>(&'a self, raw: Raw, body: &'a str) -> Option<&'a str> {
        match raw {
            Raw::Plain(start, end) | Raw::Array(start, end) | Raw::Object(start, end) => {
                body.get(start as usize..end as usize)
            }
            Raw::Decoded(start, end) => self.decoded.get(start as usize..end as usize),
            _ => None,
        }
    }

    /// Bytes on the heap.
    pub(crate) fn heap_size(&self) -> usize {
        self.slots.capacity() * size_of::<Slot>() + self.present.capacity() * 4 + self.decoded.capacity()
    }
}
