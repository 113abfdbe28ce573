//! Writing sources at run time: validate, persist, apply; on a failure all is put back.

use super::SourceError;
use super::registry::{Shared, Source, Sources};
use crate::subscription::{Addressed, Origin, RoutingError, addressed, refuse_hidden_at};
use anglerfish_core::config::SOURCE_SECRETS;
use anglerfish_core::request::UnixMillis;
use std::fmt::Display;
use std::sync::{Arc, PoisonError};

impl Sources {
    /// Replaces a source by a document (JSON), which need not repeat the name, or creates it. The flag tells whether it
    /// was created.
    ///
    /// # Errors
    ///
    /// Nothing is changed, unless the error says so.
    pub async fn put(
        &self,
        name: String,
        document: String,
        now: UnixMillis,
    ) -> Result<(Arc<Source>, bool), SourceError> {
        let shared = Arc::clone(&self.shared);
        to_the_end(async move { shared.put(&name, document, now).await }).await
    }

    /// Deletes a source that no subscription names. What came in through it stays, and is delivered.
    ///
    /// # Errors
    ///
    /// Nothing is changed, unless the error says so.
    pub async fn delete(&self, name: String) -> Result<(), SourceError> {
        let shared = Arc::clone(&self.shared);
        to_the_end(async move { shared.delete(&name).await }).await
    }
}

/// Runs a change in a task of its own: a client that hangs up half-way must not leave half of it.
async fn to_the_end<T: Send + 'static>(
    change: impl Future<Output = Result<T, SourceError>> + Send + 'static,
) -> Result<T, SourceError> {
    match tokio::spawn(change).await {
        Ok(result) => result,
        Err(error) => {
            tracing::error!("a change of a source broke off: {error}");
            Err(SourceError::Internal("the change broke off; read the source again".into()))
        }
    }
}

impl Shared {
    async fn put(
        &self,
        name: &str,
        text: String,
        now: UnixMillis,
    ) -> Result<(Arc<Source>, bool), SourceError> {
        let _writer = self.writer.lock().await;
        let previous = self.get(name);
        if previous.as_ref().is_some_and(|entry| entry.origin == Origin::File) {
            return Err(SourceError::FromFile(name.to_owned()));
        }
        let Addressed { document, text, misnamed } =
            addressed("name", Some(name), text).map_err(|problem| SourceError::Invalid(vec![problem]))?;
        let mut problems = refuse_hidden_at(&document, SOURCE_SECRETS);
        problems.extend(misnamed);
        let config = match (self.reader)(text.as_bytes()) {
            Ok(config) if problems.is_empty() => config,
            read => {
                let more = read.err().into_iter().flatten();
                let fresh = more.filter(|one| problems.iter().all(|known| known.path != one.path));
                let fresh = fresh.collect::<Vec<_>>();
                problems.extend(fresh);
                return Err(SourceError::Invalid(problems));
            }
        };
        let entry = Arc::new(Source {
            name: name.to_owned(),
            origin: Origin::Api,
            updated: Some(now),
            problems: Vec::new(),
            document: Some(document),
            text,
            config: Some(config.clone()),
        });
        self.store.put_source(entry.stored()).await?;
        if let Err(error) = self.table.put(&config).await {
            return Err(self.undo(name, previous.as_deref(), error.into()).await);
        }
        let created = previous.is_none();
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        entries.insert(name.to_owned(), Arc::clone(&entry));
        tracing::info!(source = name, created, "source written");
        Ok((entry, created))
    }

    async fn delete(&self, name: &str) -> Result<(), SourceError> {
        let _writer = self.writer.lock().await;
        let Some(entry) = self.get(name) else { return Err(SourceError::Unknown(name.to_owned())) };
        if entry.origin == Origin::File {
            return Err(SourceError::FromFile(name.to_owned()));
        }
        // First no request is taken in there any more, then it is forgotten.
        match self.table.delete(name).await {
            Ok(()) => {}
            Err(RoutingError::Invalid(problems)) => {
                let reason = problems.first().map(ToString::to_string).unwrap_or_default();
                return Err(SourceError::InUse(name.to_owned(), reason));
            }
            Err(error) => return Err(error.into()),
        }
        if let Err(error) = self.store.delete_source(name).await {
            if let Some(config) = entry.config()
                && let Err(again) = self.table.put(config).await
            {
                return Err(half_applied(name, &error, &again));
            }
            return Err(error.into());
        }
        self.entries.write().unwrap_or_else(PoisonError::into_inner).remove(name);
        tracing::info!(source = name, "source deleted");
        Ok(())
    }

    /// Puts everything back after a failure; returns what to tell. The table is as it was already.
    async fn undo(&self, name: &str, previous: Option<&Source>, error: SourceError) -> SourceError {
        let stored = match previous {
            Some(entry) => self.store.put_source(entry.stored()).await,
            None => self.store.delete_source(name).await.map(drop),
        };
        match stored {
            Ok(()) => error,
            Err(again) => half_applied(name, &error, &again),
        }
    }
}

fn half_applied(name: &str, first: &dyn Display, second: &dyn Display) -> SourceError {
    tracing::error!(source = name, "failed to take back a change ({first}): {second}");
    SourceError::Internal(format!("the change failed ({first}) and could not be taken back ({second})"))
}
