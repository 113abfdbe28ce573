//! State in memory for the tests of the router.

use anglerfish_core::state::Keys;
use std::collections::BTreeMap;

/// Keys that are kept as long as this.
#[derive(Default)]
pub(crate) struct Memory(pub(crate) BTreeMap<String, Vec<u8>>);

impl Keys for Memory {
    fn get(&mut self, key: &str) -> Result<Option<Vec<u8>>, String> {
        Ok(self.0.get(key).cloned())
    }

    fn set(&mut self, key: &str, value: &[u8]) -> Result<(), String> {
        self.0.insert(key.to_owned(), value.to_vec());
        Ok(())
    }
}
