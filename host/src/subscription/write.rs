//! Writing subscriptions at run time: validate, persist, apply; on a failure all is put back.

use super::document::{self, Addressed};
use super::registry::Shared;
use super::{Origin, Subscription, SubscriptionError, Subscriptions, rotate, start};
use anglerfish_core::config::{SubscriptionConfig, WhenRemoved};
use anglerfish_core::problem::Problem;
use anglerfish_core::request::UnixMillis;
use serde_json::Value;
use std::fmt::Display;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

/// What ends the open deliveries of a deleted subscription.
const DELETED: &str = "the subscription was deleted";

/// What became of the open deliveries of a subscription that was deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deletion {
    /// How many ended.
    pub ended: u64,
    /// How many wait for it to come back, as it said.
    pub waiting: u64,
}

impl Subscriptions {
    /// Creates a subscription from a document (JSON).
    ///
    /// # Errors
    ///
    /// There is one of its id, the document has problems, or it cannot be written down.
    pub async fn create(
        &self,
        document: String,
        now: UnixMillis,
    ) -> Result<Arc<Subscription>, SubscriptionError> {
        let shared = Arc::clone(&self.shared);
        to_the_end(async move { Ok(shared.write(None, document, now).await?.0) }).await
    }

    /// Replaces a subscription by a document (JSON), which need not repeat the id, or creates it. The flag tells
    /// whether it was created.
    ///
    /// # Errors
    ///
    /// It is the configuration file's, the document has problems, or it cannot be written down.
    pub async fn replace(
        &self,
        id: String,
        document: String,
        now: UnixMillis,
    ) -> Result<(Arc<Subscription>, bool), SubscriptionError> {
        let shared = Arc::clone(&self.shared);
        to_the_end(async move { shared.write(Some(id), document, now).await }).await
    }

    /// Puts another key in the place of those that sign what is sent; the old ones sign along for `overlap`, or for as
    /// long as the endpoint says.
    ///
    /// # Errors
    ///
    /// There is none, it is the configuration file's, it signs nothing, or the key cannot be one.
    pub async fn rotate(
        &self,
        id: String,
        secret: String,
        overlap: Option<Duration>,
        now: UnixMillis,
    ) -> Result<Arc<Subscription>, SubscriptionError> {
        let rewritten = self
            .rewrite(id, now, move |document, config| {
                rotate::rotated(document, config.endpoint.as_ref(), secret, overlap, now)
            })
            .await;
        // Whoever gives a key knows nothing of the list that it came into, and those before it were right.
        rewritten.map_err(|error| named(error, "endpoint.secrets[", "secret"))
    }

    /// Gives whoever reads a subscription another token, which is made if none is given, and then returned; those before stay
    /// right, unless this is to be the `only` one.
    ///
    /// # Errors
    ///
    /// There is none, it is the configuration file's, nobody reads it, the token cannot be one, or there are too many.
    pub async fn rotate_token(
        &self,
        id: String,
        token: Option<String>,
        only: bool,
        now: UnixMillis,
    ) -> Result<(Arc<Subscription>, Option<String>), SubscriptionError> {
        let made =
            match &token {
                Some(_) => None,
                None => Some(rotate::new_token().map_err(|_| {
                    SubscriptionError::Internal("this machine gives no random numbers".into())
                })?),
            };
        let Some(token) = token.or_else(|| made.clone()) else {
            return Err(SubscriptionError::Internal("there is no token".into()));
        };
        let rewritten =
            self.rewrite(id, now, move |document, _| rotate::with_token(document, token, only)).await;
        Ok((rewritten.map_err(|error| named(error, "tokens[", "token"))?, made))
    }

    /// Writes a subscription of the API anew, as `change` says.
    async fn rewrite(
        &self,
        id: String,
        now: UnixMillis,
        change: impl FnOnce(&Value, &SubscriptionConfig) -> Result<Value, Problem> + Send + 'static,
    ) -> Result<Arc<Subscription>, SubscriptionError> {
        let shared = Arc::clone(&self.shared);
        to_the_end(async move {
            let _writer = shared.writer.lock().await;
            let entry = shared.get(&id).ok_or_else(|| SubscriptionError::Unknown(id.clone()))?;
            if entry.origin == Origin::File {
                return Err(SubscriptionError::FromFile(id));
            }
            let config = entry.config().ok_or_else(|| SubscriptionError::Unusable(id.clone()))?;
            let document = change(&entry.document, config)
                .map_err(|problem| SubscriptionError::Invalid(vec![problem]))?;
            Ok(shared.put(Some(id), document.to_string(), now).await?.0)
        })
        .await
    }

    /// Deletes a subscription and ends its open deliveries, unless it says that they wait. One that is gone already and
    /// has open deliveries still may be deleted too: that ends them.
    pub async fn delete(&self, id: String, now: UnixMillis) -> Result<Deletion, SubscriptionError> {
        let shared = Arc::clone(&self.shared);
        to_the_end(async move { shared.delete(&id, now).await }).await
    }
}

/// The same error with another name for the places that begin so.
fn named(error: SubscriptionError, begins: &str, name: &str) -> SubscriptionError {
    let SubscriptionError::Invalid(problems) = error else { return error };
    let renamed = problems.into_iter().map(|problem| match problem.path.starts_with(begins) {
        true => Problem { path: name.to_owned(), ..problem },
        false => problem,
    });
    SubscriptionError::Invalid(renamed.collect())
}

/// Runs a change in a task of its own: a client that hangs up half-way must not leave half of it.
async fn to_the_end<T: Send + 'static>(
    change: impl Future<Output = Result<T, SubscriptionError>> + Send + 'static,
) -> Result<T, SubscriptionError> {
    match tokio::spawn(change).await {
        Ok(result) => result,
        Err(error) => {
            tracing::error!("a change of a subscription broke off: {error}");
            Err(SubscriptionError::Internal("the change broke off; read the subscription again".into()))
        }
    }
}

impl Shared {
    async fn write(
        &self,
        id: Option<String>,
        text: String,
        now: UnixMillis,
    ) -> Result<(Arc<Subscription>, bool), SubscriptionError> {
        let _writer = self.writer.lock().await;
        self.put(id, text, now).await
    }

    /// The same by who holds `writer`.
    async fn put(
        &self,
        id: Option<String>,
        text: String,
        now: UnixMillis,
    ) -> Result<(Arc<Subscription>, bool), SubscriptionError> {
        if let Some(id) = &id
            && self.get(id).is_some_and(|entry| entry.origin == Origin::File)
        {
            return Err(SubscriptionError::FromFile(id.clone()));
        }
        let Addressed { document, text, misnamed } = document::addressed("id", id.as_deref(), text)
            .map_err(|problem| SubscriptionError::Invalid(vec![problem]))?;
        let config = self.read(&document, &text, misnamed)?;
        // Nobody needs to read a token again: what is kept of one from here on is its hash.
        let (document, text) = document::without_tokens(document, text);
        let previous = self.get(&config.id);
        match &previous {
            Some(entry) if entry.origin == Origin::File => {
                return Err(SubscriptionError::FromFile(config.id));
            }
            Some(_) if id.is_none() => return Err(SubscriptionError::Exists(config.id)),
            _ => {}
        }
        if previous.is_none()
            && let Some(problem) = start::problem(&*self.store, config.start, now)
        {
            return Err(SubscriptionError::Invalid(vec![problem]));
        }
        // Everything is built before anything is stored: what is on disk can be started.
        self.routing.check(&config).await?;
        self.dispatch.check(&config).await.map_err(SubscriptionError::Invalid)?;

        let entry = Arc::new(Subscription {
            id: config.id.clone(),
            origin: Origin::Api,
            updated: Some(now),
            problems: Vec::new(),
            document,
            text,
            config: Some(config.clone()),
        });
        let start = match &previous {
            None => start::job(&*self.store, &config.id, config.start, now).await?,
            Some(_) => None,
        };
        match start {
            Some(start) => self.store.begin_subscription(entry.stored(), start).await?,
            None => self.store.put_subscription(entry.stored()).await?,
        }
        if let Err(error) = self.apply(&config).await {
            return Err(self.undo(&config.id, previous.as_deref(), error).await);
        }
        self.entries
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(config.id.clone(), Arc::clone(&entry));
        self.written.fetch_add(1, Ordering::AcqRel);
        self.begun.notify_one();
        tracing::info!(subscription = config.id, created = previous.is_none(), "subscription written");
        Ok((entry, previous.is_none()))
    }

    async fn delete(&self, id: &str, now: UnixMillis) -> Result<Deletion, SubscriptionError> {
        let _writer = self.writer.lock().await;
        let Some(entry) = self.get(id) else {
            if self.open(id).await? > 0 {
                self.dispatch.forget(id);
                return Ok(Deletion { ended: self.store.abandon(id, DELETED, now).await?, waiting: 0 });
            }
            return Err(SubscriptionError::Unknown(id.to_owned()));
        };
        if entry.origin == Origin::File {
            return Err(SubscriptionError::FromFile(id.to_owned()));
        }
        // First no decision names it any more, then it is forgotten; only then its deliveries end.
        self.routing.delete(id).await?;
        if let Err(error) = self.store.delete_subscription(id).await {
            if let Some(config) = entry.config()
                && let Err(again) = self.routing.put(config).await
            {
                return Err(half_applied(id, &error, &again));
            }
            return Err(error.into());
        }
        self.dispatch.remove(id).await;
        self.entries.write().unwrap_or_else(PoisonError::into_inner).remove(id);
        tracing::info!(subscription = id, "subscription deleted");
        if entry.when_removed() == WhenRemoved::Wait {
            return Ok(Deletion { ended: 0, waiting: self.open(id).await? });
        }
        self.dispatch.forget(id);
        match self.store.abandon(id, DELETED, now).await {
            Ok(ended) => Ok(Deletion { ended, waiting: 0 }),
            Err(error) => Err(SubscriptionError::Unavailable(format!(
                "subscription `{id}` is deleted, but its open deliveries are not ended ({error}); delete it again"
            ))),
        }
    }

    /// How many open deliveries a subscription has.
    async fn open(&self, id: &str) -> Result<u64, SubscriptionError> {
        let backlog = self.store.backlog().await?;
        Ok(backlog.into_iter().find(|(name, _)| name == id).map_or(0, |(_, open)| open))
    }

    /// The queue first: it must be there when the first decision names the subscription.
    async fn apply(&self, config: &SubscriptionConfig) -> Result<(), SubscriptionError> {
        self.dispatch.put(config).await.map_err(SubscriptionError::Invalid)?;
        Ok(self.routing.put(config).await?)
    }

    /// Puts everything back after a failure; returns what to tell.
    async fn undo(
        &self,
        id: &str,
        previous: Option<&Subscription>,
        error: SubscriptionError,
    ) -> SubscriptionError {
        let stored = match previous {
            Some(entry) => self.store.put_subscription(entry.stored()).await,
            None => self.store.delete_subscription(id).await.map(drop),
        };
        let applied = match previous.and_then(Subscription::config) {
            Some(config) => self.apply(config).await,
            None => {
                self.dispatch.remove(id).await;
                self.routing.delete(id).await.map_err(SubscriptionError::from)
            }
        };
        match (stored, applied) {
            (Ok(()), Ok(())) => error,
            (Err(again), _) => half_applied(id, &error, &again),
            (_, Err(again)) => half_applied(id, &error, &again),
        }
    }

    fn get(&self, id: &str) -> Option<Arc<Subscription>> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// What is wrong with the sources and the filter of a document that cannot be read whole.
    fn review(&self, document: &Value) -> Vec<Problem> {
        let names = document.get("sources").and_then(Value::as_array).into_iter().flatten();
        let names: Option<Vec<String>> = names.map(|name| name.as_str().map(str::to_owned)).collect();
        // Of a subscription of a resource the filter is another one, and is looked at when the rest of it can be read.
        let is_ordinary = document.get("resource").is_none();
        let filter = document.get("filter").and_then(Value::as_str);
        let filter = filter.filter(|text| !text.trim().is_empty() && is_ordinary);
        self.routing.review(&names.unwrap_or_default(), filter)
    }

    /// Reads a document, with all its problems at once.
    fn read(
        &self,
        document: &Value,
        text: &str,
        misnamed: Option<Problem>,
    ) -> Result<SubscriptionConfig, SubscriptionError> {
        let mut problems = document::refuse_hidden(document);
        problems.extend(misnamed);
        match (self.reader)(text.as_bytes()) {
            Ok(config) if problems.is_empty() => Ok(config),
            read => {
                let more = read.err().into_iter().flatten().chain(self.review(document));
                let fresh = more.filter(|one| problems.iter().all(|known| known.path != one.path));
                let fresh = fresh.collect::<Vec<_>>();
                problems.extend(fresh);
                Err(SubscriptionError::Invalid(problems))
            }
        }
    }
}

fn half_applied(id: &str, first: &dyn Display, second: &dyn Display) -> SubscriptionError {
    tracing::error!(subscription = id, "failed to take back a change ({first}): {second}");
    SubscriptionError::Internal(format!("the change failed ({first}) and could not be taken back ({second})"))
}
