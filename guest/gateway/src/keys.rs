//! State over `wasi:keyvalue/store`.

use crate::bindings::wasi::keyvalue::store::{self, Bucket, Error};
use anglerfish_core::state::Keys;

/// The bucket that the state is kept in: the name that every shell provides.
const BUCKET: &str = "default";

/// A key, and its new value or that it is deleted.
type Write = (String, Option<Vec<u8>>);

/// The default bucket, opened at the first use and again after an error.
#[derive(Default)]
pub(crate) struct KeyValueStore {
    bucket: Option<Bucket>,
    /// What is written while the shell has it held, the newest last; `None` where it is not.
    held: Option<Vec<Write>>,
}

impl KeyValueStore {
    /// Keeps what is written from now on, rather than writing it.
    pub(crate) fn hold(&mut self) {
        self.held = Some(Vec::new());
        // A host may answer a bucket that is open from what it has read through it before.
        self.bucket = None;
    }

    /// What was written since, and writes to the store again.
    pub(crate) fn take(&mut self) -> Vec<Write> {
        self.held.take().unwrap_or_default()
    }

    fn put(&mut self, key: &str, value: Option<&[u8]>) -> Result<(), String> {
        let Some(held) = &mut self.held else {
            return self.with_bucket(|bucket| match value {
                Some(value) => bucket.set(key, value),
                None => bucket.delete(key),
            });
        };
        held.retain(|(known, _)| known != key);
        held.push((key.to_owned(), value.map(<[u8]>::to_vec)));
        Ok(())
    }

    fn with_bucket<T>(&mut self, call: impl FnOnce(&Bucket) -> Result<T, Error>) -> Result<T, String> {
        let bucket = match self.bucket.take() {
            Some(bucket) => bucket,
            None => store::open(BUCKET).map_err(text)?,
        };
        let answer = call(&bucket).map_err(text)?;
        self.bucket = Some(bucket);
        Ok(answer)
    }
}

impl Keys for KeyValueStore {
    fn get(&mut self, key: &str) -> Result<Option<Vec<u8>>, String> {
        let Some(held) = &self.held else { return self.with_bucket(|bucket| bucket.get(key)) };
        if let Some((_, value)) = held.iter().find(|(known, _)| known == key) {
            return Ok(value.clone());
        }
        let found = self.with_bucket(|bucket| bucket.get(key))?;
        Ok(found.filter(|value| !value.is_empty()))
    }

    fn set(&mut self, key: &str, value: &[u8]) -> Result<(), String> {
        self.put(key, Some(value))
    }

    fn delete(&mut self, key: &str) -> Result<(), String> {
        self.put(key, None)
    }
}

fn text(error: Error) -> String {
    match error {
        Error::NoSuchStore => format!("there is no store named {BUCKET:?}"),
        Error::AccessDenied => format!("access to the store {BUCKET:?} is denied"),
        Error::Other(reason) => reason,
    }
}
