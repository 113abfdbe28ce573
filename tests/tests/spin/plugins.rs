//! Plugins under Spin: each a component of the app's own, as `anglerfish deploy-config --manifest` puts it together. The plugin is the
//! one that the native gateway's tests run, byte for byte.

use crate::deployment::deploy_config;
use crate::host::App;
use crate::receiver::Receiver;
use crate::sender::{WHSEC, send, standard_webhooks};
use crate::{ORDER, SOON, TOKEN, component, told, tried};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::OnceCell;
use tokio::time::timeout;

/// What the plugin says is told to it by each subscription.
const SAYS: [&str; 8] = ["deliver", "drop", "replace", "error", "trap", "memory", "giant", "stack"];

pub(crate) fn probe() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/plugin/probe-0.1.0.wasm")
}

fn ours() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A project with the app's manifest and what is put around plugins.
pub(crate) async fn project() -> TempDir {
    component().await;
    let project = tempfile::tempdir().unwrap();
    fs::create_dir_all(project.path().join("target/spin")).unwrap();
    for file in ["spin.toml", "target/spin/plugin.wasm", "target/spin/plugin-host.wasm"] {
        fs::copy(ours().join(file), project.path().join(file)).unwrap();
    }
    project
}

fn plugin(name: &str, more: &str) -> String {
    format!("[[plugin]]\nname = {name:?}\npath = {:?}\n{more}\n", probe())
}

fn manifest(project: &TempDir) -> String {
    fs::read_to_string(project.path().join("spin.toml")).unwrap()
}

async fn put_together(project: &TempDir, file: &str) -> (i32, String) {
    let manifest = project.path().join("spin.toml");
    let (code, _, talk) = deploy_config(file, &["--manifest", manifest.to_str().unwrap()]).await;
    (code, talk)
}

/// The plugins of these tests: one file, with time enough on a busy machine, and with very little.
pub(crate) const TABLES: [(&str, &str); 2] =
    [("probe", "timeout = \"5s\"\nmemory = \"3MiB\"\nstate = \"1KiB\""), ("brief", "timeout = \"1ms\"")];

/// The two components.
async fn together() -> &'static [Vec<u8>; 2] {
    static TOGETHER: OnceCell<[Vec<u8>; 2]> = OnceCell::const_new();
    TOGETHER
        .get_or_init(|| async {
            let project = project().await;
            let file = TABLES.map(|(name, limits)| plugin(name, limits)).concat();
            let (code, talk) = put_together(&project, &file).await;
            assert_eq!(code, 0, "{talk}");
            let folder = project.path().join("target/spin/plugins");
            TABLES.map(|(name, _)| fs::read(folder.join(format!("{name}.wasm"))).unwrap())
        })
        .await
}

async fn chain(app: &App) {
    for ((name, _), component) in TABLES.iter().zip(together().await) {
        app.chain(&format!("plugin-{name}"), component).unwrap();
    }
}

fn subscription(receiver: &Receiver, id: &str, uses: &Value) -> Value {
    json!({
        "id": id, "sources": ["shop"], "plugins": uses,
        "endpoint": { "url": format!("http://{}/{id}", receiver.address), "allow_private": true },
    })
}

async fn serve(subscriptions: &[Value]) -> App {
    let configuration = json!({
        "source": [{ "name": "shop", "scheme": "standard-webhooks", "secrets": [WHSEC] }],
        "plugin": [
            { "name": "probe", "path": "probe.wasm", "timeout": "5s", "state": "1KiB" },
            { "name": "brief", "path": "probe.wasm", "timeout": "1ms" },
        ],
        "subscription": subscriptions,
    });
    let text = configuration.to_string();
    App::serve(component().await, &[("configuration", &text), ("admin_token", TOKEN)]).await.unwrap()
}

/// Does as its configuration says.
fn does(behaviour: &str, on_error: &str) -> Value {
    json!([{ "name": "probe", "config": behaviour, "on_error": on_error }])
}

/// How a delivery ended, and why.
async fn ended(app: &App, subscription: &str, event: &str) -> (String, String) {
    let delivery = tried(app, subscription, "shop", event).await;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (text(&delivery["status"]), text(&delivery["last"]["error"]))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_says_what_becomes_of_an_event_and_one_that_fails_lets_nothing_through() {
    let mut receiver = Receiver::listen(200).await.unwrap();
    let mut subscriptions: Vec<Value> =
        SAYS.iter().map(|says| subscription(&receiver, says, &does(says, "discard"))).collect();
    subscriptions.push(subscription(&receiver, "held", &does("trap", "hold")));
    let both = json!([{ "name": "probe", "config": "replace" }, { "name": "probe", "config": "drop" }]);
    subscriptions.push(subscription(&receiver, "both", &both));
    let app = serve(&subscriptions).await;
    chain(&app).await;
    let answer = send(app.address, standard_webhooks("msg_1", ORDER), ORDER).await;
    assert_eq!(answer.body, r#"{"id":"msg_1","status":"accepted","deliveries":10}"#);
    for (subscription, status, why) in [
        ("deliver", "delivered", ""),
        ("drop", "discarded", "plugin probe dropped it: order.created of shop is not wanted"),
        ("replace", "delivered", ""),
        ("error", "discarded", "plugin probe failed: cannot say"),
        ("trap", "discarded", "plugin probe failed: trapped, or did not start"),
        ("memory", "discarded", "plugin probe failed: trapped, or did not start"),
        ("giant", "discarded", "plugin probe failed: trapped, or did not start"),
        ("stack", "discarded", "plugin probe failed: trapped, or did not start"),
        ("held", "dead", "plugin probe failed: trapped, or did not start"),
        ("both", "discarded", "plugin probe dropped it: order.created of shop is not wanted"),
    ] {
        let (found, reason) = ended(&app, subscription, "msg_1").await;
        assert_eq!((found.as_str(), reason.as_str()), (status, why), "{subscription}");
    }
    let mut arrived = Vec::new();
    for _ in 0..2 {
        let request = timeout(SOON, receiver.requests.recv()).await.unwrap().unwrap();
        let kind = request.headers()["content-type"].to_str().unwrap().to_owned();
        let body = String::from_utf8(request.body().to_vec()).unwrap();
        arrived.push((request.uri().path().to_owned(), kind, body));
    }
    arrived.sort();
    let replaced = format!("{} bytes for replace", ORDER.len());
    assert_eq!(
        arrived,
        [
            ("/deliver".to_owned(), "application/json".to_owned(), ORDER.to_owned()),
            ("/replace".to_owned(), "text/plain".to_owned(), replaced),
        ]
    );
    assert!(receiver.requests.try_recv().is_err(), "nothing else is sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_takes_too_long_has_failed_and_one_that_does_not_end_traps_by_itself() {
    let receiver = Receiver::listen(200).await.unwrap();
    let subscriptions = [
        subscription(&receiver, "loops", &json!([{ "name": "brief", "config": "loop", "on_error": "hold" }])),
        subscription(&receiver, "late", &json!([{ "name": "brief", "config": "log" }])),
        subscription(&receiver, "plain", &json!([])),
    ];
    let app = serve(&subscriptions).await;
    chain(&app).await;
    assert_eq!(send(app.address, standard_webhooks("msg_1", ORDER), ORDER).await.status, 202);
    assert_eq!(ended(&app, "plain", "msg_1").await.0, "delivered");
    let late = ("discarded".to_owned(), "plugin brief failed: ran into its time limit".to_owned());
    assert_eq!(ended(&app, "late", "msg_1").await, late);
    let loops = ("dead".to_owned(), "plugin brief failed: trapped, or did not start".to_owned());
    assert_eq!(ended(&app, "loops", "msg_1").await, loops);
}

#[tokio::test(flavor = "multi_thread")]
async fn state_lasts_as_long_as_the_instance_and_ends_at_its_limit() {
    let receiver = Receiver::listen(200).await.unwrap();
    let subscriptions = [
        subscription(&receiver, "counts", &does("count", "discard")),
        subscription(&receiver, "floods", &does("state", "discard")),
    ];
    let app = serve(&subscriptions[..1]).await;
    chain(&app).await;
    for call in 1..=2 {
        let id = format!("msg_{call}");
        assert_eq!(send(app.address, standard_webhooks(&id, ORDER), ORDER).await.status, 202);
        assert_eq!(ended(&app, "counts", &id).await.1, format!("plugin probe dropped it: call {call}"));
    }
    let app = serve(&subscriptions[1..]).await;
    chain(&app).await;
    assert_eq!(send(app.address, standard_webhooks("msg_1", ORDER), ORDER).await.status, 202);
    let (_, reason) = ended(&app, "floods", "msg_1").await;
    assert_eq!(reason, "plugin probe failed: the state is full: it may hold 1024 bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_a_plugin_that_is_not_there_is_not_lost() {
    let mut receiver = Receiver::listen(200).await.unwrap();
    let app = serve(&[subscription(&receiver, "waits", &does("deliver", "discard"))]).await;
    assert_eq!(send(app.address, standard_webhooks("msg_1", ORDER), ORDER).await.status, 202);
    let delivery = tried(&app, "waits", "shop", "msg_1").await;
    assert_eq!((&delivery["status"], &delivery["attempts"]), (&json!("pending"), &json!(0)), "{delivery}");
    let status = told(&app, "GET", "/status").await;
    let error = status["errors"][0]["error"].as_str().unwrap_or_default();
    assert!(error.contains("plugin probe is not there") && error.contains("plugin-probe"), "{status}");
    assert!(receiver.requests.try_recv().is_err());

    chain(&app).await;
    app.shared.pass(Duration::from_secs(120));
    let drained = told(&app, "POST", "/drain").await;
    assert_eq!((&drained["attempted"], &drained["delivered"]), (&json!(1), &json!(1)), "{drained}");
    assert!(timeout(SOON, receiver.requests.recv()).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_makes_a_component_of_each_plugin_and_takes_out_what_is_gone() {
    let project = project().await;
    let component = |name: &str| project.path().join(format!("target/spin/plugins/{name}.wasm"));
    let none = "[[source]]\nname = \"shop\"\nscheme = \"none\"\n";
    assert_eq!(put_together(&project, none).await.0, 0);
    let without = manifest(&project);
    let both = format!("{}{}", plugin("probe", ""), plugin("by-size", "state = \"1MiB\""));
    let (code, talk) = put_together(&project, &both).await;
    assert_eq!(code, 0, "{talk}");
    assert!(component("probe").is_file() && component("by-size").is_file());
    let written = manifest(&project);
    let read: toml::Table = written.parse().unwrap();
    let hosts = read["component"]["anglerfish"]["allowed_outbound_hosts"].to_string();
    assert!(
        hosts.contains("http://plugin-probe.spin.internal")
            && hosts.contains("http://plugin-by-size.spin.internal")
    );
    assert_eq!(
        read["component"]["plugin-probe"].to_string().trim(),
        r#"{ source = "target/spin/plugins/probe.wasm" }"#,
        "no store, no hosts, no variables"
    );

    assert_eq!(put_together(&project, &both).await.0, 0);
    assert_eq!(manifest(&project), written, "the same again changes nothing");

    assert_eq!(put_together(&project, &plugin("probe", "")).await.0, 0);
    assert!(component("probe").is_file() && !component("by-size").exists());
    assert!(!manifest(&project).contains("by-size"));

    assert_eq!(put_together(&project, none).await.0, 0);
    assert!(!component("probe").exists());
    assert_eq!(manifest(&project), without, "what it had before");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_refuses_a_plugin_that_cannot_be_used_and_writes_nothing() {
    let project = project().await;
    let before = manifest(&project);
    for (file, place) in [
        (plugin("Probe", ""), "plugin[0].name"),
        (plugin("probe", &format!("sha256 = \"{}\"", "00".repeat(32))), "plugin[0].sha256"),
        ("[[plugin]]\nname = \"probe\"\npath = \"missing.wasm\"\n".to_owned(), "plugin[0].path"),
    ] {
        let (code, talk) = put_together(&project, &file).await;
        assert_eq!(code, 2, "{talk}");
        assert!(talk.contains(place), "{talk}");
        assert_eq!(manifest(&project), before);
    }
    fs::remove_file(project.path().join("target/spin/plugin.wasm")).unwrap();
    let (code, talk) = put_together(&project, &plugin("probe", "")).await;
    assert_eq!(code, 2, "{talk}");
    assert!(talk.contains("spin build"), "{talk}");
}
