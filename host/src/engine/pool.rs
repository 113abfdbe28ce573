//! The engine: worker threads behind one bounded queue.

use super::bindings::Gateway;
use super::component::{self, CompileError, GATEWAY_COMPONENT};
use super::instance::{InstanceLimits, LoadError};
use super::overlay::State;
use super::request::InboundRequest;
use super::table::{Change, Table};
use super::worker::{Decided, Job, RoutedEvent, StoredEvent, Worker, Workshop};
use crate::store::{KeyReader, Store, StoreError};
use anglerfish_core::decision::Routing;
use anglerfish_core::event::Event;
use anglerfish_core::problem::Problem;
use anglerfish_core::request::UnixMillis;
use anglerfish_core::router::{Explanation, RoutingDocument, RoutingSource, RoutingSubscription, Verdict};
use anglerfish_core::verify::Verifier;
use bytes::Bytes;
use crossbeam_channel::{Sender, TrySendError};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
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
    /// Linear memory of one instance in bytes, its routing table included.
    pub memory: usize,
    /// Where the compiled component is kept between starts.
    pub cache: Option<PathBuf>,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            workers: std::thread::available_parallelism().map_or(1, usize::from),
            queue: 1024,
            deadline: Duration::from_secs(1),
            memory: 512 << 20,
            cache: None,
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

/// How long loading the routing table or explaining an event for all subscriptions may take.
const LOAD_DEADLINE: Duration = Duration::from_secs(30);

/// Why the engine could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The component does not compile.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// The component found problems in the configuration.
    #[error("the configuration has problems")]
    Problems(Vec<Problem>),
    /// The state cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Anything else.
    #[error("the engine cannot start: {0}")]
    Internal(String),
}

/// Why a call gave no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum EngineError {
    /// More calls wait than the queue takes.
    #[error("too many decisions wait")]
    Overloaded,
    /// The component trapped; it was replaced.
    #[error("the component trapped: {0}")]
    Trapped(String),
    /// The component ran into its deadline; it was replaced.
    #[error("the component ran into its deadline")]
    Deadline,
    /// The engine is stopping.
    #[error("the engine is stopped")]
    Stopped,
}

/// Runs decisions on worker threads. Dropping it stops them after the calls that wait.
pub struct Engine {
    jobs: Option<Sender<Job>>,
    table: Arc<Table>,
    workers: Vec<JoinHandle<()>>,
    stopping: Arc<AtomicBool>,
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
            load_ticks: ticks(LOAD_DEADLINE),
        };
        let table = Arc::new(Table::new(document));
        let stopping = Arc::new(AtomicBool::new(false));
        let mut threads = vec![spawn_ticker(engine.clone(), Arc::clone(&stopping)).map_err(internal_io)?];
        let (jobs, queue) = crossbeam_channel::bounded(config.queue);
        let mut instances = Vec::new();
        for _ in 0..config.workers.max(1) {
            let workshop =
                Workshop { pre: pre.clone(), reader: key_reader()?, limits, table: Arc::clone(&table) };
            let instance = workshop.instance().map_err(|error| match error {
                LoadError::Problems(problems) => StartError::Problems(problems),
                LoadError::Fault(fault) => StartError::Internal(fault.to_string()),
            });
            match instance {
                Ok(instance) => instances.push(Worker::new(workshop, instance)),
                Err(error) => {
                    stopping.store(true, Ordering::Release);
                    return Err(error);
                }
            }
        }
        for (index, worker) in instances.into_iter().enumerate() {
            let queue = queue.clone();
            let thread = std::thread::Builder::new().name(format!("decide-{index}"));
            threads.push(thread.spawn(move || worker.run(&queue)).map_err(internal_io)?);
        }
        Ok(Self { jobs: Some(jobs), table, workers: threads, stopping })
    }

    /// The decision about one request.
    ///
    /// # Errors
    ///
    /// If there are too many calls, or the component failed on this one.
    pub async fn decide(&self, request: impl Into<Arc<InboundRequest>>) -> Result<Decided, EngineError> {
        let (reply, answer) = oneshot::channel();
        self.submit(Job::Decide(request.into(), reply))?;
        answer.await.unwrap_or(Err(EngineError::Stopped))
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
        let (reply, answer) = oneshot::channel();
        let routed = RoutedEvent { event, headers, data, received };
        self.submit(Job::Route(Box::new(routed), reply))?;
        answer.await.unwrap_or(Err(EngineError::Stopped))
    }

    /// The same decision without effects, with its reasons.
    ///
    /// # Errors
    ///
    /// Like [`Engine::decide`].
    pub async fn explain(&self, request: InboundRequest) -> Result<Explanation, EngineError> {
        let (reply, answer) = oneshot::channel();
        self.submit(Job::Explain(Box::new(request), reply))?;
        answer.await.unwrap_or(Err(EngineError::Stopped))
    }

    /// What each subscription, or `only` one, says of a stored event.
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
        let (reply, answer) = oneshot::channel();
        let stored = StoredEvent { event, headers, data, received, only };
        self.submit(Job::ExplainEvent(Box::new(stored), reply))?;
        answer.await.unwrap_or(Err(EngineError::Stopped))
    }

    /// Adds or replaces a subscription whose filter was found valid; every later decision sees it.
    ///
    /// # Errors
    ///
    /// A problem for each source that it names and there is not.
    pub fn put_subscription(&self, subscription: RoutingSubscription) -> Result<(), Vec<Problem>> {
        self.table.apply(Change::Put(subscription))
    }

    /// Removes a subscription; no later decision sees it.
    pub fn delete_subscription(&self, id: &str) {
        // Nothing stands against it.
        let _ = self.table.apply(Change::Delete(id.to_owned()));
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
    /// Every problem of its verification, with its path within the source.
    pub fn put_source(&self, source: RoutingSource) -> Result<(), Vec<Problem>> {
        Verifier::try_new("", &source.verification)?;
        self.table.apply(Change::PutSource(source))
    }

    /// Removes a source; requests to it are refused from the next decision on. An unknown name is no error.
    ///
    /// # Errors
    ///
    /// A problem for each subscription that names it.
    pub fn delete_source(&self, name: &str) -> Result<(), Vec<Problem>> {
        self.table.apply(Change::DeleteSource(name.to_owned()))
    }

    fn submit(&self, job: Job) -> Result<(), EngineError> {
        let Some(jobs) = &self.jobs else { return Err(EngineError::Stopped) };
        jobs.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => EngineError::Overloaded,
            TrySendError::Disconnected(_) => EngineError::Stopped,
        })
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.jobs = None;
        self.stopping.store(true, Ordering::Release);
        for worker in self.workers.drain(..) {
            let _ = worker.join();
        }
    }
}

fn settings(config: &EngineConfig) -> Config {
    let mut settings = Config::new();
    settings.epoch_interruption(true);
    let mut pooling = PoolingAllocationConfig::default();
    // A worker holds its instance while the one that replaces it is made.
    let instances = u32::try_from(config.workers.max(1).saturating_mul(2)).unwrap_or(u32::MAX);
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

fn spawn_ticker(engine: wasmtime::Engine, stopping: Arc<AtomicBool>) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name("epoch".to_owned()).spawn(move || {
        while !stopping.load(Ordering::Acquire) {
            std::thread::sleep(TICK);
            engine.increment_epoch();
        }
    })
}

fn internal(error: wasmtime::Error) -> StartError {
    StartError::Internal(format!("{error:#}"))
}

fn internal_io(error: std::io::Error) -> StartError {
    StartError::Internal(error.to_string())
}
