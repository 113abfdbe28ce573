//! Another configuration under a gateway that runs.
//!
//! It is read and checked as a whole before anything changes, its routing table is loaded beside the one in use, and
//! then the two are swapped: no request waits, none is lost, and one that is under way ends as it began.

use super::difference::Difference;
use super::routing::EngineRouting;
use super::status::{self, Refusal};
use super::wiring::{self, SharedReader};
use crate::call::Calls;
use crate::clock::WallClock;
use crate::config::{ConfigError, ConfigStatus, ReloadCause, ReloadReport};
use crate::delivery::Deliveries;
use crate::document::{ResourceReload, Resources};
use crate::engine::Engine;
use crate::gateway::Config;
use crate::ingress::Ingress;
use crate::plugin::Plugins;
use crate::source::{SourceReload, Sources};
use crate::store::Store;
use crate::stream::Streams;
use crate::subscription::{Reload, Subscriptions};
use crate::supervision::Supervisor;
use crate::telemetry::LogControl;
use crate::topic::Topics;
use crate::web::Access;
use anglerfish_core::config::{Document, SourceConfig, SubscriptionConfig, TopicConfig, is_built_in};
use anglerfish_core::problem::Problem;
use anglerfish_core::request::UnixMillis;
use anglerfish_core::router::{self, RoutingDocument, RoutingResource, RoutingSubscription};
use futures_util::future::try_join_all;
use std::collections::HashSet;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::{Mutex, watch};

/// Reads the configuration anew.
pub type Loader = Arc<dyn Fn() -> Result<Config, ConfigError> + Send + Sync>;

/// How many subscribers of resources are noted at once.
const NOTED: usize = 512;

/// How often it is looked whether the last request that the old engine decides has ended.
const LINGER: Duration = Duration::from_millis(100);

/// Puts another configuration under a running gateway. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Reloader {
    inner: Arc<Inner>,
}

struct Inner {
    loader: Option<Loader>,
    log: Option<LogControl>,
    rooms: ReloadTargets,
    /// The configuration in use. Held by the one who reloads.
    current: Mutex<Config>,
    status: RwLock<ConfigStatus>,
}

/// What goes by the configuration.
pub(super) struct ReloadTargets {
    pub(super) ingress: Arc<Ingress>,
    pub(super) routing: Arc<EngineRouting>,
    pub(super) sources: Sources,
    pub(super) subscriptions: Subscriptions,
    pub(super) deliveries: Deliveries,
    pub(super) calls: Calls,
    pub(super) resources: Resources,
    pub(super) topics: Topics,
    pub(super) streams: Streams,
    pub(super) plugins: Plugins,
    pub(super) store: Arc<dyn Store>,
    pub(super) reader: SharedReader<SubscriptionConfig>,
    pub(super) source_reader: SharedReader<SourceConfig>,
    pub(super) access: Access,
    pub(super) retention: watch::Sender<Duration>,
    pub(super) shutdown_timeout: watch::Sender<Duration>,
    pub(super) supervisor: Supervisor,
    pub(super) clock: WallClock,
}

impl Reloader {
    pub(super) fn new(
        config: Config,
        file: String,
        loader: Option<Loader>,
        log: Option<LogControl>,
        rooms: ReloadTargets,
    ) -> Self {
        let since = rooms.clock.now();
        let first = ConfigStatus { file, generation: 1, since, needs_restart: Vec::new(), last: None };
        let inner = Inner { loader, log, rooms, current: Mutex::new(config), status: RwLock::new(first) };
        Self { inner: Arc::new(inner) }
    }

    /// How the configuration in use came to be.
    #[must_use]
    pub fn status(&self) -> ConfigStatus {
        self.inner.status.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the configuration again and puts it in use; on any problem all stays as it was. One that is begun is
    /// carried to its end, also when nobody waits for it any more.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub async fn reload(&self, cause: ReloadCause) -> ConfigStatus {
        let reloader = self.clone();
        let task = tokio::spawn(async move {
            let mut current = reloader.inner.current.lock().await;
            reloader.attempt(&mut current, cause).await;
        });
        if let Err(error) = task.await {
            tracing::error!(%error, "a reload broke down");
            let refusal = Refusal::Other("the reload broke down; the log says where".to_owned());
            self.report(status::refused(self.now(), cause, refusal));
        }
        self.status()
    }

    async fn attempt(&self, current: &mut Config, cause: ReloadCause) {
        let at = self.now();
        match self.replace(current).await {
            Ok((changes, needs_restart)) => {
                for key in &needs_restart {
                    tracing::warn!(key, "changed in the file, and takes effect with the next start");
                }
                tracing::info!(?cause, changes = changes.join(", "), "the configuration was reloaded");
                let mut told = self.inner.status.write().unwrap_or_else(PoisonError::into_inner);
                told.generation += 1;
                told.since = self.now();
                told.needs_restart = needs_restart;
                told.last = Some(status::applied(at, cause, changes));
            }
            Err(refusal) => {
                if let Refusal::Config(ConfigError::Invalid(problems)) = &refusal {
                    for problem in problems {
                        tracing::error!("{problem}");
                    }
                }
                tracing::error!(?cause, "the configuration stays as it was: {refusal}");
                self.report(status::refused(at, cause, refusal));
            }
        }
    }

    fn now(&self) -> UnixMillis {
        self.inner.rooms.clock.now()
    }

    fn report(&self, report: ReloadReport) {
        self.inner.status.write().unwrap_or_else(PoisonError::into_inner).last = Some(report);
    }

    /// Reads, checks, loads, and only then changes anything. Returns what changed, and what needs a new start.
    async fn replace(&self, current: &mut Config) -> Result<(Vec<String>, Vec<String>), Refusal> {
        let rooms = &self.inner.rooms;
        let loader = self.inner.loader.clone();
        let loader = loader.ok_or_else(|| Refusal::Other("this gateway has no file to read".to_owned()))?;
        let read = tokio::task::spawn_blocking(move || loader()).await;
        let new = read.map_err(|error| Refusal::Other(error.to_string()))??;
        // An editor that empties a file before it writes it, or a file that was cut, must not end what runs.
        if new.document.sources.is_empty() && !current.document.sources.is_empty() {
            let message = "it names no source any more, as a file does that is just being written";
            let problem = Problem::new("source", message).with_hint("a start takes it as it is");
            return Err(new.locate(vec![problem]).into());
        }
        let difference = Difference::between(current, &new);

        // From here on until it is applied or dropped no source is written; further down the same of subscriptions.
        let source_reader = wiring::source_reader(&new);
        let stored = rooms.sources.prepare_reload(&new.document, &source_reader).await;
        let stored: SourceReload = stored.map_err(|error| Refusal::Other(error.to_string()))?;
        let whole = stored.added_to(&new.document);
        let ingress = wiring::ingress_config(&new, &whole)?;
        let loaded = wiring::loaded_plugins(&new, &rooms.plugins).await?;
        let plugins = rooms.plugins.stage(loaded);
        for (path, subscription) in &new.document.subscriptions {
            rooms
                .deliveries
                .check(subscription)
                .map_err(|problem| new.locate(vec![wiring::below(path, problem)]))?;
        }
        wiring::check_starts(&new, &*rooms.store, rooms.clock.now())?;
        for (path, api) in &new.apis {
            rooms.calls.check(api).map_err(|problem| new.locate(vec![wiring::below(path, problem)]))?;
        }
        let sources: HashSet<String> = whole.sources.iter().map(|(_, source)| source.name.clone()).collect();
        let reader = wiring::reader(&new);
        // From here on until it is applied or dropped no resource is written.
        let resources = rooms.resources.prepare_reload(&new.document.resources).await;
        let resources = resources.map_err(|error| Refusal::Other(error.to_string()))?;
        let mut resources = resources.map_err(|problems| new.locate(problems))?;
        let known = |id: &str| resources.get(id).map(|resource| resource.pattern.clone());
        for (path, subscription) in &new.document.subscriptions {
            let problems = wiring::unfit(subscription, known).into_iter();
            let problems: Vec<Problem> = problems.map(|problem| wiring::below(path, problem)).collect();
            if !problems.is_empty() {
                return Err(new.locate(problems).into());
            }
        }
        let check = |subscription: &SubscriptionConfig| {
            let mut problems = check(subscription, &sources, &rooms.deliveries);
            problems.extend(wiring::unfit(subscription, known));
            problems
        };
        // From here on until it is applied or dropped no subscription is written.
        let subscriptions = rooms
            .subscriptions
            .prepare_reload(wiring::declared(&new), &reader, &check)
            .await
            .map_err(|error| Refusal::Other(error.to_string()))?;
        let prepared: Result<_, Refusal> = async {
            let document = routing_document(&whole, &subscriptions, &rooms.routing, &resources).await?;
            let counts = rooms.routing.counts();
            let engine =
                wiring::start_engine(&new, document, &rooms.store, &rooms.supervisor, &counts, &rooms.clock)
                    .await?;
            let apis = new.apis.iter().map(|(_, api)| api.clone()).collect();
            let apis = rooms.calls.prepare(apis).await.map_err(|error| Refusal::Other(error.to_string()))?;
            resources.write().await.map_err(|error| Refusal::Other(error.to_string()))?;
            Ok((engine, apis))
        }
        .await;
        let (engine, apis) = match prepared {
            Ok(prepared) => prepared,
            Err(refusal) => {
                if let Err(error) = rooms.routing.put_back().await {
                    tracing::error!(%error, "filters of a configuration that is not in use may be noted");
                }
                return Err(refusal);
            }
        };

        // Nothing below can fail. The queues come first: a decision by the new table may name any of them.
        plugins.apply();
        subscriptions.enlist().await;
        let old = rooms.routing.replace(Arc::clone(&engine));
        resources.apply();
        rooms.ingress.replace(ingress, engine);
        rooms.reader.replace(reader);
        rooms.source_reader.replace(source_reader);
        for gone in stored.apply() {
            rooms.ingress.delete_source(&gone);
        }
        rooms.calls.replace(apis);
        let changes = subscriptions.apply(rooms.clock.now()).await;
        wiring::warn(&new, &rooms.sources, &rooms.subscriptions);
        if !difference.needs_restart.iter().any(|key| key == "admin.token") {
            rooms.access.replace(new.admin.token.as_ref());
            if current.admin.token != new.admin.token {
                rooms.streams.end_ad_hoc();
            }
        }
        rooms.retention.send_replace(new.store.retention);
        rooms.shutdown_timeout.send_replace(new.server.shutdown_timeout);
        if topics(current) != topics(&new) {
            rooms.topics.replace(topics(&new));
            rooms.streams.end_topics();
        }
        if let Some(log) = &self.inner.log
            && let Err(error) = log.set_filter(&new.log.filter)
        {
            tracing::error!(%error, "the log goes on by the old filter");
        }
        self.let_go(old);

        let Difference { applied, needs_restart } = difference;
        let lines = applied.into_iter().chain(status::subscription_lines(&changes)).collect();
        *current = keep_fixed(current, new);
        Ok((lines, needs_restart))
    }

    /// Drops an engine once the last request that it decides has ended: dropping it waits for its threads.
    fn let_go(&self, old: Arc<Engine>) {
        let supervisor = self.inner.rooms.supervisor.clone();
        tokio::spawn(async move {
            let ended = async {
                while Arc::strong_count(&old) > 1 {
                    tokio::time::sleep(LINGER).await;
                }
                drop(tokio::task::spawn_blocking(move || drop(old)).await);
            };
            supervisor.guard("the old engine's end", ended).await;
        });
    }
}

fn topics(config: &Config) -> Vec<TopicConfig> {
    config.document.topics.iter().map(|(_, topic)| topic.clone()).collect()
}

/// What the process goes by from now on: the new configuration, with what is only read at a start as it was then.
fn keep_fixed(old: &Config, mut new: Config) -> Config {
    new.server.listen = old.server.listen;
    new.server.data_dir.clone_from(&old.server.data_dir);
    new.server.max_connections = old.server.max_connections;
    new.server.public_url.clone_from(&old.server.public_url);
    new.server.header_timeout = old.server.header_timeout;
    new.server.idle_timeout = old.server.idle_timeout;
    if new.admin.listen != old.admin.listen {
        new.admin.listen = old.admin.listen;
        new.admin.token.clone_from(&old.admin.token);
    }
    new.admin.requests.clone_from(&old.admin.requests);
    new.out.clone_from(&old.out);
    new.documents.clone_from(&old.documents);
    new.outbound.clone_from(&old.outbound);
    new.telemetry.clone_from(&old.telemetry);
    new.log.format = old.log.format;
    new
}

/// The file's sources and subscriptions in its order, so that problems are found at their places, then the store's.
///
/// Those of resources are told apart from new ones by what the store notes of them.
async fn routing_document(
    whole: &Document,
    subscriptions: &Reload,
    routing: &EngineRouting,
    resources: &ResourceReload,
) -> Result<RoutingDocument, Refusal> {
    let mut document = RoutingDocument::from(whole);
    document.resource = resources.configs().map(RoutingResource::from).collect();
    let mut of_resources: Vec<&SubscriptionConfig> = Vec::new();
    for (_, subscription) in &whole.subscriptions {
        if subscription.notification.is_some() {
            of_resources.push(subscription);
        }
    }
    for subscription in subscriptions.of_store() {
        match subscription.notification {
            Some(_) => of_resources.push(subscription),
            None => document.subscription.push(RoutingSubscription::from(subscription)),
        }
    }
    for some in of_resources.chunks(NOTED) {
        let mut noted = Vec::with_capacity(some.len());
        for subscription in some {
            noted.push(routing.interested(subscription));
        }
        let noted = try_join_all(noted).await;
        document.subscription.extend(noted.map_err(|error| Refusal::Other(error.to_string()))?);
    }
    Ok(document)
}

/// What is wrong with a subscription of the store under the new configuration.
fn check(
    subscription: &SubscriptionConfig,
    sources: &HashSet<String>,
    deliveries: &Deliveries,
) -> Vec<Problem> {
    let unknown = subscription
        .sources
        .iter()
        .enumerate()
        .filter(|(_, name)| !is_built_in(name) && !sources.contains(*name));
    let mut problems: Vec<Problem> = unknown
        .map(|(index, name)| {
            Problem::new(format!("sources[{index}]"), format!("there is no source {name:?}"))
        })
        .collect();
    let check = match subscription.notification {
        None => router::check_filter,
        Some(_) => router::check_document_filter,
    };
    if let Some(Err(found)) = subscription.filter.as_deref().map(check) {
        problems.extend(found);
    }
    problems.extend(deliveries.check(subscription).err());
    problems
}
