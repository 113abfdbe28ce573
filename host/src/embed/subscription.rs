//! A subscription in code.

use super::Delivery;
use super::function::{MakeEndpoint, function};
use crate::clock::WallClock;
use crate::config::value::milliseconds;
use crate::delivery::Endpoint;
use serde_json::{Map, Value, json};
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Who wants which events, in code.
///
/// It has the keys of `[[subscription]]` in a configuration file, with the same meaning, defaults, bounds and checks, and one
/// way to deliver more: a function of the program, see [`Subscription::to_function`].
///
/// ```
/// use anglerfish::Subscription;
/// use std::time::Duration;
///
/// let orders = Subscription::to_url("orders", "https://example.com/orders")
///     .source("shop")
///     .filter("message.total > 100")
///     .sign_with("env:ORDERS_SECRET")
///     .retry_after([Duration::from_secs(5), Duration::from_secs(60)]);
/// ```
#[derive(Clone)]
pub struct Subscription {
    id: String,
    document: Map<String, Value>,
    function: Option<MakeEndpoint>,
}

impl Subscription {
    fn new(id: impl Into<String>) -> Self {
        let id = id.into();
        let mut document = Map::new();
        document.insert("id".to_owned(), id.clone().into());
        Self { id, document, function: None }
    }

    /// Sends its events to this URL. `id` is 1 to 64 of `a-z A-Z 0-9 . _ -`.
    #[must_use]
    pub fn to_url(id: impl Into<String>, url: impl Into<String>) -> Self {
        Self::new(id).endpoint("url", url.into())
    }

    /// Calls this function with each of its events.
    ///
    /// A delivery is settled when the function returns `Ok`: until then it is on disk, and goes on after a restart of the
    /// program, as long as that has a subscription of this id. An `Err` is a failed attempt with its text as the reason, as
    /// are a panic and taking longer than `delivery.timeout` (the future is dropped then); what follows is for the policy to
    /// say, as with any endpoint. The same event may come twice: after a crash between the function's end and the record of
    /// it, say. Attempts run side by side up to `delivery.concurrency`, each as a task of its own.
    ///
    /// The function must not block its thread: use `tokio::task::spawn_blocking` for work that does.
    #[must_use]
    pub fn to_function<F, R, E>(id: impl Into<String>, call: F) -> Self
    where
        F: Fn(Delivery) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<Box<dyn Error + Send + Sync>> + 'static,
    {
        Self::to_made(id, function(call))
    }

    /// Has its deliveries attempted by an endpoint of the program's own.
    #[must_use]
    pub fn to_endpoint(id: impl Into<String>, endpoint: Arc<dyn Endpoint>) -> Self {
        Self::to_made(id, Arc::new(move |_| Arc::clone(&endpoint)))
    }

    fn to_made(id: impl Into<String>, make: MakeEndpoint) -> Self {
        let mut subscription = Self::new(id).set("mode", "function");
        subscription.function = Some(make);
        subscription
    }

    /// Starts a flow of this name with each of its events: see [`super::Anglerfish::flow`].
    ///
    /// The flow's input is the event in CloudEvents' JSON format: an object with `id`, `source`, `type`, the event's other
    /// attributes, and `data` (or `data_base64`). Its id is [`crate::event_flow_id`] of the event's source and id, so that an
    /// event starts one flow, however often it is delivered. The delivery is settled when the flow is on disk. Until the program
    /// has made a flow of this name known, deliveries wait, and use up no attempt.
    #[must_use]
    pub fn to_flow(id: impl Into<String>, flow: impl Into<String>) -> Self {
        Self::new(id).set("flow", flow.into())
    }

    /// Keeps its events until a subscriber that shows this token leases them: see [`super::Anglerfish::out`].
    #[must_use]
    pub fn passive(id: impl Into<String>, token: impl Into<String>) -> Self {
        Self::new(id).set("mode", "passive").set("tokens", json!([token.into()]))
    }

    /// Delivers nothing; whoever shows this token reads the log as the subscription sees it: see
    /// [`super::Anglerfish::out`].
    #[must_use]
    pub fn stream(id: impl Into<String>, token: impl Into<String>) -> Self {
        Self::new(id).set("mode", "stream").set("tokens", json!([token.into()]))
    }

    /// Adds a source whose events it wants; of all sources if none is added.
    #[must_use]
    pub fn source(mut self, name: impl Into<String>) -> Self {
        let sources = self.document.entry("sources").or_insert_with(|| json!([]));
        if let Value::Array(sources) = sources {
            sources.push(Value::String(name.into()));
        }
        self
    }

    /// Wants only events for which this expression (CEL) is true.
    #[must_use]
    pub fn filter(self, expression: impl Into<String>) -> Self {
        self.set("filter", expression.into())
    }

    /// Signs requests with this key: its text, or a reference, `env:NAME` or `file:PATH`.
    #[must_use]
    pub fn sign_with(self, secret: impl Into<String>) -> Self {
        self.endpoint("secret", secret.into())
    }

    /// Adds a header field to requests.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        if let Value::Object(endpoint) = self.document.entry("endpoint").or_insert_with(|| json!({}))
            && let Value::Object(headers) = endpoint.entry("headers").or_insert_with(|| json!({}))
        {
            headers.insert(name.to_owned(), Value::String(value.into()));
        }
        self
    }

    /// Lets requests go to private, loopback and link-local addresses.
    #[must_use]
    pub fn allow_private(self) -> Self {
        self.endpoint("allow_private", true)
    }

    /// How long one attempt may take in all. Parts of a millisecond are rounded up.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        self.delivery("timeout", milliseconds(timeout))
    }

    /// How many attempts may run at once.
    #[must_use]
    pub fn concurrency(self, attempts: usize) -> Self {
        self.delivery("concurrency", attempts)
    }

    /// Tries again after these waits, each counted from the attempt before. Parts of a millisecond are rounded up.
    #[must_use]
    pub fn retry_after(self, waits: impl IntoIterator<Item = Duration>) -> Self {
        let delays: Vec<String> = waits.into_iter().map(milliseconds).collect();
        self.delivery("retry", json!({"delays": delays}))
    }

    /// Sets a key of `[subscription.endpoint]`.
    #[must_use]
    pub fn endpoint(self, key: &str, value: impl Into<Value>) -> Self {
        self.within("endpoint", key, value.into())
    }

    /// Sets a key of `[subscription.delivery]`.
    #[must_use]
    pub fn delivery(self, key: &str, value: impl Into<Value>) -> Self {
        self.within("delivery", key, value.into())
    }

    /// Sets a key of `[[subscription]]`, in the place of what it was. Whether there is such a key is said when the
    /// gateway is built.
    #[must_use]
    pub fn set(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.document.insert(key.to_owned(), value.into());
        self
    }

    fn within(mut self, table: &str, key: &str, value: Value) -> Self {
        if let Value::Object(members) = self.document.entry(table).or_insert_with(|| json!({})) {
            members.insert(key.to_owned(), value);
        }
        self
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its document, and what takes its deliveries in a gateway with this clock.
    pub(super) fn into_parts(self, clock: &WallClock) -> (String, Value, Option<Arc<dyn Endpoint>>) {
        (self.id, Value::Object(self.document), self.function.map(|make| make(clock)))
    }
}

impl fmt::Debug for Subscription {
    /// Without its secrets.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Subscription").field("id", &self.id).finish_non_exhaustive()
    }
}
