//! Replayable cases of the service's own behaviour. A step is a request and what is answered: the status, and JSON of which
//! every member that is named has to be there. `{A}` stands for what an earlier step saved.

use super::{Flare, to};
use anglerfish_tests::Receiver;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const A: &str = r#"{"endpoint":"http://app1.com/resources/{*}","change":{"field":"updatedAt","format":"2006-01-02T15:04:05Z07:00"}}"#;
const B: &str = r#"{"endpoint":"http://app2.com/resources/{*}","change":{"field":"updatedAt","format":"2006-01-02T15:04:05Z07:00"}}"#;
const DOCUMENTS: &str = r#"{"endpoint":"http://documents/{*}","change":{"field":"updatedAt","format":"2006-01-02T15:04:05Z07:00"}}"#;
const SUB: &str =
    r#"{"endpoint":{"url":"http://app.com","method":"POST"},"delivery":{"success":[200],"discard":[500]}}"#;

/// A request and its answer; what the answer's `id` is saved as, if anything.
struct Step {
    ask: String,
    body: String,
    status: u16,
    answer: Value,
    save: String,
}

fn step(ask: &str, body: &str, status: u16, answer: Value) -> Step {
    Step { ask: ask.to_owned(), body: body.to_owned(), status, answer, save: String::new() }
}

/// A request that makes something, saved by a name.
fn make(ask: &str, body: &str, save: &str) -> Step {
    Step { save: save.to_owned(), ..step(ask, body, 201, json!({})) }
}

fn error(title: &str, detail: &str) -> Value {
    json!({"error": {"title": title, "detail": detail}})
}

/// An error of which the detail is Go's own.
fn title(title: &str) -> Value {
    json!({"error": {"title": title}})
}

fn fill(text: &str, saved: &BTreeMap<String, String>) -> String {
    saved.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
}

/// Whether every member that is expected is there; lists have to be as long.
fn holds(found: &Value, expected: &Value) -> bool {
    match (found, expected) {
        (Value::Object(found), Value::Object(expected)) => {
            expected.iter().all(|(key, value)| found.get(key).is_some_and(|found| holds(found, value)))
        }
        (Value::Array(found), Value::Array(expected)) => {
            found.len() == expected.len() && found.iter().zip(expected).all(|(a, b)| holds(a, b))
        }
        _ => found == expected,
    }
}

impl Flare {
    fn play(&self, name: &str, steps: Vec<Step>) {
        let mut saved: BTreeMap<String, String> = BTreeMap::new();
        for Step { ask, body, status, answer, save } in steps {
            let (method, path) = ask.split_once(' ').unwrap();
            let (path, body) = (fill(path, &saved), fill(&body, &saved));
            let found = self.ask(method, &path, &body);
            let context = format!("{name}: {ask} {body}: {}", found.text());
            assert_eq!(found.status, status, "{context}");
            if answer.is_null() {
                assert!(found.body.is_empty() && found.header("content-type").is_none(), "{context}");
                continue;
            }
            assert!(found.header("content-type").unwrap().starts_with("application/json"), "{context}");
            let expected: Value = serde_json::from_str(&fill(&answer.to_string(), &saved)).unwrap();
            assert!(holds(&found.json(), &expected), "{context}\nexpected {expected}");
            if !save.is_empty() {
                let id = found.json()["id"].as_str().unwrap().to_owned();
                assert_eq!(found.header("location"), Some(&*format!("{path}/{id}")), "{context}");
                saved.insert(save, id);
            }
        }
        self.clean();
    }

    /// Deletes everything, subscriptions first.
    fn clean(&self) {
        for resource in self.ask("GET", "/resources?limit=1000", "").json()["resources"].as_array().unwrap() {
            let path = format!("/resources/{}", resource["id"].as_str().unwrap());
            let all = self.ask("GET", &format!("{path}/subscriptions?limit=1000"), "").json();
            for one in all["subscriptions"].as_array().unwrap() {
                let id = one["id"].as_str().unwrap();
                let _ = self.ask("DELETE", &format!("{path}/subscriptions/{id}"), "").expect(204);
            }
            let _ = self.ask("DELETE", &path, "").expect(204);
        }
    }
}

const RESOURCES: &str = "POST /resources";
const SUBSCRIPTIONS: &str = "POST /resources/{A}/subscriptions";

#[test]
fn resources_are_made_listed_and_deleted_as_its_clients_know_it() {
    let flare = Flare::start("", "");
    let (parse, page) = ("error during pagination parse", "invalid pagination");
    let get = |ask: &str, status, answer| step(ask, "", status, answer);
    let sample = "error during parameter 'limit' parse with value 'sample': strconv.Atoi: parsing \"sample\": \
                  invalid syntax";
    flare.play("C1", vec![get("GET /resources?limit=sample", 400, error(parse, sample))]);
    flare.play("C2", vec![get("GET /resources?limit=-1", 400, error(page, "invalid limit '-1'"))]);
    flare.play("C3", vec![get("GET /resources?offset=-1", 400, error(page, "invalid offset '-1'"))]);
    let a: Value = serde_json::from_str(A).unwrap();
    let b: Value = serde_json::from_str(B).unwrap();
    let listed = |limit: u32, offset: u32, total: u32, all: Vec<&Value>| json!({"pagination": {"limit": limit, "offset": offset, "total": total}, "resources": all});
    flare.play("C4", vec![make(RESOURCES, A, "A"), get("GET /resources", 200, listed(30, 0, 1, vec![&a]))]);
    flare.play(
        "C5 C6",
        vec![
            make(RESOURCES, A, "A"),
            make(RESOURCES, B, "B"),
            get("GET /resources?limit=10", 200, listed(10, 0, 2, vec![&a, &b])),
            get("GET /resources?limit=10&offset=1", 200, listed(10, 1, 2, vec![&b])),
            get("GET /resources?limit=0", 200, listed(0, 0, 2, vec![])),
            get("GET /resources?offset=9", 200, listed(30, 9, 2, vec![])),
            get("GET /resources?offset=&limit=", 200, listed(30, 0, 2, vec![&a, &b])),
        ],
    );
    let missing = error("error during resource search", "resource '123' not found");
    flare.play("C7", vec![get("GET /resources/123", 404, missing)]);
    flare.play("C8", vec![make(RESOURCES, A, "A"), get("GET /resources/{A}", 200, a.clone())]);
    let missing = error("error during resource delete", "resource '123' not found");
    flare.play("C9", vec![get("DELETE /resources/123", 404, missing)]);
    flare.play(
        "C10",
        vec![
            make(RESOURCES, A, "A"),
            get("DELETE /resources/{A}", 204, Value::Null),
            get("GET /resources/{A}", 404, title("error during resource search")),
        ],
    );
    let bad = |body: &str, answer| step(RESOURCES, body, 400, answer);
    flare.play("C11", vec![bad("", error("error during body parse", "EOF"))]);
    flare.play("C12", vec![bad("{}", error("invalid body content", "invalid endpoint: missing host"))]);
    let taken = "endpoint already associated to another resource '{A}'";
    let other_name = A.replace("{*}", "{id}");
    flare.play(
        "C13, also with another name of its wildcard",
        vec![
            make(RESOURCES, A, "A"),
            step(RESOURCES, A, 409, error("error during resource create", taken)),
            step(RESOURCES, &other_name, 409, error("error during resource create", taken)),
        ],
    );
    let more = A.replace(
        "{\"endpoint\"",
        "{\"id\":\"mine\",\"createdAt\":\"2020-01-01T00:00:00Z\",\"x\":[1],\"endpoint\"",
    );
    flare.play("C14", vec![make(RESOURCES, &more, "A"), get("GET /resources/mine", 404, json!({}))]);
    let bare = r#"{"endpoint":"http://h/u/{id}","change":{"field":"version"}} and what follows"#;
    let answer = flare.ask("POST", "/resources", bare).expect(201).json();
    assert_eq!(answer["change"], json!({"field": "version"}), "C15");
    assert_eq!(answer["id"].as_str().unwrap().len(), 36);
    assert!(answer["createdAt"].as_str().unwrap().len() == "2006-01-02T15:04:05Z".len(), "{answer}");
    flare.clean();
    let with = |endpoint: &str| json!({"endpoint": endpoint, "change": {"field": "v"}}).to_string();
    for endpoint in [
        "/resources/{*}",
        "http://flare.com",
        "http://flare.com/users",
        "http://h/users/{*}-path/posts/{*}",
        "http://h/users/{}",
        "http://h/users/{",
        "http://h/users/}",
        "http://h/{revision}",
        "http://h/{ revision }",
        "http://h/{id1}{id2}",
        "http://h/{{*}}",
        "http://h/{wildcard}}",
        "http://h/{ id }/{ id}",
        "http://h/{*}/{*}",
        "http://h/{wildcard}/{*}/{wildcard}",
        "http://h/content-{id}",
        "http://h/content/{id}/user-{guid}",
        "http://h/{id}?a=b",
        "http://h/{id}#x",
        "ftp://h/{id}",
        "http://u@h/{id}",
        "mailto:{id}",
    ] {
        flare.play("C16 C18", vec![bad(&with(endpoint), title("invalid body content"))]);
    }
    let fieldless = r#"{"endpoint":"http://h/u/{id}","change":{}}"#;
    flare.play("C16", vec![bad(fieldless, error("invalid body content", "missing change field"))]);
    let odd = r#"{"endpoint":"http://h/u/{id}","change":{"field":"v","format":"invalid"}}"#;
    flare.play("a format that reads nothing", vec![bad(odd, title("invalid body content"))]);
    for endpoint in ["http://h/users/{*}", "http://h/users/{*}/{id}"] {
        flare.play("C17", vec![make(RESOURCES, &with(endpoint), "A")]);
    }
    let found = |status: u16, title: &str| json!({"error": {"status": status, "title": title}});
    flare.play(
        "C19",
        vec![
            get("GET /nowhere", 404, found(404, "not found")),
            get("PUT /resources", 400, found(400, "method not allowed")),
            get("POST /documents/http://h/u/1", 400, found(400, "method not allowed")),
            get("GET /", 200, json!({"go": "anglerfish"})),
        ],
    );
    flare.play(
        "C20",
        vec![
            make(RESOURCES, &with("http://h/u/{id}/"), "A"),
            get("GET /resources/", 200, json!({"resources": [{"endpoint": "http://h/u/{id}"}]})),
        ],
    );
}

#[test]
fn subscriptions_are_made_listed_and_deleted_as_its_clients_know_it() {
    let flare = Flare::start("", "");
    let get = |ask: &str, status, answer| step(ask, "", status, answer);
    let at = "GET /resources/{A}/subscriptions";
    let empty = json!({"pagination": {"limit": 30, "offset": 0, "total": 0}, "subscriptions": []});
    flare.play("S1", vec![make(RESOURCES, A, "A"), get(at, 200, empty.clone())]);
    flare.play("S1", vec![get("GET /resources/123/subscriptions", 200, empty)]);
    for (query, title) in [
        ("limit=sample", "error during pagination parse"),
        ("limit=-1", "invalid pagination"),
        ("offset=sample", "error during pagination parse"),
        ("offset=-1", "invalid pagination"),
    ] {
        let ask = format!("{at}?{query}");
        flare.play("S2", vec![make(RESOURCES, A, "A"), get(&ask, 400, self::title(title))]);
    }
    let sub = |number: u32| SUB.replace("http://app.com", &format!("http://app.com/{number}"));
    let (one, two, three) = (sub(1), sub(2), sub(3));
    let ids = |ids: &[&str]| ids.iter().map(|id| json!({"id": id})).collect::<Vec<_>>();
    flare.play(
        "S3",
        vec![
            make(RESOURCES, A, "A"),
            make(SUBSCRIPTIONS, &one, "one"),
            make(SUBSCRIPTIONS, &two, "two"),
            make(SUBSCRIPTIONS, &three, "three"),
            get(
                "GET /resources/{A}/subscriptions?offset=1",
                200,
                json!({
                    "pagination": {"limit": 30, "offset": 1, "total": 3},
                    "subscriptions": ids(&["{two}", "{three}"])
                }),
            ),
        ],
    );
    let missing = "subscription '456' at resource '{A}', not found";
    flare.play(
        "S4 S5",
        vec![
            make(RESOURCES, A, "A"),
            get(
                "GET /resources/{A}/subscriptions/456",
                404,
                error("error during subscription search", missing),
            ),
            get(
                "DELETE /resources/{A}/subscriptions/456",
                404,
                error("error during subscription delete", missing),
            ),
            make(SUBSCRIPTIONS, SUB, "S"),
            get("DELETE /resources/{A}/subscriptions/{S}", 204, Value::Null),
            get("GET /resources/{A}/subscriptions/{S}", 404, title("error during subscription search")),
        ],
    );
    let unescaped = SUB.replace("http://app.com", "%zzzzz");
    flare.play(
        "S6",
        vec![
            make(RESOURCES, A, "A"),
            step(SUBSCRIPTIONS, "", 400, error("error during body parse", "EOF")),
            step(
                SUBSCRIPTIONS,
                &unescaped,
                400,
                error(
                    "error during body parse",
                    "error during content unescape: error during endpoint.url unescape: invalid URL escape \"%zz\"",
                ),
            ),
        ],
    );
    let missing = error("error during resource search", "resource '123' not found");
    flare.play(
        "S7",
        vec![
            step("POST /resources/123/subscriptions", SUB, 404, missing.clone()),
            step("POST /resources/123/subscriptions", "{", 404, missing),
        ],
    );
    let taken = "already exists a subscription '{S}' with the endpoint.URL 'http://app.com'";
    flare.play(
        "S8, and what has subscriptions stays",
        vec![
            make(RESOURCES, A, "A"),
            make(SUBSCRIPTIONS, SUB, "S"),
            step(SUBSCRIPTIONS, SUB, 409, error("error during subscription create", taken)),
            get(
                "DELETE /resources/{A}",
                409,
                error(
                    "error during resource delete",
                    "there are subscriptions associated with this resource '{A}'",
                ),
            ),
            get(
                "GET /resources/{A}/subscriptions/{S}",
                200,
                json!({
                    "endpoint": {"url": "http://app.com", "method": "POST"},
                    "delivery": {"success": [200], "discard": [500]},
                    "content": {"document": true, "envelope": true}
                }),
            ),
        ],
    );
    let id = flare.resource("http://h/u/{id}");
    let path = format!("/resources/{id}/subscriptions");
    let answer = flare.ask("POST", &path, SUB).expect(201).json();
    let members: Vec<&str> = answer.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(members, ["content", "createdAt", "delivery", "endpoint", "id"], "S9: {answer}");
    assert_eq!(answer["endpoint"], json!({"url": "http://app.com", "method": "POST"}));
    flare.clean();
}

#[test]
fn subscriptions_are_checked_as_its_clients_know_it() {
    let flare = Flare::start("", "");
    let users = r#"{"endpoint":"http://api.company.com/users/{id}","change":{"field":"v"}}"#;
    let with = |change: &dyn Fn(&mut Value)| {
        let mut body: Value = serde_json::from_str(SUB).unwrap();
        change(&mut body);
        body.to_string()
    };
    let url = |action: &str| format!("http://app.com/{action}");
    let parse = "error during body parse";
    let refused = |body: &str, expected: Value| {
        flare.play("S10 S12", vec![make(RESOURCES, users, "A"), step(SUBSCRIPTIONS, body, 400, expected)]);
    };
    let invalid = |detail: &str| error(parse, &format!("invalid body content: {detail}"));
    let with_data = |data: Value| with(&|body| body["data"] = data.clone());
    refused(
        &with(&|body| body["endpoint"] = json!({"method": "POST"})),
        invalid("invalid endpoint: 'endpoint.url' not found"),
    );
    refused(
        &with(&|body| body["endpoint"]["method"] = json!("something")),
        invalid("invalid method: invalid endpoint.Method 'SOMETHING'"),
    );
    refused(&with(&|body| body["delivery"]["success"] = json!([])), invalid("missing delivery.Success"));
    refused(&with(&|body| body["delivery"]["discard"] = json!([])), invalid("missing delivery.Discard"));
    refused(
        &with(&|body| {
            body["content"] = json!({"envelope": false});
            body["data"] = json!({"a": 1});
        }),
        invalid("could not have data while content.envelope is false"),
    );
    for data in [json!({"service": {"id": "1"}}), json!({"service": [{}]}), json!({"service": null})] {
        refused(&with_data(data), invalid("invalid data content at key 'service'"));
    }
    refused(
        &with_data(json!({"k": "{other}"})),
        invalid("data.'k' has a wildcard 'other' that is not at the resource"),
    );
    refused(
        &with(&|body| body["endpoint"]["url"] = json!("http://app.com/{other}")),
        invalid("invalid endpoint: endpoint.url has a wildcard 'other' that is not at the resource"),
    );
    refused(
        &with(&|body| body["endpoint"]["actions"] = json!({"delete": {"url": "http://app.com/{other}"}})),
        invalid("invalid endpoint: endpoint.delete.url has a wildcard 'other' that is not at the resource"),
    );
    refused(
        &with(&|body| body["endpoint"]["url"] = json!("http://app.com/{revision}")),
        invalid("invalid endpoint: invalid wildcard: 'revision' is a reserved wildcard"),
    );
    for url in ["http://app.com/{", "http://app.com/{{id}}", "http://app.com/{id}{id}"] {
        refused(&with(&|body| body["endpoint"]["url"] = json!(url)), title(parse));
    }
    refused(
        &with(&|body| body["endpoint"] = json!({"url": "http://app.com"})),
        invalid("invalid method: 'endpoint.method' not found"),
    );
    refused(
        &with(&|body| body["endpoint"]["actions"] = json!({"remove": {}})),
        invalid("invalid endpoint: unknown action 'endpoint.actions.remove'"),
    );
    for odd in ["app.com/x", "ftp://app.com", "http://{id}.com/"] {
        refused(&with(&|body| body["endpoint"]["url"] = json!(odd)), title("invalid subscription"));
    }
    refused(&with(&|body| body["delivery"]["success"] = json!(["ok"])), title(parse));
    refused(&with(&|body| body["endpoint"] = json!(3)), title(parse));
    let actions = |names: &[&str]| {
        let own = |name: &&str| ((*name).to_owned(), json!({"url": url(name), "method": "POST"}));
        Value::Object(names.iter().map(own).collect())
    };
    refused(
        &with(&|body| body["endpoint"] = json!({"actions": actions(&["create"])})),
        invalid(
            "invalid endpoint: 'endpoint.url' not found while the 'endpoint.actions.update.url' is not present",
        ),
    );
    refused(
        &with(&|body| body["endpoint"] = json!({"actions": actions(&["create", "update"])})),
        invalid(
            "invalid endpoint: 'endpoint.url' not found while the 'endpoint.actions.delete.url' is not present",
        ),
    );

    let taken = |body: &str, expected: Value| {
        flare.play(
            "S11 S12 S13 C18",
            vec![
                make(RESOURCES, users, "A"),
                make(SUBSCRIPTIONS, body, "S"),
                step("GET /resources/{A}/subscriptions/{S}", "", 200, expected),
            ],
        );
    };
    let data = json!({"service": "user", "rate": 1, "enable": true, "object": ["sample", 2]});
    taken(&with_data(data.clone()), json!({"data": data}));
    for content in [json!({"envelope": false}), json!({"document": false, "envelope": false})] {
        let document = content.get("document").cloned().unwrap_or(json!(true));
        let body = with(&|body| body["content"] = content.clone());
        taken(&body, json!({"content": {"document": document, "envelope": false}}));
    }
    taken(&with(&|body| body["endpoint"]["actions"] = actions(&["create"])), json!({}));
    let all = actions(&["create", "update", "delete"]);
    taken(
        &with(&|body| body["endpoint"] = json!({"actions": all.clone()})),
        json!({"endpoint": {"actions": all}}),
    );
    taken(
        &with(&|body| {
            body["endpoint"]["method"] = json!("post");
            body["endpoint"]["actions"] = json!({"delete": {"method": "delete"}});
            body["endpoint"]["headers"] =
                json!({"x-a": ["1", "2"], "x-b": ["{id}"], "Authorization": ["Bearer x"]});
        }),
        json!({"endpoint": {
            "method": "POST", "actions": {"delete": {"method": "DELETE"}},
            "headers": {"x-a": ["1", "2"], "x-b": ["{id}"], "Authorization": ["…"]}
        }}),
    );
    for path in ["/{id}-something", "/some{id}thing", "/{id}thing", "/some{id}/{id}"] {
        let url = format!("http://app.com{path}");
        taken(&with(&|body| body["endpoint"]["url"] = json!(url)), json!({"endpoint": {"url": url}}));
    }
}

#[test]
fn documents_are_put_read_and_deleted_as_its_clients_know_it() {
    let flare = Flare::start("body_limit = 1000", "");
    let get = |ask: &str, status, answer| step(ask, "", status, answer);
    let url = "/documents/http://documents/123";
    let (of, put, delete) = (format!("GET {url}"), format!("PUT {url}"), format!("DELETE {url}"));
    let missing = error("error during document search", "document 'http://documents/123' not found");
    flare.play("D1", vec![get(&of, 404, missing.clone())]);
    let query = error("invalid id", "should not have query string 'key=value'");
    for ask in [&of, &put, &delete] {
        for suffix in ["%3Fkey=value", "?key=value"] {
            let ask = format!("{ask}{suffix}");
            flare.play("D2", vec![get(&ask, 400, query.clone())]);
        }
    }
    let nowhere = "could not found a resource for this uri 'http://documents/123'";
    for ask in [&put, &delete] {
        flare.play("D3", vec![get(ask, 404, error("error during resource search", nowhere))]);
    }
    let large = "x".repeat(1001);
    flare.play("D3", vec![step(&put, &large, 404, error("error during resource search", nowhere))]);
    for (id, detail) in [
        ("123", "missing host"),
        ("http://documents", "missing path"),
        ("ftp://documents/1", "unknown scheme 'ftp'"),
        ("http://u@documents/1", "should not have user"),
        ("http://documents/1%23top", "should not have fragment 'top'"),
    ] {
        let ask = format!("PUT /documents/{id}");
        flare.play("invalid ids", vec![step(&ask, "{}", 400, error("invalid id", detail))]);
    }
    flare.play(
        "D4",
        vec![
            make(RESOURCES, DOCUMENTS, "A"),
            step(&put, "", 202, Value::Null),
            step(&put, r#"{"updatedAt":"2011-10-07T07:08:08.008Z"}"#, 202, Value::Null),
            get(&of, 404, missing.clone()),
        ],
    );
    let eof = error("invalid body", "error during body unmarshal: EOF");
    let body = r#"{"updatedAt":"2011-10-07T07:08:08.008Z","n":9007199254740993}"#;
    let older = r#"{"updatedAt":"2011-10-07T07:08:08.007Z"}"#;
    let found =
        json!({"id": "http://documents/123", "content": serde_json::from_str::<Value>(body).unwrap()});
    // This one is really told: nobody else's host may be.
    let receiver = Receiver::start();
    let here = to(&receiver, "/").to_string();
    let escaped = "GET /documents/http%3A%2F%2Fdocuments%2F123";
    let large = format!("{{\"updatedAt\":\"2012-10-07T07:08:08Z\",\"x\":\"{}\"}}", "x".repeat(1000));
    flare.play(
        "D5 D6 D7 D8",
        vec![
            make(RESOURCES, DOCUMENTS, "A"),
            make(SUBSCRIPTIONS, &here, "S"),
            step(&put, "", 400, eof),
            step(&put, "{}", 400, error("invalid body", "data type not supported")),
            step(&put, "[\"1\"]", 400, title("invalid body")),
            step(&put, r#"{"updatedAt":"yesterday"}"#, 400, title("invalid body")),
            step(&put, r#"{"updatedAt":99999999999999999999}"#, 400, title("invalid body")),
            step(&put, &large, 413, title("invalid body")),
            step(&delete, "", 202, Value::Null),
            step(&put, body, 202, Value::Null),
            get(&of, 200, found.clone()),
            get(escaped, 200, found.clone()),
            get("GET /documents/http:/documents/123", 200, found.clone()),
            get("GET /documents/http://documents/123/", 200, found.clone()),
            step(&put, older, 202, Value::Null),
            get(&of, 200, found),
            step(&delete, "", 202, Value::Null),
            get(&of, 404, missing),
        ],
    );
    assert!(flare.gateway.log().lines().all(|line| !line.contains("ERROR")), "{}", flare.gateway.log());
}
