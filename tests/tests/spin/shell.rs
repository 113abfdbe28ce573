//! The three shells around the one component: the binary, the library in a program, the Spin app. What one answers, and what its
//! subscribers are sent, the others answer and send, byte for byte.

use crate::host::App;
use crate::receiver::Receiver;
use crate::table::{Row, configuration, rows};
use crate::{SOON, build, component, recorded, told};
use anglerfish::{Anglerfish, Source, Subscription};
use anglerfish_tests::{Answer, Gateway, Request};
use serde_json::{Map, Value};
use std::any::Any;
use std::collections::{BTreeMap, HashSet};
use std::net::SocketAddr;
use std::path::Path;
use tokio::net::TcpListener;
use tokio::time::timeout;

/// One of them, running.
pub(crate) struct Shell {
    name: &'static str,
    address: SocketAddr,
    receiver: Receiver,
    _running: Box<dyn Any + Send + Sync>,
}

/// A configuration whose subscriptions call this receiver.
type Configure = fn(&Receiver) -> Value;

impl Shell {
    async fn native(configuration: Configure) -> (Self, Gateway) {
        let receiver = Receiver::listen(200).await.unwrap();
        let text = toml::to_string(&configuration(&receiver)).unwrap();
        let gateway = tokio::task::spawn_blocking(move || Gateway::start(&text)).await.unwrap();
        let address = gateway.ingress();
        (Self { name: "the binary", address, receiver, _running: Box::new(()) }, gateway)
    }

    /// A gateway in this process, behind a server of axum's. It takes what another one has compiled.
    async fn library(configuration: Configure, compiled: &Path) -> Self {
        let receiver = Receiver::listen(200).await.unwrap();
        let data = tempfile::tempdir().unwrap();
        std::fs::create_dir(data.path().join("cache")).unwrap();
        for file in std::fs::read_dir(compiled).unwrap().map(Result::unwrap) {
            std::fs::copy(file.path(), data.path().join("cache").join(file.file_name())).unwrap();
        }
        let mut builder = Anglerfish::builder().data_dir(data.path());
        let configuration = configuration(&receiver);
        for mut document in tables(&configuration, "source") {
            let mut text = |key: &str| document.remove(key).unwrap().as_str().unwrap().to_owned();
            let source = Source::new(text("name"), text("scheme"));
            builder =
                builder.source(document.into_iter().fold(source, |it, (key, value)| it.set(&key, value)));
        }
        for mut document in tables(&configuration, "subscription") {
            let id = document.remove("id").unwrap().as_str().unwrap().to_owned();
            let endpoint = document.remove("endpoint").unwrap();
            let url = endpoint["url"].as_str().unwrap();
            let it = document
                .into_iter()
                .fold(Subscription::to_url(id, url), |it, (key, value)| it.set(&key, value));
            let keys = endpoint.as_object().unwrap().clone().into_iter();
            builder = builder.subscription(keys.fold(it, |it, (key, value)| it.endpoint(&key, value)));
        }
        let gateway = builder.build().await.unwrap().start();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = axum::Router::new().fallback_service(gateway.ingress());
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, service).await });
        Self { name: "the library", address, receiver, _running: Box::new((gateway, data)) }
    }

    async fn app(configuration: Configure) -> Self {
        let receiver = Receiver::listen(200).await.unwrap();
        let variables = [("configuration", configuration(&receiver).to_string())];
        let variables = variables.each_ref().map(|(name, value)| (*name, value.as_str()));
        let app = App::serve(component().await, &variables).await.unwrap();
        Self { name: "the Spin app", address: app.address, receiver, _running: Box::new(()) }
    }

    /// All three.
    async fn all(configuration: Configure) -> [Self; 3] {
        let (mut native, gateway) = Self::native(configuration).await;
        let library = Self::library(configuration, &gateway.directory().join("data/cache")).await;
        native._running = Box::new(gateway);
        [native, library, Self::app(configuration).await]
    }

    async fn ask(&self, request: Request) -> Answer {
        ask(self.address, request).await
    }

    /// What its subscribers are sent, as soon as it is so much.
    async fn sent(&mut self, count: usize) -> Vec<Sent> {
        let mut known = HashSet::new();
        let mut sent = Vec::new();
        while sent.len() < count {
            let Ok(Some(request)) = timeout(SOON, self.receiver.requests.recv()).await else {
                panic!("{} sent {} of {count}: {sent:?}", self.name, sent.len())
            };
            let (head, body) = request.into_parts();
            let id = head.headers["webhook-id"].to_str().unwrap().to_owned();
            let path = head.uri.path().to_owned();
            assert!(known.insert((path.clone(), id.clone())), "{} sent {id} to {path} twice", self.name);
            // Moments, and what is made of them; the receiver's own address; ids that are a request's own.
            let differs = |name: &str| {
                ["webhook-timestamp", "webhook-signature", "ce-time", "host"].contains(&name)
                    || (["webhook-id", "ce-id"].contains(&name) && recorded::is_of_request(&id))
            };
            let fields = { head.headers.iter() }
                .filter(|(name, _)| !differs(name.as_str()))
                .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
                .collect();
            sent.push(Sent { path, method: head.method.to_string(), fields, body: body.to_vec() });
        }
        sent.sort();
        sent
    }
}

/// One request of a delivery.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Sent {
    path: String,
    method: String,
    fields: BTreeMap<String, String>,
    body: Vec<u8>,
}

fn tables(configuration: &Value, name: &str) -> Vec<Map<String, Value>> {
    let tables = configuration[name].as_array().into_iter().flatten();
    tables.map(|table| table.as_object().unwrap().clone()).collect()
}

pub(crate) async fn ask(address: SocketAddr, request: Request) -> Answer {
    tokio::task::spawn_blocking(move || anglerfish_tests::send(address, &request)).await.unwrap().unwrap()
}

/// Sends the table's requests in their order, and tells which answers are others.
pub(crate) async fn differences(address: SocketAddr, rows: Vec<Row>) -> Vec<String> {
    let mut found = Vec::new();
    for Row { name, request, expected } in rows {
        let answer = ask(address, request).await;
        found.extend(expected.difference(&answer).map(|difference| format!("{name}: {difference}")));
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn every_shell_gives_the_answers_of_the_table_and_sends_subscribers_the_same() {
    let shells = Shell::all(configuration).await;
    let expected: usize = rows(shells[0].address).iter().map(|row| row.expected.deliveries()).sum();
    let mut found = Vec::new();
    let mut sent = Vec::new();
    for mut shell in shells {
        let others = differences(shell.address, rows(shell.address)).await;
        found.extend(others.into_iter().map(|difference| format!("{}, {difference}", shell.name)));
        sent.push((shell.name, shell.sent(expected).await));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
    let (first, of_first) = &sent[0];
    for (name, sent) in &sent[1..] {
        for (one, other) in of_first.iter().zip(sent) {
            assert_eq!(one, other, "{first} and {name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_shell_answers_the_recorded_requests_of_all_providers_the_same() {
    let [native, library, app] = Shell::all(|_| recorded::configuration()).await;
    let (mut accepted, mut found) = (0, Vec::new());
    for (name, request) in recorded::requests() {
        let told = native.ask(request.clone()).await;
        accepted += usize::from(told.status < 300);
        let told = recorded::comparable(&told);
        for shell in [&library, &app] {
            let other = recorded::comparable(&shell.ask(request.clone()).await);
            if told != other {
                found.push(format!("{name}: {} answers {other:?} and {} {told:?}", shell.name, native.name));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
    assert!(accepted > 100, "only {accepted} were accepted");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_shell_says_the_hash_of_the_same_gateway() {
    let receiver = Receiver::listen(200).await.unwrap();
    let app = crate::serve(&receiver).await;
    let file = std::fs::read(build::build_spin().unwrap().join("gateway.wasm")).unwrap();
    let hash = format!("sha256:{}", hex::encode(<sha2::Sha256 as sha2::Digest>::digest(file)));
    assert_eq!(told(&app, "GET", "/status").await["gateway"], hash, "the Spin app");
    assert_eq!(anglerfish::gateway_hash(), hash, "the library");
    let output = Gateway::command().args(["--version", "--verbose"]).output().unwrap();
    let version = String::from_utf8(output.stdout).unwrap();
    assert_eq!(version.lines().nth(1), Some(format!("gateway: {hash}").as_str()), "the binary");
    let status = tokio::task::spawn_blocking(|| Gateway::start("").get("/v1/status"));
    assert_eq!(status.await.unwrap()["gateway"], hash, "the management API");
}
