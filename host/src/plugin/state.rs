//! What a plugin remembers, and what one call of it may write into the log.

use super::bindings::anglerfish::plugin::{log, state, types};
use bytes::Bytes;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use wasmtime::ResourceLimiter;

/// Bytes of log lines of one call.
const LOG_BYTES: usize = 4096;
/// Log lines of one call.
const LOG_LINES: usize = 16;
/// What an entry of the state takes beside its key and value, in bytes.
const ENTRY: u64 = 64;

/// What a plugin remembers, shared by its instances.
#[derive(Debug)]
pub(super) struct Memory {
    most: u64,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    entries: HashMap<String, Bytes>,
    bytes: u64,
}

fn size(key: &str, value: &[u8]) -> u64 {
    ENTRY + key.len() as u64 + value.len() as u64
}

impl Memory {
    pub(super) fn new(most: u64) -> Self {
        Self { most, held: Mutex::default() }
    }

    fn get(&self, key: &str) -> Option<Bytes> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).entries.get(key).cloned()
    }

    fn set(&self, key: String, value: Vec<u8>) -> Result<(), String> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let before = held.entries.get(&key).map_or(0, |value| size(&key, value));
        let now = held.bytes.saturating_sub(before).saturating_add(size(&key, &value));
        if now > self.most {
            return Err(format!("the state is full: it may hold {} bytes", self.most));
        }
        held.bytes = now;
        held.entries.insert(key, value.into());
        Ok(())
    }

    fn delete(&self, key: &str) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(value) = held.entries.remove(key) {
            held.bytes = held.bytes.saturating_sub(size(key, &value));
        }
    }
}

/// What an instance has beside its own memory.
#[derive(Debug)]
pub(super) struct Host {
    plugin: Arc<str>,
    memory: Arc<Memory>,
    most: usize,
    size: usize,
    /// Whether it asked for more memory than it may have: a guest that gets none aborts, and the trap alone does not tell why.
    pub(super) is_refused: bool,
    lines: usize,
    written: usize,
}

impl Host {
    pub(super) fn new(plugin: Arc<str>, memory: Arc<Memory>, most: u64) -> Self {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        Self { plugin, memory, most, size: 0, is_refused: false, lines: 0, written: 0 }
    }

    /// Bytes of its linear memory.
    pub(super) fn size(&self) -> u64 {
        self.size as u64
    }

    /// Another call begins. That an earlier one was refused memory, and went on without, is not why this one fails.
    pub(super) fn begin(&mut self) {
        (self.lines, self.written, self.is_refused) = (0, 0, false);
    }
}

impl ResourceLimiter for Host {
    fn memory_growing(&mut self, _now: usize, wanted: usize, _most: Option<usize>) -> wasmtime::Result<bool> {
        let fits = wanted <= self.most;
        self.is_refused |= !fits;
        if fits {
            self.size = wanted;
        }
        Ok(fits)
    }

    fn table_growing(&mut self, _now: usize, wanted: usize, _most: Option<usize>) -> wasmtime::Result<bool> {
        Ok(wanted <= 100_000)
    }

    fn memories(&self) -> usize {
        1
    }
}

impl state::Host for Host {
    fn get(&mut self, key: String) -> Option<Vec<u8>> {
        self.memory.get(&key).map(|value| value.to_vec())
    }

    fn set(&mut self, key: String, value: Vec<u8>) -> Result<(), String> {
        self.memory.set(key, value)
    }

    fn delete(&mut self, key: String) {
        self.memory.delete(&key);
    }
}

impl log::Host for Host {
    fn write(&mut self, message: String) {
        self.written = self.written.saturating_add(message.len());
        self.lines = self.lines.saturating_add(1);
        if self.lines <= LOG_LINES && self.written <= LOG_BYTES {
            tracing::info!(plugin = &*self.plugin, "{}", message.escape_debug());
        } else if self.lines == LOG_LINES + 1 {
            tracing::warn!(plugin = &*self.plugin, "it says more in one call than is written");
        }
    }
}

impl types::Host for Host {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_again_or_deleted_makes_room() {
        let memory = Memory::new(3 * ENTRY + 30);
        memory.set("a".to_owned(), vec![0; 29 + 2 * 64]).unwrap();
        assert!(memory.set("b".to_owned(), vec![]).is_err());
        assert_eq!(memory.get("b"), None);
        memory.set("a".to_owned(), vec![1]).unwrap();
        memory.set("b".to_owned(), vec![2]).unwrap();
        memory.delete("a");
        memory.delete("a");
        assert_eq!((memory.get("a"), memory.get("b").as_deref()), (None, Some(&[2][..])));
        memory.delete("b");
        assert_eq!(memory.held.lock().unwrap().bytes, 0);
    }
}
