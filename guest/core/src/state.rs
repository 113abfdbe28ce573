//! The state that decisions read and write.

/// Key-value state, as `wasi:keyvalue/store` offers it. Writes take effect together with the decision that made them.
pub trait Keys {
    /// The value of a key, or `None`.
    ///
    /// # Errors
    ///
    /// Says why the state could not be read.
    fn get(&mut self, key: &str) -> Result<Option<Vec<u8>>, String>;

    /// Sets the value of a key.
    ///
    /// # Errors
    ///
    /// Says why the state could not be written.
    fn set(&mut self, key: &str, value: &[u8]) -> Result<(), String>;

    /// Deletes a key; one that is not there is no error. Only documents need it.
    ///
    /// # Errors
    ///
    /// Says why the state could not be written.
    fn delete(&mut self, key: &str) -> Result<(), String> {
        Err(format!("this state deletes no keys: {key}"))
    }
}

/// The longest key: what the tightest of the supported stores takes, in bytes.
const LONGEST_KEY: usize = 255;

/// The key that remembers one thing of one source: `event/shop/msg_1`. What would be too long is hashed.
#[must_use]
pub fn key(kind: &str, source: &str, name: &str) -> String {
    use sha2::{Digest, Sha256};
    let plain = format!("{kind}/{source}/{name}");
    if plain.len() <= LONGEST_KEY {
        return plain;
    }
    format!("{kind}/{source}/sha256:{}", hex::encode(Sha256::digest(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_is_hashed_to_a_key_that_every_store_takes() {
        let key = key("event", "shop", &"x".repeat(400));
        assert!(key.len() <= LONGEST_KEY);
        assert!(key.starts_with("event/shop/sha256:"));
    }

    #[test]
    fn a_short_name_is_kept_readable() {
        assert_eq!(key("event", "shop", "msg_1"), "event/shop/msg_1");
    }
}
