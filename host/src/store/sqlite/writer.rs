//! The thread that writes.
//!
//! Whatever is handed in while one transaction is on its way to the disk goes into the next one together, so that a
//! disk's slow sync is shared by all who wait for it. Nobody is answered before the transaction is on disk.

use super::backlog::Backlog;
use super::batch::{Batch, Names, Positions, Statements};
use super::error::{classify, stopped};
use super::job::{Job, Write, job};
use super::lease::Leases;
use super::lock::Lock;
use super::options::SqliteOptions;
use crate::store::StoreError;
use rusqlite::Connection;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use tokio::sync::mpsc;
use tracing::{error, info, warn};

/// Bytes of one transaction beyond which no more calls are put into it.
const GROUP_BYTES: usize = 16 * 1024 * 1024;

enum Message {
    Job(Box<dyn Job>),
    Close,
}

/// The way to the writing thread. The thread ends when this is closed or dropped.
#[derive(Debug)]
pub(super) struct Writer {
    queue: Option<mpsc::Sender<Message>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    /// Starts the thread; it keeps the lock until it ends.
    pub(super) fn spawn(
        connection: Connection,
        lock: Lock,
        leases: Arc<Leases>,
        backlog: Arc<Backlog>,
        options: &SqliteOptions,
    ) -> Result<Self, StoreError> {
        let (queue, receiver) = mpsc::channel(options.queue.max(1));
        let (ready, started) = std::sync::mpsc::sync_channel(1);
        let group = options.group.max(1);
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || {
                serve(&connection, receiver, group, leases, backlog, &ready);
                finish(connection);
                drop(lock);
            })
            .map_err(|error| StoreError::Unavailable(format!("failed to start the writer: {error}")))?;
        started.recv().map_err(|error| stopped("the writer", error))??;
        Ok(Self { queue: Some(queue), thread: Mutex::new(Some(thread)) })
    }

    /// Hands something in and waits until it is on disk.
    pub(super) async fn write<W: Write>(&self, write: W) -> Result<W::Out, StoreError> {
        let queue = self.queue.as_ref().ok_or(StoreError::Closed)?;
        let (job, answer) = job(write);
        queue.send(Message::Job(job)).await.map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|error| stopped("the writer", error))?
    }

    /// Finishes what was handed in and ends the thread.
    pub(super) async fn close(&self) {
        if let Some(queue) = &self.queue {
            // Fails if the thread has ended already.
            drop(queue.send(Message::Close).await);
        }
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(thread) = thread else { return };
        let joined = tokio::task::spawn_blocking(move || thread.join()).await;
        if !matches!(joined, Ok(Ok(()))) {
            error!("the store's writer ended abnormally");
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // Without a sender the thread ends once the queue is empty; until then it holds the lock on the file.
        self.queue = None;
        let thread = self.thread.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            error!("the store's writer ended abnormally");
        }
    }
}

/// Runs the thread until the queue is closed; says at `ready` whether it could begin.
fn serve(
    connection: &Connection,
    queue: mpsc::Receiver<Message>,
    most: usize,
    leases: Arc<Leases>,
    backlog: Arc<Backlog>,
    ready: &std::sync::mpsc::SyncSender<Result<(), StoreError>>,
) {
    let prepared =
        Statements::prepare(connection).and_then(|statements| Ok((statements, Positions::read(connection)?)));
    let (statements, positions) = match prepared {
        Ok(prepared) => prepared,
        Err(error) => return drop(ready.send(Err(classify(&error)))),
    };
    drop(ready.send(Ok(())));
    let names = Names::default();
    let mut thread = Thread { connection, statements, names, positions, doubtful: false, leases, backlog };
    thread.run(queue, most);
}

/// Leaves a file without a log behind, where nobody else reads it.
fn finish(connection: Connection) {
    if let Err((_, error)) = connection.close() {
        warn!(%error, "failed to close the database");
    }
}

/// How far a transaction got before it failed.
enum Failure {
    /// One of those in it could not be written.
    Member(rusqlite::Error),
    /// It could not begin or could not be committed.
    Transaction(rusqlite::Error),
}

struct Thread<'c> {
    connection: &'c Connection,
    statements: Statements<'c>,
    names: Names,
    positions: Positions,
    doubtful: bool,
    leases: Arc<Leases>,
    backlog: Arc<Backlog>,
}

impl Thread<'_> {
    fn run(&mut self, mut queue: mpsc::Receiver<Message>, most: usize) {
        let mut jobs: Vec<Box<dyn Job>> = Vec::with_capacity(most);
        while let Some(first) = queue.blocking_recv() {
            let mut next = Some(first);
            let mut bytes = 0;
            while let Some(message) = next {
                match message {
                    Message::Job(job) => {
                        bytes += job.weight();
                        jobs.push(job);
                    }
                    // What is in the queue already is still written.
                    Message::Close => queue.close(),
                }
                next = if jobs.len() < most && bytes < GROUP_BYTES { queue.try_recv().ok() } else { None };
            }
            self.write(&mut jobs);
        }
    }

    fn write(&mut self, jobs: &mut Vec<Box<dyn Job>>) {
        match self.transact(jobs) {
            Ok(()) => jobs.drain(..).for_each(|job| job.answer(Ok(()))),
            // One of them is at fault, or the disk is full for one and not for another: each for itself.
            Err(Failure::Member(_)) if jobs.len() > 1 => {
                for mut job in jobs.drain(..) {
                    let ended = match self.transact(std::slice::from_mut(&mut job)) {
                        Ok(()) => Ok(()),
                        Err(Failure::Member(error) | Failure::Transaction(error)) => Err(self.report(&error)),
                    };
                    job.answer(ended);
                }
            }
            Err(Failure::Member(error) | Failure::Transaction(error)) => {
                let error = self.report(&error);
                jobs.drain(..).for_each(|job| job.answer(Err(error.clone())));
            }
        }
    }

    /// Writes all of them or none.
    fn transact(&mut self, jobs: &mut [Box<dyn Job>]) -> Result<(), Failure> {
        let result = self.attempt(jobs);
        match &result {
            Ok(()) => {
                if self.doubtful {
                    info!("the store is available again");
                }
                self.doubtful = false;
            }
            Err(_) => {
                jobs.iter_mut().for_each(|job| job.undo());
                // Some errors have ended the transaction already.
                if !self.connection.is_autocommit()
                    && let Err(error) = self.statements.rollback.execute(())
                {
                    error!(%error, "failed to roll back");
                }
            }
        }
        result
    }

    fn attempt(&mut self, jobs: &mut [Box<dyn Job>]) -> Result<(), Failure> {
        self.statements.begin.execute(()).map_err(Failure::Transaction)?;
        let mut batch = Batch::new(
            self.connection,
            &mut self.statements,
            &self.leases,
            &mut self.names,
            self.positions,
            self.doubtful,
        );
        for job in jobs {
            job.apply(&mut batch).map_err(Failure::Member)?;
        }
        let committed = batch.commit().map_err(Failure::Transaction)?;
        self.positions = committed.positions;
        self.backlog.apply(committed.changes);
        self.leases.end(&committed.ended);
        Ok(())
    }

    fn report(&mut self, cause: &rusqlite::Error) -> StoreError {
        let error = classify(cause);
        if !self.doubtful {
            error!(%error, "the store failed to write");
        }
        self.doubtful = true;
        error
    }
}
