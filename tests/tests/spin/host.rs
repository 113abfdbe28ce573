//! A small host: wasmtime's own WASI 0.3 with HTTP, a key-value store in memory, and variables.
//!
//! The store has the limits of Spin's: keys and values end somewhere, several keys are read in any order and without those that
//! there are not, a number that is none ends it for good, a compare-and-swap is not to be had. An instance can be ended at each
//! of its writes.

use crate::binding::{atomics, batch, store, variables};
use bytes::Bytes;
use http::uri::{Authority, Scheme, Uri};
use http_body_util::BodyExt;
use hyper_util::rt::TokioIo;
use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::future::{Future, pending};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Poll};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::net::{TcpListener, TcpStream};
use wasmtime::component::{Accessor, Component, HasSelf, Linker, Resource, ResourceTable};
use wasmtime::{Config, Engine, Store, StoreContextMut};
use wasmtime_wasi::clocks::HostWallClock;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::handler::{
    HandlerState, Instance, ProxyHandler, ProxyPre, ShouldAccept, WorkerExpiration, WorkerState, WorkerStatus,
};
use wasmtime_wasi_http::p3::bindings::ServicePre;
use wasmtime_wasi_http::{
    Error, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks, WasiHttpView,
};

/// The longest key, in bytes.
const LONGEST_KEY: usize = 255;

/// The largest value, in bytes.
const LARGEST_VALUE: usize = 1024 * 1024;

/// What all instances share.
#[derive(Default)]
pub(crate) struct Shared {
    pub(crate) keys: Mutex<BTreeMap<String, Vec<u8>>>,
    /// Whether writes of keys that begin with `log/` fail.
    pub(crate) log_fails: AtomicBool,
    /// Whether reading keys fails.
    pub(crate) reads_fail: AtomicBool,
    /// Whether nobody may open the store.
    pub(crate) is_denied: AtomicBool,
    /// How often something was written; several keys at once count once.
    pub(crate) writes: AtomicUsize,
    /// How often all keys were listed.
    pub(crate) listed: AtomicUsize,
    /// How many instances there are.
    pub(crate) instances: AtomicUsize,
    /// The end of an instance that is to come.
    crash: Mutex<Option<Crash>>,
    /// How much later it is for the app than it is, in milliseconds.
    later: AtomicU64,
    /// Whether a number was asked of a value that is none.
    is_poisoned: AtomicBool,
    variables: Mutex<HashMap<String, String>>,
    /// The app's other components, which are asked at `http://NAME.spin.internal`.
    chained: Mutex<HashMap<String, ProxyHandler<Handler>>>,
}

/// The end of an instance.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Crash {
    /// At which write, from 1.
    pub(crate) write: usize,
    /// Whether it has taken effect.
    pub(crate) is_written: bool,
    /// Whether each of several keys counts, and those before it are written: so are stores without transactions.
    pub(crate) is_torn: bool,
}

/// The open bucket `default`.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct Bucket;

/// A compare-and-swap. On an absent key a real Spin lets two writers win, so that the app uses none.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct Cas;

pub(crate) struct State {
    table: ResourceTable,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    client: Client,
    shared: Arc<Shared>,
    _counted: Counted,
}

/// An instance, as long as it is there.
struct Counted(Arc<Shared>);

impl Counted {
    fn new(shared: &Arc<Shared>) -> Self {
        shared.instances.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(shared))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.instances.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The app, listening on an ephemeral port.
pub(crate) struct App {
    pub(crate) address: SocketAddr,
    pub(crate) shared: Arc<Shared>,
}

impl App {
    /// Serves a composed component with these variables.
    pub(crate) async fn serve(component: &[u8], variables: &[(&str, &str)]) -> wasmtime::Result<Self> {
        Self::serve_with(component, variables, 128).await
    }

    /// The same with so many requests for each instance.
    pub(crate) async fn serve_with(
        component: &[u8],
        variables: &[(&str, &str)],
        reuse: usize,
    ) -> wasmtime::Result<Self> {
        let variables: HashMap<String, String> =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let shared = Arc::new(Shared { variables: Mutex::new(variables), ..Shared::default() });
        let handler = handler(component, &shared, reuse)?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        tokio::spawn(accept(listener, handler));
        Ok(Self { address, shared })
    }

    /// Puts another component into the app, which it can call.
    pub(crate) fn chain(&self, name: &str, component: &[u8]) -> wasmtime::Result<()> {
        // It has a store of its own, which is nothing: it is given none.
        let alone = Arc::new(Shared { is_denied: AtomicBool::new(true), ..Shared::default() });
        let handler = handler(component, &alone, 128)?;
        self.shared.chained.lock().unwrap().insert(name.to_owned(), handler);
        Ok(())
    }
}

fn handler(component: &[u8], shared: &Arc<Shared>, reuse: usize) -> wasmtime::Result<ProxyHandler<Handler>> {
    let (engine, component) = compiled(component)?;
    let mut linker = Linker::new(&engine);
    wasmtime_wasi::p3::add_to_linker(&mut linker)?;
    wasmtime_wasi_http::p3::add_to_linker(&mut linker)?;
    store::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state)?;
    atomics::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state)?;
    batch::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state)?;
    variables::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state)?;
    let pre = ServicePre::new(linker.instantiate_pre(&component)?)?;
    let pre = Arc::new(ProxyPre::P3(pre));
    Ok(ProxyHandler::new(Handler { engine, pre, shared: Arc::clone(shared), reuse }))
}

/// An engine, and what it has compiled, by its bytes.
type Compiled = (Engine, Mutex<HashMap<Vec<u8>, Component>>);

/// Compiled once for all tests.
fn compiled(component: &[u8]) -> wasmtime::Result<(Engine, Component)> {
    static COMPILED: OnceLock<Compiled> = OnceLock::new();
    let mut config = Config::new();
    config.wasm_component_model_async(true);
    let engine = Engine::new(&config)?;
    let (engine, known) = COMPILED.get_or_init(|| (engine, Mutex::default()));
    let found = known.lock().unwrap().get(component).cloned();
    let compiled = match found {
        Some(compiled) => compiled,
        None => Component::new(engine, component)?,
    };
    known.lock().unwrap().insert(component.to_vec(), compiled.clone());
    Ok((engine.clone(), compiled))
}

async fn accept(listener: TcpListener, handler: ProxyHandler<Handler>) {
    while let Ok((stream, _)) = listener.accept().await {
        let handler = handler.clone();
        let service = hyper::service::service_fn(move |request| answer(handler.clone(), request));
        tokio::spawn(
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service),
        );
    }
}

async fn answer(
    handler: ProxyHandler<Handler>,
    request: http::Request<hyper::body::Incoming>,
) -> Result<http::Response<WasiBody>, Infallible> {
    let (mut parts, body) = request.into_parts();
    let host = parts.headers.get("host").and_then(|host| host.to_str().ok()).expect("a host");
    let mut uri = parts.uri.into_parts();
    uri.scheme = Some(Scheme::HTTP);
    uri.authority = Some(host.parse::<Authority>().expect("an authority"));
    parts.uri = Uri::from_parts(uri).expect("an absolute address");
    // As on a real Spin, the host's own fields come behind what the sender has put there.
    parts.headers.append("spin-client-addr", "127.0.0.1:1".parse().expect("a value"));
    parts.headers.append("spin-path-info", "/shop".parse().expect("a value"));
    let request = http::Request::from_parts(parts, body.map_err(Error::Hyper).boxed_unsync());
    Ok(handler.handle((), request).await.unwrap_or_else(|error| {
        eprintln!("the app failed: {error:?}");
        let mut response = http::Response::new(WasiBody::default());
        *response.status_mut() = http::StatusCode::INTERNAL_SERVER_ERROR;
        response
    }))
}

struct Handler {
    engine: Engine,
    pre: Arc<ProxyPre<State>>,
    shared: Arc<Shared>,
    reuse: usize,
}

impl HandlerState for Handler {
    type StoreData = State;
    type WorkerExpiration = Forever;
    type WorkerState = Reused;

    async fn instantiate(&self) -> wasmtime::Result<Instance<State, Forever, Reused>> {
        let state = State {
            table: ResourceTable::new(),
            wasi: WasiCtx::builder().inherit_stderr().wall_clock(Later(Arc::clone(&self.shared))).build(),
            http: WasiHttpCtx::new(),
            client: Client(Arc::clone(&self.shared)),
            shared: Arc::clone(&self.shared),
            _counted: Counted::new(&self.shared),
        };
        let mut store = Store::new(&self.engine, state);
        let proxy = self.pre.instantiate_async(&mut store).await?;
        Ok(Instance {
            store,
            proxy,
            view: |state| state.http(),
            expiration: Forever,
            state: Reused(self.reuse),
        })
    }
}

/// Instances live as long as the test.
pub(crate) struct Forever;

impl WorkerExpiration for Forever {
    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>, _: WorkerStatus, _: Instant) -> Poll<()> {
        Poll::Pending
    }
}

/// How many requests an instance gets; Spin gives it 128 by default, 16 of them at once.
pub(crate) struct Reused(usize);

/// The time that a test says.
struct Later(Arc<Shared>);

impl HostWallClock for Later {
    fn resolution(&self) -> Duration {
        Duration::from_millis(1)
    }

    fn now(&self) -> Duration {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        now + Duration::from_millis(self.0.later.load(Ordering::SeqCst))
    }
}

impl WorkerState for Reused {
    type StoreData = State;
    type RequestData = ();

    fn should_accept_request(&self, concurrent: usize, total: usize) -> ShouldAccept {
        match (concurrent, total) {
            (_, total) if total >= self.0 => ShouldAccept::Never,
            (16.., _) => ShouldAccept::No,
            _ => ShouldAccept::Yes,
        }
    }

    fn on_request_start(
        &self,
        _: StoreContextMut<'_, State>,
        (): (),
        _: wasmtime::component::GuestTaskId,
    ) -> Pin<Box<dyn Future<Output = ()> + 'static + Send + Sync>> {
        Box::pin(pending())
    }

    fn drop(&self, _: Store<State>, result: wasmtime::Result<()>) {
        if let Err(error) = result {
            eprintln!("an instance ended: {error:?}");
        }
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { ctx: &mut self.http, table: &mut self.table, hooks: &mut self.client }
    }
}

/// Outgoing requests over plain HTTP, a connection for each, and those to the app's other components.
struct Client(Arc<Shared>);

type Sent = (http::Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>);

impl WasiHttpHooks for Client {
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        _: Option<RequestOptions>,
        _: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Result<Sent, Error>> + Send> {
        let chained = request.uri().host().and_then(|host| host.strip_suffix(".spin.internal"));
        if let Some(name) = chained {
            let handler = self.0.chained.lock().unwrap().get(name).cloned();
            return Box::new(async move {
                // As on a real Spin, which allows the app what the manifest says.
                let response = match handler.ok_or(Error::HttpRequestDenied)?.handle((), request).await {
                    Ok(response) => response,
                    Err(error) => {
                        eprintln!("a component of the app failed: {error:?}");
                        let mut response = http::Response::new(WasiBody::default());
                        *response.status_mut() = http::StatusCode::INTERNAL_SERVER_ERROR;
                        response
                    }
                };
                Ok((response, Box::new(async { Ok(()) }) as Box<dyn Future<Output = _> + Send>))
            });
        }
        Box::new(async move {
            let authority = request.uri().authority().ok_or(Error::HttpRequestUriInvalid)?;
            let stream = TcpStream::connect(authority.as_str()).await.map_err(Error::Connect)?;
            let (mut sender, connection) =
                hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(Error::Hyper)?;
            tokio::spawn(connection);
            let (mut parts, body) = request.into_parts();
            parts.uri = parts.uri.path_and_query().map_or_else(Uri::default, |path| path.clone().into());
            let response =
                sender.send_request(http::Request::from_parts(parts, body)).await.map_err(Error::Hyper)?;
            let response = response.map(|body| body.map_err(Error::Hyper).boxed_unsync());
            Ok((response, Box::new(async { Ok(()) }) as Box<dyn Future<Output = _> + Send>))
        })
    }
}

type Done<T> = wasmtime::Result<Result<T, store::Error>>;

fn failed<T>(reason: &str) -> Done<T> {
    Ok(Err(store::Error::Other(reason.to_owned())))
}

impl State {
    /// Whether keys can be read.
    fn readable(&self) -> Result<(), store::Error> {
        if self.shared.reads_fail.load(Ordering::SeqCst) {
            return Err(store::Error::Other("database is locked: /srv/spin/store.db".to_owned()));
        }
        Ok(())
    }

    /// Writes and deletes, all of it or nothing, unless the instance ends there.
    fn write(&self, changes: Vec<(String, Option<Vec<u8>>)>) -> Done<()> {
        if self.shared.is_poisoned.load(Ordering::SeqCst) {
            wasmtime::bail!("the store's lock is poisoned");
        }
        for (key, value) in &changes {
            if key.len() > LONGEST_KEY || value.as_ref().is_some_and(|value| value.len() > LARGEST_VALUE) {
                return failed("too long");
            }
            if key.starts_with("log/") && value.is_some() && self.shared.log_fails.load(Ordering::SeqCst) {
                return failed("the disk is full");
            }
        }
        self.shared.writes.fetch_add(1, Ordering::SeqCst);
        let mut crash = self.shared.crash.lock().unwrap();
        let single = |change: (String, Option<Vec<u8>>)| {
            let mut keys = self.shared.keys.lock().unwrap();
            match change.1 {
                Some(value) => keys.insert(change.0, value),
                None => keys.remove(&change.0),
            }
        };
        let Some(end) = crash.as_mut() else {
            changes.into_iter().for_each(|change| drop(single(change)));
            return Ok(Ok(()));
        };
        let groups = if end.is_torn {
            changes.into_iter().map(|change| vec![change]).collect()
        } else {
            vec![changes]
        };
        for group in groups {
            end.write = end.write.saturating_sub(1);
            if end.write == 0 && !end.is_written {
                *crash = None;
                wasmtime::bail!("the instance ends before a write");
            }
            group.into_iter().for_each(|change| drop(single(change)));
            if end.write == 0 {
                *crash = None;
                wasmtime::bail!("the instance ends after a write");
            }
        }
        Ok(Ok(()))
    }
}

impl store::Host for State {
    fn open(&mut self, identifier: String) -> Done<Resource<Bucket>> {
        if identifier != "default" || self.shared.is_denied.load(Ordering::SeqCst) {
            return Ok(Err(store::Error::AccessDenied));
        }
        Ok(Ok(self.table.push(Bucket)?))
    }
}

impl store::HostBucket for State {
    fn get(&mut self, _: Resource<Bucket>, key: String) -> Done<Option<Vec<u8>>> {
        Ok(self.readable().map(|()| self.shared.keys.lock().unwrap().get(&key).cloned()))
    }

    fn set(&mut self, _: Resource<Bucket>, key: String, value: Vec<u8>) -> Done<()> {
        self.write(vec![(key, Some(value))])
    }

    fn delete(&mut self, _: Resource<Bucket>, key: String) -> Done<()> {
        self.write(vec![(key, None)])
    }

    fn exists(&mut self, _: Resource<Bucket>, key: String) -> Done<bool> {
        Ok(self.readable().map(|()| self.shared.keys.lock().unwrap().contains_key(&key)))
    }

    fn list_keys(&mut self, _: Resource<Bucket>, cursor: Option<String>) -> Done<store::KeyResponse> {
        self.shared.listed.fetch_add(1, Ordering::SeqCst);
        if cursor.is_some() {
            return failed("list_keys: cursor not supported");
        }
        let keys = self.shared.keys.lock().unwrap().keys().cloned().collect();
        Ok(Ok(store::KeyResponse { keys, cursor: None }))
    }

    fn drop(&mut self, bucket: Resource<Bucket>) -> wasmtime::Result<()> {
        self.table.delete(bucket)?;
        Ok(())
    }
}

impl batch::Host for State {
    fn get_many(&mut self, _: Resource<Bucket>, wanted: Vec<String>) -> Done<Vec<(String, Option<Vec<u8>>)>> {
        let keys = self.shared.keys.lock().unwrap();
        // Spin's own store gives what it finds, in an order of its own.
        let found =
            wanted.into_iter().rev().filter_map(|key| Some((key.clone(), Some(keys.get(&key)?.clone()))));
        Ok(self.readable().map(|()| found.collect()))
    }

    fn set_many(&mut self, _: Resource<Bucket>, entries: Vec<(String, Vec<u8>)>) -> Done<()> {
        self.write(entries.into_iter().map(|(key, value)| (key, Some(value))).collect())
    }

    fn delete_many(&mut self, _: Resource<Bucket>, keys: Vec<String>) -> Done<()> {
        self.write(keys.into_iter().map(|key| (key, None)).collect())
    }
}

impl atomics::Host for State {
    fn increment(&mut self, _: Resource<Bucket>, key: String, delta: i64) -> Done<i64> {
        // One at a time: what is read here is written below.
        static COUNTING: Mutex<()> = Mutex::new(());
        let _counting = COUNTING.lock().unwrap();
        let number = match self.shared.keys.lock().unwrap().get(&key) {
            None => 0,
            Some(value) => match value.as_slice().try_into() {
                Ok(bytes) => i64::from_le_bytes(bytes),
                Err(_) => {
                    self.shared.is_poisoned.store(true, Ordering::SeqCst);
                    wasmtime::bail!("{key} is no number");
                }
            },
        };
        Ok(self.write(vec![(key, Some((number + delta).to_le_bytes().to_vec()))])?.map(|()| number + delta))
    }

    fn swap(&mut self, _: Resource<Cas>, _: Vec<u8>) -> wasmtime::Result<Result<(), atomics::CasError>> {
        Ok(Err(atomics::CasError::StoreError(store::Error::Other("not offered".to_owned()))))
    }
}

impl atomics::HostCas for State {
    fn new(
        &mut self,
        _: Resource<Bucket>,
        _: String,
    ) -> wasmtime::Result<Result<Resource<Cas>, store::Error>> {
        Ok(Err(store::Error::Other("not offered".to_owned())))
    }

    fn current(&mut self, _: Resource<Cas>) -> wasmtime::Result<Result<Option<Vec<u8>>, store::Error>> {
        Ok(Err(store::Error::Other("not offered".to_owned())))
    }

    fn drop(&mut self, cas: Resource<Cas>) -> wasmtime::Result<()> {
        self.table.delete(cas)?;
        Ok(())
    }
}

impl variables::Host for State {}

impl<T: Send> variables::HostWithStore<T> for HasSelf<State> {
    async fn get(
        accessor: &Accessor<T, Self>,
        name: String,
    ) -> wasmtime::Result<Result<String, variables::Error>> {
        let value =
            accessor.with(|mut access| access.get().shared.variables.lock().unwrap().get(&name).cloned());
        Ok(value.ok_or(variables::Error::Undefined(name)))
    }
}

impl Shared {
    /// What the app has written under a key.
    pub(crate) fn value(&self, key: &str) -> Option<Bytes> {
        self.keys.lock().unwrap().get(key).cloned().map(Bytes::from)
    }

    /// The keys that begin like this.
    pub(crate) fn named(&self, start: &str) -> Vec<String> {
        self.keys.lock().unwrap().keys().filter(|key| key.starts_with(start)).cloned().collect()
    }

    /// Lets time pass for the app.
    pub(crate) fn pass(&self, time: Duration) {
        let milliseconds = u64::try_from(time.as_millis()).unwrap();
        self.later.fetch_add(milliseconds, Ordering::SeqCst);
    }

    /// Ends the next instance that comes to this write, or none any more.
    pub(crate) fn crash(&self, crash: Option<Crash>) {
        *self.crash.lock().unwrap() = crash;
    }

    /// Changes a variable of the app, which instances read when they start.
    pub(crate) fn set_variable(&self, name: &str, value: &str) {
        self.variables.lock().unwrap().insert(name.to_owned(), value.to_owned());
    }
}
