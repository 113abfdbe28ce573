//! Resources and documents through the management API and the command line, and resources that change by a reload.

use super::{Flare, told};
use anglerfish_tests::{Gateway, Receiver, eventually};
use serde_json::{Value, json};

const ONE: &str = "/v1/documents/http%3A%2F%2Fh%2Fitems%2F1";

fn resource(id: &str, endpoint: &str, more: &str) -> String {
    format!("[[resource]]\nid = \"{id}\"\nendpoint = \"{endpoint}\"\nchange = {{ field = \"v\" }}\n{more}\n")
}

fn subscription(id: &str, resource: &str, receiver: &Receiver, path: &str) -> String {
    format!(
        "[[subscription]]\nid = \"{id}\"\nresource = \"{resource}\"\n\
         endpoint = {{ url = \"{}\", method = \"POST\" }}\n",
        receiver.url(path)
    )
}

#[test]
fn a_resource_and_its_documents_are_managed_without_a_listener_of_documents_and_last() {
    let (receiver, late) = (Receiver::start(), Receiver::start());
    let mut gateway = anglerfish_tests::Gateway::start("");
    let items = json!({"endpoint": "http://h/items/{id}", "change": {"field": "v"}, "tombstones": "7days"});
    let _ = gateway.api("PUT", "/v1/resources/items", Some(&items)).expect(201);
    let subscription = |receiver: &Receiver, backfill: bool| {
        json!({
            "resource": "items", "backfill": backfill,
            "endpoint": {"url": receiver.url("/{id}"), "method": "POST", "allow_private": true}
        })
    };
    let _ = gateway.api("PUT", "/v1/subscriptions/all", Some(&subscription(&receiver, false))).expect(201);
    let _ = gateway.api("PUT", ONE, Some(&json!({"v": 1, "name": "Ada"}))).expect(202);
    assert_eq!(told(&receiver, 1)[0].0, "create");
    // That it has it is written down once it has answered.
    eventually("its delivery has ended", || {
        let open = gateway.get("/v1/deliveries?status=pending&limit=1");
        open["items"].as_array().is_some_and(Vec::is_empty).then_some(())
    });
    gateway.restart();
    assert_eq!(gateway.get("/v1/resources/items")["tombstones"], "7days");
    assert_eq!(gateway.get(ONE)["content"], json!({"v": 1, "name": "Ada"}));
    let _ = gateway.api("PUT", ONE, Some(&json!({"v": 2}))).expect(202);
    assert_eq!(told(&receiver, 2)[1].0, "update", "it still has what it had");
    // What existed is told without a listener of documents, too.
    let _ = gateway.api("PUT", "/v1/subscriptions/late", Some(&subscription(&late, true))).expect(201);
    assert_eq!(told(&late, 1), [("create".to_owned(), json!({"v": 2}))]);
    let followers = || gateway.get("/v1/resources/items/subscriptions")["items"].clone();
    eventually("nobody is being told any more", || {
        followers().as_array().unwrap().iter().all(|one| one["catching_up"] == false).then_some(())
    });
    let _ = gateway.api("POST", "/v1/subscriptions/late/resync", None).expect(202);
    assert_eq!(told(&late, 2)[1].0, "create");
    let explained = gateway.get("/v1/subscriptions/late/explain?document=http://h/items/1");
    assert!(explained["reason"].is_string(), "{explained}");
    let _ = gateway.api("DELETE", "/v1/resources/items", None).expect(409);
    let wild = json!({"endpoint": "http://h/items/{other}", "change": {"field": "v"}});
    let answer = gateway.api("PUT", "/v1/resources/items", Some(&wild)).expect(422);
    assert!(answer.text().contains("wildcard 'id'"), "{}", answer.text());
    let _ = gateway.api("DELETE", ONE, None).expect(202);
    assert_eq!(told(&receiver, 3)[2].0, "delete");
    let _ = gateway.api("PUT", ONE, Some(&json!({"v": 1}))).expect(202);
    let _ = gateway.api("GET", ONE, None).expect(404);
}

#[test]
fn the_command_line_lists_puts_explains_and_tells_again() {
    let receiver = Receiver::start();
    let flare = Flare::start("", &resource("items", "http://h/items/{id}", ""));
    let run = |arguments: &[&str], stdin: &str, code: i32| {
        flare.gateway.run(arguments, stdin.as_bytes()).expect(code).stdout
    };
    let written = r#"{"endpoint": "http://h/users/{id}", "change": {"field": "version"}}"#;
    assert_eq!(run(&["resources", "put", "-", "--id", "users"], written, 0), "resource users is created\n");
    let listed = run(&["resources", "list"], "", 0);
    assert!(listed.contains("items") && listed.contains("http://h/users/{id}"), "{listed}");
    assert!(run(&["resources", "show", "users"], "", 0).contains("version"));
    assert_eq!(
        run(&["resources", "delete", "users"], "", 0),
        "resource users is deleted with its documents\n"
    );
    assert_eq!(run(&["resources", "delete", "items"], "", 1), "", "it stands in the file");
    let body = json!({
        "resource": "items", "endpoint": {"url": receiver.url("/"), "method": "POST", "allow_private": true}
    });
    let _ = flare.gateway.api("PUT", "/v1/subscriptions/crm", Some(&body)).expect(201);
    let put = run(&["documents", "put", "http://h/items/1", "-"], "{\"v\": 12345678901234567}", 0);
    assert_eq!(put, "document http://h/items/1 is put\n");
    let _ = told(&receiver, 1);
    flare.settled();
    assert!(run(&["documents", "list", "items"], "", 0).contains("12345678901234567"));
    assert!(run(&["documents", "show", "http://h/items/1"], "", 0).contains("items"));
    assert!(run(&["resources", "subscriptions", "items"], "", 0).contains("crm"));
    let explain = ["resources", "explain", "crm", "http://h/items/1"];
    let explained = run(&explain, "", 1);
    assert!(
        explained.contains("nothing") && explained.contains("has the revision 12345678901234567 already")
    );
    assert!(run(&["resources", "resync", "crm"], "", 0).contains("everything that exists"));
    let _ = told(&receiver, 2);
    assert_eq!(
        run(&["documents", "delete", "http://h/items/1"], "", 0),
        "document http://h/items/1 is deleted\n"
    );
    assert_eq!(told(&receiver, 3)[2].0, "delete");
}

#[test]
fn resources_change_by_a_reload_and_their_documents_and_subscribers_stay() {
    let (first, second) = (Receiver::start(), Receiver::start());
    let items = resource("items", "http://h/items/{id}", "");
    let begin = [items.clone(), subscription("first", "items", &first, "/{id}")].concat();
    let mut flare = Flare::start("", &begin);
    flare.put("http://h/items/1", "{\"v\": 1}");
    let _ = told(&first, 1);
    let moved = begin.replace("h/items", "h/others");
    let reload = |rest: &str| -> Value { flare.reload(rest).expect(200).json()["last"].clone() };
    // Another one, a rule for the first, and a subscription of the new one.
    let more = [
        resource("items", "http://h/items/{id}", "tombstones = \"1h\""),
        resource("users", "http://h/users/{id}", ""),
        subscription("first", "items", &first, "/{id}"),
        subscription("second", "users", &second, "/{id}"),
    ]
    .concat();
    let told_of = reload(&more);
    let changes = told_of["changes"].to_string();
    assert!(
        changes.contains("resource items changed") && changes.contains("resource users added"),
        "{told_of}"
    );
    flare.put("http://h/users/1", "{\"v\": 1}");
    assert_eq!(told(&second, 1)[0].0, "create");
    flare.put("http://h/items/1", "{\"v\": 2}");
    assert_eq!(told(&first, 2)[1].0, "update", "it has what it had");
    // What cannot be is refused as a whole, each with its place.
    for (rest, words) in [
        (moved.clone(), "has documents under its endpoint"),
        (begin.replace("/{id}\", method", "/{wrong}\", method"), "wildcard 'wrong'"),
        (subscription("first", "nothing", &first, "/"), "there is no resource"),
    ] {
        let refused = flare.reload(&rest);
        assert!(refused.status == 422 && refused.text().contains(words), "{words}: {}", refused.text());
    }
    flare.put("http://h/items/1", "{\"v\": 3}");
    assert_eq!(told(&first, 3)[2].0, "update");
    // One that is no more in the file stays, and can be deleted then.
    let _ = reload(&begin);
    assert_eq!(flare.gateway.get("/v1/resources/users")["origin"], "api");
    let _ = flare.gateway.api("DELETE", "/v1/resources/users", None).expect(204);
    let _ = flare.ask("PUT", "/documents/http://h/users/1", "{\"v\": 2}").expect(404);
    // A start takes no more than a reload does.
    flare.gateway.kill();
    flare.write(&moved);
    let started =
        Gateway::command().args(["serve", "--config"]).arg(flare.gateway.config()).output().unwrap();
    let text = String::from_utf8_lossy(&started.stderr);
    assert!(!started.status.success() && text.contains("has documents under its endpoint"), "{text}");
    assert!(text.contains("http://h/items/{id}") && text.contains("resources delete"), "{text}");
    flare.write(&begin.replace("{id}", "{number}"));
    flare.gateway.spawn();
    assert_eq!(flare.gateway.get(ONE)["content"], json!({"v": 3}));
}
