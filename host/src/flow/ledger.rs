//! Flows and their journals as keys of the store.
//!
//! A flow that runs is one key, and each entry of its journal is another; they stay until they are deleted. One that has ended is
//! one key with its journal in it, forgotten with its age like all that has ended. Whoever writes names the bytes of the flow's
//! own key that it has seen: were they changed or deleted since, nothing is written. So one that was cancelled or opened again
//! by somebody else is left alone by whoever ran it.

use super::{FlowEnd, StoredFlow};
use crate::clock::WallClock;
use crate::fault::fault_kill;
use crate::store::{Commit, CommitOutcome, KeyOverlay, Store, StoreError};
use anglerfish_core::flow::{FlowRecord, WrittenRecord, ended_key, flow_key, journal_key, journal_prefix};
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// How many keys are read at once.
const PART: usize = 500;

/// How many flows are read at once for a listing: one that has ended has its whole journal with it.
const LISTED: usize = 10;

/// Where flows are kept. Cheap to clone.
#[derive(Clone)]
pub(super) struct Ledger {
    store: Arc<dyn Store>,
    clock: WallClock,
}

/// A flow that runs, with the bytes that it is written as.
#[derive(Debug, Clone)]
pub(super) struct Open {
    pub(super) flow: StoredFlow,
    written: Bytes,
}

fn write(value: &impl Serialize) -> Result<Bytes, StoreError> {
    let text = serde_json::to_vec(value);
    text.map(Bytes::from).map_err(|error| StoreError::Internal(format!("failed to write JSON: {error}")))
}

fn read<T: DeserializeOwned>(key: &str, value: &[u8]) -> Result<T, StoreError> {
    serde_json::from_slice(value)
        .map_err(|error| StoreError::Internal(format!("{key} cannot be read: {error}")))
}

impl Ledger {
    pub(super) fn new(store: Arc<dyn Store>, clock: WallClock) -> Self {
        Self { store, clock }
    }

    async fn one(&self, key: &str) -> Result<Option<Bytes>, StoreError> {
        let found = self.store.keys(key, 1).await?.into_iter().next();
        Ok(found.filter(|(found, _)| found == key).map(|(_, value)| value))
    }

    /// Writes, if what was read is as it was.
    async fn commit(&self, keys: KeyOverlay) -> Result<bool, StoreError> {
        let outcome = self.store.commit(Commit { keys, ..Commit::new(self.clock.now()) }).await?;
        Ok(matches!(outcome, CommitOutcome::Committed { .. }))
    }

    /// Writes a new flow, unless there is one of its id.
    pub(super) async fn start(&self, flow: StoredFlow) -> Result<Option<Open>, StoreError> {
        let written = write(&flow)?;
        let (key, ended) = (flow_key(&flow.flow, &flow.id), ended_key(&flow.flow, &flow.id));
        let keys = KeyOverlay {
            reads: vec![(key.clone(), None), (ended, None)],
            writes: vec![(key, Some(written.clone()))],
        };
        fault_kill("flow-before-start");
        let started = self.commit(keys).await?;
        fault_kill("flow-after-start");
        Ok(started.then_some(Open { flow, written }))
    }

    /// One that runs.
    pub(super) async fn open(&self, flow: &str, id: &str) -> Result<Option<Open>, StoreError> {
        let key = flow_key(flow, id);
        let Some(written) = self.one(&key).await? else { return Ok(None) };
        Ok(Some(Open { flow: read(&key, &written)?, written }))
    }

    /// One, however it stands.
    pub(super) async fn get(&self, flow: &str, id: &str) -> Result<Option<StoredFlow>, StoreError> {
        if let Some(open) = self.open(flow, id).await? {
            return Ok(Some(open.flow));
        }
        let key = ended_key(flow, id);
        if let Some(ended) = self.one(&key).await? {
            return read(&key, &ended).map(Some);
        }
        // It may have been opened again between the two.
        Ok(self.open(flow, id).await?.map(|open| open.flow))
    }

    /// What begins like this behind a name and an id, in the order of names and ids.
    async fn behind(
        &self,
        kind: &str,
        name: &str,
        after: &str,
        limit: usize,
    ) -> Result<Vec<(String, Bytes)>, StoreError> {
        let prefix = if name.is_empty() { format!("{kind}/") } else { format!("{kind}/{name}/") };
        let after = if after.is_empty() { String::new() } else { format!("{kind}/{after}") };
        self.store.keys_behind(&prefix, &after, limit).await
    }

    /// Up to `limit` that run (or have ended) behind `NAME/ID`, each without its journal. One that cannot be read is left out, and the
    /// log says so.
    pub(super) async fn list(
        &self,
        ended: bool,
        name: &str,
        after: &str,
        limit: usize,
    ) -> Result<Vec<StoredFlow>, StoreError> {
        let kind = if ended { "flow-ended" } else { "flow" };
        let (mut found, mut after) = (Vec::new(), after.to_owned());
        while found.len() < limit {
            let most = LISTED.min(limit - found.len());
            let part = self.behind(kind, name, &after, most).await?;
            let is_last = part.len() < most;
            for (key, value) in part {
                after = key.split_once('/').map_or(&*key, |(_, place)| place).to_owned();
                match read::<StoredFlow>(&key, &value) {
                    Ok(mut flow) => {
                        if let Some(end) = &mut flow.end {
                            end.journal = Vec::new();
                        }
                        found.push(flow);
                    }
                    Err(error) => tracing::error!(%error, "a flow cannot be read and is not listed"),
                }
            }
            if is_last {
                break;
            }
        }
        Ok(found)
    }

    /// All that run of this name; one that cannot be read is left alone, and the log says so.
    pub(super) async fn running(&self, name: &str) -> Result<Vec<Open>, StoreError> {
        let (mut open, mut after) = (Vec::new(), String::new());
        loop {
            let part = self.behind("flow", name, &after, PART).await?;
            let is_last = part.len() < PART;
            for (key, written) in part {
                after = key.strip_prefix("flow/").unwrap_or(&key).to_owned();
                match read(&key, &written) {
                    Ok(flow) => open.push(Open { flow, written }),
                    Err(error) => tracing::error!(%error, "a flow cannot be read and is left alone"),
                }
            }
            if is_last {
                return Ok(open);
            }
        }
    }

    /// The journal of one that runs, each entry with its size.
    pub(super) async fn journal(&self, flow: &StoredFlow) -> Result<Vec<(WrittenRecord, usize)>, StoreError> {
        let prefix = journal_prefix(&flow.flow, &flow.id);
        let (mut records, mut after) = (Vec::new(), String::new());
        loop {
            let part = self.store.keys_behind(&prefix, &after, PART).await?;
            let is_last = part.len() < PART;
            for (key, value) in part {
                if key != journal_key(&flow.flow, &flow.id, records.len()) {
                    let text = format!("the journal of {}/{} has a hole before {key}", flow.flow, flow.id);
                    return Err(StoreError::Internal(text));
                }
                records.push((read(&key, &value)?, value.len()));
                after = key;
            }
            if is_last {
                return Ok(records);
            }
        }
    }

    /// The same, if it runs as it was seen. What has ended has no journal any more, and its code must not begin anew.
    pub(super) async fn replay(
        &self,
        open: &Open,
    ) -> Result<Option<Vec<(WrittenRecord, usize)>>, StoreError> {
        let journal = self.journal(&open.flow).await?;
        Ok(self.is_current(open).await?.then_some(journal))
    }

    /// What an entry is written as.
    pub(super) fn entry(&self, record: FlowRecord) -> Result<Bytes, StoreError> {
        write(&WrittenRecord { at: self.clock.now().0, record })
    }

    /// Adds an entry to the journal of one that runs. `false` if it is not what it was.
    pub(super) async fn append(&self, open: &Open, number: usize, entry: Bytes) -> Result<bool, StoreError> {
        fault_kill("flow-before-entry");
        let key = journal_key(&open.flow.flow, &open.flow.id, number);
        let keys = KeyOverlay {
            reads: vec![
                (flow_key(&open.flow.flow, &open.flow.id), Some(open.written.clone())),
                (key.clone(), None),
            ],
            writes: vec![(key.clone(), Some(entry.clone()))],
        };
        let written = match self.commit(keys).await? {
            true => true,
            // A commit before it whose end was not known may have written it.
            false => self.one(&key).await? == Some(entry) && self.is_current(open).await?,
        };
        fault_kill("flow-after-entry");
        Ok(written)
    }

    /// Whether it is what it was.
    async fn is_current(&self, open: &Open) -> Result<bool, StoreError> {
        let there = self.one(&flow_key(&open.flow.flow, &open.flow.id)).await?;
        Ok(there.is_some_and(|there| there == open.written))
    }

    /// Ends one that runs. `None` if it is not what it was.
    pub(super) async fn end(&self, open: &Open, end: FlowEnd) -> Result<Option<StoredFlow>, StoreError> {
        fault_kill("flow-before-end");
        let Open { flow, written } = open;
        let key = flow_key(&flow.flow, &flow.id);
        let entries = end.journal.len();
        let ended = StoredFlow { end: Some(end), ..flow.clone() };
        let mut writes = vec![(key.clone(), None), (ended_key(&flow.flow, &flow.id), Some(write(&ended)?))];
        writes.extend((0..entries).map(|number| (journal_key(&flow.flow, &flow.id, number), None)));
        let done = self.commit(KeyOverlay { reads: vec![(key, Some(written.clone()))], writes }).await?;
        fault_kill("flow-after-end");
        Ok(done.then_some(ended))
    }

    /// Opens one again that has ended, with so much of its journal. `None` if it is not what it was.
    pub(super) async fn reopen(&self, flow: StoredFlow, kept: usize) -> Result<Option<Open>, StoreError> {
        let (key, ended) = (flow_key(&flow.flow, &flow.id), ended_key(&flow.flow, &flow.id));
        let Some(before) = self.one(&ended).await? else { return Ok(None) };
        if read::<StoredFlow>(&ended, &before)? != flow {
            return Ok(None);
        }
        let journal = flow.end.as_ref().map(|end| end.journal.clone()).unwrap_or_default();
        let open = StoredFlow { end: None, revision: flow.revision + 1, ..flow };
        let written = write(&open)?;
        let mut writes = vec![(ended.clone(), None), (key.clone(), Some(written.clone()))];
        for (number, record) in journal.iter().take(kept).enumerate() {
            writes.push((journal_key(&open.flow, &open.id, number), Some(write(record)?)));
        }
        let keys = KeyOverlay { reads: vec![(ended, Some(before)), (key, None)], writes };
        Ok(self.commit(keys).await?.then_some(Open { flow: open, written }))
    }
}
