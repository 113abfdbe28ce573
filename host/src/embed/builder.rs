//! What a gateway in a program is made of.

use super::function::{MakeEndpoint, function};
use super::{Anglerfish, Api, Delivery, Resource, Source, Subscription, Topic};
use crate::clock::{Clock, SystemClock, WallClock};
use crate::config::place::Places;
use crate::config::section::Written;
use crate::config::{ConfigError, Environment};
use crate::delivery::Functions;
use crate::document::DocumentsConfig;
use crate::gateway::{Binding, BuiltGateway, Config, GatewayBuilder, GatewayError, Sections};
use crate::ingress::{Fetcher, ServerConfig};
use crate::outbound::OutboundConfig;
use crate::passive::OutConfig;
use crate::plugin::{self, PluginConfig};
use crate::server::Descriptors;
use crate::store::{Store, StoreConfig};
use crate::web::AdminConfig;
use anglerfish_core::config::Secret;
use anglerfish_core::problem::Problem;
use prometheus_client::registry::Registry;
use serde_json::{Map, Value};
use std::error::Error;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// What a gateway in a program is made of. Made by [`Anglerfish::builder`] or [`Anglerfish::with_config`].
#[must_use = "nothing happens until it is built"]
pub struct AnglerfishBuilder {
    base: Base,
    lists: Lists,
    subscriptions: Vec<Subscription>,
    functions: Vec<(String, MakeEndpoint)>,
    binding: Binding,
    environment: Option<Environment>,
    documents: Option<Arc<dyn Fetcher>>,
    descriptors: Descriptors,
    store: Option<Arc<dyn Store>>,
    clock: Arc<dyn Clock>,
    token: Option<CancellationToken>,
    plugins: Vec<PluginConfig>,
    registry: Registry,
}

/// What there may be several of, as a file would write it.
#[derive(Default)]
struct Lists {
    sources: Vec<Value>,
    resources: Vec<Value>,
    apis: Vec<Value>,
    topics: Vec<Value>,
}

/// Where what it goes by comes from.
enum Base {
    Code(Box<Sections>),
    Config(Box<Config>),
}

/// The tables of either.
struct Tables<'a> {
    server: &'a mut ServerConfig,
    admin: &'a mut AdminConfig,
    out: &'a mut OutConfig,
    documents: &'a mut DocumentsConfig,
    outbound: &'a mut OutboundConfig,
    store: &'a mut StoreConfig,
}

impl AnglerfishBuilder {
    fn new(base: Base, binding: Binding) -> Self {
        Self {
            base,
            lists: Lists::default(),
            subscriptions: Vec::new(),
            functions: Vec::new(),
            binding,
            environment: None,
            documents: None,
            descriptors: Descriptors::default(),
            store: None,
            clock: Arc::new(SystemClock),
            token: None,
            plugins: Vec::new(),
            registry: Registry::default(),
        }
    }

    pub(super) fn in_code() -> Self {
        Self::new(Base::Code(Box::default()), Binding { ingress: false, admin: false })
    }

    pub(super) fn with_config(config: Config) -> Self {
        Self::new(Base::Config(Box::new(config)), Binding::default())
    }

    fn tables(&mut self) -> Tables<'_> {
        match &mut self.base {
            Base::Code(sections) => {
                let Sections { server, admin, out, documents, outbound, store, .. } = &mut **sections;
                Tables { server, admin, out, documents, outbound, store }
            }
            Base::Config(config) => {
                let Config { server, admin, out, documents, outbound, store, .. } = &mut **config;
                Tables { server, admin, out, documents, outbound, store }
            }
        }
    }

    /// Puts in the place of tokens what they refer to. What cannot be found is no token, and a problem.
    fn resolve_tokens(&mut self) -> Vec<Problem> {
        let environment = self.environment.clone().unwrap_or_else(Environment::of_process);
        let Tables { admin, documents, .. } = self.tables();
        let tokens = [("admin.token", &mut admin.token), ("documents.token", &mut documents.token)];
        let mut problems = Vec::new();
        for (key, token) in tokens {
            let Some(written) = token.take() else { continue };
            match environment.resolve(written.reveal()) {
                Ok(text) => *token = Some(Secret::new(text)),
                Err(reason) => problems.push(Problem::new(key, reason)),
            }
        }
        problems
    }

    /// Keeps the store and the compiled component in this directory; `data` of the working directory by default.
    pub fn data_dir(mut self, directory: impl Into<PathBuf>) -> Self {
        self.tables().server.data_dir = directory.into();
        self
    }

    /// How events are taken in and decided, in the place of what was said before.
    pub fn server(mut self, config: ServerConfig) -> Self {
        *self.tables().server = config;
        self
    }

    /// How others are called.
    pub fn outbound(mut self, config: OutboundConfig) -> Self {
        *self.tables().outbound = config;
        self
    }

    /// How subscribers that lease and read are served.
    pub fn out(mut self, config: OutConfig) -> Self {
        *self.tables().out = config;
        self
    }

    /// The management API, and what is written at run time. Where it would be served without the feature `api`, `build` refuses it.
    pub fn admin(mut self, config: AdminConfig) -> Self {
        *self.tables().admin = config;
        self
    }

    /// Listens for documents of resources, with a server of its own: nowhere unless this says where. Needs the feature `api`.
    pub fn documents_listener(mut self, config: DocumentsConfig) -> Self {
        *self.tables().documents = config;
        self
    }

    /// How long events, attempts and keys are kept: from a minute to ten years, 7 days by default.
    pub fn retention(mut self, retention: Duration) -> Self {
        self.tables().store.retention = retention;
        self
    }

    /// What clients of the management API have to show: at least 16 printable ASCII characters, or a reference to them (`env:NAME`,
    /// `file:PATH`).
    pub fn admin_token(mut self, token: impl Into<String>) -> Self {
        self.tables().admin.token = Some(Secret::new(token));
        self
    }

    /// How long what is under way may take when the gateway stops: an hour at most, 10 s by default.
    pub fn shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.tables().server.shutdown_timeout = timeout;
        self
    }

    /// Listens for events at this address too, with a server of its own; port 0 takes a free one.
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.tables().server.listen = address;
        self.binding.ingress = true;
        self
    }

    /// Listens at this address with the management API, with a server of its own. Needs the feature `api`.
    pub fn listen_admin(mut self, address: SocketAddr) -> Self {
        self.tables().admin.listen = address;
        self.binding.admin = true;
        self
    }

    /// Listens at this address for subscribers that lease and read, with a server of its own.
    pub fn listen_out(mut self, address: SocketAddr) -> Self {
        self.tables().out.listen = Some(address);
        self
    }

    /// Listens nowhere of its own, whatever the configuration says.
    pub fn without_listeners(mut self) -> Self {
        self.binding = Binding { ingress: false, admin: false };
        self.tables().out.listen = None;
        self.tables().out.stomp = None;
        self.tables().documents.listen = None;
        self
    }

    /// Adds a source.
    pub fn source(mut self, source: Source) -> Self {
        self.lists.sources.push(source.into_document());
        self
    }

    /// Adds a resource, whose documents subscriptions are told of.
    pub fn resource(mut self, resource: Resource) -> Self {
        self.lists.resources.push(resource.into_document());
        self
    }

    /// Adds an API, which calls can name: see [`Anglerfish::call`].
    pub fn api(mut self, api: Api) -> Self {
        self.lists.apis.push(api.into_document());
        self
    }

    /// Adds a topic. The first one that a name fits counts.
    pub fn topic(mut self, topic: Topic) -> Self {
        self.lists.topics.push(topic.into_document());
        self
    }

    /// Adds a subscription. As with one of a configuration file, its open deliveries end if the next start has none of this
    /// id, unless it says `when_removed = "wait"`.
    pub fn subscription(mut self, subscription: Subscription) -> Self {
        self.subscriptions.push(subscription);
        self
    }

    /// Adds a filter plugin, for subscriptions that name it in `plugins`.
    pub fn plugin(mut self, plugin: PluginConfig) -> Self {
        self.plugins.push(plugin);
        self
    }

    /// Gives a function to the subscription of this id that has `mode = "function"`, in the configuration or in the store:
    /// see [`Subscription::to_function`].
    pub fn function<F, R, E>(mut self, id: impl Into<String>, call: F) -> Self
    where
        F: Fn(Delivery) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<Box<dyn Error + Send + Sync>> + 'static,
    {
        self.functions.push((id.into(), function(call)));
        self
    }

    /// Resolves references to secrets (`env:NAME`) by these variables; by those of the process otherwise. Of a configuration
    /// that was read they are resolved already.
    pub fn environment(mut self, environment: Environment) -> Self {
        self.environment = Some(environment);
        self
    }

    /// Has the documents which decisions ask for (certificates, keys, confirmations) from a fetcher of the program's own.
    pub fn documents(mut self, documents: Arc<dyn Fetcher>) -> Self {
        self.documents = Some(documents);
        self
    }

    /// Divides these file descriptors among its connections; half of what the process may have by default.
    pub fn descriptors(mut self, descriptors: Descriptors) -> Self {
        self.descriptors = descriptors;
        self
    }

    /// Keeps what is durable in this store, in the place of one in the data directory. The gateway closes it when it ends.
    pub fn store(mut self, store: Arc<dyn Store>) -> Self {
        self.store = Some(store);
        self
    }

    /// Adds the gateway's metrics to this registry of the program's own, so that [`Anglerfish::metrics`] and `GET /metrics` of the
    /// management API show what is in it, too. Each name of the gateway's begins with `anglerfish_`, behind the registry's own prefix, and
    /// has the registry's labels.
    ///
    /// What the program registers has to be there before; a [`Collector`](prometheus_client::collector::Collector) among it can tell
    /// more later. Metrics themselves are handles, which the program keeps.
    ///
    /// The crate is `anglerfish::prometheus_client`, of the version that fits.
    pub fn registry(mut self, registry: Registry) -> Self {
        self.registry = registry;
        self
    }

    /// Goes by this clock, in the place of the system's: see [`Clock`] for what that is. It is this gateway's alone; a store of the
    /// program's own that reads a clock should read this one. A configuration that was read has been judged by the clock that
    /// read it: see [`Config::load_by`].
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Shuts down gracefully when this token is cancelled; [`Anglerfish::ended`] tells when that is done.
    pub fn shutdown_on(mut self, token: CancellationToken) -> Self {
        self.token = Some(token);
        self
    }

    /// Opens the store, loads the component and binds the addresses that there are. Nothing acts yet.
    ///
    /// # Errors
    ///
    /// With every problem of what was said, each with its key; or if the store cannot be opened or an address is taken. Nothing
    /// is left behind.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub async fn build(mut self) -> Result<BuiltAnglerfish, GatewayError> {
        let binding = self.binding;
        let unresolved = self.resolve_tokens();
        let mut problems = self.tables().problems(binding);
        problems.extend(unresolved);
        let known = match &self.base {
            Base::Code(_) => &[][..],
            Base::Config(config) => &config.plugins,
        };
        problems.extend(plugin::problems(known.iter().chain(&self.plugins)));
        let (clock, functions) = (WallClock::new(Arc::clone(&self.clock)), Functions::with_flows());
        for (id, make) in self.functions {
            functions.put(id, make(&clock));
        }
        let mut subscriptions = Vec::new();
        for subscription in self.subscriptions {
            let (id, document, function) = subscription.into_parts(&clock);
            subscriptions.push(document);
            if let Some(function) = function {
                functions.put(id, function);
            }
        }
        let lists = self.lists.with(subscriptions);
        let mut config = match self.base {
            Base::Code(sections) => {
                let environment = self.environment.unwrap_or_else(Environment::of_process);
                join(Config::of(*sections, lists, &environment, &*self.clock), problems)?
            }
            Base::Config(config) => {
                problems.extend(lists.keys().map(|key| {
                    let message = "a gateway by a configuration has those of it";
                    let hint = match key.as_str() {
                        "api" | "topic" => "write it there",
                        _ => "write it there, or put it once the gateway runs",
                    };
                    Problem::new(key, message).with_hint(hint)
                }));
                join(Ok(*config), problems)?
            }
        };
        config.plugins.extend(self.plugins);
        let mut builder = GatewayBuilder::new(config)
            .descriptors(self.descriptors)
            .binding(self.binding)
            .functions(functions)
            .registry(self.registry)
            .clock(clock);
        if let Some(documents) = self.documents {
            builder = builder.documents(documents);
        }
        if let Some(store) = self.store {
            builder = builder.store(store);
        }
        Ok(BuiltAnglerfish { gateway: builder.build().await?, token: self.token })
    }
}

/// The configuration, or all that is wrong with it and around it.
fn join(read: Result<Config, ConfigError>, problems: Vec<Problem>) -> Result<Config, ConfigError> {
    let places = Places::new("builder", "");
    let located = |problem| places.locate(problem);
    match read {
        Ok(config) if problems.is_empty() => Ok(config),
        Ok(_) => Err(ConfigError::Invalid(problems.into_iter().map(located).collect())),
        Err(ConfigError::Invalid(mut found)) => {
            found.extend(problems.into_iter().map(located));
            Err(ConfigError::Invalid(found))
        }
        Err(error) => Err(error),
    }
}

impl Lists {
    /// All lists that have something in them, by their keys in a file.
    fn with(self, subscriptions: Vec<Value>) -> Map<String, Value> {
        let Self { sources, resources, apis, topics } = self;
        let lists = [
            ("source", sources),
            ("resource", resources),
            ("subscription", subscriptions),
            ("api", apis),
            ("topic", topics),
        ];
        let filled = lists.into_iter().filter(|(_, list)| !list.is_empty());
        filled.map(|(key, list)| (key.to_owned(), Value::Array(list))).collect()
    }
}

impl Tables<'_> {
    /// What a file could not say.
    fn problems(self, binding: Binding) -> Vec<Problem> {
        let mut problems = self.server.problems();
        problems.extend(self.admin.problems().into_iter().filter(|problem| {
            // Where it would listen is of no account if it does not.
            binding.admin || problem.path != "admin.listen"
        }));
        problems.extend(self.out.problems());
        problems.extend(self.documents.problems());
        problems.extend(self.outbound.problems());
        problems.extend(self.store.problems());
        problems
    }
}

impl fmt::Debug for AnglerfishBuilder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("AnglerfishBuilder").finish_non_exhaustive()
    }
}

/// A gateway that is complete and does nothing yet: no request is taken in, no delivery attempted.
#[must_use = "nothing happens until it is started"]
pub struct BuiltAnglerfish {
    gateway: BuiltGateway,
    token: Option<CancellationToken>,
}

impl BuiltAnglerfish {
    /// Lets it run, on the runtime that this is called from: deliveries that wait go on, and requests are taken in.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    #[must_use = "a gateway that is dropped ends"]
    pub fn start(self) -> Anglerfish {
        Anglerfish::run(self.gateway.start(), self.token)
    }
}

impl fmt::Debug for BuiltAnglerfish {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("BuiltAnglerfish").finish_non_exhaustive()
    }
}
