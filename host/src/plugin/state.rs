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

impl Held {
    /// How many bytes it holds once this is set, if that is not too much.
    fn with(&self, key: &str, value: &[u8], most: u64) -> Result<u64, String> {
        let before = self.entries.get(key).map_or(0, |value| size(key, value));
        let now = self.bytes.saturating_sub(before).saturating_add(size(key, value));
        match now > most {
            true if most == 0 => {
                Err("this plugin has no state: it gets as much as its table says".to_owned())
            }
            true => Err(format!("the state is full: it may hold {most} bytes")),
            false => Ok(now),
        }
    }
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
        held.bytes = held.with(&key, &value, self.most)?;
        held.entries.insert(key, value.into());
        Ok(())
    }

    /// Whether this could be set.
    fn room(&self, key: &str, value: &[u8]) -> Result<(), String> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).with(key, value, self.most).map(drop)
    }

    fn delete(&self, key: &str) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(value) = held.entries.remove(key) {
            held.bytes = held.bytes.saturating_sub(size(key, &value));
        }
    }
}

/// What an explanation has set, or deleted: it sees that itself, and nobody else does.
type Aside = HashMap<String, Option<Bytes>>;

/// What an instance has beside its own memory.
#[derive(Debug)]
pub(super) struct Host {
    plugin: Arc<str>,
    memory: Arc<Memory>,
    /// Whether this instance only explains: then nothing of what it does is seen elsewhere.
    aside: Option<Aside>,
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
        Self { plugin, memory, aside: None, most, size: 0, is_refused: false, lines: 0, written: 0 }
    }

    /// From now on what it sets and logs is forgotten with the instance.
    pub(super) fn set_aside(&mut self) {
        self.aside = Some(Aside::new());
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
        let aside = self.aside.as_ref().and_then(|aside| aside.get(&key).cloned());
        let value = aside.unwrap_or_else(|| self.memory.get(&key));
        value.map(|value| value.to_vec())
    }

    fn set(&mut self, key: String, value: Vec<u8>) -> Result<(), String> {
        let Some(aside) = &mut self.aside else { return self.memory.set(key, value) };
        // How much that is in all is bounded by what one call may copy.
        self.memory.room(&key, &value)?;
        aside.insert(key, Some(value.into()));
        Ok(())
    }

    fn delete(&mut self, key: String) {
        match &mut self.aside {
            Some(aside) => drop(aside.insert(key, None)),
            None => self.memory.delete(&key),
        }
    }
}

impl log::Host for Host {
    fn write(&mut self, message: String) {
        if self.aside.is_some() {
            return;
        }
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
