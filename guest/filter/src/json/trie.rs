//! The paths that some expression names.

use crate::ir::PathId;
use foldhash::fast::FixedState;
use hashbrown::HashTable;
use std::hash::BuildHasher as _;

/// A path: a node of the trie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct NodeId(u32);

impl NodeId {
    /// No path.
    pub(crate) const NONE: Self = Self(u32::MAX);

    #[inline]
    pub(crate) const fn index(self) -> usize {
        self.0 as usize
    }
}

/// Programs in a table name paths by their nodes.
impl From<PathId> for NodeId {
    fn from(path: PathId) -> Self {
        Self(path.0)
    }
}

impl From<NodeId> for PathId {
    fn from(node: NodeId) -> Self {
        Self(node.0)
    }
}

/// The last step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step<'a> {
    /// A key of an object.
    Key(&'a str),
    /// Every element of an array.
    Each,
}

#[derive(Debug)]
struct Node {
    parent: NodeId,
    /// The key in the parent; `None` for a root and for every element of an array.
    key: Option<Box<str>>,
    /// The node of every element of an array.
    each: NodeId,
    /// Steps from the root.
    depth: u32,
    /// Uses from outside, and children.
    users: u32,
    /// One bit for each key among the children, to turn most other keys away without hashing them.
    filter: u64,
}

/// A set of paths. Adding and removing one costs what the path is long, whatever else is there.
///
/// Keys are hashed with a fixed seed, also those that events bring: the keys *in* the table are the operators', and a
/// sender's keys are only looked up, so that no sender can make a chain of colliding entries grow.
#[derive(Debug, Default)]
pub(crate) struct Trie {
    nodes: Vec<Node>,
    free: Vec<NodeId>,
    children: HashTable<NodeId>,
    /// Nodes of every element of an array.
    elements: usize,
}

fn hash(parent: NodeId, key: &str) -> u64 {
    FixedState::with_seed(u64::from(parent.0)).hash_one(key.as_bytes())
}

#[inline(always)]
fn filter_bit(key: &str) -> u64 {
    let bytes = key.as_bytes();
    let first = bytes.first().copied().unwrap_or(0);
    let last = bytes.last().copied().unwrap_or(0);
    let mixed = u32::from(first) ^ (u32::from(last) << 1) ^ (key.len() as u32).wrapping_mul(7);
    1 << (mixed % 64)
}

impl Trie {
    /// One more than the largest index of a node there ever was.
    pub(crate) fn capacity(&self) -> usize {
        self.nodes.len()
    }

    /// Adds a root; it stays.
    pub(crate) fn root(&mut self) -> NodeId {
        self.push(Node { parent: NodeId::NONE, key: None, each: NodeId::NONE, depth: 0, users: 1, filter: 0 })
    }

    /// Whether somebody uses a root or a path that starts at it.
    pub(crate) fn is_used(&self, root: NodeId) -> bool {
        self.nodes.get(root.index()).is_some_and(|node| node.users > 1)
    }

    fn push(&mut self, node: Node) -> NodeId {
        if let Some(id) = self.free.pop()
            && let Some(place) = self.nodes.get_mut(id.index())
        {
            *place = node;
            return id;
        }
        let id = NodeId(u32::try_from(self.nodes.len()).unwrap_or(u32::MAX));
        self.nodes.push(node);
        id
    }

    /// The child of a path, added if it is not there. The caller holds one use more of it, until [`Trie::release`].
    pub(crate) fn acquire(&mut self, parent: NodeId, step: &Step<'_>) -> NodeId {
        let found = match step {
            Step::Key(key) => self.child(parent, key),
            Step::Each => self.each(parent),
        };
        if let Some(node) = self.nodes.get_mut(found.index()) {
            node.users += 1;
            return found;
        }
        let depth = self.nodes.get(parent.index()).map_or(0, |node| node.depth + 1);
        let key = match step {
            Step::Key(key) => Some(Box::from(*key)),
            Step::Each => None,
        };
        let id = self.push(Node { parent, key, each: NodeId::NONE, depth, users: 1, filter: 0 });
        if let Some(node) = self.nodes.get_mut(parent.index()) {
            node.users += 1;
            match step {
                Step::Key(key) => node.filter |= filter_bit(key),
                Step::Each => {
                    node.each = id;
                    self.elements += 1;
                }
            }
        }
        if let Step::Key(key) = step {
            let Self { nodes, children, .. } = self;
            children.insert_unique(hash(parent, key), id, |id| rehash(nodes, *id));
        }
        id
    }

    /// Takes one more use of a path that is there.
    pub(crate) fn hold(&mut self, id: NodeId) {
        if let Some(node) = self.nodes.get_mut(id.index()) {
            node.users += 1;
        }
    }

    /// Gives back one use; a path that nobody uses goes, and its parents with it.
    pub(crate) fn release(&mut self, mut id: NodeId) {
        while let Some(node) = self.nodes.get_mut(id.index()) {
            node.users = node.users.saturating_sub(1);
            if node.users > 0 || node.parent == NodeId::NONE {
                return;
            }
            let parent = node.parent;
            match node.key.take() {
                Some(key) => {
                    if let Ok(entry) = self.children.find_entry(hash(parent, &key), |other| *other == id) {
                        entry.remove();
                    }
                }
                None => {
                    if let Some(parent) = self.nodes.get_mut(parent.index()) {
                        parent.each = NodeId::NONE;
                        self.elements = self.elements.saturating_sub(1);
                    }
                }
            }
            self.free.push(id);
            id = parent;
        }
    }

    /// The child of a path under a key.
    #[inline]
    pub(crate) fn child(&self, parent: NodeId, key: &str) -> NodeId {
        let Some(node) = self.nodes.get(parent.index()) else { return NodeId::NONE };
        if node.filter & filter_bit(key) == 0 {
            return NodeId::NONE;
        }
        self.find(parent, key)
    }

    fn find(&self, parent: NodeId, key: &str) -> NodeId {
        let is = |id: &NodeId| {
            self.nodes
                .get(id.index())
                .is_some_and(|node| node.parent == parent && node.key.as_deref() == Some(key))
        };
        self.children.find(hash(parent, key), is).copied().unwrap_or(NodeId::NONE)
    }

    /// The node of every element of the array at a path.
    #[inline]
    pub(crate) fn each(&self, node: NodeId) -> NodeId {
        self.nodes.get(node.index()).map_or(NodeId::NONE, |node| node.each)
    }

    /// Whether any path goes through every element of an array.
    pub(crate) const fn has_elements(&self) -> bool {
        self.elements > 0
    }

    /// The last step's key; `None` for roots and elements.
    pub(crate) fn step(&self, node: NodeId) -> Option<&str> {
        self.nodes.get(node.index())?.key.as_deref()
    }

    /// How many steps a path is from its root.
    pub(crate) fn depth(&self, node: NodeId) -> u32 {
        self.nodes.get(node.index()).map_or(0, |node| node.depth)
    }

    /// The path that this one continues.
    pub(crate) fn parent(&self, node: NodeId) -> NodeId {
        self.nodes.get(node.index()).map_or(NodeId::NONE, |node| node.parent)
    }

    /// Whether a path met right after what lies below `ancestor` lies below it too. Paths are met parents first, so
    /// comparing depths is enough.
    #[inline]
    pub(crate) fn deeper(&self, node: NodeId, ancestor: NodeId) -> bool {
        self.depth(node) > self.depth(ancestor)
    }

    /// The number of live paths.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.nodes.len() - self.free.len()
    }

    /// Bytes on the heap.
    pub(crate) fn heap_size(&self) -> usize {
        let keys: usize = self.nodes.iter().filter_map(|node| node.key.as_ref()).map(|key| key.len()).sum();
        self.nodes.capacity() * size_of::<Node>()
            + keys
            + self.children.allocation_size()
            + self.free.capacity() * 4
    }
}

fn rehash(nodes: &[Node], id: NodeId) -> u64 {
    let Some(node) = nodes.get(id.index()) else { return 0 };
    hash(node.parent, node.key.as_deref().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::{NodeId, Step, Trie};

    #[test]
    fn a_released_path_goes_and_its_shared_parents_stay() {
        let mut trie = Trie::default();
        let root = trie.root();
        let a = trie.acquire(root, &Step::Key("a"));
        let ab = trie.acquire(a, &Step::Key("b"));
        let ac = trie.acquire(a, &Step::Key("c"));
        assert!(trie.is_used(root));
        trie.release(a);
        assert_eq!(trie.child(root, "a"), a);
        trie.release(ab);
        assert_eq!(trie.child(a, "b"), NodeId::NONE);
        assert_eq!(trie.child(a, "c"), ac);
        trie.release(ac);
        assert_eq!(trie.child(root, "a"), NodeId::NONE);
        assert_eq!((trie.len(), trie.is_used(root)), (1, false));
        trie.hold(root);
        assert!(trie.is_used(root));
    }

    #[test]
    fn places_are_used_again() {
        let mut trie = Trie::default();
        let root = trie.root();
        for round in 0..1000 {
            let key = format!("key{round}");
            let node = trie.acquire(root, &Step::Key(&key));
            assert_eq!(trie.child(root, &key), node);
            trie.release(node);
        }
        assert_eq!(trie.capacity(), 2);
    }
}
