//! A real Spin, named by the variable `SPIN`: the table, and what the host in this crate can only imitate. Without the variable
//! each test says that it was skipped.

use crate::receiver::Receiver;
use crate::sender::{send, send_nothing, standard_webhooks};
use crate::shell::differences;
use crate::table::rows;
use crate::{ORDER, SOON, TOKEN, by_operator, configuration, problem};
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

/// Only for one subscriber.
const PAID: &str = r#"{"type":"order.paid"}"#;

/// Longer than what was accepted waits for somebody who drains: a lease of two windows, a turn, and the clocks' difference.
const AT_LAST: Duration = Duration::from_secs(240);

/// The app under a real Spin, with a store of its own.
struct Spin {
    spin: OsString,
    address: SocketAddr,
    state: TempDir,
    variables: Vec<(&'static str, String)>,
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
        crate::build::build_spin().unwrap();
        let mut all = vec![
            ("CONFIGURATION", configuration),
            ("ADMIN_TOKEN", TOKEN.to_owned()),
            ("OUTBOUND_HOST", "http://127.0.0.1:*".to_owned()),
        ];
        all.extend(variables.iter().map(|(name, value)| (*name, (*value).to_owned())));
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let state = tempfile::tempdir().unwrap();
        let mut spin = Self { spin, address, state, variables: all, process: None };
        spin.start().await;
        spin
    }

    async fn start(&mut self) {
        let mut command = Command::new(&self.spin);
        command.args(["up", "--quiet", "--listen", &self.address.to_string(), "--from"]).arg(manifest());
        command.arg("--state-dir").arg(self.state.path());
        for (name, value) in &self.variables {
            command.env(format!("SPIN_VARIABLE_{name}"), value);
        }
        // `spin up` serves in a process of its own, which is to end with it.
        self.process = Some(command.process_group(0).spawn().expect("SPIN names a spin"));
        let started = Instant::now();
        while started.elapsed() < Duration::from_secs(120) {
            let is_listening = tokio::net::TcpStream::connect(self.address).await.is_ok();
            if is_listening && send(self.address, http::Request::get("/ready"), "").await.status == 200 {
                return;
            }
            sleep(Duration::from_millis(50)).await;
        }
        panic!("spin does not get ready");
    }

    /// Ends it as a machine does that loses its power, but for what the system still has to write.
    fn kill(&mut self) {
        let Some(mut process) = self.process.take() else { return };
        let group = format!("-{}", process.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
        let _ = process.wait();
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

#[tokio::test(flavor = "multi_thread")]
async fn what_a_real_spin_has_accepted_is_sent_although_it_was_killed_at_once() {
    let Some(spin) = named() else { return };
    let mut receiver = Receiver::listen(200).await.unwrap();
    let mut spin = Spin::up(spin, configuration(&receiver), &[]).await;
    let mut accepted = HashSet::new();
    for round in 0..3 {
        let ids: Vec<String> = (0..8).map(|number| format!("msg_{round}_{number}")).collect();
        futures_util::future::join_all(ids.iter().map(|id| spin.accept(id))).await;
        accepted.extend(ids);
        spin.kill();
        spin.start().await;
    }
    let mut sent = arrived(&mut receiver);
    let drained = async {
        while spin.open().await > 0 {
            spin.told("POST", "/drain").await;
            sleep(Duration::from_secs(2)).await;
        }
    };
    timeout(AT_LAST, drained).await.expect("everything is sent");
    sent.extend(arrived(&mut receiver));
    assert_eq!(sent.into_keys().collect::<HashSet<_>>(), accepted);
    let again = send(spin.address, standard_webhooks("msg_0_0", PAID), PAID).await;
    let duplicate = r#"{"id":"msg_0_0","status":"duplicate","deliveries":0}"#;
    assert_eq!((again.status, again.body.as_str()), (200, duplicate));
}
