//! The whole management API over a store on disk, with a routing table and queues that note what they are told.

mod access;
mod call;
mod callback;
mod decider;
mod delivery;
mod event;
mod flow;
mod health;
mod job;
mod openapi;
mod publish;
mod rejection;
mod resource;
mod rooms;
mod source;
mod subscription;

use super::{Api, router};
use crate::bulk::{JobMetrics, Jobs};
use crate::call::{CallMetrics, CallParts, Calls};
use crate::callback::Callbacks;
use crate::clock::{WallClock, standing};
use crate::document::{Documents, Resources};
use crate::flow::Flows;
use crate::gateway::Config;
use crate::outbound::{Outbound, OutboundOptions};
use crate::plugin::Plugins;
use crate::publish::Publisher;
use crate::rejection::Rejections;
use crate::source::{SourceReader, Sources, StoredSources};
use crate::store::{
    Attempt, Commit, CommitOutcome, DeliveryStore, LeaseTerms, LeasedDelivery, LogStore, NewEvent,
    RequestRecord, Settled, Settlement, SourceStore, SqliteOptions, SqliteStore, Store, StoredSource,
};
use crate::subscription::{Declared, Subscriptions};
use crate::supervision::Supervisor;
use crate::telemetry::{Readiness, Scrape};
use crate::web::Access;
use anglerfish_core::config::{Document, Secret, read_document};
use anglerfish_core::event::Event;
use anglerfish_core::request::UnixMillis;
use anglerfish_tests::Contract;
use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use http_body_util::BodyExt;
use prometheus_client::registry::Registry;
use rooms::{Nobody, Queues, Table, read};
use serde_json::Value;
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use tempfile::TempDir;
use tower::ServiceExt;

const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

/// A gateway's management API.
pub(crate) struct Bench {
    directory: TempDir,
    pub(crate) store: Arc<SqliteStore>,
    table: Arc<Table>,
    queues: Arc<Queues>,
    readiness: Readiness,
    rejections: Rejections,
    jobs: Jobs,
    flows: Flows,
    router: Router,
}

/// An answer, read to its end.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{} {:?}", self.status, self.body))
    }

    /// The status, and the `code` of the problem.
    #[track_caller]
    fn problem(&self) -> (u16, String) {
        assert_eq!(self.headers["content-type"], "application/problem+json", "{:?}", self.body);
        let body = self.json();
        assert_eq!(body["status"], self.status.as_u16());
        (self.status.as_u16(), body["code"].as_str().unwrap().to_owned())
    }
}

impl Bench {
    pub(crate) async fn new() -> Self {
        Self::with(TempDir::new().unwrap(), Vec::new(), None).await
    }

    pub(crate) async fn with(directory: TempDir, declared: Vec<Declared>, token: Option<&str>) -> Self {
        let path = directory.path().join("anglerfish.db");
        let store = Arc::new(SqliteStore::open(&path, SqliteOptions::default()).unwrap());
        let (table, queues) = (Arc::new(Table::default()), Arc::new(Queues::default()));
        for one in &declared {
            table.insert(&one.config);
        }
        let subscriptions = Subscriptions::open(
            declared,
            Arc::new(read),
            store.clone() as Arc<dyn Store>,
            table.clone(),
            queues.clone(),
            WallClock::default(),
        );
        let (readiness, rejections) = (Readiness::new(), Rejections::default());
        let subscriptions = subscriptions.await.unwrap();
        let jobs =
            Jobs::new(store.clone(), subscriptions.clone(), JobMetrics::default(), WallClock::default());
        let parts = CallParts {
            store: store.clone(),
            subscriptions: subscriptions.clone(),
            outlet: queues.clone(),
            outbound: Outbound::try_new(OutboundOptions::default()).unwrap(),
            host_rates: Default::default(),
            supervisor: Supervisor::default(),
            metrics: CallMetrics::default(),
            clock: WallClock::default(),
        };
        let calls = Calls::open(parts, vec![call::api()]).await.unwrap();
        let resources =
            Resources::open(&[decider::declared()], store.clone(), WallClock::default()).await.unwrap();
        let decider = Arc::new(decider::Core::new(store.clone()).await);
        let documents = Documents::new(store.clone(), decider, queues.clone(), resources, Arc::default());
        let callbacks = callback::callbacks_on(store.clone());
        let flows = flow::flows_on(store.clone(), calls.clone(), callbacks.clone());
        let api = Api {
            store: store.clone(),
            calls,
            callbacks,
            flows: flows.clone(),
            documents,
            requests: Some("billing".into()),
            subscriptions,
            jobs: jobs.clone(),
            sources: sources_of(store.clone(), table.clone()).await,
            publisher: Publisher::new(
                store.clone() as Arc<dyn Store>,
                table.clone(),
                queues.clone(),
                WallClock::default(),
            ),
            readers: Arc::new(Nobody),
            rejections: rejections.clone(),
            plugins: Plugins::default(),
            explainer: table.clone(),
            readiness: readiness.clone(),
            scrape: Arc::new(Scrape::new(Registry::default(), store.clone(), WallClock::default())),
            clock: standing(NOW),
            configuration: Arc::new(rooms::Fixed),
        };
        let access = Access::new(token.map(Secret::new).as_ref(), "127.0.0.1:8081".parse().unwrap());
        let router = router(api, access);
        Self { directory, store, table, queues, readiness, rejections, jobs, flows, router }
    }

    /// Ends this gateway and starts another on the same data.
    async fn restart(self, declared: Vec<Declared>) -> Self {
        let Self { directory, store, router, .. } = self;
        store.close().await;
        drop((router, store));
        Self::with(directory, declared, None).await
    }

    async fn store_sources(&self) -> Vec<StoredSource> {
        self.store.sources().await.unwrap()
    }

    /// Serves it on a port of this machine until the test ends, and says where.
    pub(crate) async fn serve(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(axum::serve(listener, self.router.clone()).into_future());
        format!("http://{address}")
    }

    /// Sends a request, and holds the answer against the API's description.
    async fn send(&self, request: Request<Body>) -> Answer {
        static CONTRACT: LazyLock<Contract> =
            LazyLock::new(|| Contract::new(serde_json::from_str(super::openapi::text()).unwrap()));
        let (method, path) = (request.method().to_string(), request.uri().path().to_owned());
        let answer = self.ask(request).await;
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers = answer.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
        let seen =
            anglerfish_tests::Answer { status: answer.status.as_u16(), headers, body: answer.body.to_vec() };
        CONTRACT.check(&method, &path, &seen);
        answer
    }

    async fn ask(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(request(Method::GET, path).body(Body::empty()).unwrap()).await
    }

    async fn write(&self, method: Method, path: &str, body: &Value) -> Answer {
        let request = request(method, path).header("content-type", "application/json");
        self.send(request.body(Body::from(body.to_string())).unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.write(Method::POST, path, body).await
    }

    async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.write(Method::PATCH, path, body).await
    }

    async fn delete(&self, path: &str) -> Answer {
        self.send(request(Method::DELETE, path).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn commit(&self, event: NewEvent) -> Vec<LeasedDelivery> {
        // Whoever gets the deliveries works on them.
        let lease = Some(LeaseTerms::default());
        let commit = Commit { events: vec![event], lease, ..Commit::new(NOW) };
        match self.store.commit(commit).await.unwrap() {
            CommitOutcome::Committed { deliveries, .. } => deliveries,
            CommitOutcome::Conflict => panic!("conflict"),
        }
    }

    /// Commits an event for these subscriptions and gives its deliveries back.
    pub(crate) async fn event(&self, source: &str, id: &str, subscriptions: &[&str]) -> Vec<i64> {
        let deliveries = self.commit(new_event(source, id, subscriptions)).await;
        let leases = deliveries.iter().map(LeasedDelivery::lease).collect::<Vec<_>>();
        self.store.release(&leases).await.unwrap();
        leases.into_iter().map(|lease| lease.delivery.0).collect()
    }

    pub(crate) async fn settle(&self, delivery: &LeasedDelivery, settled: Settled) {
        let attempt = Attempt {
            number: 0,
            started: NOW,
            duration: Duration::from_micros(1_234_567),
            status: Some(500),
            error: Some("status 500".into()),
            answer: Some("try later".into()),
        };
        let settlement = Settlement { lease: delivery.lease(), attempt, settled, now: NOW };
        self.store.record(vec![settlement]).await.unwrap();
    }
}

/// Two sources, with what must not be shown.
fn sources() -> Document {
    let secrets = serde_json::json!(["hunter2", {"value": "hunter2", "label": "new", "not_after": "2026-01-31T00:00:00Z"}]);
    let meta = serde_json::json!({"name": "meta", "scheme": "meta", "secrets": ["hunter2"], "parameters": {"verify_token": "hunter2"}});
    let shop = serde_json::json!({"name": "shop", "scheme": "github", "secrets": secrets});
    read_document(&serde_json::json!({"source": [shop, meta]})).unwrap()
}

/// The registry of sources: those two, and those of the store. `env:SHOP_…` may be referred to.
async fn sources_of(store: Arc<dyn Store>, table: Arc<Table>) -> Sources {
    let text = "[admin]\ntoken = \"0123456789abcdef\"\nreferences = [\"env:SHOP_*\"]\n";
    let variables = [("SHOP_KEY", "hunter2"), ("OTHER", "hunter2")];
    let environment = variables.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
    let config = Config::parse("anglerfish.toml", text, Path::new("/"), &environment).unwrap();
    let config = config.source_reader();
    let reader: SourceReader = Arc::new(move |document: &[u8]| config.read(document));
    let stored = StoredSources::read(&sources(), &*store, &reader).await.unwrap();
    Sources::new(stored, reader, store, table)
}

fn request(method: Method, path: &str) -> http::request::Builder {
    Request::builder().method(method).uri(path).header("host", "127.0.0.1:8081")
}

pub(crate) fn new_event(source: &str, id: &str, subscriptions: &[&str]) -> NewEvent {
    let event = Event {
        id: id.into(),
        source: source.into(),
        kind: "order.created".into(),
        subject: None,
        time: NOW,
        datacontenttype: Some("application/json".into()),
        ..Event::default()
    };
    let request = RequestRecord {
        method: "POST".into(),
        url: format!("https://hooks.example/in/{source}"),
        added_prefix: String::new(),
        headers: vec![("x-kind".into(), "a".into())],
    };
    NewEvent {
        request: Some(request),
        subscriptions: subscriptions.iter().map(|id| (*id).to_owned()).collect(),
        ..NewEvent::new(event, Bytes::from_static(br#"{"quantity":1}"#), NOW)
    }
}
