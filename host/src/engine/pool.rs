//! The engine: threads behind bounded queues.

use super::bindings::Gateway;
use super::component::{self, GATEWAY_COMPONENT};
use super::document::{DocumentAnswer, DocumentQuestion};
use super::error::{EngineError, StartError, TableError};
use super::explainer;
use super::factory::InstanceFactory;
use super::instance::{Instance, InstanceLimits, LoadError};
use super::job::{
    Decided, DecisionJob, ExplainJob, RenderedEvent, Reply, RoutedEvent, StoredEvent, TableJob,
};
use super::keeper::{self, TableKeeper};
use super::memory;
use super::overlay::State;
use super::request::InboundRequest;
use super::slot::Slots;
use super::table::{Change, Table};
use super::warm::WarmInstance;
use super::worker;
use crate::clock::WallClock;
use crate::store::{KeyOverlay, KeyReader, Store, StoreError};
use crate::supervision::Supervisor;
use crate::telemetry::FilterActivity;
use anglerfish_core::decision::Routing;
use anglerfish_core::event::Event;
use anglerfish_core::request::UnixMillis;
use anglerfish_core::router::{
    Explanation, Rendered, RoutingDocument, RoutingResource, RoutingSource, RoutingSubscription, Verdict,
};
use anglerfish_core::verify::Verifier;
use bytes::Bytes;
use crossbeam_channel::{Sender, TrySendError};
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::oneshot;
use wasmtime::component::{HasSelf, Linker};
use wasmtime::{Config, InstanceAllocationStrategy, PoolingAllocationConfig};

/// How often the epoch advances: the resolution of deadlines.
const TICK: Duration = Duration::from_millis(10);

/// How the engine runs the component.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// Worker threads, each with a warm instance.
    pub workers: usize,
    /// Calls that may wait for a worker; more are refused as overload.
    pub queue: usize,
    /// How long one decision may take.
    pub deadline: Duration,
    /// How long one may take on a thread that serves connections, before it is made anew on a deciding thread. It is time
    /// that passes, and a busy machine takes a thread away for some of it; so it is much longer than decisions take.
    pub slice: Duration,
    /// Linear memory of one instance in bytes, its routing table included.
    pub memory: usize,
    /// Where the compiled component is kept between starts.
    pub cache: Option<PathBuf>,
    /// Who keeps the threads alive, and says that the gateway is not ready while a routing table cannot be loaded.
    pub supervisor: Supervisor,
    /// Where it is counted what filters match; the same for an engine that takes the place of another.
    pub activity: FilterActivity,
    /// The clock of the gateway, which says since when it is counted.
    pub clock: WallClock,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            workers: std::thread::available_parallelism().map_or(1, usize::from),
            queue: 1024,
            deadline: Duration::from_secs(1),
            slice: Duration::from_millis(50),
            memory: 512 << 20,
            cache: None,
            supervisor: Supervisor::default(),
            activity: FilterActivity::default(),
            clock: WallClock::default(),
        }
    }
}

/// State in which nothing was ever written.
struct NoKeys;

impl KeyReader for NoKeys {
    fn get(&self, _key: &str) -> Result<Option<Bytes>, StoreError> {
        Ok(None)
    }
}

/// How long loading the routing table, or changing it, may take.
const LOAD_DEADLINE: Duration = Duration::from_secs(30);

/// Runs the component on threads of its own: some decide, one explains, one keeps the routing table.
///
/// Dropping it stops them after the decisions and changes that wait; an explanation under way ends by itself, unheard.
pub struct Engine {
    slots: Arc<Slots>,
    decisions: Option<Sender<DecisionJob>>,
    explanations: Option<Sender<ExplainJob>>,
    changes: Option<Sender<TableJob>>,
    table: Arc<Table>,
    supervisor: Supervisor,
    activity: FilterActivity,
    /// The threads that are waited for.
    threads: Vec<JoinHandle<()>>,
}

impl Engine {
    /// Starts the built-in gateway component with a configuration document, whose secrets are resolved.
    ///
    /// # Errors
    ///
    /// If the component does not compile, or says what is wrong with the document.
    pub fn start(
        document: RoutingDocument,
        store: &dyn Store,
        config: &EngineConfig,
    ) -> Result<Self, StartError> {
        Self::start_component(GATEWAY_COMPONENT, document, &|| store.key_reader(), config)
    }

    /// Starts the built-in gateway component on state in which nothing was ever written, to explain decisions.
    ///
    /// # Errors
    ///
    /// Like [`Engine::start`].
    pub fn start_without_state(document: RoutingDocument, config: &EngineConfig) -> Result<Self, StartError> {
        Self::start_component(GATEWAY_COMPONENT, document, &|| Ok(Arc::new(NoKeys)), config)
    }

    /// Starts another component that fulfils the same contract, with a reader of keys for each worker.
    ///
    /// # Errors
    ///
    /// Like [`Engine::start`].
    pub fn start_component(
        bytes: &[u8],
        document: RoutingDocument,
        key_reader: &dyn Fn() -> Result<Arc<dyn KeyReader>, StoreError>,
        config: &EngineConfig,
    ) -> Result<Self, StartError> {
        let engine = wasmtime::Engine::new(&settings(config)).map_err(internal)?;
        let component = component::load(&engine, bytes, config.cache.as_deref())?;
        let mut linker = Linker::<State>::new(&engine);
        Gateway::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state).map_err(internal)?;
        let pre = linker.instantiate_pre(&component).map_err(internal)?;
        let limits = InstanceLimits {
            memory: config.memory,
            call_ticks: ticks(config.deadline),
            // No time at all is none, so that it can be tested what follows.
            slice_ticks: if config.slice.is_zero() { 0 } else { ticks(config.slice.min(config.deadline)) },
            load_ticks: ticks(LOAD_DEADLINE),
            explain_ticks: ticks(explainer::DEADLINE),
        };
        let subscriptions = document.subscription.clone();
        let table = Arc::new(Table::new(document));
        // The clock of all deadlines goes as long as a thread may be in the component.
        let alive = Arc::new(());
        spawn_ticker(engine, Arc::downgrade(&alive)).map_err(internal_io)?;
        let factory = || -> Result<InstanceFactory, StartError> {
            let reader = key_reader()?;
            Ok(InstanceFactory { pre: pre.clone(), reader, limits, table: Arc::clone(&table) })
        };
        let started = |instance: Result<Instance, LoadError>| {
            instance.map_err(|error| match error {
                LoadError::Problems(problems) => StartError::Problems(problems),
                error if error.is_memory() => StartError::Full(memory::too_large(config.memory)),
                LoadError::Fault(fault) => StartError::Internal(fault.to_string()),
            })
        };
        // All instances first: nothing runs if one cannot be made.
        let keeper = factory()?;
        let measure = started(keeper.measure())?;
        if !keeper.fits(&measure) {
            return Err(StartError::Full(memory::too_large(config.memory)));
        }
        let mut deciders = Vec::new();
        for _ in 0..config.workers.max(1) {
            let factory = factory()?;
            let instance = started(factory.instance())?;
            deciders.push(WarmInstance::new(factory, config.supervisor.clone(), Some(instance)));
        }
        let slots = Arc::new(Slots::new(deciders));
        let explaining = factory()?;

        let supervisor = &config.supervisor;
        let (decisions, decision_jobs) = crossbeam_channel::bounded::<DecisionJob>(config.queue);
        let (explanations, explain_jobs) = crossbeam_channel::bounded(explainer::QUEUE);
        let (changes, table_jobs) = crossbeam_channel::bounded(keeper::QUEUE);
        // From here on dropping the engine ends the threads that there are.
        let mut engine = Self {
            slots: Arc::clone(&slots),
            decisions: Some(decisions),
            explanations: Some(explanations),
            changes: Some(changes),
            table: Arc::clone(&table),
            supervisor: supervisor.clone(),
            activity: config.activity.clone(),
            threads: Vec::new(),
        };
        for index in 0..config.workers.max(1) {
            let (jobs, alive, slots) = (decision_jobs.clone(), Arc::clone(&alive), Arc::clone(&slots));
            let thread = supervisor.spawn_thread(format!("decide-{index}"), move || {
                let _alive = &alive;
                worker::decide(&slots, index, &jobs);
            });
            engine.threads.push(thread.map_err(internal_io)?);
        }
        let mut first = Some(measure);
        let keeping = Arc::clone(&alive);
        let thread = supervisor.spawn_thread("table", move || {
            let _alive = &keeping;
            TableKeeper::new(keeper.clone(), first.take()).run(&table_jobs);
        });
        engine.threads.push(thread.map_err(internal_io)?);
        let supervised = supervisor.clone();
        // Nobody waits for this one: an explanation can take longer than a stop may.
        let thread = supervisor.spawn_thread("explain", move || {
            let _alive = &alive;
            explainer::explain(
                WarmInstance::new(explaining.clone(), supervised.clone(), None),
                &explain_jobs,
            );
        });
        drop(thread.map_err(internal_io)?);
        config.activity.retain(&subscriptions.iter().map(|subscription| subscription.id.as_str()).collect());
        for RoutingSubscription { id, sources, filter, .. } in &subscriptions {
            config.activity.put(id, sources, filter.as_deref(), config.clock.now());
        }
        Ok(engine)
    }

    /// Who keeps its threads alive.
    pub(crate) const fn supervisor(&self) -> &Supervisor {
        &self.supervisor
    }

    /// Where it is counted what filters match.
    #[must_use]
    pub const fn activity(&self) -> &FilterActivity {
        &self.activity
    }

    /// The decision about one request, made on the thread that asks if it can be had at once.
    ///
    /// That is quickest for this request. Where many are under way [`Engine::decide_in_turn`] is better for all.
    ///
    /// # Errors
    ///
    /// If there are too many calls, or the component failed on this one.
    pub async fn decide(&self, request: impl Into<Arc<InboundRequest>>) -> Result<Decided, EngineError> {
        let request = request.into();
        match self.slots.decide_now(&request) {
            Some(decided) => decided,
            None => self.decide_in_turn(request).await,
        }
    }

    /// The same, made on a deciding thread in its turn: one decision after another costs less than each between other
    /// work.
    ///
    /// # Errors
    ///
    /// Like [`Engine::decide`].
    pub async fn decide_in_turn(
        &self,
        request: impl Into<Arc<InboundRequest>>,
    ) -> Result<Decided, EngineError> {
        let request = request.into();
        ask(self.decisions.as_ref(), |reply| DecisionJob::Decide(request, reply)).await
    }

    /// Who wants an event that comes from no request: one that was published, or that the gateway records itself.
    ///
    /// # Errors
    ///
    /// Like [`Engine::decide`].
    pub async fn route(
        &self,
        event: Event,
        headers: Vec<(String, String)>,
        data: Bytes,
        received: UnixMillis,
    ) -> Result<Routing, EngineError> {
        let routed = RoutedEvent { event, headers, data, received };
        ask(self.decisions.as_ref(), |reply| DecisionJob::Route(Box::new(routed), reply)).await
    }

    /// What a subscription makes of an event that is sent to it; within, why it cannot be made of this one.
    ///
    /// # Errors
    ///
    /// Like [`Engine::decide`].
    pub async fn render(
        &self,
        subscription: String,
        event: Event,
        headers: Arc<[(String, String)]>,
        data: Bytes,
        received: UnixMillis,
    ) -> Result<Result<Rendered, String>, EngineError> {
        let event = RenderedEvent { subscription, event, headers, data, received };
        ask(self.decisions.as_ref(), |reply| DecisionJob::Render(Box::new(event), reply)).await
    }

    /// What is to be known of a document, with the keys that were read and written for it.
    ///
    /// # Errors
    ///
    /// Like [`Engine::decide`].
    pub async fn document(
        &self,
        asked: DocumentQuestion,
    ) -> Result<(DocumentAnswer, KeyOverlay), EngineError> {
        ask(self.decisions.as_ref(), |reply| DecisionJob::Document(Box::new(asked), reply)).await
    }

    /// Adds or replaces a resource; every later decision sees it.
    ///
    /// # Errors
    ///
    /// If the component finds problems in it, or the table would be too large. Then the table is as it was.
    pub async fn put_resource(&self, resource: RoutingResource) -> Result<(), TableError> {
        self.change(Change::PutResource(Box::new(resource))).await
    }

    /// The resources of the table.
    #[must_use]
    pub fn resources(&self) -> Vec<RoutingResource> {
        self.table.resources()
    }

    /// A resource of the table.
    #[must_use]
    pub fn resource(&self, id: &str) -> Option<RoutingResource> {
        self.table.resource(id)
    }

    /// A subscription of the table.
    #[must_use]
    pub fn subscription(&self, id: &str) -> Option<RoutingSubscription> {
        self.table.subscription(id)
    }

    /// Removes a resource. An unknown id is no error.
    ///
    /// # Errors
    ///
    /// If it has subscriptions.
    pub async fn delete_resource(&self, id: &str) -> Result<(), TableError> {
        self.change(Change::DeleteResource(id.to_owned())).await
    }

    /// The same decision without effects, with its reasons. It is made on a thread of its own, beside all decisions.
    ///
    /// # Errors
    ///
    /// Like [`Engine::decide`].
    pub async fn explain(&self, request: InboundRequest) -> Result<Explanation, EngineError> {
        ask(self.explanations.as_ref(), |reply| ExplainJob::Request(Box::new(request), reply)).await
    }

    /// What each subscription, or `only` one, says of a stored event; on the thread that explains.
    ///
    /// # Errors
    ///
    /// Like [`Engine::decide`].
    pub async fn explain_event(
        &self,
        event: Event,
        headers: Vec<(String, String)>,
        data: Bytes,
        received: UnixMillis,
        only: Option<String>,
    ) -> Result<Vec<Verdict>, EngineError> {
        let stored = StoredEvent { event, headers, data, received, only };
        ask(self.explanations.as_ref(), |reply| ExplainJob::Event(Box::new(stored), reply)).await
    }

    /// Does work that needs no instance, such as trying a filter, on the thread that explains: it takes its turn there, and
    /// slows nothing else down.
    ///
    /// # Errors
    ///
    /// If too much waits there, or the work broke off.
    pub async fn aside<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, EngineError> {
        let job = |reply: Reply<T>| {
            ExplainJob::Other(Box::new(move || {
                if !reply.is_closed() {
                    let _ = reply.send(Ok(work()));
                }
            }))
        };
        ask(self.explanations.as_ref(), job).await
    }

    /// Adds or replaces a subscription, if the table still fits; every later decision sees it.
    ///
    /// # Errors
    ///
    /// If the component finds problems in it, or the table would be too large. Then the table is as it was.
    pub async fn put_subscription(&self, subscription: RoutingSubscription) -> Result<(), TableError> {
        self.change(Change::Put(Box::new(subscription))).await
    }

    /// Removes a subscription; no later decision sees it.
    ///
    /// # Errors
    ///
    /// If too many changes wait, or the engine is stopping.
    pub async fn delete_subscription(&self, id: &str) -> Result<(), TableError> {
        self.change(Change::Delete(id.to_owned())).await
    }

    /// The sources that there are.
    #[must_use]
    pub fn sources(&self) -> Vec<RoutingSource> {
        self.table.sources()
    }

    /// Whether there is a source of this name.
    #[must_use]
    pub fn has_source(&self, name: &str) -> bool {
        self.table.has_source(name)
    }

    /// Adds or replaces a source, whose secrets are resolved; every later decision sees it.
    ///
    /// # Errors
    ///
    /// Every problem of its verification, with its path within the source, or the table would be too large.
    pub async fn put_source(&self, source: RoutingSource) -> Result<(), TableError> {
        Verifier::try_new("", &source.verification).map_err(TableError::Problems)?;
        self.change(Change::PutSource(Box::new(source))).await
    }

    /// Removes a source; requests to it are refused from the next decision on. An unknown name is no error.
    ///
    /// # Errors
    ///
    /// A problem for each subscription that names it.
    pub async fn delete_source(&self, name: &str) -> Result<(), TableError> {
        self.change(Change::DeleteSource(name.to_owned())).await
    }

    async fn change(&self, change: Change) -> Result<(), TableError> {
        ask(self.changes.as_ref(), |reply| TableJob { change, reply }).await
    }
}

/// Hands a job to a thread and waits for its answer.
async fn ask<J, T, E: From<EngineError>>(
    jobs: Option<&Sender<J>>,
    job: impl FnOnce(Reply<T, E>) -> J,
) -> Result<T, E> {
    let Some(jobs) = jobs else { return Err(EngineError::Stopped.into()) };
    let (reply, answer) = oneshot::channel();
    jobs.try_send(job(reply)).map_err(|error| match error {
        TrySendError::Full(_) => EngineError::Overloaded,
        TrySendError::Disconnected(_) => EngineError::Stopped,
    })?;
    // A thread that panics drops the reply of the job that it was at; those that wait find the thread again.
    answer.await.unwrap_or_else(|_| Err(EngineError::BrokenOff.into()))
}

impl Drop for Engine {
    fn drop(&mut self) {
        (self.decisions, self.explanations, self.changes) = (None, None, None);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn settings(config: &EngineConfig) -> Config {
    let mut settings = Config::new();
    settings.epoch_interruption(true);
    // A call runs to its end on its thread. What keeps account of several at once costs each of them half a microsecond.
    settings.concurrency_support(false);
    let mut pooling = PoolingAllocationConfig::default();
    // One for each worker, one that explains, one that tries changes, and for each of them one that takes its place.
    let instances =
        u32::try_from(config.workers.max(1).saturating_add(2).saturating_mul(2)).unwrap_or(u32::MAX);
    pooling.total_component_instances(instances);
    pooling.total_core_instances(instances.saturating_mul(4));
    pooling.total_memories(instances);
    pooling.total_tables(instances.saturating_mul(4));
    pooling.max_memory_size(config.memory);
    settings.allocation_strategy(InstanceAllocationStrategy::Pooling(pooling));
    settings
}

/// The number of ticks that give a call at least this long: the first one may come at once.
fn ticks(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis().div_ceil(TICK.as_millis())).unwrap_or(u64::MAX).saturating_add(1)
}

/// Advances the epoch as long as anyone lives.
fn spawn_ticker(engine: wasmtime::Engine, alive: Weak<()>) -> std::io::Result<()> {
    let ticker = std::thread::Builder::new().name("epoch".to_owned());
    ticker.spawn(move || {
        while alive.strong_count() > 0 {
            std::thread::sleep(TICK);
            engine.increment_epoch();
        }
    })?;
    Ok(())
}

fn internal(error: wasmtime::Error) -> StartError {
    StartError::Internal(format!("{error:#}"))
}

fn internal_io(error: std::io::Error) -> StartError {
    StartError::Internal(error.to_string())
}
