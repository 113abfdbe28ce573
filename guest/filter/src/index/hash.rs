//! The hashes under which levels and gates are found.

use super::gate::Gate;
use super::key::{Clue, Key, Witness};
use super::scalar::BorrowedScalar;
use crate::ir::{self, Comprehension, Node};
use crate::json::NodeId;
use foldhash::fast::FixedState;
use std::hash::{BuildHasher as _, Hash as _, Hasher};

/// The hash of a key.
pub(super) fn of_key(key: &Key<Clue<'_>>) -> u64 {
    match &key.witness {
        Witness::Equal(scalar) => of_equal(key.path, *scalar),
        Witness::Cell(size, cell) => of_cell(key.path, *size, *cell),
        Witness::Prefix(text) => of_part(key.path, 0, text),
        Witness::Suffix(text) => of_part(key.path, 1, text),
        Witness::Gram(gram) => of_part(key.path, 2, gram),
        Witness::Present | Witness::Object | Witness::AtLeast(_) | Witness::AtMost(_) => 0,
    }
}

#[inline]
pub(super) fn of_equal(path: NodeId, value: BorrowedScalar<'_>) -> u64 {
    let mut hasher = FixedState::with_seed(path.index() as u64).build_hasher();
    match value {
        BorrowedScalar::Null => hasher.write_u64(1),
        BorrowedScalar::Bool(value) => hasher.write_u64(2 + u64::from(value)),
        BorrowedScalar::Int(value) => hasher.write_u64(value as u64),
        BorrowedScalar::Uint(value) | BorrowedScalar::Double(value) => hasher.write_u64(value),
        BorrowedScalar::Text(text) => hasher.write(text.as_bytes()),
    }
    long(short(hasher.finish()))
}

#[inline]
pub(super) fn of_cell(path: NodeId, size: u8, cell: u64) -> u64 {
    long(short(FixedState::with_seed(path.index() as u64).hash_one((size, cell))))
}

#[inline]
pub(super) fn of_part(path: NodeId, kind: u64, part: &[u8]) -> u64 {
    let mut hasher = FixedState::with_seed(path.index() as u64 ^ (kind + 1) << 40).build_hasher();
    hasher.write(part);
    long(short(hasher.finish()))
}

/// A hash, shortened to be kept.
pub(super) const fn short(hash: u64) -> u32 {
    hash as u32
}

/// A hash as a table wants it, from a kept one: tables look at the upper end and at the lower.
pub(super) const fn long(hash: u32) -> u64 {
    (hash as u64) << 32 | hash as u64
}

/// The hash of a gate.
pub(super) fn of_gate(gate: &Gate) -> u32 {
    short(FixedState::with_seed(0).hash_one(gate))
}

/// The hash of a program.
pub(super) fn of_code(nodes: &[Node], children: &[ir::NodeId], comprehensions: &[Comprehension]) -> u64 {
    /// One function for all fields: with the hasher's own in each place, the hash of a node is ten thousand bytes.
    struct Compact<H>(H);
    impl<H: Hasher> Hasher for Compact<H> {
        #[inline(never)]
        fn write(&mut self, bytes: &[u8]) {
            self.0.write(bytes);
        }
        fn finish(&self) -> u64 {
            self.0.finish()
        }
    }
    let mut hasher = Compact(FixedState::with_seed(0).build_hasher());
    (nodes, children, comprehensions).hash(&mut hasher);
    hasher.finish()
}
