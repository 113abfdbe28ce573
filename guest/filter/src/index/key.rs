//! Keys under which rules are filed.

use super::scalar::Scalar;
use crate::json::NodeId;

/// What an event must have at a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Witness {
    /// Any value.
    Present,
    /// An object.
    Object,
    /// This value; in canonical form.
    Equal(Scalar),
    /// A number at this place or after it, see [`super::order::place`].
    AtLeast(u64),
    /// A number at this place or before it.
    AtMost(u64),
    /// A number in this cell, see [`super::order::cells`].
    Cell(u8, u64),
    /// A string that starts with these bytes.
    Prefix(Box<[u8]>),
    /// A string that ends with these bytes.
    Suffix(Box<[u8]>),
    /// A string that holds these bytes.
    Gram([u8; 4]),
}

/// A path and what an event must have there.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) path: NodeId,
    pub(crate) witness: Witness,
}

impl Witness {
    /// Whether it bounds a number.
    pub(crate) const fn is_range(&self) -> bool {
        matches!(self, Self::AtLeast(_) | Self::AtMost(_) | Self::Cell(..))
    }

    /// Bytes on the heap.
    pub(crate) fn heap_size(&self) -> usize {
        match self {
            Self::Equal(scalar) => scalar.heap_size(),
            Self::Prefix(text) | Self::Suffix(text) => text.len(),
            _ => 0,
        }
    }
}

/// The length to which a prefix or suffix is cut before it is filed: so few lengths are in use that a string can be looked up
/// under each.
pub(crate) const fn affix_length(length: usize) -> usize {
    if length <= 64 {
        length
    } else if length <= 256 {
        length / 32 * 32
    } else {
        256
    }
}
