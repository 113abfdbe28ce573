//! What is asked of a key-value store.

use std::collections::HashMap;

/// A key-value store as `wasi:keyvalue` offers it: no transactions, no listing worth the name, one atomic operation.
///
/// Every error is the store's own text, for the operator's log.
pub trait Bucket {
    /// The values of those of these keys that exist.
    ///
    /// # Errors
    ///
    /// Says why they could not be read.
    fn get_many(&self, keys: Vec<String>) -> Result<HashMap<String, Vec<u8>>, String>;

    /// Sets these values. A store that cannot do it as a whole does it in this order.
    ///
    /// # Errors
    ///
    /// Says why they could not be written; any of them may have been.
    fn set_many(&self, entries: Vec<(String, Vec<u8>)>) -> Result<(), String>;

    /// Deletes these keys, in this order if not as a whole.
    ///
    /// # Errors
    ///
    /// Says why they could not be deleted; any of them may have been.
    fn delete_many(&self, keys: Vec<String>) -> Result<(), String>;

    /// Adds to the number under a key, atomically, and says the sum. A key that does not exist counts as 0.
    ///
    /// # Errors
    ///
    /// Says why it could not be written; it may have been.
    fn increment(&self, key: &str, by: i64) -> Result<i64, String>;
}

/// The number that [`Bucket::increment`] has left under a key, read as a value: eight bytes, or digits, as stores have it.
///
/// Eight digits are no number of eight bytes that is ever reached here.
pub(super) fn number(value: &[u8]) -> u64 {
    if !value.is_empty() && value.iter().all(u8::is_ascii_digit) {
        return std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    }
    value.try_into().map_or(0, |bytes| u64::try_from(i64::from_le_bytes(bytes)).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_is_read_however_the_store_writes_it() {
        assert_eq!(number(&7_i64.to_le_bytes()), 7);
        assert_eq!(number(b"7"), 7);
        assert_eq!(number(b"12345678"), 12_345_678);
        assert_eq!(number(&(-1_i64).to_le_bytes()), 0);
        assert_eq!(number(b""), 0);
        assert_eq!(number(b"seven"), 0);
    }
}
