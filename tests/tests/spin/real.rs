//! A real Spin, named by the variable `SPIN`: the table, and what the host in this crate can only imitate. Without the variable
//! each test says that it was skipped.

use crate::deployment::deploy_config;
use crate::receiver::Receiver;
use crate::sender::{send, send_nothing, standard_webhooks, try_send};
use crate::shell::differences;
use crate::table::rows;
use crate::{ORDER, SOON, TOKEN, by_operator, configuration, problem};
use anglerfish_tests::{Foreign, Gateway, Ran, Setup};
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

/// Only for one subscriber.
const PAID: &str = r#"{"type":"order.paid"}"#;

/// Longer than what was accepted waits for somebody who drains: a lease of two windows, a turn, and the clocks' difference.
const AT_LAST: Duration = Duration::from_secs(240);

/// A Spin that was built without optimizations takes minutes over a component with a whole Python in it.
const TO_COMPILE: Duration = Duration::from_secs(900);

/// The app under a real Spin, with a store of its own.
struct Spin {
    spin: OsString,
    address: SocketAddr,
    state: TempDir,
    manifest: PathBuf,
    variables: Vec<(&'static str, String)>,
    arguments: Vec<String>,
    process: Option<Child>,
}

/// The Spin that is named, or `None` with a line that says so.
fn named() -> Option<OsString> {
    let spin = std::env::var_os("SPIN");
    if spin.is_none() {
        eprintln!("skipped: the variable SPIN names no spin");
    }
    spin
}

fn manifest() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../spin.toml")
}

impl Spin {
    /// A Spin that is ready, with this configuration and these other variables.
    async fn up(spin: OsString, configuration: String, variables: &[(&'static str, &str)]) -> Self {
        let mut all = vec![("CONFIGURATION", configuration)];
        all.extend(variables.iter().map(|(name, value)| (*name, (*value).to_owned())));
        let spin = Self::with(spin, all, &[]).await;
        spin.ready().await;
        spin
    }

    /// A Spin that waits for a configuration, with these arguments of its own.
    async fn bare(spin: OsString, arguments: &[&str]) -> Self {
        Self::with(spin, Vec::new(), arguments).await
    }

    async fn with(spin: OsString, variables: Vec<(&'static str, String)>, arguments: &[&str]) -> Self {
        crate::build::build_spin().unwrap();
        Self::of(spin, manifest(), variables, arguments).await
    }

    /// The app of this manifest, which was built.
    async fn of(
        spin: OsString,
        manifest: PathBuf,
        mut variables: Vec<(&'static str, String)>,
        arguments: &[&str],
    ) -> Self {
        variables.push(("ADMIN_TOKEN", TOKEN.to_owned()));
        variables.push(("OUTBOUND_HOST", "http://127.0.0.1:*".to_owned()));
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let state = tempfile::tempdir().unwrap();
        let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let mut spin = Self { spin, address, state, manifest, variables, arguments, process: None };
        spin.start().await;
        spin
    }

    async fn start(&mut self) {
        let mut command = Command::new(&self.spin);
        command
            .args(["up", "--quiet", "--listen", &self.address.to_string(), "--from"])
            .arg(&self.manifest)
            .args(&self.arguments);
        command.arg("--state-dir").arg(self.state.path());
        for (name, value) in &self.variables {
            command.env(format!("SPIN_VARIABLE_{name}"), value);
        }
        // `spin up` serves in a process of its own, which is to end with it.
        self.process = Some(command.process_group(0).spawn().expect("SPIN names a spin"));
        let listening = async {
            while try_send(self.address, http::Request::get("/ready"), "").await.is_err() {
                sleep(Duration::from_millis(50)).await;
            }
        };
        timeout(TO_COMPILE, listening).await.expect("spin listens");
    }

    /// Waits until its configuration is in use.
    async fn ready(&self) {
        let ready = async {
            while send(self.address, http::Request::get("/ready"), "").await.status != 200 {
                sleep(Duration::from_millis(50)).await;
            }
        };
        timeout(SOON, ready).await.expect("spin gets ready");
    }

    /// Ends it as a machine does that loses its power, but for what the system still has to write.
    fn kill(&mut self) {
        let Some(mut process) = self.process.take() else { return };
        let group = format!("-{}", process.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
        let _ = process.wait();
        // Its other process may still be about to end.
        while std::net::TcpStream::connect(self.address).is_ok() {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// What the process that serves has asked the system to write, to put on disk, to remove and to send while this was done, in its order.
    async fn traced(&self, done: impl Future<Output = ()>) -> Vec<String> {
        let parent = self.process.as_ref().unwrap().id();
        let children = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap();
        let trace = tempfile::NamedTempFile::new().unwrap();
        let calls = "trace=pwrite64,fsync,fdatasync,unlink,write,writev,sendto,sendmsg";
        let mut strace = Command::new("strace")
            .args(["-f", "-y", "-e", calls, "-p", children.trim(), "-o"])
            .arg(trace.path())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut told = BufReader::new(strace.stderr.take().unwrap());
        let mut line = String::new();
        told.read_line(&mut line).unwrap();
        assert!(line.contains("attached"), "{line}");
        // It says more than a pipe holds.
        std::thread::spawn(move || std::io::copy(&mut told, &mut std::io::sink()));
        done.await;
        let _ = Command::new("kill").args(["-INT", &strace.id().to_string()]).status();
        let _ = strace.wait();
        let trace = std::fs::read_to_string(trace.path()).unwrap();
        trace.lines().map(str::to_owned).collect()
    }

    async fn accept(&self, id: &str) {
        let answer = send(self.address, standard_webhooks(id, PAID), PAID).await;
        assert_eq!(answer.status, 202, "{answer:?}");
    }

    async fn told(&self, method: &str, path: &str) -> Value {
        let answer = send(self.address, by_operator(method, path), "").await;
        assert_eq!(answer.status, 200, "{answer:?}");
        serde_json::from_str(&answer.body).unwrap()
    }

    /// Drains until nothing is open.
    async fn drain_all(&self) {
        let drained = async {
            while self.open().await > 0 {
                self.told("POST", "/drain").await;
                sleep(Duration::from_secs(2)).await;
            }
        };
        timeout(AT_LAST, drained).await.expect("everything is sent");
    }

    async fn open(&self) -> u64 {
        self.told("GET", "/status").await["outbox"]["open"].as_u64().unwrap()
    }

    /// Waits until so many deliveries are open.
    async fn open_at_last(&self, count: u64, within: Duration) {
        let settled = async {
            while self.open().await != count {
                sleep(Duration::from_millis(200)).await;
            }
        };
        timeout(within, settled).await.unwrap_or_else(|_| panic!("never {count} open deliveries"));
    }
}

impl Drop for Spin {
    fn drop(&mut self) {
        self.kill();
    }
}

/// How often each event has arrived by now.
fn arrived(receiver: &mut Receiver) -> HashMap<String, usize> {
    let mut arrived = HashMap::new();
    while let Ok(request) = receiver.requests.try_recv() {
        let id = request.headers()["webhook-id"].to_str().unwrap().to_owned();
        *arrived.entry(id).or_insert(0) += 1;
    }
    arrived
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_spin_answers_as_the_table_says() {
    let Some(spin) = named() else { return };
    let mut receiver = Receiver::listen(200).await.unwrap();
    let configuration = crate::table::configuration(&receiver).to_string();
    let spin = Spin::up(spin, configuration, &[]).await;
    let mut rows = rows(spin.address);
    // Spin itself answers what no route of the manifest takes.
    rows.retain(|row| row.request.path.starts_with("/in/"));
    let found = differences(spin.address, rows).await;
    assert!(found.is_empty(), "{}", found.join("\n"));
    let sent = timeout(SOON, receiver.requests.recv()).await;
    assert!(sent.is_ok_and(|sent| sent.is_some()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_spin_says_the_hash_of_the_gateway_that_it_runs() {
    let Some(spin) = named() else { return };
    let receiver = Receiver::listen(200).await.unwrap();
    let spin = Spin::up(spin, configuration(&receiver), &[]).await;
    assert_eq!(spin.told("GET", "/status").await["gateway"], anglerfish::gateway_hash());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_spin_gives_up_a_body_that_does_not_arrive() {
    let Some(spin) = named() else { return };
    let receiver = Receiver::listen(200).await.unwrap();
    let spin = Spin::up(spin, configuration(&receiver), &[("BODY_TIMEOUT_MS", "300")]).await;
    let answer = send_nothing(spin.address, http::Request::post("/in/shop")).await;
    problem(408, "Request Timeout", "body-timeout", &answer);
    // Who is behind it in the same instance is not kept waiting.
    spin.accept("msg_1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_id_that_reaches_a_real_spin_many_times_at_once_is_accepted_once() {
    let Some(spin) = named() else { return };
    let receiver = Receiver::listen(200).await.unwrap();
    let spin = Spin::up(spin, configuration(&receiver), &[]).await;
    for round in 0..5 {
        let id = format!("msg_{round}");
        let sent = (0..20).map(|_| send(spin.address, standard_webhooks(&id, ORDER), ORDER));
        let answers = futures_util::future::join_all(sent).await;
        let count = |status| answers.iter().filter(|answer| answer.status == status).count();
        assert_eq!((count(202), count(200)), (1, 19), "{answers:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn drains_of_a_real_spin_at_the_same_time_send_everything_once() {
    let Some(spin) = named() else { return };
    let mut receiver = Receiver::listen(500).await.unwrap();
    let spin = Spin::up(spin, configuration(&receiver), &[]).await;
    for number in 0..40 {
        spin.accept(&format!("msg_{number}")).await;
    }
    spin.open_at_last(40, SOON).await;
    // Each was tried once, so that each is written down and due again.
    let tried = async {
        let mut tried = 0;
        while tried < 40 {
            tried += arrived(&mut receiver).len();
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(SOON, tried).await.expect("each is tried");
    receiver.answer_with(200);
    let drained = async {
        while spin.open().await > 0 {
            futures_util::future::join_all((0..4).map(|_| spin.told("POST", "/drain"))).await;
            sleep(Duration::from_secs(1)).await;
        }
    };
    timeout(AT_LAST, drained).await.expect("everything is sent");
    let sent = arrived(&mut receiver);
    assert_eq!(sent.len(), 40, "{sent:?}");
    assert!(sent.values().all(|times| *times == 1), "{sent:?}");
}

/// Sends all of it at once, ends Spin when so many are accepted, and tells which those are.
async fn accepted_before_the_end(spin: &mut Spin, ids: &[String], count: usize) -> HashSet<String> {
    let (sender, mut answers) = tokio::sync::mpsc::unbounded_channel();
    for id in ids.iter().cloned() {
        let (sender, address) = (sender.clone(), spin.address);
        tokio::spawn(async move {
            if let Ok(answer) = try_send(address, standard_webhooks(&id, PAID), PAID).await {
                sender.send((id, answer.status)).unwrap();
            }
        });
    }
    drop(sender);
    let mut accepted = HashSet::new();
    while let Some((id, status)) = timeout(SOON, answers.recv()).await.expect("an answer, or an end") {
        if status == 202 {
            accepted.insert(id);
        }
        if accepted.len() == count {
            spin.kill();
        }
    }
    accepted
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_real_spin_has_accepted_is_sent_although_it_was_killed_at_its_work() {
    let Some(spin) = named() else { return };
    let mut receiver = Receiver::listen(200).await.unwrap();
    let mut spin = Spin::up(spin, configuration(&receiver), &[]).await;
    let mut all = HashSet::new();
    for (round, count) in [2, 9, 17].into_iter().enumerate() {
        let ids: Vec<String> = (0..30).map(|number| format!("msg_{round}_{number}")).collect();
        let accepted = accepted_before_the_end(&mut spin, &ids, count).await;
        assert!(accepted.len() >= count, "{accepted:?}");
        spin.start().await;
        // Who was not told that it is accepted sends it again.
        for id in ids.iter().filter(|id| !accepted.contains(*id)) {
            let again = async {
                loop {
                    match send(spin.address, standard_webhooks(id, PAID), PAID).await.status {
                        200 | 202 => break,
                        503 => sleep(Duration::from_secs(1)).await,
                        status => panic!("{id}: {status}"),
                    }
                }
            };
            timeout(SOON, again).await.expect("it is accepted");
        }
        // Who was told so is told that this is a repetition.
        for id in &accepted {
            let again = send(spin.address, standard_webhooks(id, PAID), PAID).await;
            let duplicate = format!(r#"{{"id":"{id}","status":"duplicate","deliveries":0}}"#);
            assert_eq!((again.status, again.body), (200, duplicate));
        }
        all.extend(ids);
    }
    spin.drain_all().await;
    let sent = arrived(&mut receiver);
    assert_eq!(sent.keys().cloned().collect::<HashSet<_>>(), all);
    println!("{} events, {} times sent", all.len(), sent.values().sum::<usize>());
}

/// The configuration of a resource and one who wants its documents.
fn resource(receiver: &Receiver) -> String {
    format!(
        "[[resource]]\nid = \"users\"\nendpoint = \"http://api.example/users/{{id}}\"\nchange = {{ field = \"v\" }}\n\
         [[source]]\nname = \"shop\"\nscheme = \"standard-webhooks\"\nsecrets = [\"env:SHOP_KEY\"]\n\
         [[subscription]]\nid = \"crm\"\nresource = \"users\"\nfilter = \"new.v > 0\"\n\
         endpoint = {{ url = \"http://{}/{{id}}\", method = \"POST\", secret = \"file:key\", allow_private = true }}\n",
        receiver.address
    )
}

async fn put(address: SocketAddr, document: usize, v: u64) -> std::io::Result<u16> {
    let path = format!("/v1/documents/http%3A%2F%2Fapi.example%2Fusers%2F{document}");
    let request = by_operator("PUT", &path).header("content-type", "application/json");
    Ok(try_send(address, request, &format!(r#"{{"v":{v}}}"#)).await?.status)
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_of_a_real_spin_are_told_newest_last_although_it_was_killed_at_its_work() {
    const DOCUMENTS: usize = 4;
    let Some(spin) = named() else { return };
    let mut receiver = Receiver::listen(200).await.unwrap();
    let mut spin = Spin::bare(spin, &[]).await;
    let to = format!("http://{}", spin.address);
    let (code, out, talk) = deploy_config(&resource(&receiver), &["--to", &to]).await;
    assert_eq!((code, out.trim()), (0, format!("version 1 is in use at {to}").as_str()), "{talk}");
    spin.ready().await;
    for round in 0..2_u64 {
        let address = spin.address;
        let changes = (0..DOCUMENTS).map(|document| async move {
            for v in 1..=100 {
                // It goes on until nobody is there any more.
                match put(address, document, round * 100 + v).await {
                    Ok(202 | 503) => {}
                    Ok(status) => panic!("{status}"),
                    Err(_) => return,
                }
            }
        });
        let changes = futures_util::future::join_all(changes);
        let mut changes = std::pin::pin!(changes);
        tokio::select! {
            _ = &mut changes => panic!("it is killed before"),
            () = sleep(Duration::from_millis(1500)) => spin.kill(),
        }
        changes.await;
        spin.start().await;
        for document in 0..DOCUMENTS {
            let last = async {
                while put(spin.address, document, round * 100 + 101).await.unwrap() != 202 {
                    sleep(Duration::from_millis(500)).await;
                }
            };
            timeout(AT_LAST, last).await.expect("it is taken, once the turn of the one that ended is over");
        }
    }
    spin.drain_all().await;
    let mut told: HashMap<String, Vec<u64>> = HashMap::new();
    while let Ok(request) = receiver.requests.try_recv() {
        let envelope: Value = serde_json::from_slice(request.body()).unwrap();
        let v = envelope["document"]["v"].as_u64().unwrap();
        told.entry(request.uri().path().to_owned()).or_default().push(v);
    }
    assert_eq!(told.len(), DOCUMENTS, "{told:?}");
    for (document, told) in &told {
        assert!(told.is_sorted(), "{document}: {told:?}");
        assert_eq!(told.last(), Some(&201), "{document}: {told:?}");
    }
}

fn median(mut taken: Vec<Duration>) -> Duration {
    taken.sort();
    taken[taken.len() / 2]
}

/// How long an event takes to be accepted, with its record on disk, against one key that is set: `/config/rollback` reads five
/// values and sets one. And how long a request takes that is refused, in a new instance and in one that is not.
/// `SPIN=… cargo test -p anglerfish-tests --test spin -- --ignored --nocapture a_real_spin_is_measured`
#[tokio::test(flavor = "multi_thread")]
#[ignore = "it measures"]
async fn a_real_spin_is_measured() {
    const EVENTS: usize = 200;
    let Some(spin) = named() else { return };
    let app = Spin::bare(spin.clone(), &[]).await;
    for number in 0..2 {
        let source = json!({ "name": "shop", "scheme": "standard-webhooks", "secrets": [crate::WHSEC] });
        let other = json!({ "name": format!("other-{number}"), "scheme": "none" });
        let document = json!({ "source": [source, other] }).to_string();
        let answer = send(app.address, by_operator("PUT", "/config"), &document).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let (mut accepted, mut set) = (Vec::new(), Vec::new());
    for number in 0..EVENTS {
        let began = Instant::now();
        app.accept(&format!("msg_{number}")).await;
        accepted.push(began.elapsed());
        let began = Instant::now();
        app.told("POST", "/config/rollback").await;
        set.push(began.elapsed());
    }
    let (accepted, set) = (median(accepted), median(set));
    let ratio = accepted.as_secs_f64() / set.as_secs_f64();
    println!("an accepted event {accepted:?}, a set key {set:?}: {ratio:.2} times");
    drop(app);
    for count in [10, 1000] {
        let subscription = |number: usize| {
            json!({
                "id": format!("s{number}"), "sources": ["shop"],
                "filter": format!("event.type == \"type.{number}\" && message.n > {number}"),
                "endpoint": { "url": "https://hooks.example.com/", "secret": crate::WHSEC },
            })
        };
        let document = json!({
            "source": [{ "name": "shop", "scheme": "standard-webhooks", "secrets": [crate::WHSEC] }],
            "subscription": (0..count).map(subscription).collect::<Vec<_>>(),
        });
        let document = document.to_string();
        for (name, arguments) in [("new", &["--max-instance-reuse-count", "1"][..]), ("reused", &[][..])] {
            let app = Spin::bare(spin.clone(), arguments).await;
            let answer = send(app.address, by_operator("PUT", "/config"), &document).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            app.ready().await;
            let mut taken = Vec::new();
            for _ in 0..100 {
                let began = Instant::now();
                let request = http::Request::post("/in/shop");
                assert_eq!(send(app.address, request, ORDER).await.status, 401);
                taken.push(began.elapsed());
            }
            println!("{count} subscriptions, {name} instance: {:?}", median(taken));
        }
    }
}

/// A project of its own with the app that was built.
async fn built() -> TempDir {
    let project = crate::plugins::project().await;
    for file in ["anglerfish_spin.wasm", "gateway.wasm"] {
        let file = Path::new("target/spin").join(file);
        std::fs::copy(manifest().with_file_name(&file), project.path().join(&file)).unwrap();
    }
    project
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_real_spin_accepts_outlasts_a_loss_of_power_where_its_store_is_written_ahead() {
    let Some(spin) = named() else { return };
    if Command::new("strace").arg("-V").output().is_err() {
        eprintln!("skipped: there is no strace");
        return;
    }
    let receiver = Receiver::listen(200).await.unwrap();
    let mut spin = Spin::up(spin, configuration(&receiver), &[]).await;
    let store = spin.state.path().join("sqlite_key_value.db");
    for is_ahead in [false, true] {
        if is_ahead {
            spin.kill();
            let (code, _, talk) = deploy_config("source = []\n", &["--store", store.to_str().unwrap()]).await;
            assert_eq!(code, 0, "{talk}");
            spin.start().await;
            spin.ready().await;
        }
        // For nobody: what is sent afterwards is not what this is about.
        let accept = |id: &str| {
            let body = json!({ "items": [{ "id": id, "is": "x", "n": 0 }] }).to_string();
            let address = spin.address;
            async move {
                let answer = send(address, http::Request::post("/in/bulk"), &body).await;
                assert_eq!(answer.status, 202, "{answer:?}");
            }
        };
        accept(&format!("first-{is_ahead}")).await;
        let mut calls = spin.traced(accept(&format!("second-{is_ahead}"))).await;
        let answered = calls.iter().position(|call| call.contains("HTTP/1.1 202"));
        calls.truncate(answered.expect("an answer"));
        let is_of_store = |call: &str| call.contains("sqlite_key_value.db");
        let is_sync = |call: &str| call.contains("sync(") || call.contains("sync resumed");
        let changed =
            |call: &String| is_of_store(call) && (call.contains("write") || call.contains("unlink"));
        let last = calls.iter().rposition(changed).expect("a write");
        let is_on_disk = calls[last + 1..].iter().any(|call| is_sync(call));
        println!("ahead {is_ahead}: {} syncs", calls.iter().filter(|call| is_sync(call)).count());
        // Otherwise the journal's removal is what comes last, and nothing waits for it.
        assert_eq!(is_on_disk, is_ahead, "{calls:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_spin_calls_a_private_network_that_the_command_has_opened_and_no_other() {
    let Some(spin) = named() else { return };
    let mut receiver = Receiver::listen(200).await.unwrap();
    let project = built().await;
    let [manifest, runtime] = ["spin.toml", "runtime-config.toml"].map(|name| project.path().join(name));
    for (word, status) in [("allow_http", "pending"), ("allow_private", "delivered")] {
        let url = format!("http://{}/all", receiver.address);
        let document = json!({
            "source": [{ "name": "shop", "scheme": "standard-webhooks", "secrets": [crate::WHSEC] }],
            "subscription": [{ "id": "all", "sources": ["shop"], "endpoint": { "url": url, word: true } }],
        });
        let file = toml::to_string(&document).unwrap();
        let files = ["--manifest", manifest.to_str().unwrap(), "--runtime-config", runtime.to_str().unwrap()];
        let (code, _, talk) = deploy_config(&file, &files).await;
        assert_eq!(code, 0, "{talk}");
        let variables = vec![("CONFIGURATION", document.to_string())];
        let arguments = ["--runtime-config-file", runtime.to_str().unwrap()];
        let spin = Spin::of(spin.clone(), manifest.clone(), variables, &arguments).await;
        spin.ready().await;
        spin.accept(word).await;
        let tried = async {
            loop {
                let delivery = spin.told("GET", &format!("/deliveries/all:shop:{word}")).await;
                if delivery.get("last").is_some_and(|last| !last.is_null()) {
                    return delivery;
                }
                sleep(Duration::from_millis(100)).await;
            }
        };
        let delivery = timeout(SOON, tried).await.expect("an attempt");
        assert_eq!(delivery["status"], status, "{delivery}");
    }
    assert_eq!(arrived(&mut receiver), HashMap::from([("allow_private".to_owned(), 1)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_spin_asks_plugins_and_outlives_what_they_do() {
    let Some(spin) = named() else { return };
    let mut receiver = Receiver::listen(200).await.unwrap();
    let project = built().await;
    let says = ["deliver", "drop", "replace", "error", "trap", "memory", "count", "loop"];
    let subscription = |says: &&str| {
        json!({
            "id": says, "sources": ["shop"],
            "plugins": [{ "name": if *says == "loop" { "brief" } else { "probe" }, "config": says, "on_error": "hold" }],
            "endpoint": { "url": format!("http://{}/{says}", receiver.address), "allow_private": true },
        })
    };
    let document = json!({
        "source": [{ "name": "shop", "scheme": "standard-webhooks", "secrets": [crate::sender::WHSEC] }],
        "plugin": [
            { "name": "probe", "path": crate::plugins::probe(), "timeout": "5s", "memory": "3MiB", "state": "1KiB" },
            { "name": "brief", "path": crate::plugins::probe(), "timeout": "1ms" },
        ],
        "subscription": says.iter().map(subscription).collect::<Vec<_>>(),
    });
    let manifest = project.path().join("spin.toml");
    let file = toml::to_string(&document).unwrap();
    let (code, _, talk) = deploy_config(&file, &["--manifest", manifest.to_str().unwrap()]).await;
    assert_eq!(code, 0, "{talk}");
    let spin = Spin::of(spin, manifest, vec![("CONFIGURATION", document.to_string())], &[]).await;
    spin.ready().await;
    // Nobody but the app reaches a plugin.
    assert_eq!(send(spin.address, http::Request::post("/judge"), "").await.status, 404);
    spin.accept("msg_1").await;
    let at_last = async {
        while spin.open().await > 0 {
            sleep(Duration::from_millis(200)).await;
        }
    };
    timeout(Duration::from_secs(60), at_last).await.expect("each is settled at the first attempt");
    for (says, status, why) in [
        ("deliver", "delivered", ""),
        ("drop", "discarded", "plugin probe dropped it: order.paid of shop is not wanted"),
        ("replace", "delivered", ""),
        ("error", "dead", "plugin probe failed: cannot say"),
        ("trap", "dead", "plugin probe failed: trapped, or did not start"),
        ("memory", "dead", "plugin probe failed: trapped, or did not start"),
        ("loop", "dead", "plugin brief failed: trapped, or did not start"),
    ] {
        let delivery = spin.told("GET", &format!("/deliveries/{says}:shop:msg_1")).await;
        assert_eq!(delivery["status"], status, "{delivery}");
        assert!(delivery["last"]["error"].as_str().unwrap_or_default().starts_with(why), "{delivery}");
    }
    let sent = arrived(&mut receiver);
    assert_eq!(sent.get("msg_1"), Some(&2), "{sent:?}");
}

/// Builds a plugin that does as it is told, as `plugin new` has it built.
fn built_in(language: &str, gateway: &Gateway, foreign: &Foreign) -> PathBuf {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/plugin");
    let _ = gateway.run(&["plugin", "new", language, "--lang", language], b"").expect(0);
    let project = gateway.directory().join(language);
    foreign.lend(&project);
    let (from, to, build) = match language {
        "js" => ("does.js", "filter.js", ["npm", "run", "build"].as_slice()),
        _ => ("does.py", "app.py", ["python3", "build.py"].as_slice()),
    };
    std::fs::copy(fixtures.join(from), project.join(to)).unwrap();
    let _ = Ran::of(Command::new(build[0]).args(&build[1..]).current_dir(&project)).expect(0);
    project.join(language).with_extension("wasm")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_spin_asks_plugins_in_javascript_and_python_and_ends_those_that_do_not_end() {
    const SAYS: [&str; 5] = ["deliver", "drop", "throw", "memory", "loop"];
    let Some(spin) = named() else { return };
    let (Some(node), Some(python)) = (Foreign::node(), Foreign::python()) else { return };
    let mut receiver = Receiver::listen(200).await.unwrap();
    let project = built().await;
    let files = tokio::task::spawn_blocking(move || {
        let gateway = Gateway::prepare(&Setup::default());
        [("js", &node), ("python", &python)].map(|(language, foreign)| {
            (language, std::fs::read(built_in(language, &gateway, foreign)).unwrap())
        })
    });
    let mut plugins = Vec::new();
    for (language, bytes) in files.await.unwrap() {
        let path = project.path().join(language).with_extension("wasm");
        std::fs::write(&path, bytes).unwrap();
        plugins.push(json!({ "name": language, "path": path }));
    }
    let subscription = |(language, says): (&str, &str)| {
        json!({
            "id": format!("{language}-{says}"), "sources": ["shop"],
            "filter": format!("message.to == {says:?}"),
            "plugins": [{ "name": language, "config": says, "on_error": "hold" }],
            "endpoint": { "url": format!("http://{}/{language}", receiver.address), "allow_private": true },
        })
    };
    let all = ["js", "python"].into_iter().flat_map(|language| SAYS.map(|says| (language, says)));
    let document = json!({
        "source": [{ "name": "shop", "scheme": "standard-webhooks", "secrets": [crate::WHSEC] }],
        "plugin": plugins,
        "subscription": all.clone().map(subscription).collect::<Vec<_>>(),
    });
    let [manifest, runtime] = ["spin.toml", "runtime-config.toml"].map(|name| project.path().join(name));
    let file = toml::to_string(&document).unwrap();
    let arguments = ["--manifest", manifest.to_str().unwrap(), "--runtime-config", runtime.to_str().unwrap()];
    let (code, _, talk) = deploy_config(&file, &arguments).await;
    assert_eq!(code, 0, "{talk}");
    let arguments = ["--runtime-config-file", runtime.to_str().unwrap()];
    let spin = Spin::of(spin, manifest, vec![("CONFIGURATION", document.to_string())], &arguments).await;
    spin.ready().await;
    // One after another: what does not end holds a processor until it is ended.
    for says in SAYS {
        let body = json!({ "to": says }).to_string();
        let began = Instant::now();
        let answer = send(spin.address, standard_webhooks(says, &body), &body).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        let settled = async {
            while spin.open().await > 0 {
                sleep(Duration::from_millis(200)).await;
            }
        };
        timeout(AT_LAST, settled).await.unwrap_or_else(|_| panic!("{says} is not settled"));
        println!("{says}: settled after {:?}", began.elapsed());
    }
    for (language, says) in all {
        let (status, why) = match says {
            "deliver" => ("delivered", String::new()),
            "drop" => ("discarded", format!("plugin {language} dropped it: 13 bytes are not wanted")),
            "throw" => ("dead", format!("plugin {language} failed: cannot say")),
            _ => ("dead", format!("plugin {language} failed: ")),
        };
        let delivery = spin.told("GET", &format!("/deliveries/{language}-{says}:shop:{says}")).await;
        assert_eq!(delivery["status"], status, "{delivery}");
        let error = delivery["last"]["error"].as_str().unwrap_or_default();
        assert!(error.starts_with(&why), "{delivery}");
    }
    assert_eq!(arrived(&mut receiver), HashMap::from([("deliver".to_owned(), 2)]));
}
