//! Keys under which rules are filed.

use super::scalar::{BorrowedScalar, Scalar};
use crate::json::NodeId;

/// What an event must have at a path. `S` is a scalar in canonical form, `B` a part of a string; both may be borrowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Witness<S = Scalar, B = Box<[u8]>> {
    /// Any value.
    Present,
    /// An object.
    Object,
    /// This value.
    Equal(S),
    /// A number at this place or after it, see [`super::order::place`].
    AtLeast(u64),
    /// A number at this place or before it.
    AtMost(u64),
    /// A number in this cell, see [`super::order::cells`].
    Cell(u8, u64),
    /// A string that starts with these bytes.
    Prefix(B),
    /// A string that ends with these bytes.
    Suffix(B),
    /// A string that holds these bytes.
    Gram([u8; 4]),
}

/// A witness that borrows.
pub(crate) type Clue<'a> = Witness<BorrowedScalar<'a>, &'a [u8]>;

/// A path and what an event must have there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key<W = Witness> {
    pub(crate) path: NodeId,
    pub(crate) witness: W,
}

impl<S, B> Witness<S, B> {
    /// Whether it bounds a number.
    pub(crate) const fn is_range(&self) -> bool {
        matches!(self, Self::AtLeast(_) | Self::AtMost(_) | Self::Cell(..))
    }

    /// The same with other scalars and parts.
    fn map<'w, T, C>(
        &'w self,
        scalar: impl FnOnce(&'w S) -> T,
        part: impl FnOnce(&'w B) -> C,
    ) -> Witness<T, C> {
        match self {
            Self::Present => Witness::Present,
            Self::Object => Witness::Object,
            Self::Equal(value) => Witness::Equal(scalar(value)),
            Self::AtLeast(place) => Witness::AtLeast(*place),
            Self::AtMost(place) => Witness::AtMost(*place),
            Self::Cell(size, cell) => Witness::Cell(*size, *cell),
            Self::Prefix(text) => Witness::Prefix(part(text)),
            Self::Suffix(text) => Witness::Suffix(part(text)),
            Self::Gram(gram) => Witness::Gram(*gram),
        }
    }
}

impl Key {
    /// The key, borrowed.
    #[inline]
    pub(crate) fn clue(&self) -> Key<Clue<'_>> {
        Key { path: self.path, witness: self.witness.map(Scalar::seen, |part| &**part) }
    }

    /// Bytes on the heap.
    pub(crate) fn heap_size(&self) -> usize {
        match &self.witness {
            Witness::Equal(scalar) => scalar.heap_size(),
            Witness::Prefix(text) | Witness::Suffix(text) => text.len(),
            _ => 0,
        }
    }
}

impl Key<Clue<'_>> {
    /// The key with a copy of what it borrows.
    pub(crate) fn owned(&self) -> Key {
        Key { path: self.path, witness: self.witness.map(Scalar::from, |part| Box::from(*part)) }
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
