//! A small host: wasmtime's own WASI 0.3 with HTTP, a key-value store in memory, and variables.

use crate::binding::{atomics, store, variables};
use bytes::Bytes;
use http::uri::{Authority, Scheme, Uri};
use http_body_util::BodyExt;
use hyper_util::rt::TokioIo;
use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::future::{Future, pending};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Instant;
use tokio::net::{TcpListener, TcpStream};
use wasmtime::component::{Accessor, Component, HasSelf, Linker, Resource, ResourceTable};
use wasmtime::{Config, Engine, Store, StoreContextMut};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::handler::{
    HandlerState, Instance, ProxyHandler, ProxyPre, ShouldAccept, WorkerExpiration, WorkerState, WorkerStatus,
};
use wasmtime_wasi_http::p3::bindings::ServicePre;
use wasmtime_wasi_http::{
    Error, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks, WasiHttpView,
};

/// What all instances share.
#[derive(Default)]
pub(crate) struct Shared {
    pub(crate) keys: Mutex<BTreeMap<String, Vec<u8>>>,
    /// Whether writes of keys that begin with `log/` fail.
    pub(crate) log_fails: AtomicBool,
    /// Whether reading keys fails.
    pub(crate) reads_fail: AtomicBool,
    variables: HashMap<String, String>,
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
}

/// The app, listening on an ephemeral port.
pub(crate) struct App {
    pub(crate) address: SocketAddr,
    pub(crate) shared: Arc<Shared>,
}

impl App {
    /// Serves a composed component with these variables.
    pub(crate) async fn serve(component: &[u8], variables: &[(&str, &str)]) -> wasmtime::Result<Self> {
        let variables =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let shared = Arc::new(Shared { variables, ..Shared::default() });
        let mut config = Config::new();
        config.wasm_component_model_async(true);
        let engine = Engine::new(&config)?;
        let component = Component::new(&engine, component)?;
        let mut linker = Linker::new(&engine);
        wasmtime_wasi::p3::add_to_linker(&mut linker)?;
        wasmtime_wasi_http::p3::add_to_linker(&mut linker)?;
        store::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state)?;
        atomics::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state)?;
        variables::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state)?;
        let pre = ServicePre::new(linker.instantiate_pre(&component)?)?;
        let pre = Arc::new(ProxyPre::P3(pre));
        let handler = ProxyHandler::new(Handler { engine, pre, shared: Arc::clone(&shared) });
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        tokio::spawn(accept(listener, handler));
        Ok(Self { address, shared })
    }
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
}

impl HandlerState for Handler {
    type StoreData = State;
    type WorkerExpiration = Forever;
    type WorkerState = Reused;

    async fn instantiate(&self) -> wasmtime::Result<Instance<State, Forever, Reused>> {
        let state = State {
            table: ResourceTable::new(),
            wasi: WasiCtx::builder().inherit_stderr().build(),
            http: WasiHttpCtx::new(),
            client: Client,
            shared: Arc::clone(&self.shared),
        };
        let mut store = Store::new(&self.engine, state);
        let proxy = self.pre.instantiate_async(&mut store).await?;
        Ok(Instance { store, proxy, view: |state| state.http(), expiration: Forever, state: Reused })
    }
}

/// Instances live as long as the test.
pub(crate) struct Forever;

impl WorkerExpiration for Forever {
    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>, _: WorkerStatus, _: Instant) -> Poll<()> {
        Poll::Pending
    }
}

/// As many requests for an instance as Spin gives it by default.
pub(crate) struct Reused;

impl WorkerState for Reused {
    type StoreData = State;
    type RequestData = ();

    fn should_accept_request(&self, concurrent: usize, total: usize) -> ShouldAccept {
        match (concurrent, total) {
            (_, 128..) => ShouldAccept::Never,
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

/// Outgoing requests over plain HTTP, a connection for each.
struct Client;

type Sent = (http::Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>);

impl WasiHttpHooks for Client {
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        _: Option<RequestOptions>,
        _: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Result<Sent, Error>> + Send> {
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

impl store::Host for State {
    fn open(&mut self, identifier: String) -> wasmtime::Result<Result<Resource<Bucket>, store::Error>> {
        if identifier != "default" {
            return Ok(Err(store::Error::NoSuchStore));
        }
        Ok(Ok(self.table.push(Bucket)?))
    }
}

impl store::HostBucket for State {
    fn get(
        &mut self,
        _: Resource<Bucket>,
        key: String,
    ) -> wasmtime::Result<Result<Option<Vec<u8>>, store::Error>> {
        if self.shared.reads_fail.load(Ordering::SeqCst) {
            return Ok(Err(store::Error::Other("database is locked: /srv/spin/store.db".to_owned())));
        }
        Ok(Ok(self.shared.keys.lock().unwrap().get(&key).cloned()))
    }

    fn set(
        &mut self,
        _: Resource<Bucket>,
        key: String,
        value: Vec<u8>,
    ) -> wasmtime::Result<Result<(), store::Error>> {
        if key.starts_with("log/") && self.shared.log_fails.load(Ordering::SeqCst) {
            return Ok(Err(store::Error::Other("the disk is full".to_owned())));
        }
        self.shared.keys.lock().unwrap().insert(key, value);
        Ok(Ok(()))
    }

    fn delete(&mut self, _: Resource<Bucket>, key: String) -> wasmtime::Result<Result<(), store::Error>> {
        self.shared.keys.lock().unwrap().remove(&key);
        Ok(Ok(()))
    }

    fn exists(&mut self, _: Resource<Bucket>, key: String) -> wasmtime::Result<Result<bool, store::Error>> {
        Ok(Ok(self.shared.keys.lock().unwrap().contains_key(&key)))
    }

    fn list_keys(
        &mut self,
        _: Resource<Bucket>,
        _: Option<String>,
    ) -> wasmtime::Result<Result<store::KeyResponse, store::Error>> {
        let keys = self.shared.keys.lock().unwrap().keys().cloned().collect();
        Ok(Ok(store::KeyResponse { keys, cursor: None }))
    }

    fn drop(&mut self, bucket: Resource<Bucket>) -> wasmtime::Result<()> {
        self.table.delete(bucket)?;
        Ok(())
    }
}

impl atomics::Host for State {
    fn increment(
        &mut self,
        _: Resource<Bucket>,
        key: String,
        delta: i64,
    ) -> wasmtime::Result<Result<i64, store::Error>> {
        let mut keys = self.shared.keys.lock().unwrap();
        let number = match keys.get(&key) {
            None => 0,
            // A real Spin panics here for good.
            Some(value) => i64::from_le_bytes(value.as_slice().try_into().expect("a number under the key")),
        };
        keys.insert(key, (number + delta).to_le_bytes().to_vec());
        Ok(Ok(number + delta))
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
        let value = accessor.with(|mut access| access.get().shared.variables.get(&name).cloned());
        Ok(value.ok_or(variables::Error::Undefined(name)))
    }
}

impl Shared {
    /// What the app has written under a key.
    pub(crate) fn value(&self, key: &str) -> Option<Bytes> {
        self.keys.lock().unwrap().get(key).cloned().map(Bytes::from)
    }
}
