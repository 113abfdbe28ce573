//! Resources of the configuration, filters, and what is there beside the service's own API.

use super::{Flare, told};
use anglerfish_tests::{Gateway, Receiver, Request, Setup, eventually, free_port, send};
use serde_json::{Value, json};

const ITEMS: &str =
    "[[resource]]\nid = \"items\"\nendpoint = \"http://h/items/{id}\"\nchange = { field = \"v\" }\n";

fn subscription(id: &str, receiver: &Receiver, keys: &str) -> String {
    format!(
        "[[subscription]]\nid = \"{id}\"\nresource = \"items\"\n{keys}\n\
         endpoint = {{ url = \"{}\", method = \"POST\" }}\n",
        receiver.url("/")
    )
}

#[test]
fn declared_resources_tell_by_filters_with_old_and_new_over_a_restart() {
    let (stock, entered, log) = (Receiver::start(), Receiver::start(), Receiver::start());
    let edge = "filter = \"old.stock.quantity == 0 && new.stock.quantity > 0\"";
    let rest = [
        ITEMS.to_owned(),
        subscription("stock", &stock, edge),
        subscription("entered", &entered, "filter = \"message.stock.quantity > 0\"\nrevisions = \"all\""),
        format!(
            "[[subscription]]\nid = \"log\"\nsources = [\"anglerfish.documents\"]\n\
             endpoint = {{ url = \"{}\", allow_private = true }}\n",
            log.url("/")
        ),
    ]
    .concat();
    let mut flare = Flare::start("", &rest);
    let put = |flare: &Flare, version: u32, quantity: u32| {
        flare.put(
            "http://h/items/1",
            &format!("{{\"v\": {version}, \"stock\": {{\"quantity\": {quantity}}}}}"),
        );
    };
    put(&flare, 1, 0);
    put(&flare, 2, 5);
    assert_eq!(told(&stock, 1)[0].0, "create");
    let _ = entered.wait(1);
    flare.settled();
    flare.gateway.kill();
    flare.gateway.spawn();
    put(&flare, 3, 7);
    put(&flare, 4, 0);
    put(&flare, 5, 1);
    let all = told(&stock, 2);
    assert_eq!((all[1].0.as_str(), &all[1].1["v"]), ("update", &json!(5)));
    let actions: Vec<String> = told(&entered, 4).into_iter().map(|(action, _)| action).collect();
    assert_eq!(actions, ["create", "update", "delete", "create"], "it entered, and left, and entered");
    // Every change is an entry of the log, for whoever listens to it.
    let kinds: Vec<String> =
        log.wait(5).iter().map(|one| one.header("ce-type").unwrap().to_owned()).collect();
    assert_eq!(kinds.iter().filter(|kind| *kind == "document.created").count(), 1, "{kinds:?}");
    let events = flare.gateway.get("/v1/events?type=document.updated");
    assert_eq!(events["items"][0]["subject"], "http://h/items/1", "{events}");
    let shown = flare.gateway.get("/v1/subscriptions/stock");
    assert_eq!(shown["subscription"]["resource"], "items", "{shown}");
    let _ = flare.ask("DELETE", "/resources/items", "").expect(409);
}

#[test]
fn what_exists_is_told_to_who_asks_for_it_and_again_to_who_lost_it() {
    let (first, late) = (Receiver::start(), Receiver::start());
    let flare = Flare::start("", &[ITEMS.to_owned(), subscription("first", &first, "")].concat());
    for number in 1..=7 {
        flare.put(&format!("http://h/items/{number}"), &format!("{{\"v\": {number}}}"));
    }
    flare.delete("http://h/items/7");
    let document = json!({
        "resource": "items", "backfill": true, "endpoint": {"url": late.url("/"), "method": "POST"}
    });
    let _ = flare.gateway.api("PUT", "/v1/subscriptions/late", Some(&document)).expect(201);
    let mut found: Vec<i64> =
        told(&late, 6).iter().map(|(_, document)| document["v"].as_i64().unwrap()).collect();
    found.sort_unstable();
    assert_eq!(found, [1, 2, 3, 4, 5, 6]);
    flare.put("http://h/items/3", "{\"v\": 30}");
    assert_eq!(told(&late, 7)[6], ("update".to_owned(), json!({"v": 30})));
    // The tail goes on as for all: nothing of it comes again.
    flare.put("http://h/items/4", "{\"v\": 4}");
    let page = flare.ask("GET", "/resources/items/documents?limit=4", "").expect(200).json();
    assert_eq!(page["documents"].as_array().unwrap().len(), 4);
    assert_eq!(
        page["documents"][0],
        json!({
            "id": "http://h/items/1", "revision": "1", "updatedAt": page["documents"][0]["updatedAt"]
        })
    );
    let next = page["next"].as_str().unwrap();
    let rest = flare.ask("GET", &format!("/resources/items/documents?after={next}"), "").expect(200).json();
    assert_eq!((rest["documents"].as_array().unwrap().len(), &rest["next"]), (2, &Value::Null));
    for after in ["zz", "document/other/http://h/items/1", "http://h/items/1"] {
        let refused = flare.ask("GET", &format!("/resources/items/documents?after={after}"), "").expect(400);
        assert_eq!(refused.json()["error"]["title"], "invalid pagination", "{after}");
    }
    let explained = |id: &str| {
        let path = format!("/resources/items/subscriptions/late/explain?document=http://h/items/{id}");
        flare.ask("GET", &path, "").expect(200).json()
    };
    eventually("it has everything", || (explained("3")["action"] == Value::Null).then_some(()));
    assert_eq!(explained("3")["reason"], "it has the revision 30 already");
    let resync = flare.ask("POST", "/resources/items/subscriptions/late/resync", "").expect(202);
    assert!(resync.body.is_empty(), "{}", resync.text());
    let again = told(&late, 13);
    assert!(again[7..].iter().all(|(action, _)| action == "create"), "{again:?}");
}

#[test]
fn producers_are_shown_of_others_subscriptions_what_the_management_api_shows_and_statuses_one_by_one() {
    let receiver = Receiver::start();
    let url = receiver.url("/?key=SECRET");
    let declared = format!(
        "[[subscription]]\nid = \"a\"\nresource = \"items\"\ndelivery = {{ success = [201, \"2xx\", \"400-402\"] }}\n\
         endpoint = {{ url = \"{url}\", method = \"POST\", headers = {{ x-tenant = \"SECRET\" }}, \
         actions = {{ delete = {{ url = \"{url}\" }} }} }}\n"
    );
    let flare = Flare::start("", &[ITEMS.to_owned(), declared].concat());
    let shown = flare.ask("GET", "/resources/items/subscriptions/a", "").expect(200).json();
    assert!(!shown.to_string().contains("SECRET"), "{shown}");
    let hidden = receiver.url("/?…");
    assert_eq!(
        shown["endpoint"],
        json!({
            "url": hidden, "method": "POST", "headers": {"x-tenant": ["…"]}, "actions": {"delete": {"url": hidden}}
        })
    );
    let success: Vec<u64> =
        shown["delivery"]["success"].as_array().unwrap().iter().filter_map(Value::as_u64).collect();
    let expected: Vec<u64> = [201].into_iter().chain(200..300).chain(400..=402).collect();
    assert_eq!(success, expected);
    // What a producer wrote itself it is shown.
    let url = receiver.url("/own?key=SECRET");
    let own = json!({
        "endpoint": {"url": url, "method": "POST", "headers": {"X-Tenant": ["red"]}},
        "delivery": {"success": [200], "discard": [500]}
    });
    let id = flare.subscribe("items", &own);
    let shown = flare.ask("GET", &format!("/resources/items/subscriptions/{id}"), "").expect(200).json();
    assert_eq!(shown["endpoint"]["url"], url);
    assert!(shown["endpoint"]["headers"].to_string().contains("red"), "{shown}");
    assert_eq!(shown["delivery"], own["delivery"]);
}

#[test]
fn what_makes_no_sense_is_refused_with_the_reason() {
    let flare = Flare::start("", ITEMS);
    let endpoint = json!({"url": "http://127.0.0.1:9000/", "method": "POST"});
    let refused = |document: Value, word: &str| {
        let answer = flare.gateway.api("PUT", "/v1/subscriptions/a", Some(&document)).expect(422);
        assert!(answer.text().contains(word), "{word}: {}", answer.text());
    };
    refused(
        json!({"filter": "old.a == 1", "endpoint": {"url": "http://127.0.0.1:9000/"}}),
        "unknown variable old",
    );
    refused(json!({"resource": "none", "endpoint": endpoint}), "there is no resource");
    refused(
        json!({"resource": "items", "filter": "older.a == 1", "endpoint": endpoint}),
        "unknown variable older",
    );
    refused(json!({"resource": "items", "sources": ["x"], "endpoint": endpoint}), "says nothing");
    refused(json!({"resource": "items", "endpoint": {"url": "http://127.0.0.1:9000/"}}), "missing key");
    refused(
        json!({"resource": "items", "endpoint": {"url": "http://127.0.0.1:9000/{x}", "method": "POST"}}),
        "wildcard 'x'",
    );
    refused(
        json!({"backfill": true, "endpoint": {"url": "http://127.0.0.1:9000/"}}),
        "only a subscription of a resource",
    );
}

#[test]
fn private_endpoints_and_strangers_are_kept_out() {
    let receiver = Receiver::start();
    let flare = Flare::start("token = \"0123456789abcdef\"", "");
    let answer = flare.ask("GET", "/resources", "").expect(401);
    assert_eq!(answer.json()["error"]["title"], "unauthorized");
    assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    drop(flare);
    // Nothing names the receiver's network here.
    let closed = subscription("closed", &receiver, "");
    let rest = format!("[documents]\nlisten = \"127.0.0.1:{}\"\n{ITEMS}{closed}", free_port());
    let setup = Setup { rest: rest.clone(), ..Setup::default() };
    let gateway = Gateway::set_up(&setup);
    let address = rest.split('"').nth(1).unwrap().parse().unwrap();
    let request = Request {
        method: "PUT".into(),
        path: "/documents/http://h/items/1".into(),
        body: b"{\"v\": 1}".to_vec(),
        ..Request::default()
    };
    let _ = send(address, &request).unwrap().expect(202);
    eventually("the attempt is refused", || {
        let deliveries = gateway.get("/v1/deliveries?subscription=closed");
        let attempts = deliveries["items"][0]["attempt_count"].as_u64()?;
        (attempts > 0).then_some(())
    });
    assert!(receiver.requests().is_empty());
}
