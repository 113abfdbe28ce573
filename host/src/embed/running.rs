//! The running gateway as the program uses it.

use super::document;
use super::{AnglerfishBuilder, DocumentError, EventError, IngressService, NewEvent, Source, Subscription};
use crate::call::{CallError, Calls, NewCall};
use crate::callback::{CallbackBuilder, Callbacks};
use crate::flow::{FlowBuilder, FlowContext, Flows};
use crate::gateway::{Config, Gateway, Handles};
use crate::publish::Receipt;
use crate::server::Peer;
use crate::source::SourceError;
use crate::store::StoredCall;
use crate::subscription::{Deletion, SubscriptionError};
use crate::supervision::Readiness;
use anglerfish_core::request::UnixMillis;
use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::middleware::map_request;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tokio_util::sync::CancellationToken;

/// A gateway that runs within this program. Cheap to clone; all clones are one.
///
/// Dropping the last one ends it at once; [`Anglerfish::shutdown`] lets what is under way end. Neither loses anything: what was
/// accepted and is not delivered goes on at the next start.
///
/// ```no_run
/// use anglerfish::{Anglerfish, Delivery, NewEvent, Source, Subscription};
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let gateway = Anglerfish::builder()
///     .data_dir("data")
///     .source(Source::new("github", "github").secret("env:GITHUB_SECRET"))
///     .subscription(Subscription::to_function("pushes", |delivery: Delivery| async move {
///         println!("{}", delivery.event.id);
///         Ok::<_, std::io::Error>(())
///     }))
///     .build()
///     .await?
///     .start();
/// let app: axum::Router = axum::Router::new().nest_service("/hooks", gateway.ingress());
/// gateway.publish(NewEvent::new("/jobs", "job.done")).await?;
/// gateway.shutdown().await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Anglerfish {
    shared: Arc<Shared>,
}

pub(super) struct Shared {
    handles: Handles,
    ingress_address: Option<SocketAddr>,
    admin_address: Option<SocketAddr>,
    out_address: Option<SocketAddr>,
    readiness: Readiness,
    running: Mutex<Option<Gateway>>,
    ended: CancellationToken,
}

impl Anglerfish {
    /// A gateway that is said in code. It listens nowhere of its own unless it is told to.
    pub fn builder() -> AnglerfishBuilder {
        AnglerfishBuilder::in_code()
    }

    /// A gateway by a configuration that was read. It listens where the configuration says.
    pub fn with_config(config: Config) -> AnglerfishBuilder {
        AnglerfishBuilder::with_config(config)
    }

    pub(super) fn run(gateway: Gateway, token: Option<CancellationToken>) -> Self {
        let shared = Arc::new(Shared {
            handles: gateway.handles().clone(),
            ingress_address: gateway.ingress_address(),
            admin_address: gateway.admin_address(),
            out_address: gateway.out_address(),
            readiness: gateway.readiness(),
            running: Mutex::new(Some(gateway)),
            ended: CancellationToken::new(),
        });
        if let Some(token) = token {
            let (watched, ended) = (Arc::downgrade(&shared), shared.ended.clone());
            tokio::spawn(async move {
                tokio::select! {
                    () = token.cancelled() => {}
                    () = ended.cancelled() => return,
                }
                if let Some(shared) = Weak::upgrade(&watched) {
                    Self { shared }.shutdown().await;
                }
            });
        }
        Self { shared }
    }

    /// Takes requests in for `/in/{source}`, to be mounted below any path of the program's own server.
    #[must_use]
    pub fn ingress(&self) -> IngressService {
        IngressService::new(Arc::clone(&self.shared.handles.ingress), self.shared.handles.gate.clone())
    }

    /// The management API, to be mounted below any path. Without a token ([`AnglerfishBuilder::admin_token`]) it answers
    /// only programs that address this machine by a loopback address or `localhost`, so behind a public name a token has to
    /// be given.
    #[cfg(feature = "api")]
    pub fn management(&self) -> Router {
        self.shared.handles.api.clone()
    }

    /// What subscribers with tokens lease from and read (`/out/{subscription}`), to be mounted below any path.
    pub fn out(&self) -> Router {
        self.shared.handles.out.clone().layer(map_request(name_peer))
    }

    fn now(&self) -> UnixMillis {
        self.shared.handles.clock.now()
    }

    /// Publishes an event. When this returns it is on disk with its deliveries.
    ///
    /// # Errors
    ///
    /// It was not published.
    pub async fn publish(&self, event: NewEvent) -> Result<Receipt, EventError> {
        let now = self.now();
        let published = event.into_published("", now).map_err(EventError::Invalid)?;
        let mut receipts = self.shared.handles.publisher.publish(vec![published], now).await?.into_iter();
        receipts.next().ok_or_else(|| EventError::Invalid(Vec::new()))
    }

    /// Makes a request to an API of the configuration (`[[api]]`) and waits for how it ends, however long that takes. It is on
    /// disk before it is attempted, and goes on after a restart: with a key the same call may be made again then, and gets the
    /// same answer. Dropping this ends the waiting, not the call.
    ///
    /// # Errors
    ///
    /// It cannot be sent, another call has its key, or it cannot be written down.
    pub async fn call(&self, call: NewCall) -> Result<StoredCall, CallError> {
        self.shared.handles.calls.call(call).await
    }

    /// Asks for the callback of this name: an address to be handed to somebody, and what comes there. Awaiting it takes hold of it.
    pub fn callback(&self, name: impl Into<String>) -> CallbackBuilder {
        self.shared.handles.callbacks.callback(name)
    }

    /// The callbacks: listed, closed, and made without a name.
    #[must_use]
    pub fn callbacks(&self) -> Callbacks {
        self.shared.handles.callbacks.clone()
    }

    /// Makes the code of a flow known: a function that survives, because what it has done is journaled. Awaiting this lets its
    /// flows go on that have not ended.
    ///
    /// ```no_run
    /// use anglerfish::{Anglerfish, FlowContext, FlowError, NewCall};
    /// use std::time::Duration;
    ///
    /// # async fn run(gateway: Anglerfish) -> Result<(), Box<dyn std::error::Error>> {
    /// let orders = gateway
    ///     .flow("order", |mut cx: FlowContext, order: String| async move {
    ///         let paid = cx.call(NewCall::new("billing", order.clone())).await;
    ///         let delivered = cx.callback("delivered").await?;
    ///         cx.call(NewCall::new("courier", delivered.url().unwrap_or_default().to_owned())).await;
    ///         let arrived = cx.timeout(Duration::from_secs(3600), &delivered).await;
    ///         Ok::<_, anglerfish::CallbackError>((paid.is_success(), arrived.is_some()))
    ///     })
    ///     .await?;
    /// let run = orders.start("order-17", &"one fish".to_owned()).await?;
    /// let (paid, arrived) = run.result().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn flow<I, O, F, R, E>(&self, name: impl Into<String>, code: F) -> FlowBuilder<I, O>
    where
        I: DeserializeOwned + Send + 'static,
        O: Serialize + 'static,
        F: Fn(FlowContext, I) -> R + Send + Sync + 'static,
        R: Future<Output = Result<O, E>> + Send + 'static,
        E: Into<Box<dyn std::error::Error + Send + Sync>> + 'static,
    {
        self.shared.handles.flows.flow(name, code)
    }

    /// The flows: started by name, listed, cancelled and tried again.
    #[must_use]
    pub fn flows(&self) -> Flows {
        self.shared.handles.flows.clone()
    }

    /// The calls: to be made without waiting, looked at, cancelled and tried again.
    #[must_use]
    pub fn calls(&self) -> Calls {
        self.shared.handles.calls.clone()
    }

    /// Publishes events in one transaction, in their order: all of them or none.
    ///
    /// # Errors
    ///
    /// None of them was published.
    pub async fn publish_all(
        &self,
        events: impl IntoIterator<Item = NewEvent>,
    ) -> Result<Vec<Receipt>, EventError> {
        let now = self.now();
        let (mut published, mut problems) = (Vec::new(), Vec::new());
        for (index, event) in events.into_iter().enumerate() {
            match event.into_published(&format!("[{index}]."), now) {
                Ok(event) => published.push(event),
                Err(found) => problems.extend(found),
            }
        }
        if !problems.is_empty() {
            return Err(EventError::Invalid(problems));
        }
        Ok(self.shared.handles.publisher.publish(published, now).await?)
    }

    /// Puts a document, a JSON object, under its own URL. Its resource's subscribers are told of it as far as it is news to them. When
    /// this returns that is on disk; where nobody subscribes nothing is kept.
    ///
    /// # Errors
    ///
    /// It fits no resource, is no document of its resource, or cannot be written down. Nothing is changed.
    pub async fn put_document<T: Serialize + ?Sized>(
        &self,
        url: &str,
        document: &T,
    ) -> Result<(), DocumentError> {
        let (url, body) = (document::url(url)?, serde_json::to_vec(document)?);
        Ok(self.shared.handles.documents.change(&url, Some(body.into())).await?)
    }

    /// Deletes a document, and tells those who have it. One that is not there is no error.
    ///
    /// # Errors
    ///
    /// It fits no resource, or that cannot be written down. Nothing is changed.
    pub async fn delete_document(&self, url: &str) -> Result<(), DocumentError> {
        Ok(self.shared.handles.documents.change(&document::url(url)?, None).await?)
    }

    /// Adds or replaces a source, and keeps it in the store. References to secrets in it have to be named by
    /// `admin.references`, as with all that is written at run time.
    ///
    /// # Errors
    ///
    /// Nothing is changed, unless the error says so. One that was given to the builder cannot be replaced.
    pub async fn put_source(&self, source: Source) -> Result<(), SourceError> {
        let (name, document) = (source.name().to_owned(), source.into_document().to_string());
        self.shared.handles.sources.put(name, document, self.now()).await.map(drop)
    }

    /// Deletes a source that no subscription names.
    ///
    /// # Errors
    ///
    /// Nothing is changed, unless the error says so.
    pub async fn delete_source(&self, name: &str) -> Result<(), SourceError> {
        self.shared.handles.sources.delete(name.to_owned()).await
    }

    /// Adds or replaces a subscription, and keeps it in the store. Its function is not kept: after a restart its deliveries
    /// wait until it is put again, or from the start on if the builder has the function
    /// ([`AnglerfishBuilder::function`]).
    ///
    /// # Errors
    ///
    /// Nothing is changed, unless the error says so. One that was given to the builder cannot be replaced.
    pub async fn put_subscription(&self, subscription: Subscription) -> Result<(), SubscriptionError> {
        let (id, document, function) = subscription.into_parts(&self.shared.handles.clock);
        let functions = &self.shared.handles.functions;
        let before = functions.get(&id);
        if let Some(function) = function {
            functions.put(id.clone(), function);
        }
        let subscriptions = &self.shared.handles.subscriptions;
        let put = subscriptions.replace(id.clone(), document.to_string(), self.now()).await;
        if put.is_err() {
            match before {
                Some(before) => functions.put(id, before),
                None => functions.remove(&id),
            }
        }
        put.map(drop)
    }

    /// Deletes a subscription that was put at run time, and ends its open deliveries unless it says that they wait.
    ///
    /// # Errors
    ///
    /// Nothing is changed, unless the error says so.
    pub async fn delete_subscription(&self, id: &str) -> Result<Deletion, SubscriptionError> {
        let handles = &self.shared.handles;
        let deleted = handles.subscriptions.delete(id.to_owned(), self.now()).await?;
        handles.functions.remove(id);
        Ok(deleted)
    }

    /// All its metrics in the `OpenMetrics` text format, and those of the program's registry
    /// ([`AnglerfishBuilder::registry`]), if it has one. Every name of the gateway's begins with `anglerfish_`.
    ///
    /// # Errors
    ///
    /// A metric cannot be written out.
    pub async fn metrics(&self) -> Result<String, fmt::Error> {
        self.shared.handles.scrape.text().await
    }

    /// Adds the same to a text that goes on: without the last line, `# EOF`, as
    /// [`encode_registry`](prometheus_client::encoding::text::encode_registry) does for a registry that the gateway is not given.
    ///
    /// # Errors
    ///
    /// A metric cannot be written out.
    pub async fn encode_metrics(&self, text: &mut String) -> Result<(), fmt::Error> {
        self.shared.handles.scrape.encode(text).await
    }

    /// What holds it back; nothing if it is ready.
    #[must_use]
    pub fn held_back_by(&self) -> Vec<String> {
        self.shared.readiness.reasons()
    }

    /// Where it listens for events itself, if it does.
    #[must_use]
    pub fn ingress_address(&self) -> Option<SocketAddr> {
        self.shared.ingress_address
    }

    /// Where it listens with its management API itself, if it does.
    #[must_use]
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.shared.admin_address
    }

    /// Where it listens for subscribers itself, if it does.
    #[must_use]
    pub fn out_address(&self) -> Option<SocketAddr> {
        self.shared.out_address
    }

    /// Takes no more requests in, lets those under way and the running attempts end within `server.shutdown_timeout`, and
    /// closes the store. It goes on if the caller stops waiting for it; calling it again waits for the same end.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub async fn shutdown(&self) {
        let running = self.shared.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(gateway) = running {
            // Also if it breaks down half-way.
            let ended = self.shared.ended.clone().drop_guard();
            tokio::spawn(async move {
                gateway.shutdown().await;
                drop(ended);
            });
        }
        self.ended().await;
    }

    /// Waits until it has ended, whoever ended it.
    pub async fn ended(&self) {
        self.shared.ended.cancelled().await;
    }
}

/// Tells who asks, where the program's server says so.
async fn name_peer(mut request: Request) -> Request {
    if let Some(ConnectInfo(peer)) = request.extensions().get::<ConnectInfo<SocketAddr>>().copied() {
        request.extensions_mut().insert(Peer(peer));
    }
    request
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.ended.cancel();
    }
}

impl fmt::Debug for Anglerfish {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Anglerfish").finish_non_exhaustive()
    }
}
