//! State over `wasi:keyvalue/store`.

use crate::bindings::wasi::keyvalue::store::{self, Bucket, Error};
use anglerfish_core::state::Keys;

/// The bucket that the state is kept in: the name that every shell provides.
const BUCKET: &str = "default";

/// The default bucket, opened at the first use and again after an error.
#[derive(Default)]
pub(crate) struct KeyValueStore {
    bucket: Option<Bucket>,
}

impl KeyValueStore {
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
        self.with_bucket(|bucket| bucket.get(key))
    }

    fn set(&mut self, key: &str, value: &[u8]) -> Result<(), String> {
        self.with_bucket(|bucket| bucket.set(key, value))
    }

    fn delete(&mut self, key: &str) -> Result<(), String> {
        self.with_bucket(|bucket| bucket.delete(key))
    }
}

fn text(error: Error) -> String {
    match error {
        Error::NoSuchStore => format!("there is no store named {BUCKET:?}"),
        Error::AccessDenied => format!("access to the store {BUCKET:?} is denied"),
        Error::Other(reason) => reason,
    }
}
