//! The thread that writes.
//!
//! Whatever is handed in while one transaction is on its way to the disk goes into the next one together, so that a
//! disk's slow sync is shared by all who wait for it. Nobody is answered before the transaction is on disk, in files that
//! the next start will find.
//!
//! A panic in it loses no more than the transaction that it was in: those who wait for it get an error, and the thread
//! begins anew with what is on disk. It does so at once and on the same thread, since it has the connection and the lock;
//! the supervisor counts it, and says that the gateway is not ready for as long as that does not work.

use super::backlog::Backlog;
use super::batch::{Batch, Names, Statements};
use super::bound::Bounds;
use super::error::{classify, stopped};
use super::job::{Job, Write, job};
use super::lease::Leases;
use super::lock::Lock;
use super::oldest_open::OldestOpen;
use super::options::SqliteOptions;
use super::presence::Presence;
use super::segment::Segment;
use crate::fault::fault_point;
use crate::store::{EventSeq, StoreError};
use crate::supervision::Supervisor;
use rusqlite::Connection;
use rusqlite::config::DbConfig;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tracing::{error, info, warn};

/// Bytes of one transaction beyond which no more calls are put into it.
const GROUP_BYTES: usize = 16 * 1024 * 1024;

/// What the supervisor calls it.
const PART: &str = "store writer";

/// The pause before the thread tries again to begin.
const PAUSE: Duration = Duration::from_millis(100);

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
        shared: Shared,
        options: &SqliteOptions,
    ) -> Result<Self, StoreError> {
        let (queue, receiver) = mpsc::channel(options.queue.max(1));
        let (ready, started) = std::sync::mpsc::sync_channel(1);
        let group = options.group.max(1);
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || {
                serve(&connection, receiver, group, &shared, &ready);
                finish(connection, shared.lost.get());
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

/// What the thread shares with the rest of the store.
pub(super) struct Shared {
    pub(super) leases: Arc<Leases>,
    pub(super) backlog: Arc<Backlog>,
    pub(super) bounds: Arc<Bounds>,
    pub(super) presence: RefCell<Presence>,
    /// Whether the files were found wanting when they were last looked at.
    pub(super) lost: Cell<bool>,
    pub(super) head: watch::Sender<EventSeq>,
    pub(super) made_jobs: watch::Sender<u64>,
    pub(super) supervisor: Supervisor,
}

/// Runs the thread until the queue is closed; says at `ready` whether it could begin.
fn serve(
    connection: &Connection,
    mut queue: mpsc::Receiver<Message>,
    most: usize,
    shared: &Shared,
    ready: &std::sync::mpsc::SyncSender<Result<(), StoreError>>,
) {
    let mut begun = match Thread::begin(connection, shared) {
        Ok(thread) => Some(thread),
        Err(error) => return drop(ready.send(Err(classify(&error)))),
    };
    drop(ready.send(Ok(())));
    loop {
        let ran = catch_unwind(AssertUnwindSafe(|| {
            if let Some(thread) = begun.as_mut() {
                thread.run(&mut queue, most);
            }
        }));
        drop(begun.take());
        let Err(panic) = ran else { return };
        shared.supervisor.report(PART, &*panic);
        let _down = shared.supervisor.hold("the store writer is down");
        // Whatever goes wrong from here on, the thread lives: nobody else can write.
        while begun.is_none() && !queue.is_closed() {
            match catch_unwind(AssertUnwindSafe(|| recover(connection, shared))) {
                Ok(Ok(thread)) => {
                    info!("the store's writer begins anew with what is on disk");
                    begun = Some(thread);
                }
                Ok(Err(_)) | Err(_) => {
                    refuse(&mut queue);
                    std::thread::sleep(PAUSE);
                }
            }
        }
        if begun.is_none() {
            return;
        }
    }
}

/// Nobody waits for a writer that may never come back.
fn refuse(queue: &mut mpsc::Receiver<Message>) {
    while let Ok(message) = queue.try_recv() {
        match message {
            Message::Job(job) => {
                job.answer(Err(StoreError::Unavailable("its writer broke down and begins anew".into())));
            }
            Message::Close => queue.close(),
        }
    }
}

/// Takes back the transaction that a panic has left open and counts anew.
fn recover<'c>(connection: &'c Connection, shared: &'c Shared) -> rusqlite::Result<Thread<'c>> {
    fault_point("store recovery");
    if !connection.is_autocommit() {
        connection.execute_batch("ROLLBACK")?;
    }
    shared.backlog.recount(connection)?;
    shared.bounds.read_anew(connection)?;
    Thread::begin(connection, shared)
}

/// Leaves a file without a log behind, where nobody else reads it. Files that are not whole are left as they are: a log
/// with a hole would be written over the pages of the database.
fn finish(connection: Connection, lost: bool) {
    if lost && let Err(error) = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true) {
        warn!(%error, "the database's log cannot be left alone");
    }
    if let Err((_, error)) = connection.close() {
        warn!(%error, "failed to close the database");
    }
}

/// How far a transaction got before it failed.
enum TransactionError {
    /// One of those in it could not be written.
    Member(rusqlite::Error),
    /// It could not begin or could not be committed.
    Transaction(rusqlite::Error),
}

struct Thread<'c> {
    connection: &'c Connection,
    shared: &'c Shared,
    statements: Statements<'c>,
    names: Names,
    oldest: OldestOpen,
    segment: Segment,
    doubtful: bool,
}

impl<'c> Thread<'c> {
    fn begin(connection: &'c Connection, shared: &'c Shared) -> rusqlite::Result<Self> {
        let statements = Statements::prepare(connection)?;
        let segment = Segment::last(connection)?;
        shared.head.send_replace(EventSeq(segment.event));
        let (names, oldest) = (Names::default(), OldestOpen::default());
        Ok(Self { connection, shared, statements, names, oldest, segment, doubtful: false })
    }
}

impl Thread<'_> {
    fn run(&mut self, queue: &mut mpsc::Receiver<Message>, most: usize) {
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
        fault_point(PART);
        // Before, because what is written behind a hole hides it.
        if let Err(error) = self.look() {
            return jobs.drain(..).for_each(|job| job.answer(Err(error.clone())));
        }
        match self.transact(jobs) {
            Ok(()) => {
                let found = self.look();
                jobs.drain(..).for_each(|job| job.answer(found.clone()));
            }
            // One of them is at fault, or the disk is full for one and not for another: each for itself.
            Err(TransactionError::Member(_)) if jobs.len() > 1 => {
                for mut job in jobs.drain(..) {
                    let ended = match self.transact(std::slice::from_mut(&mut job)) {
                        Ok(()) => self.look(),
                        Err(TransactionError::Member(error) | TransactionError::Transaction(error)) => {
                            Err(self.report(&error))
                        }
                    };
                    job.answer(ended);
                }
            }
            Err(TransactionError::Member(error) | TransactionError::Transaction(error)) => {
                let error = self.report(&error);
                jobs.drain(..).for_each(|job| job.answer(Err(error.clone())));
            }
        }
    }

    /// Whether what is written is where the next start will look for it.
    fn look(&self) -> Result<(), StoreError> {
        let found = self.shared.presence.borrow_mut().check();
        match (&found, self.shared.lost.replace(found.is_err())) {
            (Err(reason), false) => error!("nothing is stored any more: {reason}"),
            (Ok(()), true) => info!("the store's files are there again"),
            _ => {}
        }
        found.map_err(StoreError::Lost)
    }

    /// Writes all of them or none.
    fn transact(&mut self, jobs: &mut [Box<dyn Job>]) -> Result<(), TransactionError> {
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

    fn attempt(&mut self, jobs: &mut [Box<dyn Job>]) -> Result<(), TransactionError> {
        self.statements.begin.execute(()).map_err(TransactionError::Transaction)?;
        let shared = self.shared;
        let mut batch = Batch::new(
            self.connection,
            &mut self.statements,
            &shared.leases,
            (&shared.backlog, shared.bounds.now()),
            (&mut self.names, &mut self.oldest),
            self.segment,
            self.doubtful,
        );
        for job in jobs {
            job.apply(&mut batch).map_err(TransactionError::Member)?;
        }
        let committed = batch.commit().map_err(TransactionError::Transaction)?;
        self.segment = committed.segment;
        shared.backlog.apply(committed.changes);
        shared.bounds.apply(committed.overflows);
        shared.bounds.keep(committed.bytes);
        if shared.bounds.hold(committed.behind) {
            shared.made_jobs.send_modify(|count| *count += 1);
        }
        shared.leases.end(&committed.settled, true);
        let head = EventSeq(committed.segment.event);
        shared.head.send_if_modified(|known| std::mem::replace(known, head) != head);
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
