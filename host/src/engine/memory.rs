//! How much linear memory an instance may have.

use bytesize::ByteSize;
use wasmtime::ResourceLimiter;

/// A table may have this part of an instance's memory, in quarters; the rest is for the decisions made with it: a request's
/// body, and what is read of it.
const TABLE_QUARTERS: usize = 3;

/// The part of an instance's memory that its routing table may take.
pub(super) const fn table_part(memory: usize) -> usize {
    memory / 4 * TABLE_QUARTERS
}

/// What to tell when a table does not fit.
pub(super) fn too_large(memory: usize) -> String {
    let size = |bytes: usize| ByteSize::b(u64::try_from(bytes).unwrap_or(u64::MAX)).display().iec();
    format!(
        "the sources and subscriptions do not fit into the {} that they may take of `server.memory_limit` ({})",
        size(table_part(memory)),
        size(memory)
    )
}

/// Limits an instance's memory, and remembers that it asked for more: a guest that gets none aborts, and the trap alone does
/// not tell why.
#[derive(Debug)]
pub(super) struct MemoryLimit {
    most: usize,
    size: usize,
    refused: bool,
}

impl MemoryLimit {
    pub(super) const fn new(most: usize) -> Self {
        Self { most, size: 0, refused: false }
    }

    /// Changes the limit; what is there stays, also if it is more.
    pub(super) const fn set(&mut self, most: usize) {
        self.most = most;
    }

    /// How much there is.
    pub(super) const fn size(&self) -> usize {
        self.size
    }

    /// Whether more was asked for than there may be.
    pub(super) const fn refused(&self) -> bool {
        self.refused
    }
}

impl ResourceLimiter for MemoryLimit {
    fn memory_growing(&mut self, _now: usize, wanted: usize, _most: Option<usize>) -> wasmtime::Result<bool> {
        let fits = wanted <= self.most;
        if fits {
            self.size = wanted;
        } else {
            self.refused = true;
        }
        Ok(fits)
    }

    /// Tables of functions do not grow in this component; how many elements one has is bounded by the allocator's pool.
    fn table_growing(&mut self, _now: usize, _wanted: usize, _most: Option<usize>) -> wasmtime::Result<bool> {
        Ok(true)
    }
}
