//! What a gateway in a program is made of.

use super::{Anglerfish, Delivery, Source, Subscription, function};
use crate::api::AdminConfig;
use crate::config::place::Places;
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
use anglerfish_core::config::{Secret, TOKEN_HINT, token_problem};
use anglerfish_core::problem::Problem;
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
    sources: Vec<Source>,
    subscriptions: Vec<Subscription>,
    functions: Functions,
    binding: Binding,
    environment: Option<Environment>,
    documents: Option<Arc<dyn Fetcher>>,
    descriptors: Descriptors,
    store: Option<Arc<dyn Store>>,
    token: Option<CancellationToken>,
    plugins: Vec<PluginConfig>,
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
            sources: Vec::new(),
            subscriptions: Vec::new(),
            functions: Functions::with_flows(),
            binding,
            environment: None,
            documents: None,
            descriptors: Descriptors::default(),
            store: None,
            token: None,
            plugins: Vec::new(),
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

    /// The management API.
    pub fn admin(mut self, config: AdminConfig) -> Self {
        *self.tables().admin = config;
        self
    }

    /// How long events are kept once they are delivered.
    pub fn retention(mut self, retention: Duration) -> Self {
        self.tables().store.retention = retention;
        self
    }

    /// What clients of the management API have to show: at least 16 printable ASCII characters.
    pub fn admin_token(mut self, token: impl Into<String>) -> Self {
        self.tables().admin.token = Some(Secret::new(token));
        self
    }

    /// How long what is under way may take when the gateway stops.
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

    /// Listens at this address with the management API, with a server of its own.
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
        self.sources.push(source);
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
    pub fn function<F, R, E>(self, id: impl Into<String>, call: F) -> Self
    where
        F: Fn(Delivery) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<Box<dyn Error + Send + Sync>> + 'static,
    {
        self.functions.put(id, function::function(call));
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
        let listens = self.binding.admin;
        let tables = self.tables();
        let mut problems = bounds(tables.server);
        problems.extend(admin_problems(tables.admin, listens));
        let known = match &self.base {
            Base::Code(_) => &[][..],
            Base::Config(config) => &config.plugins,
        };
        problems.extend(plugin::problems(known.iter().chain(&self.plugins)));
        let sources: Vec<_> = self.sources.into_iter().map(Source::into_document).collect();
        let mut subscriptions = Vec::new();
        for subscription in self.subscriptions {
            let (id, document, function) = subscription.into_parts();
            subscriptions.push(document);
            if let Some(function) = function {
                self.functions.put(id, function);
            }
        }
        let mut config = match self.base {
            Base::Code(sections) => {
                let environment = self.environment.unwrap_or_else(Environment::of_process);
                let read = Config::of(*sections, sources, subscriptions, &environment);
                join(read, problems)?
            }
            Base::Config(config) => {
                let given = [("source", sources.len()), ("subscription", subscriptions.len())];
                problems.extend(given.into_iter().filter(|(_, count)| *count > 0).map(|(key, _)| {
                    let message = "a gateway by a configuration has those of it";
                    Problem::new(key, message).with_hint("write it there, or put it once the gateway runs")
                }));
                join(Ok(*config), problems)?
            }
        };
        config.plugins.extend(self.plugins);
        let mut builder = GatewayBuilder::new(config)
            .descriptors(self.descriptors)
            .binding(self.binding)
            .functions(self.functions);
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

/// What a file could not say.
fn bounds(server: &ServerConfig) -> Vec<Problem> {
    let zeroes = [
        ("workers", server.workers == 0),
        ("max_requests", server.max_requests == 0),
        ("max_queue", server.max_queue == 0),
        ("max_connections", server.max_connections == 0),
        ("body_limit", server.body_limit == 0),
        ("body_memory", server.body_memory == 0),
        ("decision_timeout", server.decision_timeout.is_zero()),
    ];
    let zeroes = zeroes.into_iter().filter(|(_, is_zero)| *is_zero);
    zeroes.map(|(key, _)| Problem::new(format!("server.{key}"), "must not be zero")).collect()
}

fn admin_problems(admin: &AdminConfig, listens: bool) -> Vec<Problem> {
    let mut problems = Vec::new();
    match &admin.token {
        Some(token) => {
            let problem = token_problem(token.reveal());
            problems
                .extend(problem.map(|problem| Problem::new("admin.token", problem).with_hint(TOKEN_HINT)));
        }
        None if listens && !admin.listen.ip().is_loopback() => {
            let message = "another address than loopback needs a token beside it";
            problems.push(Problem::new("admin.listen", message));
        }
        None => {}
    }
    problems
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
