//! A thread that makes the changes of the routing table, each only if the table still fits.
//!
//! A change is tried on an instance that has no more memory than a table may take; only if it succeeds there it becomes
//! visible to the workers, whose instances have the same table and a quarter of the memory to spare. So what does not fit is
//! refused to whoever writes it, and never found out by the next request.

use super::error::{EngineError, TableError};
use super::factory::InstanceFactory;
use super::instance::{Fault, Instance, LoadError};
use super::job::TableJob;
use super::memory;
use super::table::Change;
use crossbeam_channel::Receiver;

/// How many changes may wait.
pub(super) const QUEUE: usize = 1024;

/// The instance on which changes are tried.
pub(super) struct TableKeeper {
    factory: InstanceFactory,
    instance: Option<Instance>,
    /// Whether it made changes since it was loaded: then its memory has gaps that a fresh one has not.
    changed: bool,
    /// What did not fit last: the version of the table, and the length of the change.
    refused: Option<(u64, usize)>,
}

impl TableKeeper {
    pub(super) fn new(factory: InstanceFactory, instance: Option<Instance>) -> Self {
        Self { factory, instance, changed: false, refused: None }
    }

    /// Works until nobody can ask any more.
    pub(super) fn run(mut self, jobs: &Receiver<TableJob>) {
        while let Ok(TableJob { change, reply }) = jobs.recv() {
            let _ = reply.send(self.change(change));
        }
    }

    fn change(&mut self, change: Change) -> Result<(), TableError> {
        let problems = self.factory.table.problems(&change);
        if !problems.is_empty() {
            return Err(TableError::Problems(problems));
        }
        match (&change, self.try_change(&change)) {
            (_, Ok(())) => {}
            // What is removed is gone for the workers, whatever became of the trial.
            (Change::Delete(_) | Change::DeleteSource(_) | Change::DeleteResource(_), Err(_)) => {
                self.instance = None
            }
            (_, Err(error)) => return Err(error),
        }
        let version = self.factory.table.apply(change).map_err(TableError::Problems)?;
        if let Some(instance) = &mut self.instance {
            instance.is_at(version);
        }
        Ok(())
    }

    fn try_change(&mut self, change: &Change) -> Result<(), TableError> {
        let table = &self.factory.table;
        // Each trial that fails costs a new instance: what is no shorter than the last one need not be tried, unless it takes
        // the place of something. Whoever starts with many that do not fit would wait for as many instances.
        if self.refused.is_some_and(|(version, length)| {
            version == table.version() && change.length() >= length && !table.has(change)
        }) {
            return Err(self.full());
        }
        loop {
            let mut instance = match self.instance.take() {
                Some(instance) => instance,
                None => {
                    self.changed = false;
                    self.factory.measure().map_err(|error| self.unloaded(error))?
                }
            };
            match instance.apply(change) {
                Ok(applied) => {
                    self.changed |= applied.is_ok();
                    self.instance = Some(instance);
                    return applied.map_err(TableError::Problems);
                }
                // It broke. A fresh one has no gaps in its memory, so that more may fit.
                Err(Fault::Memory) if self.changed => {}
                Err(Fault::Memory) => {
                    self.refused = Some((self.factory.table.version(), change.length()));
                    return Err(self.full());
                }
                Err(Fault::Deadline) => return Err(EngineError::Deadline.into()),
                Err(Fault::Trapped(reason)) => return Err(EngineError::Trapped(reason).into()),
            }
        }
    }

    fn full(&self) -> TableError {
        TableError::Full(memory::too_large(self.factory.limits.memory))
    }

    fn unloaded(&self, error: LoadError) -> TableError {
        if error.is_memory() { self.full() } else { EngineError::NotLoaded(error.to_string()).into() }
    }
}
