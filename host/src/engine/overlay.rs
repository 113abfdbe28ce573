//! Key-value state for one decision: reads go to the store, writes are kept beside the decision.
//!
//! The overlay of an accepted decision is committed with it in one transaction, after the store has checked that the
//! keys it read are as it saw them; the overlay of any other is dropped.

use super::bindings::wasi::keyvalue::store::{Error, Host, HostBucket, KeyResponse};
use super::memory::MemoryLimit;
use crate::store::{KeyOverlay, KeyReader};
use anglerfish_core::resource::is_lasting;
use anglerfish_core::router::MOST_PARTS;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;
use wasmtime::component::Resource;

/// The one bucket there is.
const BUCKET: &str = "default";

/// The longest key in bytes, as Spin has it.
const LONGEST_KEY: usize = 256;

/// How many keys one decision may write: two for each part of a batch, and what must not come twice.
const MOST_WRITES: usize = 2 * MOST_PARTS + 48;

/// How many keys of documents it may write beside: one for each subscriber that is told of one.
const MOST_DOCUMENT_WRITES: usize = 250_000;

/// The representation of `wasi:keyvalue/store.bucket`: all handles mean the same bucket.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct Bucket;

/// What an instance's store holds: its limits, and the state as the current decision sees it.
pub(super) struct State {
    pub(super) memory: MemoryLimit,
    reader: Arc<dyn KeyReader>,
    reads: BTreeMap<String, Option<Bytes>>,
    writes: BTreeMap<String, Option<Bytes>>,
    /// How many of them are of documents.
    document_writes: usize,
}

impl State {
    pub(super) fn new(reader: Arc<dyn KeyReader>, memory: usize) -> Self {
        Self {
            memory: MemoryLimit::new(memory),
            reader,
            reads: BTreeMap::new(),
            writes: BTreeMap::new(),
            document_writes: 0,
        }
    }

    /// Takes what the decision read and wrote; the next one starts clean.
    pub(super) fn take_overlay(&mut self) -> KeyOverlay {
        self.document_writes = 0;
        KeyOverlay {
            reads: std::mem::take(&mut self.reads).into_iter().collect(),
            writes: std::mem::take(&mut self.writes).into_iter().collect(),
        }
    }

    fn value(&mut self, key: String) -> Result<Option<Bytes>, Error> {
        check(&key)?;
        if let Some(written) = self.writes.get(&key) {
            return Ok(written.clone());
        }
        if let Some(read) = self.reads.get(&key) {
            return Ok(read.clone());
        }
        let value = self.reader.get(&key).map_err(|error| Error::Other(error.to_string()))?;
        self.reads.insert(key, value.clone());
        Ok(value)
    }

    fn write(&mut self, key: String, value: Option<Bytes>) -> Result<(), Error> {
        check(&key)?;
        if !self.writes.contains_key(&key) {
            let is_of_document = is_lasting(&key);
            let (written, most) = match is_of_document {
                true => (self.document_writes, MOST_DOCUMENT_WRITES),
                false => (self.writes.len() - self.document_writes, MOST_WRITES),
            };
            if written >= most {
                let of = if is_of_document { " of documents" } else { "" };
                return Err(Error::Other(format!("a decision may write at most {most} keys{of}")));
            }
            self.document_writes += usize::from(is_of_document);
        }
        self.writes.insert(key, value);
        Ok(())
    }
}

fn check(key: &str) -> Result<(), Error> {
    if key.len() > LONGEST_KEY {
        return Err(Error::Other(format!(
            "the key is {} bytes long; at most {LONGEST_KEY} are taken",
            key.len()
        )));
    }
    Ok(())
}

impl Host for State {
    fn open(&mut self, identifier: String) -> Result<Resource<Bucket>, Error> {
        if identifier == BUCKET { Ok(Resource::new_own(0)) } else { Err(Error::NoSuchStore) }
    }
}

impl HostBucket for State {
    fn get(&mut self, _bucket: Resource<Bucket>, key: String) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.value(key)?.map(|value| value.to_vec()))
    }

    fn set(&mut self, _bucket: Resource<Bucket>, key: String, value: Vec<u8>) -> Result<(), Error> {
        self.write(key, Some(Bytes::from(value)))
    }

    fn delete(&mut self, _bucket: Resource<Bucket>, key: String) -> Result<(), Error> {
        self.write(key, None)
    }

    fn exists(&mut self, _bucket: Resource<Bucket>, key: String) -> Result<bool, Error> {
        Ok(self.value(key)?.is_some())
    }

    /// The keys of all decisions are not one decision's business, and listing them could not be checked at the commit.
    fn list_keys(
        &mut self,
        _bucket: Resource<Bucket>,
        _cursor: Option<String>,
    ) -> Result<KeyResponse, Error> {
        Err(Error::Other("listing keys is not offered".to_owned()))
    }

    fn drop(&mut self, _bucket: Resource<Bucket>) -> wasmtime::Result<()> {
        Ok(())
    }
}
