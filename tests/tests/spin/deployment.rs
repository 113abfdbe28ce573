//! Configurations that are deployed: checked as a whole, taken as a whole, and the one before kept.

use crate::host::App;
use crate::receiver::Receiver;
use crate::sender::{Answer, send, standard_webhooks};
use crate::{ORDER, TOKEN, WHSEC, by_operator, component, configuration, not_ready, problem, told};
use serde_json::{Value, json};
use std::time::Duration;

/// An app without any configuration.
async fn bare() -> App {
    App::serve(component().await, &[("admin_token", TOKEN)]).await.unwrap()
}

async fn deploy(app: &App, document: &Value) -> Answer {
    send(app.address, by_operator("PUT", "/config"), &document.to_string()).await
}

fn body(answer: &Answer) -> Value {
    serde_json::from_str(&answer.body).unwrap()
}

/// As long as an instance goes on by what it has.
fn a_moment(app: &App) {
    app.shared.pass(Duration::from_millis(1100));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_deployed_is_in_use_and_the_version_before_can_be_had_again() {
    let receiver = Receiver::listen(200).await.unwrap();
    let app = bare().await;
    let answer = send(app.address, http::Request::get("/ready"), "").await;
    problem(503, "Service Unavailable", "not-ready", &answer);
    problem(404, "Not Found", "not-found", &send(app.address, by_operator("GET", "/config"), "").await);
    not_ready(&send(app.address, standard_webhooks("msg_0", ORDER), ORDER).await);

    let first: Value = serde_json::from_str(&configuration(&receiver)).unwrap();
    let answer = deploy(&app, &first).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let taken = body(&answer);
    assert_eq!(
        (&taken["version"], &taken["changed"], &taken["subscriptions"]),
        (&json!(1), &json!(true), &json!(4))
    );
    a_moment(&app);
    assert_eq!(send(app.address, standard_webhooks("msg_1", ORDER), ORDER).await.status, 202);

    // The same again is no other version.
    let again = body(&deploy(&app, &first).await);
    assert_eq!((&again["version"], &again["changed"]), (&json!(1), &json!(false)));

    let second = json!({ "source": [{ "name": "other", "scheme": "none" }] });
    assert_eq!(body(&deploy(&app, &second).await)["version"], 2);
    a_moment(&app);
    assert_eq!(send(app.address, standard_webhooks("msg_2", ORDER), ORDER).await.status, 404);
    assert_eq!(send(app.address, http::Request::post("/in/other"), ORDER).await.status, 202);

    let back = told(&app, "POST", "/config/rollback").await;
    assert_eq!((&back["version"], &back["previous"]), (&json!(1), &json!(2)));
    a_moment(&app);
    assert_eq!(send(app.address, standard_webhooks("msg_2", ORDER), ORDER).await.status, 202);
    let status = told(&app, "GET", "/status").await;
    assert_eq!(
        (&status["configuration"]["version"], &status["configuration"]["from"]),
        (&json!(1), &json!("store"))
    );
    // Secrets go in and never out.
    let shown = send(app.address, by_operator("GET", "/config"), "").await;
    assert!(!shown.body.contains(WHSEC) && !status.to_string().contains(WHSEC));

    // Of versions before the one before nothing is left.
    let third = json!({ "source": [{ "name": "third", "scheme": "none" }] });
    assert_eq!(body(&deploy(&app, &third).await)["version"], 3);
    assert_eq!(app.shared.named("config/2/"), Vec::<String>::new());
    assert_eq!(app.shared.named("config/1/"), ["config/1/0", "config/1/packed/0"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_with_problems_changes_nothing_and_every_problem_is_told() {
    let app = bare().await;
    let good = json!({ "source": [{ "name": "shop", "scheme": "none" }] });
    assert_eq!(deploy(&app, &good).await.status, 200);
    for (document, paths) in [
        (json!({ "source": [{ "name": "x", "scheme": "no-such" }] }), &["source[0].scheme"][..]),
        (
            json!({ "source": [{ "name": "x", "scheme": "bearer", "secrets": ["env:X"] }] }),
            &["source[0].secrets[0]"],
        ),
        (
            json!({
                "source": [{ "name": "shop", "scheme": "none" }],
                "subscription": [{ "id": "a", "filter": "event.", "endpoint": { "url": "https://h.example/" } }],
            }),
            &["subscription[0].filter"],
        ),
        (
            json!({ "topic": [{ "name": "a" }], "api": [{}], "plugin": [{}] }),
            &["topic", "api", "plugin[0].name"],
        ),
        (
            json!({ "subscription": [
                { "id": "a", "mode": "passive", "tokens": ["a-token-of-a-subscriber"] },
                { "id": "b", "endpoint": { "url": "https://h.example/" }, "delivery": { "ordering": "subscription" } },
            ] }),
            &["subscription[0].tokens", "subscription[0].mode", "subscription[1].delivery.ordering"],
        ),
    ] {
        let answer = deploy(&app, &document).await;
        problem(422, "Unprocessable Content", "invalid-configuration", &answer);
        let told = body(&answer);
        let found: Vec<&str> = told["problems"]
            .as_array()
            .unwrap()
            .iter()
            .map(|problem| problem["path"].as_str().unwrap())
            .collect();
        assert_eq!(found, paths, "{answer:?}");
    }
    for document in ["{}", r#"{"topic":[]}"#, "[]", "null", "\"source\""] {
        let answer = send(app.address, by_operator("PUT", "/config"), document).await;
        problem(422, "Unprocessable Content", "invalid-configuration", &answer);
    }
    let answer = send(app.address, by_operator("PUT", "/config"), "{").await;
    problem(400, "Bad Request", "invalid-request", &answer);
    a_moment(&app);
    assert_eq!(told(&app, "GET", "/config").await["version"], 1);
    assert_eq!(send(app.address, http::Request::post("/in/shop"), ORDER).await.status, 202);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_configuration_is_kept_in_values_that_every_store_takes() {
    let receiver = Receiver::listen(200).await.unwrap();
    let app = bare().await;
    let mut document: Value = serde_json::from_str(&configuration(&receiver)).unwrap();
    let many = (0..3000).map(|number| {
        json!({
            "id": format!("s{number}"), "sources": ["shop"], "filter": format!("event.type == \"type.{number}\""),
            "endpoint": { "url": "https://hooks.example.com/", "secret": WHSEC },
        })
    });
    document["subscription"].as_array_mut().unwrap().extend(many);
    let answer = deploy(&app, &document).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let packed = app.shared.named("config/1/packed/");
    let pieces = app.shared.named("config/1/");
    assert!(packed.len() > 2 && pieces.len() - packed.len() > 2, "{pieces:?}");
    // Once of the document's pieces, of which it is packed again, and once of those.
    app.shared.keys.lock().unwrap().retain(|key, _| !packed.contains(key));
    a_moment(&app);
    let answer = send(app.address, standard_webhooks("msg_1", ORDER), ORDER).await;
    assert_eq!(answer.body, r#"{"id":"msg_1","status":"accepted","deliveries":2}"#);
    assert_eq!(app.shared.named("config/1/"), pieces);
    let other = json!({ "source": [{ "name": "other", "scheme": "none" }] });
    assert_eq!(body(&deploy(&app, &other).await)["version"], 2);
    a_moment(&app);
    assert_eq!(send(app.address, standard_webhooks("msg_2", ORDER), ORDER).await.status, 404);
    told(&app, "POST", "/config/rollback").await;
    app.shared.keys.lock().unwrap().insert("config/1/0".to_owned(), Vec::new());
    a_moment(&app);
    let answer = send(app.address, standard_webhooks("msg_2", ORDER), ORDER).await;
    assert_eq!(answer.body, r#"{"id":"msg_2","status":"accepted","deliveries":2}"#);
}

/// Runs `anglerfish deploy-config` with a configuration file, and tells its exit code, its data and its talk.
pub(crate) async fn deploy_config(file: &str, arguments: &[&str]) -> (i32, String, String) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("anglerfish.toml");
    std::fs::write(&path, file).unwrap();
    std::fs::write(directory.path().join("key"), WHSEC).unwrap();
    let mut command = anglerfish_tests::Gateway::command();
    command.arg("deploy-config").arg("--config").arg(&path).args(arguments);
    command.env("ANGLERFISH_TOKEN", TOKEN).env("SHOP_KEY", WHSEC);
    let ended = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (ended.status.code().unwrap(), text(&ended.stdout), text(&ended.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_resolves_secrets_and_deploys_and_goes_back() {
    let receiver = Receiver::listen(200).await.unwrap();
    let app = bare().await;
    let to = format!("http://{}", app.address);
    let file = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n\
         [[source]]\nname = \"shop\"\nscheme = \"standard-webhooks\"\nsecrets = [\"env:SHOP_KEY\"]\n\
         [[subscription]]\nid = \"all\"\nsources = [\"shop\"]\n\
         endpoint = {{ url = \"http://{}/all\", secret = \"file:key\", allow_private = true }}\n",
        receiver.address
    );
    let (code, out, talk) = deploy_config(&file, &["--to", &to]).await;
    assert_eq!((code, out.trim()), (0, format!("version 1 is in use at {to}").as_str()), "{talk}");
    assert!(talk.contains("server"), "{talk}");
    assert!(talk.contains(&format!("allowed_outbound_hosts = [\"http://{}\"]", receiver.address)), "{talk}");
    a_moment(&app);
    assert_eq!(send(app.address, standard_webhooks("msg_1", ORDER), ORDER).await.status, 202);

    let other = "[[source]]\nname = \"other\"\nscheme = \"none\"\n";
    let (code, out, talk) = deploy_config(other, &["--to", &to]).await;
    assert_eq!(code, 0, "{talk}");
    assert!(out.contains("version 2") && out.contains("version 1 is kept"), "{out}");
    let (code, out, talk) = deploy_config(other, &["--to", &to, "--rollback"]).await;
    assert_eq!(code, 0, "{talk}");
    assert!(out.contains("version 1 is in use"), "{out}");
    let (code, _, talk) = deploy_config(other, &["--to", &to, "--token", "another-token-of-nobody"]).await;
    assert_eq!(code, 2, "{talk}");
    assert!(talk.contains("admin_token"), "{talk}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_refuses_what_the_app_cannot_do_at_its_line() {
    let app = bare().await;
    let to = format!("http://{}", app.address);
    let file = "[[source]]\nname = \"shop\"\nscheme = \"none\"\n\n\
                [[topic]]\nname = \"room\"\ntokens = [\"a-token-of-a-member\"]\n\n\
                [[subscription]]\nid = \"a\"\nendpoint = { url = \"https://h.example/\" }\n\
                delivery = { ordering = \"subscription\" }\n";
    let (code, out, talk) = deploy_config(file, &["--to", &to]).await;
    assert_eq!((code, out.as_str()), (2, ""), "{talk}");
    assert!(talk.contains("anglerfish.toml:5") && talk.contains("topic"), "{talk}");
    assert!(talk.contains("anglerfish.toml:12") && talk.contains("delivery.ordering"), "{talk}");
    assert_eq!(app.shared.named("config/"), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_configuration_is_not_deployed_and_an_empty_one_has_to_say_so() {
    let app = bare().await;
    let to = format!("http://{}", app.address);
    for file in ["", "[server]\nlisten = \"127.0.0.1:0\"\n"] {
        let (code, out, talk) = deploy_config(file, &["--to", &to]).await;
        assert_eq!((code, out.as_str()), (2, ""), "{talk}");
        assert!(talk.contains("source, resource, plugin, subscription"), "{talk}");
    }
    assert_eq!(app.shared.named("config/"), Vec::<String>::new());
    let (code, _, talk) = deploy_config("source = []\n", &["--to", &to]).await;
    assert_eq!(code, 0, "{talk}");
    a_moment(&app);
    let answer = send(app.address, http::Request::post("/in/shop"), ORDER).await;
    problem(404, "Not Found", "unknown-source", &answer);
}

/// A folder with the project's manifest in it.
fn project() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let ours = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../spin.toml");
    std::fs::copy(ours, directory.path().join("spin.toml")).unwrap();
    directory
}

fn read_toml(file: &std::path::Path) -> toml::Table {
    std::fs::read_to_string(file).unwrap().parse().unwrap()
}

fn texts(list: &toml::Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|item| item.as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_grants_what_a_configuration_needs_and_says_what_it_changed() {
    let directory = project();
    let [manifest, runtime] = ["spin.toml", "runtime-config.toml"].map(|name| directory.path().join(name));
    let files = ["--manifest", manifest.to_str().unwrap(), "--runtime-config", runtime.to_str().unwrap()];
    let with = |more: &'static str| [&files[..], &[more]].concat();
    let sns = "[[source]]\nname = \"sns\"\nscheme = \"aws-sns\"\nsecrets = [\"arn:aws:sns:eu-west-1:123456789012:orders\"]\n\
               [[subscription]]\nid = \"a\"\nendpoint = { url = \"https://h.example:8443/x\" }\n";
    let before = std::fs::read_to_string(&manifest).unwrap();
    // Whoever only wants to know changes nothing.
    let (code, out, talk) = deploy_config(sns, &with("--dry-run")).await;
    assert_eq!(code, 0, "{talk}");
    assert!(out.starts_with("allowed_outbound_hosts = [") && talk.contains("would change: "), "{out}{talk}");
    assert_eq!(deploy_config(sns, &with("--check")).await.0, 1);
    assert_eq!((std::fs::read_to_string(&manifest).unwrap(), runtime.exists()), (before, false));

    let (code, _, talk) = deploy_config(sns, &files).await;
    assert_eq!(code, 0, "{talk}");
    assert!(
        talk.contains("changed: ") && talk.contains("no component.anglerfish.variables.documents_token"),
        "{talk}"
    );
    let written = read_toml(&manifest);
    let app = &written["component"]["anglerfish"];
    let expected =
        ["https://*.amazonaws.com.cn:443", "https://*.amazonaws.com:443", "https://h.example:8443"];
    assert_eq!(texts(&app["allowed_outbound_hosts"]), expected);
    assert_eq!(texts(&app["key_value_stores"]), ["default"]);
    for gone in ["outbound_host", "documents_token"] {
        assert!(written["variables"].get(gone).is_none(), "{gone}");
    }
    let written = read_toml(&runtime);
    assert_eq!(texts(&written["outbound_networking"]["block_networks"])[0], "private");
    assert!(written["max_instance_memory"].as_integer().unwrap() > 64 << 20);

    // The same again changes nothing, and that is what `--check` says.
    for arguments in [files.to_vec(), with("--check"), with("--dry-run")] {
        let (code, _, talk) = deploy_config(sns, &arguments).await;
        assert_eq!((code, talk.contains("change")), (0, false), "{talk}");
    }

    // Another configuration needs something else.
    let documents = "[[resource]]\nid = \"users\"\nendpoint = \"http://api.example/users/{id}\"\nchange = { field = \"v\" }\n\
                     [[subscription]]\nid = \"crm\"\nresource = \"users\"\n\
                     endpoint = { url = \"http://10.1.2.3:8080/{id}\", method = \"POST\", allow_private = true }\n";
    let (code, _, talk) = deploy_config(documents, &files).await;
    assert_eq!(code, 0, "{talk}");
    let written = read_toml(&manifest);
    assert_eq!(
        texts(&written["component"]["anglerfish"]["allowed_outbound_hosts"]),
        ["http://10.1.2.3:8080"]
    );
    assert_eq!(written["variables"]["documents_token"]["secret"].as_bool(), Some(true));
    let runtime_written = read_toml(&runtime);
    let blocked = texts(&runtime_written["outbound_networking"]["block_networks"]);
    assert!(!blocked.contains(&"private") && blocked.contains(&"127.0.0.0/8"), "{blocked:?}");
    assert!(blocked.contains(&"10.1.2.2/32") && !blocked.contains(&"10.1.2.3/32"), "{blocked:?}");
    assert_eq!(deploy_config(documents, &with("--check")).await.0, 0);

    // What somebody has granted by hand is told.
    let text = std::fs::read_to_string(&manifest).unwrap();
    let more = text.replacen("key_value_stores", "sqlite_databases = [\"default\"]\nkey_value_stores", 1);
    std::fs::write(&manifest, &more).unwrap();
    let (code, _, talk) = deploy_config(documents, &with("--check")).await;
    assert_eq!(code, 1, "{talk}");
    assert!(talk.contains("component.anglerfish.sqlite_databases"), "{talk}");
    let (code, _, talk) = deploy_config(documents, &["--check"]).await;
    assert_eq!(code, 2, "{talk}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_has_spins_store_written_ahead() {
    let directory = tempfile::tempdir().unwrap();
    let store = directory.path().join(".spin/sqlite_key_value.db");
    let arguments = ["--store", store.to_str().unwrap()];
    let checked = [&arguments[..], &["--check"]].concat();
    let file = "[[source]]\nname = \"shop\"\nscheme = \"none\"\n";
    assert_eq!(deploy_config(file, &checked).await.0, 1);
    assert!(!store.exists());
    let (code, _, talk) = deploy_config(file, &arguments).await;
    assert_eq!(code, 0, "{talk}");
    // As Spin opens it.
    let spins = rusqlite::Connection::open(&store).unwrap();
    spins.execute("CREATE TABLE IF NOT EXISTS spin_key_value (key TEXT)", []).unwrap();
    let mode: String = spins.query_row("PRAGMA journal_mode", [], |row| row.get(0)).unwrap();
    assert_eq!(mode, "wal");
    assert_eq!(deploy_config(file, &checked).await.0, 0);
}
