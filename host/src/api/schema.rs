//! The form of the documents that clients write, for the description of the API.
//!
//! They are read by the core's own reader, which tells every problem at once with its place; these types only describe
//! what it takes. A test holds the two against each other.

use super::job::LogPlace;
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// A subscription, in the words of the configuration file.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SubscriptionDocument)]
#[expect(dead_code, reason = "it only describes what is read")]
pub(super) struct SubscriptionBody {
    /// Its name. Where the address says it, it may be left out.
    #[schema(required = false, pattern = "^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$")]
    id: String,
    /// The sources that it listens to; left out, all of them.
    #[schema(required = false, min_items = 1, max_items = 1000)]
    sources: Vec<String>,
    /// A CEL expression; left out, every event matches.
    #[schema(required = false, min_length = 1, max_length = 4096)]
    filter: String,
    /// The resource whose documents it is told of; it gets no other events then. What follows is said for it alone.
    #[schema(required = false)]
    resource: String,
    /// Whether it is told of the newest revision when a delivery runs (`last`, the default), or of each in its order (`all`).
    #[schema(required = false)]
    revisions: String,
    /// Whether it is told of every document that exists when it subscribes; by default it is not.
    #[schema(required = false)]
    backfill: bool,
    #[schema(required = false)]
    notification: NotificationBody,
    /// How deliveries get to their subscriber; `push` by default.
    #[schema(required = false)]
    mode: ModeBody,
    /// The flow that each event starts one of, in a program that the gateway is part of and that has flows.
    #[schema(required = false, pattern = "^[A-Za-z0-9._-]{1,40}$")]
    flow: String,
    /// What the subscriber of a passive subscription shows at `/out`: 16 to 512 characters, `sha256:` and the hash of them
    /// in 64 hexadecimal digits, or a reference, `env:NAME` or `file:PATH`, that `admin.references` of the configuration
    /// names. Several while one is rotated. Only their hashes are kept, and they are not shown again.
    #[schema(required = false, min_items = 1, max_items = 10)]
    tokens: Vec<String>,
    /// Plugins that are asked about each event which the filter wants, in this order; all have to agree. Not beside `tokens`
    /// or a `resource`, and not in the modes `passive` and `stream`.
    #[schema(required = false, max_items = 8)]
    plugins: Vec<PluginUseBody>,
    /// Required, unless the subscription is passive and has `tokens`, is a stream, is taken by a function, or starts flows.
    #[schema(required = false)]
    endpoint: EndpointBody,
    #[schema(required = false)]
    delivery: DeliveryBody,
    /// From where in the log on it gets events when it is new: `now` (the default), `earliest`, a position, or a time.
    /// What is in the log already comes by a job. It says nothing any more when the subscription is replaced.
    #[schema(required = false)]
    start: LogPlace,
    /// What becomes of its open deliveries when it is removed; `end` by default.
    #[schema(required = false)]
    when_removed: WhenRemovedBody,
}

/// A resource, in the words of the configuration file.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ResourceDocument)]
#[expect(dead_code, reason = "it only describes what is read")]
pub(super) struct ResourceBody {
    /// Its name. Where the address says it, it may be left out; where nothing does, it gets one.
    #[schema(required = false, pattern = "^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$")]
    id: String,
    /// Which documents are its: an absolute `http` or `https` URL with wildcards such as `{id}`, each alone between two slashes.
    endpoint: String,
    change: ChangeBody,
    /// How long the revision of a deleted document is remembered, such as `7days`, so that an older one is no news.
    #[schema(required = false)]
    tombstones: String,
}

/// Which field of a document says how new it is.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ResourceChange)]
#[expect(dead_code, reason = "it only describes what is read")]
pub(super) struct ChangeBody {
    /// Its name, at the top of the document.
    #[schema(min_length = 1, max_length = 200)]
    field: String,
    /// How its dates are written, as Go writes the reference date: `2006-01-02T15:04:05Z07:00`. Without it, it is an integer.
    #[schema(required = false)]
    format: String,
}

/// What the subscriber of a resource is told.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Notification)]
#[expect(dead_code, reason = "it only describes what is read")]
pub(super) struct NotificationBody {
    /// Whether the document is sent.
    #[schema(required = false, default = true)]
    document: bool,
    /// Whether it stands in an envelope, `{action, data, document, id, updatedAt}`.
    #[schema(required = false, default = true)]
    envelope: bool,
    /// Whether it is sent as an event in CloudEvents' JSON format instead.
    #[schema(required = false, default = false)]
    cloudevent: bool,
    /// What stands in the envelope besides. `{…}` in a text stands for a wildcard of the resource, or `{revision}`.
    #[schema(required = false)]
    data: BTreeMap<String, Value>,
}

/// A plugin, as a subscription uses it.
#[derive(ToSchema)]
#[schema(as = PluginUse)]
#[expect(dead_code, reason = "it only describes what is read")]
pub(super) struct PluginUseBody {
    /// The plugin's name, of the configuration file.
    name: String,
    /// What the subscription says to it.
    #[schema(required = false)]
    config: Value,
    /// What becomes of a delivery that it fails at: `discard` (the default), or `hold`, from where it is released by a retry.
    #[schema(required = false)]
    on_error: String,
}

/// How deliveries get to their subscriber.
#[derive(ToSchema)]
#[schema(as = DeliveryMode)]
#[serde(rename_all = "lowercase")]
#[expect(dead_code, reason = "it only describes what is read")]
pub(super) enum ModeBody {
    /// They are sent to the endpoint as soon as they are due.
    Push,
    /// They are kept until the subscriber leases them at `/out`, or somebody has them sent on demand.
    Passive,
    /// Nothing is delivered: readers read the log at `/out`, as the subscription sees it.
    Stream,
    /// A function of the program that the gateway is part of takes them.
    Function,
}

/// What becomes of a subscription's open deliveries when it is deleted, or taken out of the configuration file.
#[derive(ToSchema)]
#[schema(as = WhenRemoved)]
#[serde(rename_all = "lowercase")]
#[expect(dead_code, reason = "it only describes what is read")]
pub(super) enum WhenRemovedBody {
    /// They end as dead, with that as their reason.
    End,
    /// They wait for a subscription of that id. Deleting it (again) ends them.
    Wait,
}

/// A source, in the words of the configuration file.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SourceDocument)]
#[expect(dead_code, reason = "it only describes what is read")]
pub(super) struct SourceBody {
    /// The last part of `/in/{name}`. Where the address says it, it may be left out.
    #[schema(required = false, pattern = "^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$")]
    name: String,
    /// A provider, `custom`, or `none`.
    scheme: String,
    /// What verifies: texts, or tables `{value, label, not_before, not_after}`. A value may be a reference, `env:NAME` or
    /// `file:PATH`, that `admin.references` of the configuration names; other values are not shown again.
    #[schema(required = false)]
    secrets: Vec<Value>,
    /// How far a signed time may lie off.
    #[schema(required = false)]
    tolerance: Value,
    /// Which of a provider's signature versions are taken.
    #[schema(required = false)]
    variants: Vec<String>,
    /// The URL that the provider was given.
    #[schema(required = false)]
    public_url: String,
    /// What else a provider needs, by name. Values are secrets.
    #[schema(required = false)]
    parameters: BTreeMap<String, String>,
    /// The scheme itself, for `custom`.
    #[schema(required = false)]
    definition: Value,
    /// Which array of a body holds an event in each of its elements, such as `json:/events`; `true` for the one that the
    /// scheme knows.
    #[schema(required = false)]
    split: Value,
    /// Where the event's attributes are.
    #[schema(required = false)]
    event: Value,
    /// How repetitions are told, or `false`.
    #[schema(required = false)]
    deduplicate: Value,
    /// What is answered to an accepted event, or `receipt`.
    #[schema(required = false)]
    answer: Value,
    /// The methods of requests that are events.
    #[schema(required = false)]
    methods: Vec<String>,
    /// Fields of a form that hold JSON.
    #[schema(required = false)]
    json_fields: Vec<String>,
}

/// Where deliveries go.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Endpoint)]
#[expect(dead_code, reason = "it only describes what is read")]
pub(super) struct EndpointBody {
    /// An absolute `http` or `https` URL without credentials and without a fragment. `{{ … }}` in its path or query stands
    /// for the value of the CEL expression within.
    #[schema(min_length = 1, max_length = 8000)]
    url: String,
    #[schema(required = false)]
    method: EndpointMethod,
    /// Header fields to add, at most 64 and 16 KiB. `{{ … }}` in a value stands for the value of the CEL expression within.
    /// A value may be a reference, `env:NAME` or `file:PATH`, that `admin.references` of the configuration names; other
    /// values are not shown again.
    #[schema(required = false)]
    headers: BTreeMap<String, String>,
    /// A text that is sent in the place of the event's data. `{{ … }}` stands for the value of the CEL expression within, encoded
    /// for its place: JSON where it begins with `{` or `[` or `content-type` among `headers` says so, the fields of a form, XML, or
    /// other text.
    #[schema(required = false, min_length = 1, max_length = 65536)]
    data: String,
    /// How requests are signed: `standard-webhooks` (the default), or as a provider signs, such as `github` or `stripe`.
    #[schema(required = false)]
    signature: String,
    /// What signs them, or a reference to it; for Standard Webhooks `whsec_…` or `whsk_…`.
    #[schema(required = false)]
    secret: String,
    /// Several, which sign together while one is rotated; in place of `secret`: texts, or tables
    /// `{value, not_before, not_after}`.
    #[schema(required = false, min_items = 1, max_items = 10)]
    secrets: Vec<Value>,
    /// How long the old key signs along after a rotation, such as `24h`.
    #[schema(required = false)]
    rotation_overlap: String,
    /// Whether private, loopback and link-local addresses may be called.
    #[schema(required = false, default = false)]
    allow_private: bool,
    /// Private networks that may be called, such as `10.0.0.0/8`.
    #[schema(required = false, max_items = 100)]
    allow_networks: Vec<String>,
    /// Whether a public address may be called without TLS.
    #[schema(required = false, default = false)]
    allow_http: bool,
    /// Ports that may be called although nobody takes webhooks there as a rule, such as 25.
    #[schema(required = false, max_items = 100)]
    allow_ports: Vec<u16>,
    #[schema(required = false)]
    tls: EndpointTlsBody,
}

/// TLS with one endpoint. Its values are not shown again unless they are references, `env:NAME` or `file:PATH`, that
/// `admin.references` of the configuration names.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = EndpointTls)]
#[expect(dead_code, reason = "it only describes what is read")]
pub(super) struct EndpointTlsBody {
    /// The authorities that the endpoint's certificate may be from (PEM), in the place of all others.
    #[schema(required = false)]
    roots: String,
    /// The certificate that is shown to the endpoint, and those that lead to its authority (PEM); needs `key`.
    #[schema(required = false)]
    certificate: String,
    /// Its key (PEM).
    #[schema(required = false)]
    key: String,
}

/// The method of deliveries; `POST` by default.
#[derive(ToSchema)]
#[serde(rename_all = "UPPERCASE")]
#[expect(dead_code, reason = "it only describes what is read")]
pub(super) enum EndpointMethod {
    Post,
    Put,
    Patch,
}

/// When an attempt counts, and when to try again.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DeliveryPolicy)]
#[expect(dead_code, reason = "it only describes what is read")]
pub(super) struct DeliveryBody {
    /// Statuses that mean delivered; `["2xx"]` by default.
    #[schema(required = false, min_items = 1, max_items = 100)]
    success: Vec<Statuses>,
    /// Statuses that mean: do not try again.
    #[schema(required = false, max_items = 100)]
    discard: Vec<Statuses>,
    /// Statuses upon which the whole subscription is left alone for a while; `[429, 502, 503, 504]` by default.
    #[schema(required = false, max_items = 100)]
    throttle_on: Vec<Statuses>,
    /// Statuses that say that nobody is there any more: the subscription is disabled; `[410]` by default.
    #[schema(required = false, max_items = 100)]
    disable_on: Vec<Statuses>,
    /// How long one attempt may take in all, such as `15s`; from 10 ms to 10 minutes.
    #[schema(required = false)]
    timeout: String,
    /// How many attempts may run at once.
    #[schema(required = false, minimum = 1, maximum = 1000)]
    concurrency: u32,
    /// How many attempts may start in which time; what is over it waits.
    /// How many events go in one request; without it each goes alone.
    #[schema(required = false)]
    batch: PushBatchBody,
    #[schema(required = false)]
    rate: RateBody,
    #[schema(required = false)]
    breaker: BreakerBody,
    /// After how long of nothing but failures the subscription is disabled, such as `5days`; `false` for never.
    #[schema(required = false)]
    disable_after: DisableBody,
    /// How many deliveries may be open; without it as many as there is room for.
    #[schema(required = false)]
    backlog: BacklogBody,
    #[schema(required = false)]
    ordering: OrderingBody,
    #[schema(required = false)]
    content: ContentWord,
    /// A CEL expression for the data that is sent, such as `{'id': message.id}`; left out, it is sent as it came in.
    #[schema(required = false, min_length = 1, max_length = 8000)]
    transform: String,
    /// Header fields of the received request that are sent along, such as `x-github-*`.
    #[schema(required = false, max_items = 64)]
    forward_headers: Vec<String>,
    #[schema(required = false)]
    retry: RetryBody,
}

/// A status, a class of them such as `2xx`, or a range such as `400-404`.
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "it only describes what is read")]
pub(super) enum Statuses {
    /// One status.
    One(u16),
    /// A class or a range.
    Several(String),
}

/// Several events in one request: `true` for the defaults.
#[derive(ToSchema)]
#[serde(untagged)]
#[schema(as = PushBatch)]
#[expect(dead_code, reason = "it only describes what is read")]
pub(super) enum PushBatchBody {
    /// Off, or as by default.
    Switch(bool),
    /// How many, and how long they wait for each other.
    Rule(PushBatchRule),
}

/// How many events go in one request, and how long they wait for each other.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "it only describes what is read")]
pub(super) struct PushBatchRule {
    /// How many events at most; 100 by default.
    #[schema(required = false, minimum = 2, maximum = 1000)]
    max: u32,
    /// How long the first one waits for others, from `10ms` to `60s`; `1s` by default.
    #[schema(required = false)]
    wait: String,
    /// How many bytes the body has at most, from 1 KiB to 16 MiB, with or without a unit; `1MiB` by default.
    #[schema(required = false)]
    max_bytes: SizeBody,
}

/// So many attempts in a time; one of the three.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Rate)]
#[expect(dead_code, reason = "it only describes what is read")]
pub(super) struct RateBody {
    #[schema(required = false, minimum = 1, maximum = 1_000_000)]
    per_second: u32,
    #[schema(required = false, minimum = 1, maximum = 1_000_000)]
    per_minute: u32,
    #[schema(required = false, minimum = 1, maximum = 1_000_000)]
    per_hour: u32,
    /// How many may start at once after a pause; 1 by default.
    #[schema(required = false, minimum = 1, maximum = 100_000)]
    burst: u32,
}

/// When attempts stop because they fail, until one finds out; `false` for never.
#[derive(ToSchema)]
#[serde(untagged)]
#[schema(as = BreakerPolicy)]
#[expect(dead_code, reason = "it only describes what is read")]
pub(super) enum BreakerBody {
    /// Off, or as by default.
    Switch(bool),
    /// What opens it, and when it is tried.
    Rule(BreakerRule),
}

/// What opens a breaker: `failures` one after the other, or the `ratio` of the last attempts.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "it only describes what is read")]
pub(super) struct BreakerRule {
    /// 50 by default.
    #[schema(required = false, minimum = 1, maximum = 100_000)]
    failures: u32,
    #[schema(required = false, minimum = 0, maximum = 1)]
    ratio: f64,
    /// With `ratio`: of how many of the last attempts; 20 by default.
    #[schema(required = false, minimum = 1, maximum = 64)]
    of: u32,
    /// How long nothing is attempted before one attempt finds out; `5s` by default.
    #[schema(required = false)]
    probe: String,
}

/// A duration, or `false`.
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "it only describes what is read")]
pub(super) enum DisableBody {
    /// Never.
    Switch(bool),
    /// After so long.
    After(String),
}

/// In which form events are sent. `cloudevent-binary` (the default): the data as it came in, the attributes in `ce-` header
/// fields. `cloudevent`: one JSON document of both. `envelope`: one JSON document with `type`, `timestamp` and `data`.
/// `raw`: the data as it came in, without the attributes.
#[derive(ToSchema)]
#[schema(as = Content)]
#[serde(rename_all = "lowercase")]
#[expect(dead_code, reason = "it only describes what is read")]
pub(super) enum ContentWord {
    #[serde(rename = "cloudevent-binary")]
    CloudEventBinary,
    CloudEvent,
    Envelope,
    Raw,
}

/// Which deliveries wait for each other, so that they are made in the order of the log; `none` by default.
#[derive(ToSchema)]
#[serde(untagged)]
#[schema(as = Ordering)]
#[expect(dead_code, reason = "it only describes what is read")]
pub(super) enum OrderingBody {
    /// None of them, or all.
    Word(OrderingWord),
    /// Those of one key.
    Rule(OrderingRule),
}

/// `subscription` orders all deliveries.
#[derive(ToSchema)]
#[serde(rename_all = "lowercase")]
#[expect(dead_code, reason = "it only describes what is read")]
pub(super) enum OrderingWord {
    None,
    Subscription,
}

/// By what deliveries are ordered.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "it only describes what is read")]
pub(super) struct OrderingRule {
    by: OrderingBy,
    /// With `key`: a CEL expression over what a filter sees, such as `message.customer.id`.
    #[schema(required = false, max_length = 8000)]
    key: String,
}

/// By what deliveries are ordered.
#[derive(ToSchema)]
#[serde(rename_all = "lowercase")]
#[expect(dead_code, reason = "it only describes what is read")]
pub(super) enum OrderingBy {
    None,
    Subscription,
    Key,
}

/// How many deliveries may be open.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = BacklogLimit)]
#[expect(dead_code, reason = "it only describes what is read")]
pub(super) struct BacklogBody {
    /// How many, unless `bytes` says it alone.
    #[schema(required = false, minimum = 1, maximum = 1_000_000_000_u64)]
    max: u64,
    /// With how much data together: bytes, or text with a unit such as `1GiB`.
    #[schema(required = false)]
    bytes: SizeBody,
    #[schema(required = false)]
    full: OverflowWord,
}

/// A number of bytes.
#[derive(ToSchema)]
#[serde(untagged)]
#[schema(as = Size)]
#[expect(dead_code, reason = "it only describes what is read")]
pub(super) enum SizeBody {
    Bytes(u64),
    Text(String),
}

/// What becomes of what is too much: `refuse` (the default) makes the new delivery dead from the start, `drop-oldest` ends the
/// one that has been due for longest, `pause` leaves what comes in the log until there is room for it.
#[derive(ToSchema)]
#[serde(rename_all = "kebab-case")]
#[expect(dead_code, reason = "it only describes what is read")]
pub(super) enum OverflowWord {
    Refuse,
    DropOldest,
    Pause,
}

/// What is tried again, and when: by `delays`, or by `backoff` and the keys that belong to it.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RetryPolicy)]
#[expect(dead_code, reason = "it only describes what is read")]
pub(super) struct RetryBody {
    /// The wait before each further attempt, such as `5m`; when they are used up the delivery is dead.
    #[schema(required = false, max_items = 100)]
    delays: Vec<String>,
    #[schema(required = false)]
    backoff: BackoffWord,
    /// With `backoff`: the wait before the second attempt; `5s` by default.
    #[schema(required = false)]
    first: String,
    /// With `arithmetic`: how much longer each wait is; `first` by default.
    #[schema(required = false)]
    step: String,
    /// With `exponential` and `geometric`: how many times longer each wait is; 2 by default.
    #[schema(required = false, minimum = 1, maximum = 100)]
    factor: f64,
    /// With `backoff`: the longest wait, before `jitter` varies it; `1day` by default.
    #[schema(required = false)]
    max_delay: String,
    /// With `backoff`: how many attempts there are in all; 10 by default.
    #[schema(required = false, minimum = 1, maximum = 1000)]
    max_attempts: u32,
    /// No attempt is planned for later than so long after the delivery was made.
    #[schema(required = false)]
    max_age: String,
    /// What is tried again: statuses, `connection`, `timeout`; left out, everything that failed.
    #[schema(required = false, max_items = 100)]
    on: Vec<Statuses>,
    /// The longest wait that an endpoint can ask for; `1day` by default.
    #[schema(required = false)]
    max_retry_after: String,
    /// How far each wait varies, in both directions, as a fraction.
    #[schema(required = false, minimum = 0, maximum = 1)]
    jitter: f64,
}

/// How the waits between attempts grow.
#[derive(ToSchema)]
#[serde(rename_all = "lowercase")]
#[expect(dead_code, reason = "it only describes what is read")]
pub(super) enum BackoffWord {
    Fixed,
    Linear,
    Arithmetic,
    Exponential,
    Geometric,
}

#[cfg(test)]
mod tests {
    use crate::api::openapi;
    use anglerfish_core::config::{read_source, read_subscription};
    use serde_json::{Value, json};
    use std::collections::BTreeSet;

    /// What the reader says of a key that nobody knows names the keys that there are.
    #[test]
    fn every_key_that_is_read_is_described_and_no_other() {
        let odd = "kkkkkkkkkkkkkk";
        let document = json!({
            "id": "a", (odd): 1,
            "endpoint": {"url": "http://example.com/", (odd): 1, "tls": {(odd): 1}},
            "delivery": {(odd): 1, "retry": {(odd): 1}, "rate": {(odd): 1}, "breaker": {(odd): 1}, "backlog": {(odd): 1}}
        });
        let mut problems = read_subscription(&document, "").unwrap_err();
        problems.extend(read_source(&json!({"name": "a", "scheme": "none", (odd): 1}), "source").1);
        let described: Value = serde_json::from_str(openapi::text()).unwrap();
        for (path, schema) in [
            ("", "SubscriptionDocument"),
            ("source.", "SourceDocument"),
            ("endpoint.", "Endpoint"),
            ("endpoint.tls.", "EndpointTls"),
            ("delivery.", "DeliveryPolicy"),
            ("delivery.retry.", "RetryPolicy"),
            ("delivery.rate.", "Rate"),
            ("delivery.breaker.", "BreakerRule"),
            ("delivery.backlog.", "BacklogLimit"),
        ] {
            let path = format!("{path}{odd}");
            let problem = problems.iter().find(|problem| problem.path == path).unwrap();
            let keys = problem.hint.as_deref().unwrap().strip_prefix("the keys here are ").unwrap();
            let read: BTreeSet<&str> = keys.split(", ").collect();
            let properties = described["components"]["schemas"][schema]["properties"].as_object().unwrap();
            assert_eq!(properties.keys().map(String::as_str).collect::<BTreeSet<_>>(), read, "{schema}");
        }
    }
}
