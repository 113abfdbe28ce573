//! Filter plugins: written anew in each language, and what is said of an event that they judge.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, also in what its functions share"
)]

use anglerfish_tests::{Foreign, Gateway, Ran, Receiver, Setup};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Does what its configuration says: `guest/plugin/examples/probe.rs`.
fn probe() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/plugin/probe-0.1.0.wasm")
}

/// The table of a plugin, and that of a subscription whose deliveries it judges.
fn judged(receiver: &Receiver, id: &str, plugins: &str) -> String {
    format!(
        "[[subscription]]\nid = \"{id}\"\nplugins = {plugins}\n\
         endpoint = {{ url = \"{}\", allow_private = true }}\n",
        receiver.url(&format!("/{id}"))
    )
}

fn tables(receiver: &Receiver) -> String {
    let plugin = format!("[[plugin]]\nname = \"probe\"\npath = {:?}\nstate = \"64KiB\"\n", probe());
    let source = "[[source]]\nname = \"shop\"\nscheme = \"none\"\nevent = { id = \"json:/id\" }\n";
    let subscriptions = [
        ("changed", r#"[{ name = "probe", config = "replace" }, { name = "probe", config = "deliver" }]"#),
        ("counted", r#"[{ name = "probe", config = "count" }, { name = "probe", config = "deliver" }]"#),
        ("endless", r#"[{ name = "probe", config = "loop", on_error = "hold" }]"#),
    ];
    let subscriptions: Vec<String> =
        subscriptions.into_iter().map(|(id, plugins)| judged(receiver, id, plugins)).collect();
    format!("{source}{plugin}{}", subscriptions.concat())
}

/// What is said of one subscription's plugins: each with its outcome and reason.
fn said(explanation: &Value, subscription: &str) -> Vec<(String, String, Value)> {
    let subscriptions = explanation["subscriptions"].as_array().unwrap();
    let of = subscriptions.iter().find(|said| said["id"] == subscription).unwrap();
    let verdicts = of["plugins"].as_array().unwrap().iter();
    let verdicts = verdicts.map(|verdict| {
        assert!(verdict["duration_ms"].as_f64().unwrap() > 0.0, "{verdict}");
        let text = |key: &str| verdict[key].as_str().unwrap().to_owned();
        (text("plugin"), text("outcome"), verdict["reason"].clone())
    });
    verdicts.collect()
}

fn as_expected(explanation: &Value, count: u32) {
    let verdict = |outcome: &str, reason: Value| ("probe".to_owned(), outcome.to_owned(), reason);
    assert_eq!(
        said(explanation, "changed"),
        [verdict("replace", Value::Null), verdict("deliver", Value::Null)],
        "{explanation}"
    );
    assert_eq!(said(explanation, "counted"), [verdict("drop", json!(format!("call {count}")))]);
    assert_eq!(said(explanation, "endless"), [verdict("timeout", json!("ran into its time limit"))]);
}

#[test]
fn an_explanation_tells_what_each_plugin_says_and_changes_nothing() {
    let receiver = Receiver::start();
    let gateway = Gateway::start(&tables(&receiver));
    let order = br#"{"id":"order-7","total":120}"#;
    assert_eq!(gateway.post_json("shop", order).status, 202);
    let settled = gateway.settled();
    let status = |id: &str| {
        let of = settled.iter().find(|delivery| delivery["subscription"] == id).unwrap();
        of["status"].as_str().unwrap().to_owned()
    };
    assert_eq!([status("changed"), status("counted"), status("endless")], ["delivered", "discarded", "dead"]);

    // The delivery was the plugin's first call. However often one explains, the next is the second.
    for _ in 0..2 {
        as_expected(&gateway.get("/v1/events/order-7/explain"), 2);
    }
    let ran = gateway.run(&["events", "explain", "order-7", "--subscription", "changed"], b"").expect(0);
    assert!(ran.stdout.contains("  plugin probe: replace ("), "{}", ran.stdout);
    let ran = gateway.run(&["events", "explain", "order-7", "--subscription", "counted"], b"").expect(1);
    assert!(ran.stdout.contains("  plugin probe: drop: call 2 ("), "{}", ran.stdout);

    // Without a gateway nothing was called before.
    let request = json!({ "body": String::from_utf8_lossy(order) });
    std::fs::write(gateway.directory().join("request.json"), request.to_string()).unwrap();
    let arguments = ["explain", "--source", "shop", "--request", "request.json"];
    as_expected(&gateway.run(&[&arguments[..], &["--json"]].concat(), b"").expect(0).json(), 1);
    let ran = gateway.run(&[&arguments[..], &["--format", "text"]].concat(), b"").expect(0);
    assert!(ran.stdout.contains("  plugin probe: drop: call 1 ("), "{}", ran.stdout);
}

/// Writes a project, builds it by its own command, and asks what came of it, within the limits that there are by default.
fn written(
    gateway: &Gateway,
    name: &str,
    language: &str,
    file: &str,
    prepare: impl Fn(&Path),
    build: &mut Command,
) {
    let told = gateway.run(&["plugin", "new", name, "--lang", language], b"").expect(0);
    assert!(told.stdout.contains(&format!("plugin test {file}")), "{}", told.stdout);
    let project = gateway.directory().join(name);
    prepare(&project);
    let _ = Ran::of(build.current_dir(&project)).expect(0);
    let file = format!("{name}/{file}");
    let told = gateway.run(&["plugin", "inspect", &file, "--json"], b"").expect(0).json();
    assert_eq!((&told["contract"], &told["problem"]), (&json!("0.1.0"), &Value::Null), "{told}");
    std::fs::write(project.join("config.json"), r#"{"over": 200}"#).unwrap();
    let [event, config] = ["event", "config"].map(|file| format!("{name}/{file}.json"));
    // Time is not what this is about.
    let asked = ["plugin", "test", &file, "--event", &event, "--timeout", "10s", "--json"];
    let told = gateway.run(&asked, b"").expect(0).json();
    assert_eq!(told["verdict"], "deliver", "{told}");
    let told = gateway.run(&[&asked[..], &["--config", &config]].concat(), b"").expect(1).json();
    assert_eq!(
        (&told["verdict"], &told["detail"]),
        (&json!("drop"), &json!("120 is not over 200")),
        "{told}"
    );
    assert!(told["memory_bytes"].as_u64() <= told["memory_limit_bytes"].as_u64(), "{told}");
}

#[test]
fn a_new_plugin_in_rust_judges_events() {
    let gateway = Gateway::prepare(&Setup::default());
    let file = "target/wasm32-unknown-unknown/release/in_rust.wasm";
    // The versions that are here already.
    let prepare = |project: &Path| {
        let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.lock");
        std::fs::copy(lock, project.join("Cargo.lock")).map(drop).unwrap();
    };
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--release"]).env_remove("CARGO_TARGET_DIR").env_remove("CARGO_BUILD_TARGET");
    written(&gateway, "in-rust", "rust", file, prepare, &mut build);
}

#[test]
fn a_new_plugin_in_javascript_judges_events() {
    let Some(node) = Foreign::node() else { return };
    let gateway = Gateway::prepare(&Setup::default());
    let mut build = Command::new("npm");
    written(&gateway, "js", "js", "js.wasm", |project| node.lend(project), build.args(["run", "build"]));
}

#[test]
fn a_new_plugin_in_python_judges_events() {
    let Some(python) = Foreign::python() else { return };
    let gateway = Gateway::prepare(&Setup::default());
    let mut build = Command::new("python3");
    written(&gateway, "py", "python", "py.wasm", |project| python.lend(project), build.arg("build.py"));
}

#[test]
fn what_is_no_plugin_is_told_in_a_line_and_what_is_out_of_bounds_is_not_tried() {
    let gateway = Gateway::prepare(&Setup::default());
    let at = |name: &str| gateway.directory().join(name);
    let whole = std::fs::read(probe()).unwrap();
    std::fs::write(at("event.json"), r#"{"specversion":"1.0","id":"a","source":"s","type":"t"}"#).unwrap();
    std::fs::write(at("half.wasm"), whole.get(..whole.len() / 2).unwrap()).unwrap();
    std::fs::write(at("text.wasm"), "no plugin at all").unwrap();
    let _ = Ran::of(Command::new("mkfifo").arg(at("pipe.wasm"))).expect(0);
    for (file, why) in [
        ("half.wasm", "half.wasm is no plugin: "),
        ("text.wasm", "text.wasm is no plugin: it is neither a WebAssembly component nor a module\n"),
        ("pipe.wasm", "failed to read pipe.wasm: it is no file\n"),
        ("/dev/zero", "failed to read /dev/zero: it is no file\n"),
        ("missing.wasm", "failed to read missing.wasm: No such file"),
    ] {
        for command in
            [vec!["plugin", "inspect", file], vec!["plugin", "test", file, "--event", "event.json"]]
        {
            let told = gateway.run(&command, b"").expect(2).stderr;
            assert!(told.starts_with(&format!("error: {why}")), "{told}");
            assert_eq!(told.lines().count(), 1, "{told}");
        }
    }
    let probe = probe().display().to_string();
    for (option, value) in [("--memory", "2GiB"), ("--timeout", "1us"), ("--state", "1TiB")] {
        let asked = ["plugin", "test", &probe, "--event", "event.json", option, value];
        let told = gateway.run(&asked, b"").expect(2).stderr;
        assert!(told.starts_with(&format!("error: {option}: must be ")), "{told}");
    }
    std::os::unix::fs::symlink("nowhere", at("taken")).unwrap();
    let told = gateway.run(&["plugin", "new", "taken"], b"").expect(2).stderr;
    assert_eq!(told, "error: taken is there already\n");
}
