//! From a configuration to a gateway that could run: all that can fail, and nothing that acts.

use super::GatewayError;
use super::exits::{self, Exits};
use super::management;
use super::reload::{Loader, ReloadTargets, Reloader};
use super::routing::EngineRouting;
use super::running::Gateway;
use super::source_table::GatewaySources;
use super::wiring::{self, Binding, Listeners, SharedReader};
use crate::bulk::{JobMetrics, Jobs};
use crate::call::{CallMetrics, CallParts, Calls};
use crate::callback::{CallbackMetrics, CallbackParts, Callbacks};
use crate::clock::WallClock;
use crate::delivery::{Deliveries, DeliveryMetrics, DeliveryOptions, Functions, Renderer};
use crate::document::{Documents, Notices, Resources, moved_from_documents};
use crate::fetch::DocumentCache;
use crate::flow::{FlowMetrics, FlowParts, Flows};
use crate::gateway::Config;
use crate::ingress::{Fetcher, Ingress};
use crate::outbound::{Outbound, ProviderClient};
use crate::passive::{self, Out, OutMetrics, Refusals};
use crate::plugin::{PluginMetrics, Plugins};
use crate::publish::{OperationalEvents, Publisher};
use crate::rejection::{RejectionMetrics, Rejections};
use crate::server::{Descriptors, Gate, Listener};
use crate::source::{Sources, StoredSources};
use crate::store::{Store, StoreError};
use crate::stream::{self, ReaderEvents, StompListener, StreamMetrics, StreamOut, Streams};
use crate::subscription::Subscriptions;
use crate::supervision::Supervisor;
use crate::telemetry::{self, FilterActivity, IngressMetrics, LogControl, Readiness, Scrape};
use crate::topic::Topics;
use crate::web::Access;
use anglerfish_core::router::{RoutingDocument, RoutingResource};
use axum::Router;
use prometheus_client::registry::Registry;
use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// What a gateway is made of.
pub struct GatewayBuilder {
    config: Config,
    documents: Option<Arc<dyn Fetcher>>,
    descriptors: Descriptors,
    file: String,
    loader: Option<Loader>,
    log: Option<LogControl>,
    binding: Binding,
    functions: Functions,
    store: Option<Arc<dyn Store>>,
    registry: Registry,
    clock: WallClock,
}

impl GatewayBuilder {
    /// One by this configuration, with the file descriptors that the process has now.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            config,
            documents: None,
            descriptors: Descriptors::default(),
            file: String::new(),
            loader: None,
            log: None,
            binding: Binding::default(),
            functions: Functions::default(),
            store: None,
            registry: Registry::default(),
            clock: WallClock::default(),
        }
    }

    /// Has the documents which decisions ask for (certificates, keys, confirmations) from a fetcher of the caller's.
    #[must_use]
    pub fn documents(mut self, documents: Arc<dyn Fetcher>) -> Self {
        self.documents = Some(documents);
        self
    }

    /// Divides these descriptors among its connections.
    #[must_use]
    pub fn descriptors(mut self, descriptors: Descriptors) -> Self {
        self.descriptors = descriptors;
        self
    }

    /// Reads its configuration again from `file`, as messages name it, by this function.
    #[must_use]
    pub fn reload_with(mut self, file: String, loader: Loader) -> Self {
        self.file = file;
        self.loader = Some(loader);
        self
    }

    /// Lets another configuration change which log lines are written.
    #[must_use]
    pub fn log(mut self, control: LogControl) -> Self {
        self.log = Some(control);
        self
    }

    /// Listens on these addresses only.
    #[must_use]
    pub(crate) fn binding(mut self, binding: Binding) -> Self {
        self.binding = binding;
        self
    }

    /// Has the deliveries of subscriptions with `mode = "function"` taken by these.
    #[must_use]
    pub fn functions(mut self, functions: Functions) -> Self {
        self.functions = functions;
        self
    }

    /// Keeps what is durable in this store, in the place of one in `server.data_dir`.
    #[must_use]
    pub fn store(mut self, store: Arc<dyn Store>) -> Self {
        self.store = Some(store);
        self
    }

    /// Adds its metrics to this registry, and shows all that is in it.
    #[must_use]
    pub fn registry(mut self, registry: Registry) -> Self {
        self.registry = registry;
        self
    }

    /// Goes by this clock, in the place of the system's.
    #[must_use]
    pub fn clock(mut self, clock: WallClock) -> Self {
        self.clock = clock;
        self
    }

    /// Binds the addresses, opens the store and loads the component.
    ///
    /// # Errors
    ///
    /// If the configuration has problems that only the component sees, the store cannot be opened, or an address is
    /// taken. Nothing is left behind: no queue, no thread, no lock.
    pub async fn build(self) -> Result<BuiltGateway, GatewayError> {
        let Self {
            config,
            documents,
            descriptors,
            file,
            loader,
            log,
            binding,
            functions,
            store,
            registry,
            clock,
        } = self;
        // Addresses first: a second gateway by mistake should not get as far as the data.
        let listeners = wiring::bind(&config, binding, descriptors).await?;
        let outbound = wiring::outbound(&config, descriptors)?;
        let documents = match documents {
            Some(documents) => documents,
            None => Arc::new(DocumentCache::new(ProviderClient::with(&outbound, &[], HashMap::new())?)),
        };
        let readiness = Readiness::new();
        let supervisor = Supervisor::new(readiness.clone());
        let store = match store {
            Some(store) => store,
            None => wiring::open_store(&config, &supervisor, &clock)?,
        };
        let made = Prepared {
            file,
            loader,
            log,
            readiness,
            supervisor,
            outbound,
            documents,
            listeners,
            functions,
            registry,
            clock,
        };
        match BuiltGateway::load(config, &store, made).await {
            Ok(built) => Ok(built),
            Err(error) => {
                // Its lock is free when this returns, not some time later.
                store.close().await;
                Err(error)
            }
        }
    }
}

/// What is there before the store is.
struct Prepared {
    file: String,
    loader: Option<Loader>,
    log: Option<LogControl>,
    readiness: Readiness,
    supervisor: Supervisor,
    outbound: Outbound,
    documents: Arc<dyn Fetcher>,
    listeners: Listeners,
    functions: Functions,
    registry: Registry,
    clock: WallClock,
}

/// What a program that the gateway is part of uses of it. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Handles {
    pub(crate) ingress: Arc<Ingress>,
    /// Through which requests come that another server has read.
    pub(crate) gate: Gate,
    pub(crate) api: Router,
    pub(crate) out: Router,
    pub(crate) publisher: Publisher,
    pub(crate) calls: Calls,
    pub(crate) callbacks: Callbacks,
    pub(crate) flows: Flows,
    pub(crate) documents: Documents,
    pub(crate) sources: Sources,
    pub(crate) subscriptions: Subscriptions,
    pub(crate) functions: Functions,
    pub(crate) scrape: Arc<Scrape>,
    pub(crate) clock: WallClock,
}

/// A gateway that is complete and does nothing yet: no request is taken in, no delivery attempted.
pub struct BuiltGateway {
    pub(super) ingress: Option<Arc<Listener>>,
    pub(super) admin: Option<Arc<Listener>>,
    /// Where the subscribers of passive subscriptions come, if anywhere.
    pub(super) out: Option<Arc<Listener>>,
    /// What serves the program that the gateway is part of.
    pub(super) handles: Handles,
    /// Where STOMP is spoken, if anywhere, and what is found there.
    pub(super) stomp: Option<(Arc<StompListener>, StreamOut)>,
    /// The documents.
    pub(super) documents: Documents,
    /// Where documents come in, if anywhere.
    pub(super) producers: Option<(Arc<Listener>, Router)>,
    pub(super) supervisor: Supervisor,
    pub(super) readiness: Readiness,
    pub(super) store: Arc<dyn Store>,
    pub(super) deliveries: Deliveries,
    pub(super) streams: Streams,
    pub(super) operational: OperationalEvents,
    /// What tells of readers, if that is asked for.
    pub(super) attendance: Option<ReaderEvents>,
    pub(super) jobs: Jobs,
    pub(super) calls: Calls,
    pub(super) reloader: Reloader,
    pub(super) retention: watch::Sender<Duration>,
    pub(super) shutdown_timeout: watch::Receiver<Duration>,
    pub(super) clock: WallClock,
}

/// What is noted of subscriptions of resources that do not run is forgotten: nobody notes what they would be told, so that they
/// begin anew when they come back.
async fn forget_followers(store: &dyn Store, subscriptions: &Subscriptions) -> Result<(), StoreError> {
    for follower in store.followers().await? {
        let entry = subscriptions.get(&follower.subscription);
        let config = entry.as_ref().and_then(|entry| entry.config());
        if config.is_none_or(|config| config.notification.is_none()) {
            store.dismiss(&follower.subscription).await?;
        }
    }
    Ok(())
}

impl BuiltGateway {
    async fn load(config: Config, store: &Arc<dyn Store>, made: Prepared) -> Result<Self, GatewayError> {
        let Prepared {
            file,
            loader,
            log,
            readiness,
            supervisor,
            outbound,
            documents,
            listeners,
            functions,
            registry: mut metrics_of_all,
            clock,
        } = made;
        let Listeners { ingress, admin, out, stomp, documents: producers } = listeners;
        let registry = Scrape::registry(&mut metrics_of_all);
        supervisor.register(registry);
        telemetry::register_log(registry);
        let metrics = IngressMetrics::register(registry);
        // An attempt that runs and has no connection only waits, and who waits there is not told apart by what it had before:
        // places are shared out where they are.
        let attempts = DeliveryOptions::default().attempts.min(outbound.max_connections());
        let outgoing = DeliveryOptions {
            outbound: Some(outbound.clone()),
            attempts,
            metrics: DeliveryMetrics::register(registry),
            supervisor: supervisor.clone(),
            host_rates: config.outbound.host_rates.clone(),
            renderer: None,
            functions: functions.clone(),
            documents: None,
            filter: None,
            clock: clock.clone(),
        };

        let source_reader = SharedReader::new(wiring::source_reader(&config));
        let stored = StoredSources::read(&config.document, &**store, &source_reader.reader()).await?;
        let document = stored.added_to(&config.document);
        let settings = wiring::ingress_config(&config, &document)?;
        let activity = FilterActivity::default();
        activity.register(registry, clock.clone());
        let declared: Vec<_> = document.resources.iter().map(|(_, resource)| resource.clone()).collect();
        let moved = moved_from_documents(&document.resources, &**store).await?;
        if !moved.is_empty() {
            return Err(config.locate(moved).into());
        }
        let resources = Resources::open(&declared, Arc::clone(store), clock.clone()).await?;
        let mut document = RoutingDocument::from(&document);
        document.resource =
            resources.list().iter().map(|entry| RoutingResource::from(&entry.config)).collect();
        document.subscription.extend(wiring::followers(&config, &resources, &**store, clock.now()).await?);
        let engine = wiring::start_engine(&config, document, store, &supervisor, &activity, &clock).await?;
        let routing = Arc::new(EngineRouting::new(
            Arc::clone(&engine),
            Arc::clone(store),
            config.out.listen,
            config.outbound.proxy_resolves(),
            clock.clone(),
        ));
        let renderer = Arc::clone(&routing) as Arc<dyn Renderer>;
        let plugins = Plugins::new(PluginMetrics::register(registry), clock.clone());
        let plugins = plugins.with_cache(Some(config.server.data_dir.join("cache")));
        let plugins = wiring::load_plugins(&config, plugins).await?;
        let filter = Some(Arc::new(plugins.clone()) as _);
        let notices = Notices::new(Arc::clone(store), Arc::clone(&routing) as _, clock.clone());
        let outgoing = DeliveryOptions {
            renderer: Some(renderer),
            documents: Some(Arc::new(notices)),
            filter,
            ..outgoing
        };
        let deliveries = Deliveries::try_new(Arc::clone(store), outgoing)?;
        let reader = SharedReader::new(wiring::reader(&config));
        let metrics_of_streams = StreamMetrics::register(registry);
        if let Some(out) = &out {
            out.count_refusals(metrics_of_streams.refusals());
        }
        if let Some(stomp) = &stomp {
            stomp.count_refusals(metrics_of_streams.refusals());
        }
        let (retention, kept) = watch::channel(config.store.retention);
        let proxies = &config.server.trusted_proxies;
        let streams =
            exits::streams(&config.out, proxies, store, &routing, metrics_of_streams, (kept, clock.clone()));
        streams.register(registry);
        let exits = Exits { deliveries: deliveries.clone(), streams: streams.clone() };
        let opened =
            wiring::open_subscriptions(&config, store, Arc::clone(&routing), &exits, &reader, &clock);
        let subscriptions = match opened.await {
            Ok(subscriptions) => subscriptions,
            Err(error) => {
                deliveries.shutdown(Duration::ZERO).await;
                return Err(error);
            }
        };
        if let Err(error) = forget_followers(&**store, &subscriptions).await {
            deliveries.shutdown(Duration::ZERO).await;
            return Err(error.into());
        }
        let rejections = Rejections::new(RejectionMetrics::register(registry), clock.clone());
        let outlet = Arc::new(exits);
        let publisher = Publisher::new(
            Arc::clone(store),
            Arc::clone(&routing) as _,
            Arc::clone(&outlet) as _,
            clock.clone(),
        );
        let changes = Documents::new(
            Arc::clone(store),
            Arc::clone(&routing) as _,
            Arc::clone(&outlet) as _,
            resources.clone(),
            routing.backfill(),
        );
        let calls = wiring::open_calls(
            &config,
            CallParts {
                store: Arc::clone(store),
                subscriptions: subscriptions.clone(),
                outlet: Arc::clone(&outlet) as _,
                outbound,
                host_rates: config.outbound.host_rates.clone(),
                supervisor: supervisor.clone(),
                metrics: CallMetrics::register(registry),
                clock: clock.clone(),
            },
        );
        let calls = match calls.await {
            Ok(calls) => calls,
            Err(error) => {
                deliveries.shutdown(Duration::ZERO).await;
                return Err(error);
            }
        };
        let operational =
            OperationalEvents::new(publisher.clone(), subscriptions.clone(), deliveries.notices());
        let base = wiring::callback_base(&config, ingress.as_deref());
        let callbacks = Callbacks::new(CallbackParts {
            store: Arc::clone(store),
            reader: source_reader.reader(),
            fetcher: Arc::clone(&documents),
            base,
            rejections: rejections.clone(),
            metrics: CallbackMetrics::register(registry),
            clock: clock.clone(),
        });
        let attendance = ReaderEvents::of(&streams, publisher.clone(), subscriptions.clone());
        let flows = Flows::new(FlowParts {
            store: Arc::clone(store),
            calls: calls.clone(),
            callbacks: callbacks.clone(),
            retention: retention.subscribe(),
            metrics: FlowMetrics::register(registry),
            clock: clock.clone(),
        });
        functions.start_flows_by(flows.endpoints());
        let (kept, taken) = (Arc::clone(store), Arc::clone(&outlet) as _);
        let service = Ingress::new(settings, engine, kept, taken, documents, metrics, clock.clone())
            .with_rejections(rejections.clone())
            .with_callbacks(Arc::new(callbacks.clone()));
        let service = Arc::new(service);
        let table = GatewaySources { routing: Arc::clone(&routing), ingress: Arc::clone(&service) };
        let sources = Sources::new(stored, source_reader.reader(), Arc::clone(store), Arc::new(table));
        wiring::warn(&config, &sources, &subscriptions);
        // Mounted by another program it is for this machine's programs all the same, unless there is a token.
        let local = admin.as_ref().map_or((Ipv4Addr::LOCALHOST, 0).into(), |admin| admin.address());
        let access = Access::new(config.admin.token.as_ref(), local);
        let topics = Topics::new(config.document.topics.iter().map(|(_, topic)| topic.clone()));
        let (out_router, stomp) = {
            let trusted = &config.server.trusted_proxies;
            let refusals = Refusals::new(OutMetrics::register(registry), trusted);
            let members = (topics.clone(), publisher.clone());
            let known = sources.clone();
            let operator = (access.clone(), Arc::new(move |name: &str| known.get(name).is_some()) as _);
            let (kept, refused) = (deliveries.clone(), Arc::clone(&refusals));
            let read = streams.clone();
            let is_read_with = Arc::new(move |id: &str, shown: &[u8]| read.opens(id, shown));
            let streams = StreamOut::new(streams.clone(), kept, members, refused, operator, trusted);
            let stomp = stomp.map(|listener| (listener, streams.clone()));
            let streams = stream::addresses().with_state(streams).merge(management::description());
            let out = Out::new(deliveries.clone(), refusals, is_read_with, &config.out.allowed_origins);
            (passive::router(out, streams), stomp)
        };
        let producers = producers.map(|listener| {
            let parts = (changes.clone(), subscriptions.clone(), Arc::clone(store));
            let router = management::documents(&config.documents, listener.address(), parts);
            (listener, router)
        });
        let (set_timeout, shutdown_timeout) = watch::channel(config.server.shutdown_timeout);
        let rooms = ReloadTargets {
            ingress: Arc::clone(&service),
            routing: Arc::clone(&routing),
            sources: sources.clone(),
            subscriptions: subscriptions.clone(),
            deliveries: deliveries.clone(),
            calls: calls.clone(),
            resources,
            topics,
            streams: streams.clone(),
            plugins: plugins.clone(),
            store: Arc::clone(store),
            reader,
            source_reader,
            access: access.clone(),
            retention: retention.clone(),
            shutdown_timeout: set_timeout,
            supervisor: supervisor.clone(),
            clock: clock.clone(),
        };
        let config_of_requests = config.admin.requests.clone();
        let reloader = Reloader::new(config, file, loader, log, rooms);
        let listed = subscriptions.clone();
        let job_metrics = JobMetrics::register(registry);
        let jobs = Jobs::new(Arc::clone(store), subscriptions.clone(), job_metrics, clock.clone());
        let scrape = Scrape::new(metrics_of_all, Arc::clone(store), clock.clone());
        let scrape = Arc::new(scrape.with_names(move || listed.names()));
        let handles = Handles {
            ingress: service,
            gate: Gate::new(supervisor.clone()),
            api: Router::new(),
            out: out_router,
            publisher,
            calls: calls.clone(),
            callbacks,
            flows,
            documents: changes.clone(),
            sources,
            subscriptions,
            functions,
            scrape,
            clock: clock.clone(),
        };
        let mut built = Self {
            ingress,
            admin,
            out,
            handles,
            stomp,
            documents: changes,
            producers,
            supervisor,
            readiness,
            store: Arc::clone(store),
            deliveries,
            streams,
            operational,
            attendance,
            jobs,
            calls,
            reloader,
            retention,
            shutdown_timeout,
            clock,
        };
        let shown = (rejections, plugins, routing);
        built.handles.api = management::router(&built, access, shown, config_of_requests);
        Ok(built)
    }

    /// Where events will be taken in, if the gateway listens for them.
    #[must_use]
    pub fn ingress_address(&self) -> Option<SocketAddr> {
        self.ingress.as_ref().map(|listener| listener.address())
    }

    /// Where the management API will listen, if it does.
    #[must_use]
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin.as_ref().map(|listener| listener.address())
    }

    /// Where the subscribers of passive subscriptions will come, if anywhere.
    #[must_use]
    pub fn out_address(&self) -> Option<SocketAddr> {
        self.out.as_ref().map(|listener| listener.address())
    }

    /// Where STOMP will be spoken over TCP, if anywhere.
    #[must_use]
    pub fn stomp_address(&self) -> Option<SocketAddr> {
        self.stomp.as_ref().map(|(listener, _)| listener.address())
    }

    /// Lets it run, on the runtime that this is called from. From now on requests are taken in, and deliveries that
    /// wait go on.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    #[must_use = "a gateway that is dropped ends"]
    pub fn start(self) -> Gateway {
        Gateway::run(self)
    }
}
