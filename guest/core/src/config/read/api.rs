//! Reading another system's API, and how its requests are judged and repeated.

use super::document::finish;
use super::is_reserved_header;
use super::{endpoint, policy, port, source};
use crate::config::{ApiConfig, CallPolicy, DeliveryConfig, StatusSet};
use crate::node::{Node, Problems, Table, key_path};
use crate::problem::Problem;
use http::HeaderName;
use serde_json::{Map, Value};
use std::time::Duration;

/// What an API has beside its endpoint and its policy.
const OWN: &[&str] =
    &["name", "any_url", "method", "concurrency", "rate", "breaker", "throttle_on", "idempotency_header"];

/// Where an API is that has no place of its own: nowhere (RFC 2606, section 2). Nothing is ever sent there.
const NOWHERE: &str = "https://any-url.invalid/";

/// What a request keeps as it was when it was made.
pub const CALL_POLICY_KEYS: &[&str] =
    &["success", "discard", "timeout", "wait_after_timeout", "retry", "retries", "answer_limit"];

/// Those of an API that are an endpoint's; its method is read here.
const OF_ENDPOINT: &[&str] = &[
    "url",
    "headers",
    "signature",
    "secret",
    "secrets",
    "rotation_overlap",
    "allow_private",
    "allow_networks",
    "allow_http",
    "allow_ports",
    "tls",
];
/// Those that a delivery's policy has, too.
const OF_DELIVERY: &[&str] =
    &["success", "discard", "timeout", "retry", "throttle_on", "concurrency", "rate", "breaker"];

/// Methods that a request may have.
pub const CALL_METHODS: &[&str] = &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

const MOST_RETRIES: u64 = 100;
const LONGEST_WAIT: Duration = Duration::from_secs(3600);
/// The most bytes of an answer that may be kept: it is held in memory, and written twice.
const LONGEST_ANSWER: u64 = 16 << 20;

pub(super) fn keys() -> Vec<&'static str> {
    [OWN, OF_ENDPOINT, CALL_POLICY_KEYS].concat()
}

/// Reads an API that stands at `path`.
///
/// # Errors
///
/// Every problem of it at once.
pub fn read_api(value: &Value, path: &str) -> Result<ApiConfig, Vec<Problem>> {
    let problems = Problems::default();
    let api = api(&Node::root(value, path, &problems), path, &problems);
    finish(api, problems)
}

/// Reads how requests are judged and repeated, in the same words: what a request keeps, and what is said of an API at run
/// time. Anything else in the document is a problem.
///
/// # Errors
///
/// Every problem of it at once.
pub fn read_call_policy(value: &Value, path: &str) -> Result<CallPolicy, Vec<Problem>> {
    let problems = Problems::default();
    let node = Node::root(value, path, &problems);
    let policy = node.table(CALL_POLICY_KEYS).and_then(|_| {
        let shared = part(value, &["success", "discard", "timeout", "retry"]);
        let delivery = policy::read(&Node::root(&shared, path, &problems));
        let judged = delivery.clone().unwrap_or_default();
        call_policy(value, &judged, path, &problems).filter(|_| delivery.is_some())
    });
    finish(policy, problems)
}

/// What of a document stands under these keys, so that it can be read by who knows no others.
fn part(value: &Value, keys: &[&str]) -> Value {
    let members = value.as_object().into_iter().flatten();
    let members = members.filter(|(key, _)| keys.contains(&key.as_str()));
    Value::Object(members.map(|(key, value)| (key.clone(), value.clone())).collect::<Map<_, _>>())
}

fn api(node: &Node<'_>, path: &str, problems: &Problems) -> Option<ApiConfig> {
    let keys = keys();
    let table = node.table(&keys)?;
    let name = table.require("name").and_then(|node| source::name(&node));
    let method = table.get("method").map_or(Some("POST"), |node| method(&node));
    let any_url = table.get("any_url").is_some_and(|node| node.boolean() == Some(true));
    let mut whole = part(node.value(), OF_ENDPOINT);
    if any_url {
        own_place(&table);
        if let Some(members) = whole.as_object_mut() {
            members.insert("url".to_owned(), NOWHERE.into());
        }
    }
    let endpoint = endpoint::read(&Node::root(&whole, path, problems)).and_then(|mut endpoint| {
        let templates = &endpoint.templates;
        if templates.target.is_some() || !templates.headers.is_empty() {
            node.report_with_hint(
                "has `{{ … }}`, and there is no event to fill it with",
                "a request has a path and header fields of its own",
            );
            return None;
        }
        method?.clone_into(&mut endpoint.method);
        Some(endpoint)
    });
    let whole = part(node.value(), OF_DELIVERY);
    let delivery = policy::read(&Node::root(&whole, path, problems));
    // What is wrong with the one says nothing of the other.
    let judged = delivery.clone().unwrap_or_default();
    let policy = call_policy(node.value(), &judged, path, problems);
    let header =
        table.get("idempotency_header").map_or(Some(IDEMPOTENCY_KEY.to_owned()), |node| key_header(&node));
    if let (Some(header), Some(endpoint)) = (&header, &endpoint)
        && let Some((name, _)) = endpoint.headers.iter().find(|(name, _)| name == header)
    {
        problems.push(
            Problem::new(key_path(&key_path(path, "headers"), name), "this header field has the call's key")
                .with_hint("`idempotency_header` names another one for it"),
        );
    }
    let delivery = delivery?;
    // Of the statuses that leave a subscription alone none is there for an API by default that it does not send on purpose.
    let throttle_on = match table.get("throttle_on") {
        Some(_) => delivery.throttle_on,
        None => StatusSet::new(vec![(429, 429)]),
    };
    // A caller who waits is served better by an attempt that fails, unless somebody says otherwise.
    let breaker = table.get("breaker").and(delivery.breaker);
    Some(ApiConfig {
        name: name?,
        endpoint: endpoint?,
        any_url,
        policy: policy?,
        throttle_on,
        concurrency: delivery.concurrency,
        rate: delivery.rate,
        breaker,
        idempotency_header: header?,
    })
}

/// Reports what an API cannot have that is called wherever a request says.
fn own_place(table: &Table<'_>) {
    if let Some(node) = table.get("url") {
        node.report("give either \"url\" or \"any_url\"");
    }
    if let Some(node) = table.get("headers") {
        node.report_with_hint(
            "not beside \"any_url\": who names the url would have them sent to anybody",
            "a request has header fields of its own",
        );
    }
}

/// Reads the URL that a request to an API with `any_url` names, which stands at `path`. It holds to what holds for the URL of
/// an endpoint.
///
/// # Errors
///
/// Every problem of it at once.
pub fn read_call_url(api: &ApiConfig, url: &str, path: &str) -> Result<(), Vec<Problem>> {
    let (problems, value) = (Problems::default(), Value::from(url));
    let node = Node::root(&value, path, &problems);
    let read = endpoint::url(&node).filter(|url| port::permits(&node, url, &api.endpoint.allow_ports));
    finish(read.map(drop), problems)
}

/// Fields that tell the API how to read what it is sent, and whom it is from.
const OF_CONTENT: &[&str] = &[
    "accept",
    "accept-encoding",
    "authorization",
    "content-encoding",
    "content-type",
    "cookie",
    "user-agent",
];

/// Fields that intermediaries and servers read for themselves: a key there would be read as something else.
const OF_OTHERS: &[&str] = &[
    "baggage",
    "date",
    "forwarded",
    "if-match",
    "if-none-match",
    "origin",
    "range",
    "referer",
    "traceparent",
    "tracestate",
];

/// The field of draft-ietf-httpapi-idempotency-key-header.
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// The field with the call's key.
fn key_header(node: &Node<'_>) -> Option<String> {
    let Ok(name) = node.text()?.parse::<HeaderName>() else {
        node.report("not the name of a header field");
        return None;
    };
    if is_reserved_header(name.as_str())
        || OF_CONTENT.contains(&name.as_str())
        || OF_OTHERS.contains(&name.as_str())
    {
        node.report("this header field says something else");
        return None;
    }
    Some(name.as_str().to_owned())
}

fn method(node: &Node<'_>) -> Option<&'static str> {
    let text = node.string()?;
    let method = CALL_METHODS.iter().copied().find(|method| *method == text);
    if method.is_none() {
        let words: Vec<String> = CALL_METHODS.iter().map(|word| format!("{word:?}")).collect();
        node.report(format!("must be one of {}", words.join(", ")));
    }
    method
}

/// The policy among the other keys of a document. What it shares with a delivery was read as a delivery's; what is left out
/// has the defaults of calls.
fn call_policy(
    value: &Value,
    delivery: &DeliveryConfig,
    path: &str,
    problems: &Problems,
) -> Option<CallPolicy> {
    let before = problems.count();
    let defaults = CallPolicy::default();
    let has = |key: &str| value.get(key).is_some();
    let mut policy = CallPolicy {
        success: if has("success") { delivery.success.clone() } else { defaults.success },
        discard: if has("discard") { delivery.discard.clone() } else { defaults.discard },
        timeout: if has("timeout") { delivery.timeout } else { defaults.timeout },
        retry: if has("retry") { delivery.retry.clone() } else { defaults.retry },
        ..CallPolicy::default()
    };
    if has("retry") && value.pointer("/retry/on").is_none() {
        policy.retry.on = CallPolicy::causes();
    }
    if has("retry") && value.pointer("/retry/delays").is_none() && value.pointer("/retry/backoff").is_none() {
        policy.retry.schedule = CallPolicy::default().retry.schedule;
    }
    let rest = part(value, &["wait_after_timeout", "retries", "answer_limit"]);
    let node = Node::root(&rest, path, problems);
    let table = node.table(CALL_POLICY_KEYS)?;
    if let Some(wait) =
        table.get("wait_after_timeout").and_then(|node| node.duration(Duration::ZERO..=LONGEST_WAIT))
    {
        policy.wait_after_timeout = wait;
    }
    if let Some(limit) = table.get("answer_limit").and_then(|node| node.size(0..=LONGEST_ANSWER)) {
        policy.answer_limit = limit;
    }
    if let Some(retries) = table.get("retries").and_then(|node| node.integer(0..=MOST_RETRIES)) {
        policy = policy.with_retries(u32::try_from(retries).ok()?);
    }
    if let Some(status) = policy.discard.common(&policy.success) {
        let message = format!("{status} would be success and discard at once");
        problems.push(Problem::new(crate::node::key_path(path, "discard"), message));
    }
    (problems.count() == before).then_some(policy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{BreakerConfig, BreakerTrip, Schedule};
    use serde_json::json;

    fn api(more: Value) -> Result<ApiConfig, Vec<String>> {
        let mut value = json!({"name": "billing", "url": "https://api.example.com/v1"});
        value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let told = |problems: Vec<Problem>| problems.iter().map(ToString::to_string).collect();
        read_api(&value, "api[0]").map_err(told)
    }

    #[test]
    fn what_is_left_out_has_the_documented_defaults() {
        let api = api(json!({})).unwrap();
        assert_eq!((api.name.as_str(), api.endpoint.method.as_str()), ("billing", "POST"));
        assert_eq!(api.policy, CallPolicy::default());
        assert_eq!((api.concurrency, api.rate, api.policy.attempts()), (10, None, 5));
        assert_eq!((api.idempotency_header.as_str(), api.breaker), ("idempotency-key", None));
        assert!(api.throttle_on.contains(429) && !api.throttle_on.contains(503));
        assert_eq!(read_call_policy(&json!({}), "").unwrap(), CallPolicy::default());
    }

    #[test]
    fn reads_what_an_endpoint_and_a_delivery_have_in_the_same_words() {
        let api = api(json!({
            "method": "GET", "headers": {"Authorization": "Bearer x"}, "secret": "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
            "allow_private": true, "timeout": "5s", "concurrency": 3, "rate": {"per_second": 5},
            "breaker": {"failures": 3, "probe": "9s"},
            "success": ["2xx", 404], "retry": {"delays": ["1s", "2s"]}, "answer_limit": "64KiB",
            "wait_after_timeout": "1m", "idempotency_header": "X-Request-Id"
        }))
        .unwrap();
        assert_eq!(api.endpoint.method, "GET");
        assert_eq!(api.endpoint.headers[0].0, "authorization");
        assert_eq!((api.concurrency, api.policy.attempts()), (3, 3));
        let breaker = BreakerConfig { trip: BreakerTrip::Failures(3), probe: Duration::from_secs(9) };
        assert_eq!(api.breaker, Some(breaker));
        assert!(api.policy.success.contains(404) && !api.policy.retry.on.statuses.contains(404));
        assert_eq!((api.policy.answer_limit, api.idempotency_header.as_str()), (65536, "x-request-id"));
    }

    #[test]
    fn every_problem_is_told_once_with_its_place() {
        let problems = api(json!({
            "timeout": "soon", "colour": 1, "method": "BREW", "retries": 1000, "url": "ftp://x",
            "retry": {"delays": 1}, "idempotency_header": "a b"
        }))
        .unwrap_err();
        let mut places: Vec<&str> =
            problems.iter().map(|problem| problem.split(':').next().unwrap()).collect();
        places.sort_unstable();
        let expected =
            ["colour", "idempotency_header", "method", "retries", "retry.delays", "timeout", "url"];
        assert_eq!(places, expected.map(|key| format!("api[0].{key}")), "{problems:?}");
        assert_eq!(api(json!({"retries": 101})).unwrap_err().len(), 1);
        assert_eq!(api(json!({"url": "https://a/{{ event.id }}"})).unwrap_err().len(), 1);
        assert_eq!(api(json!({"success": [200], "discard": [200]})).unwrap_err().len(), 1);
        assert_eq!(api(json!({"discard": [204]})).unwrap_err().len(), 1);
        assert_eq!(read_call_policy(&json!({"url": 1, "timeout": 1}), "").unwrap_err().len(), 2);
        let both = json!({"timeout": "soon", "answer_limit": "many"});
        assert_eq!(read_call_policy(&both, "").unwrap_err().len(), 2);
    }

    #[test]
    fn the_key_has_a_header_field_of_its_own() {
        for name in [
            "Content-Length",
            "host",
            "Transfer-Encoding",
            "connection",
            "Content-Type",
            "webhook-signature",
            "webhook-id",
            "traceparent",
            "date",
            "authorization",
            "user-agent",
        ] {
            let problems = api(json!({"idempotency_header": name})).unwrap_err();
            assert!(problems[0].starts_with("api[0].idempotency_header"), "{name}: {problems:?}");
        }
        let problems = api(json!({"headers": {"Idempotency-Key": "x"}})).unwrap_err();
        assert!(problems[0].starts_with("api[0].headers.idempotency-key"), "{problems:?}");
        let other = json!({"headers": {"idempotency-key": "x"}, "idempotency_header": "X-Key"});
        assert_eq!(api(other).unwrap().idempotency_header, "x-key");
    }

    #[test]
    fn an_api_that_is_anywhere_has_no_place_and_no_header_fields_of_its_own() {
        let read = |more: Value| {
            let mut value = json!({"name": "partners", "any_url": true});
            value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            read_api(&value, "api[0]")
        };
        let api = read(json!({"allow_ports": [6379]})).unwrap();
        assert!(api.any_url);
        let both = read(json!({"url": "https://a.example", "headers": {"authorization": "x"}})).unwrap_err();
        let places: Vec<&str> = both.iter().map(|problem| problem.path.as_str()).collect();
        assert_eq!(places, ["api[0].url", "api[0].headers"]);
        assert_eq!(read(json!({"any_url": false})).unwrap_err().len(), 1);
        for url in ["https://a.example", "http://a.example:8080/x?y=1", "https://a.example:6379/"] {
            assert_eq!(read_call_url(&api, url, "url"), Ok(()), "{url}");
        }
        for url in
            ["", "/x", "ftp://a.example", "https://u:p@a.example/", "https://a.example:22/", "https://a/#b"]
        {
            assert_eq!(read_call_url(&api, url, "url").unwrap_err().len(), 1, "{url}");
        }
    }

    #[test]
    fn retries_cut_a_schedule_or_make_it_longer() {
        let with = |more: Value| api(more).unwrap().policy;
        assert_eq!(with(json!({"retries": 0})).attempts(), 1);
        assert_eq!(with(json!({"retries": 7})).attempts(), 8);
        let delays = json!({"retry": {"delays": ["1s", "9s"]}, "retries": 3});
        let Schedule::Delays(delays) = with(delays).retry.schedule else { panic!("a rule") };
        assert_eq!(delays, [1, 9, 9].map(Duration::from_secs));
    }
}
