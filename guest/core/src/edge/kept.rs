//! What a plugin's instance remembers and logs where it is a component of the app's own, within the limits that it has natively.

use std::collections::HashMap;

/// Bytes of log lines of one call.
const LOG_BYTES: usize = 4096;
/// Log lines of one call.
const LOG_LINES: usize = 16;
/// What an entry of the state takes beside its key and value, in bytes.
const ENTRY: u64 = 64;

/// What a plugin's instance remembers, and what its call has logged.
#[derive(Debug, Default)]
pub struct PluginKept {
    most: u64,
    entries: HashMap<String, Vec<u8>>,
    bytes: u64,
    lines: Vec<String>,
    written: usize,
    is_full: bool,
}

fn size(key: &str, value: &[u8]) -> u64 {
    ENTRY + key.len() as u64 + value.len() as u64
}

impl PluginKept {
    /// Another call begins: it may remember so many bytes.
    pub fn begin(&mut self, most: u64) {
        (self.most, self.written, self.is_full) = (most, 0, false);
        self.lines.clear();
    }

    /// What the call has logged.
    pub fn lines(&mut self) -> Vec<String> {
        std::mem::take(&mut self.lines)
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Vec<u8>> {
        self.entries.get(key).cloned()
    }

    /// Sets a key.
    ///
    /// # Errors
    ///
    /// There is no room for it.
    pub fn set(&mut self, key: String, value: Vec<u8>) -> Result<(), String> {
        let before = self.entries.get(&key).map_or(0, |value| size(&key, value));
        let now = self.bytes.saturating_sub(before).saturating_add(size(&key, &value));
        if now > self.most {
            return Err(match self.most {
                0 => "this plugin has no state: it gets as much as its table says".to_owned(),
                most => format!("the state is full: it may hold {most} bytes"),
            });
        }
        self.bytes = now;
        self.entries.insert(key, value);
        Ok(())
    }

    /// Forgets a key.
    pub fn delete(&mut self, key: &str) {
        if let Some(value) = self.entries.remove(key) {
            self.bytes = self.bytes.saturating_sub(size(key, &value));
        }
    }

    /// Takes a line of the log, or leaves it out.
    pub fn write(&mut self, message: String) {
        self.written = self.written.saturating_add(message.len());
        if self.lines.len() < LOG_LINES && self.written <= LOG_BYTES && !self.is_full {
            self.lines.push(message);
        } else if !self.is_full {
            self.is_full = true;
            self.lines.push("it says more in one call than is written".to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_ends_at_its_limit_and_what_is_deleted_makes_room() {
        let mut kept = PluginKept::default();
        assert!(kept.set("a".to_owned(), vec![]).is_err(), "there is none by default");
        kept.begin(2 * ENTRY + 10);
        kept.set("a".to_owned(), vec![0; 64 + 9]).unwrap();
        assert!(kept.set("b".to_owned(), vec![]).is_err());
        kept.set("a".to_owned(), vec![1]).unwrap();
        kept.set("b".to_owned(), vec![2]).unwrap();
        kept.delete("a");
        kept.delete("a");
        assert_eq!((kept.get("a"), kept.get("b")), (None, Some(vec![2])));
        kept.delete("b");
        assert_eq!(kept.bytes, 0);
    }

    #[test]
    fn a_call_logs_so_much_and_no_more() {
        let mut kept = PluginKept::default();
        kept.begin(0);
        (0..100).for_each(|line| kept.write(line.to_string()));
        let lines = kept.lines();
        assert_eq!(
            (lines.len(), lines.last().map(String::as_str)),
            (17, Some("it says more in one call than is written"))
        );
        kept.begin(0);
        kept.write("x".repeat(LOG_BYTES + 1));
        kept.write("short".to_owned());
        assert_eq!(kept.lines(), ["it says more in one call than is written"]);
    }
}
