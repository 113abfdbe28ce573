//! Connections that read beside the writer.

use super::connection::open_reader;
use super::error::{classify, stopped};
use super::options::SqliteOptions;
use crate::store::{KeyReader, StoreError};
use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;

/// A pool of connections, used on threads that may block.
#[derive(Debug)]
pub(super) struct Readers {
    path: PathBuf,
    options: SqliteOptions,
    idle: Mutex<Vec<Connection>>,
    permits: Semaphore,
}

impl Readers {
    pub(super) fn new(path: PathBuf, options: SqliteOptions) -> Self {
        let permits = Semaphore::new(options.readers.max(1));
        Self { path, options, idle: Mutex::new(Vec::new()), permits }
    }

    /// Runs something with a connection.
    pub(super) async fn read<T, F>(self: &Arc<Self>, read: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let _permit = self.permits.acquire().await.map_err(|_| StoreError::Closed)?;
        let readers = Arc::clone(self);
        let task = tokio::task::spawn_blocking(move || {
            let idle = readers.idle().pop();
            let connection = match idle {
                Some(connection) => connection,
                None => open_reader(&readers.path, &readers.options)?,
            };
            let result = read(&connection);
            // One whose reading failed may not be fit for more.
            if result.is_ok() {
                readers.idle().push(connection);
            }
            result.map_err(|error| classify(&error))
        });
        task.await.map_err(|error| stopped("a reader", error))?
    }

    /// Opens a reader of keys.
    pub(super) fn keys(&self) -> Result<Arc<dyn KeyReader>, StoreError> {
        Ok(Arc::new(Keys(Mutex::new(open_reader(&self.path, &self.options)?))))
    }

    /// Closes the pool; who waits for a connection gets an error.
    pub(super) fn close(&self) {
        self.permits.close();
        self.idle().clear();
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Keys(Mutex<Connection>);

impl KeyReader for Keys {
    fn get(&self, key: &str) -> Result<Option<Bytes>, StoreError> {
        let connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let read = || {
            connection
                .prepare_cached("SELECT value FROM keys WHERE key = ?1")?
                .query_row([key], |row| row.get::<_, Vec<u8>>(0))
                .optional()
        };
        Ok(read().map_err(|error| classify(&error))?.map(Bytes::from))
    }
}
