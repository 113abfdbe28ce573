//! One table of requests with the answer that every shell gives.

mod expected;
mod request;

use crate::receiver::Receiver;
use crate::sender::{SLACK, WHSEC};
use crate::{LIMIT, ORDER};
use anglerfish_tests::{Request, github, now, slack, standard};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use expected::{
    Expected, accepted, answered, batch, duplicate, never_taken, no_such_method, nowhere, too_large, unknown,
    unverified, without_body,
};
use request::{Change, KEY, mail, post, request, shop, till};
use serde_json::{Value, json};
use std::net::SocketAddr;

/// `ORDER`, compressed with gzip.
const COMPRESSED: &str = "H4sIAAAAAAACA6tWKqksSFWyUsovSkkt0ksuSk0sSU1R0lEqLE3MK8ksqVSyMq4FAHsYPrwlAAAA";
/// Two items as `bulk` splits them, compressed with gzip.
const COMPRESSED_ITEMS: &str =
    "H4sIAAAAAAACA6tWyixJzS1WsoquVspMUbJSSlXSUcoE8pUqgIw8JSvDWh2oTBqajFFtbC0AuWFn8D8AAAA=";

/// A request and what it is answered.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) request: Request,
    pub(crate) expected: Expected,
}

/// Why a request of the shop's is refused that has nothing of a signature.
const UNSIGNED: &str = "missing header `webhook-signature` or `svix-signature`";
/// What is said beside a source that there is not, if its name has percent-encoding in it.
const ENCODED: &str = "; the name is read as it was sent, and percent-encoding in it is not undone";
/// The media type of handshakes in plain text.
const TEXT: &str = "text/plain; charset=utf-8";

/// Sources of several providers, and subscriptions of all kinds.
pub(crate) fn configuration(receiver: &Receiver) -> Value {
    let keyed = |name: &str, scheme: &str| json!({ "name": name, "scheme": scheme, "secrets": [KEY] });
    let subscription = |id: &str, sources: Value, filter: &str| {
        let url = format!("http://{}/{id}", receiver.address);
        let endpoint =
            json!({ "url": url, "secret": WHSEC, "headers": { "x-token": "abc" }, "allow_private": true });
        json!({ "id": id, "sources": sources, "filter": filter, "endpoint": endpoint })
    };
    json!({
        "source": [
            { "name": "shop", "scheme": "standard-webhooks", "secrets": [WHSEC] },
            { "name": "chat", "scheme": "slack", "secrets": [SLACK] },
            keyed("code", "github"),
            { "name": "page", "scheme": "meta", "secrets": [KEY], "parameters": { "verify_token": "meatyhamhock" } },
            keyed("files", "dropbox"),
            keyed("posts", "x"),
            keyed("board", "trello"),
            keyed("tasks", "asana"),
            keyed("goods", "woocommerce"),
            keyed("till", "square"),
            keyed("books", "xero"),
            keyed("mail", "mailgun"),
            keyed("key", "api-key"),
            { "name": "login", "scheme": "basic", "secrets": ["aladdin:opensesame"] },
            {
                "name": "bot", "scheme": "discord",
                "secrets": ["03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8"],
            },
            { "name": "bulk", "scheme": "none", "split": "json:/items", "event": { "id": "json:/id", "type": "json:/is" } },
            { "name": "form", "scheme": "none", "methods": ["GET", "POST", "PUT"] },
            {
                "name": "quiet", "scheme": "none", "deduplicate": { "by": ["header:x-id"] },
                "answer": { "status": 200, "body": "thanks", "content_type": "text/plain" },
            },
        ],
        "subscription": [
            subscription("orders", json!(["shop"]), r#"event.type == "order.created" && message.quantity > 0"#),
            subscription("all", json!(["shop", "code", "form"]), "true"),
            subscription("items", json!(["bulk"]), "message.n > 1"),
            subscription("none", json!(["shop", "form"]), r#"event.type == "nobody.sends.it""#),
            subscription("broken", json!(["shop"]), "message.no.such.field == 1"),
            subscription("hosted", json!(["form"]), r#"headers["host"].startsWith("127.0.0.1:")"#),
            subscription("hops", json!(["form"]), r#""connection" in headers || "transfer-encoding" in headers || "te" in headers"#),
            subscription("accented", json!(["form"]), r#"headers["x-name"] == "Zoë" && message.a == "ü |""#),
        ],
    })
}

impl Row {
    fn new(name: &'static str, request: Request, expected: Expected) -> Self {
        Self { name, request, expected }
    }
}

/// All of them, for a shell at this address, in an order that matters: some repeat an earlier one.
pub(crate) fn rows(address: SocketAddr) -> Vec<Row> {
    [events(), refusals(), places(), bodies(), batches(), handshakes(), providers(address)]
        .into_iter()
        .flatten()
        .collect()
}

fn events() -> Vec<Row> {
    let longest = "x".repeat(256);
    vec![
        Row::new("an event for two", shop("msg_1", ORDER), accepted("msg_1", 2)),
        Row::new("a repeated event", shop("msg_1", ORDER), duplicate("msg_1")),
        Row::new(
            "one that a filter drops",
            shop("msg_2", r#"{"type":"order.created","quantity":0}"#),
            accepted("msg_2", 1),
        ),
        Row::new("an id as long as ids may be", shop(&longest, ORDER), accepted(&longest, 2)),
        Row::new("that id again", shop(&longest, ORDER), duplicate(&longest)),
        Row::new(
            "an id that is too long",
            shop(&"x".repeat(257), ORDER),
            accepted("sha256:15eb95a462ee20bd91a415ae2d4aed341288186ddaa2b37908f7d592f0c3f85f", 2),
        ),
        Row::new("an id of other letters", shop("a/b?c#d:e", ORDER), accepted("a/b?c#d:e", 2)),
        Row::new("a push", post("/in/code", github(KEY, "d-1", b"{}"), "{}"), accepted("d-1", 1)),
        Row::new("the push again", post("/in/code", github(KEY, "d-1", b"{}"), "{}"), duplicate("d-1")),
        Row::new(
            "an answer of the source's own",
            request("POST", "/in/quiet", &[("x-id", "1")], "{}"),
            answered(200, "text/plain", "thanks"),
        ),
        Row::new(
            "the same event again",
            request("POST", "/in/quiet", &[("x-id", "1")], "{}"),
            answered(200, "text/plain", "thanks"),
        ),
        Row::new("an event without an id", request("POST", "/in/form", &[], "{}"), accepted("{}", 2)),
        Row::new("a PUT where that is an event", request("PUT", "/in/form", &[], "{}"), accepted("{}", 2)),
        Row::new(
            "a GET whose query is the event",
            request("GET", "/in/form?a=1&b=%20", &[], ""),
            accepted("{}", 2),
        ),
        Row::new(
            "a query of other letters, and a value that is no ASCII",
            request("GET", "/in/form?a=%C3%BC%20|&b=c+d", &[("x-name", "Zoë")], ""),
            accepted("{}", 3),
        ),
        Row::new(
            "fields of the connection, which no filter sees",
            request("POST", "/in/form", &[("te", "trailers"), ("keep-alive", "timeout=5")], "{}").in_chunks(),
            accepted("{}", 2),
        ),
    ]
}

fn refusals() -> Vec<Row> {
    let signed_at =
        |timestamp: u64| post("/in/shop", standard(WHSEC, "msg_20", timestamp, ORDER.as_bytes()), ORDER);
    let forged = |body: &str| Request { body: body.into(), ..shop("msg_20", ORDER) };
    let without = |name: &str| {
        let mut request = shop("msg_20", ORDER);
        request.headers.retain(|(field, _)| field != name);
        request
    };
    vec![
        Row::new("a signature of another body", forged("{}"), unverified("no signature matches the secret")),
        Row::new(
            "a body with one byte more",
            forged(&format!("{ORDER} ")),
            unverified("no signature matches the secret"),
        ),
        Row::new(
            "a stale signature",
            signed_at(now() - 3600),
            unverified("the timestamp is {} s old, more than the 300 s allowed"),
        ),
        Row::new(
            "a signature of the future",
            signed_at(now() + 3600),
            unverified("the timestamp is {} s in the future, more than the 300 s allowed"),
        ),
        Row::new("no signature", without("webhook-signature"), unverified(UNSIGNED)),
        Row::new(
            "no timestamp",
            without("webhook-timestamp"),
            unverified("missing header `webhook-timestamp` or `svix-timestamp`"),
        ),
        Row::new("no id", without("webhook-id"), unverified("missing header `webhook-id` or `svix-id`")),
        Row::new(
            "a signature that is none",
            without("webhook-signature").with("webhook-signature", "garbage"),
            unverified("header `webhook-signature` or `svix-signature` has no `v1,` value"),
        ),
        Row::new(
            "two signatures",
            shop("msg_20", ORDER).with("webhook-signature", "v1,AAAA"),
            unverified("header `webhook-signature` occurs more than once"),
        ),
        Row::new(
            "no header field of a provider's",
            request("POST", "/in/shop", &[], ORDER),
            unverified(UNSIGNED),
        ),
        Row::new(
            "a wrong token",
            request("POST", "/in/key", &[("x-api-key", "another")], "{}"),
            unverified("no signature matches the secret"),
        ),
        Row::new(
            "a wrong password",
            request("POST", "/in/login", &[("authorization", "Basic YTpi")], "{}"),
            unverified("no signature matches the secret"),
        ),
        Row::new("an unknown source", request("POST", "/in/nowhere", &[], ORDER), unknown("")),
        Row::new(
            "another method",
            shop("msg_20", ORDER).by("DELETE"),
            no_such_method("POST", "events are sent with POST, not DELETE"),
        ),
        Row::new(
            "another method without a signature",
            request("DELETE", "/in/shop", &[], ""),
            unverified(UNSIGNED),
        ),
        Row::new(
            "a signed PUT",
            shop("msg_20", ORDER).by("PUT"),
            no_such_method("POST", "events are sent with POST, not PUT"),
        ),
        Row::new(
            "a signed PATCH",
            shop("msg_20", ORDER).by("PATCH"),
            no_such_method("POST", "events are sent with POST, not PATCH"),
        ),
        Row::new("a GET", request("GET", "/in/shop", &[], ""), unverified(UNSIGNED)),
        Row::new("a HEAD", request("HEAD", "/in/shop", &[], ""), without_body(unverified(UNSIGNED))),
        Row::new(
            "a HEAD where a GET is an event",
            request("HEAD", "/in/form?a=1", &[], ""),
            without_body(no_such_method(
                "GET, POST, PUT",
                "events are sent with GET or POST or PUT, not HEAD",
            )),
        ),
        Row::new(
            "a DELETE where a GET is an event",
            request("DELETE", "/in/form?a=1", &[], ""),
            no_such_method("GET, POST, PUT", "events are sent with GET or POST or PUT, not DELETE"),
        ),
        Row::new(
            "an OPTIONS",
            request(
                "OPTIONS",
                "/in/shop",
                &[("origin", "https://a.example"), ("access-control-request-method", "POST")],
                "",
            ),
            never_taken(),
        ),
        Row::new(
            "an OPTIONS of an unknown source",
            request("OPTIONS", "/in/nowhere", &[], ""),
            never_taken(),
        ),
        Row::new("a TRACE", request("TRACE", "/in/shop", &[], ""), never_taken()),
        Row::new("a method of nobody's", request("BREW", "/in/shop", &[], ""), never_taken()),
    ]
}

fn places() -> Vec<Row> {
    vec![
        Row::new("another path", request("POST", "/out/shop", &[], ORDER), nowhere()),
        Row::new("the root", request("GET", "/", &[], ""), nowhere()),
        Row::new("a longer path", shop("msg_30", ORDER).at("/in/shop/more"), nowhere()),
        Row::new("no name", request("POST", "/in/", &[], ORDER), nowhere()),
        Row::new("no slash", request("POST", "/in", &[], ORDER), nowhere()),
        Row::new("a slash at the end", shop("msg_30", ORDER).at("/in/shop/"), accepted("msg_30", 2)),
        Row::new("two slashes at the end", shop("msg_31", ORDER).at("/in/shop//"), nowhere()),
        Row::new("two slashes at the start", shop("msg_31", ORDER).at("//in/shop"), nowhere()),
        Row::new("a path that goes back", shop("msg_31", ORDER).at("/in/x/../shop"), nowhere()),
        Row::new("a query", shop("msg_31", ORDER).at("/in/shop?a=1&b=%20"), accepted("msg_31", 2)),
        Row::new("an empty query", shop("msg_32", ORDER).at("/in/shop?"), accepted("msg_32", 2)),
        Row::new("a name that is encoded", shop("msg_33", ORDER).at("/in/sho%70"), unknown(ENCODED)),
        Row::new("a slash that is encoded", shop("msg_33", ORDER).at("/in%2Fshop"), nowhere()),
        Row::new("a name with an encoded slash", shop("msg_33", ORDER).at("/in/shop%2F"), unknown(ENCODED)),
        Row::new("a name in capitals", shop("msg_33", ORDER).at("/in/SHOP"), unknown("")),
        Row::new(
            "a name of nobody's letters",
            shop("msg_33", ORDER).at("/in/%F0%9F%90%9F"),
            unknown(ENCODED),
        ),
    ]
}

fn bodies() -> Vec<Row> {
    let nested = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let many = (0..80)
        .fold(shop("msg_46", ORDER), |request, number| request.with(&format!("x-field-{number}"), "value"));
    let largest = "x".repeat(LIMIT);
    let larger = "x".repeat(LIMIT + 1);
    let compressed = STANDARD.decode(COMPRESSED).unwrap();
    let packed = post("/in/shop", standard(WHSEC, "msg_47", now(), &compressed), compressed)
        .with("content-encoding", "gzip");
    vec![
        Row::new("no JSON", shop("msg_40", "plain text"), accepted("msg_40", 1)),
        Row::new("no body", shop("msg_41", ""), accepted("msg_41", 1)),
        Row::new("deeply nested JSON", shop("msg_42", &nested), accepted("msg_42", 1)),
        Row::new(
            "JSON that is no UTF-8",
            post("/in/shop", standard(WHSEC, "msg_43", now(), b"{\"a\":\"\xff\"}"), *b"{\"a\":\"\xff\"}"),
            accepted("msg_43", 1),
        ),
        Row::new("a body in chunks", shop("msg_44", ORDER).in_chunks(), accepted("msg_44", 2)),
        Row::new("no body, in chunks", shop("msg_45", "").in_chunks(), accepted("msg_45", 1)),
        Row::new("many header fields", many, accepted("msg_46", 2)),
        Row::new("a body that is compressed", packed, accepted("msg_47", 2)),
        Row::new(
            "a body that says it is compressed",
            shop("msg_48", ORDER).with("content-encoding", "gzip"),
            accepted("msg_48", 1),
        ),
        Row::new(
            "a media type that says more",
            shop("msg_49", ORDER).with("content-type", "text/plain"),
            accepted("msg_49", 2),
        ),
        Row::new("a body at the limit", shop("msg_50", &largest), accepted("msg_50", 1)),
        Row::new(
            "a body at the limit, in chunks",
            shop("msg_51", &largest).in_chunks(),
            accepted("msg_51", 1),
        ),
        Row::new("a body over the limit", shop("msg_52", &larger), too_large()),
        Row::new("a body over the limit, in chunks", shop("msg_52", &larger).in_chunks(), too_large()),
        Row::new(
            "a body over the limit for an unknown source",
            request("POST", "/in/nowhere", &[], &larger),
            too_large(),
        ),
    ]
}

fn batches() -> Vec<Row> {
    let bulk = |body: &str| request("POST", "/in/bulk", &[("content-type", "application/json")], body);
    let compressed =
        post("/in/bulk", vec![], STANDARD.decode(COMPRESSED_ITEMS).unwrap()).with("content-encoding", "gzip");
    vec![
        Row::new(
            "several events",
            bulk(r#"{"items":[{"id":"a","is":"x","n":1},{"id":"b","is":"x","n": 2}]}"#),
            batch(202, "accepted", 2, 0, 1),
        ),
        Row::new(
            "several, of which one is repeated",
            bulk(r#"{"items":[{"id":"b","is":"x","n":2},{"id":"c","is":"x","n":3}]}"#),
            batch(202, "accepted", 1, 1, 1),
        ),
        Row::new(
            "several, all of them repeated",
            bulk(r#"{"items":[{"id":"c","is":"x","n":3},{"id":"a","is":"x","n":1}]}"#),
            batch(200, "duplicate", 0, 2, 0),
        ),
        Row::new(
            "one id twice in a body",
            bulk(r#"{"items":[{"id":"d","is":"x","n":3},{"id":"d","is":"x","n":4}]}"#),
            batch(202, "accepted", 1, 1, 1),
        ),
        Row::new("several that are compressed", compressed, batch(202, "accepted", 2, 0, 1)),
        Row::new("none", bulk(r#"{"items":[]}"#), batch(202, "accepted", 0, 0, 0)),
        Row::new("no array", bulk(r#"{"items":7}"#), accepted("{}", 0)),
        Row::new("no JSON for several", bulk("plain text"), accepted("{}", 0)),
        Row::new("no body for several", bulk(""), accepted("{}", 0)),
    ]
}

fn handshakes() -> Vec<Row> {
    let challenge = r#"{"token":"t","challenge":"c4a11e46e","type":"url_verification"}"#;
    let signed = |body: &str| post("/in/chat", slack(SLACK, now(), body.as_bytes()), body);
    let ping = |signature: &str, body: &str| {
        request(
            "POST",
            "/in/bot",
            &[("x-signature-ed25519", signature), ("x-signature-timestamp", "1700000000")],
            body,
        )
    };
    let mut echoed = answered(200, TEXT, "");
    echoed.fields.push(("x-hook-secret", "b537207f20cbfa02".to_owned()));
    let mut plain = answered(200, "text/plain", "abc123");
    plain.fields.push(("x-content-type-options", "nosniff".to_owned()));
    vec![
        Row::new("Slack's challenge", signed(challenge), answered(200, TEXT, "c4a11e46e")),
        Row::new(
            "Slack's challenge that is not signed",
            request("POST", "/in/chat", &[], challenge),
            unverified(
                "the request is a handshake, which is answered only if its signature holds: missing header `x-slack-signature`",
            ),
        ),
        Row::new(
            "Meta's",
            request(
                "GET",
                "/in/page?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=meatyhamhock",
                &[],
                "",
            ),
            answered(200, TEXT, "1158201444"),
        ),
        Row::new(
            "Meta's with another token",
            request(
                "GET",
                "/in/page?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=x",
                &[],
                "",
            ),
            unverified(
                "the request is a handshake, but query parameter `hub.verify_token` is not the parameter `verify_token` of the source",
            ),
        ),
        Row::new("Dropbox's", request("GET", "/in/files?challenge=abc123", &[], ""), plain),
        Row::new(
            "Dropbox's of other letters",
            request("GET", "/in/files?challenge=%3Cb%3E", &[], ""),
            unverified(
                "the request is a handshake, but query parameter `challenge` is not a token of letters, digits and `-._~+/=:` with at most 256 characters",
            ),
        ),
        Row::new(
            "X's",
            request("GET", "/in/posts?crc_token=abc", &[], ""),
            answered(
                200,
                "application/json",
                r#"{"response_token":"sha256=WsTRUj400U3FZcEINJdPshnHaIsQzvcpqzQE2UHKElk="}"#,
            ),
        ),
        Row::new("Trello's, a HEAD", request("HEAD", "/in/board", &[], ""), answered(200, TEXT, "")),
        Row::new(
            "Asana's",
            request("POST", "/in/tasks", &[("x-hook-secret", "b537207f20cbfa02")], "{}"),
            echoed,
        ),
        Row::new(
            "Discord's",
            ping(
                "c1098e97d711377f30225d53d94b89d43537f92e5b3afaddc590781b1f9f9d4b2eeab335d370be3b9a090bc61a85b86448bc140dcd195f1569c2bff181257607",
                r#"{"type":1}"#,
            ),
            answered(200, "application/json", r#"{"type":1}"#),
        ),
        Row::new(
            "Discord's of events, without a body",
            ping(
                "fd68416d913f7eac6f0b5bcf45653bdb18076f577bbab65b00c6bc03c811d4e4b99d729104cb520fdfd6e58815e6f932e8005f6b4788f4a97b8e06e21fc16207",
                r#"{"version":1,"application_id":"1","type":0}"#,
            ),
            answered(204, "", ""),
        ),
        Row::new(
            "WooCommerce's",
            request(
                "POST",
                "/in/goods",
                &[("content-type", "application/x-www-form-urlencoded")],
                "webhook_id=12",
            ),
            answered(200, TEXT, ""),
        ),
    ]
}

fn providers(address: SocketAddr) -> Vec<Row> {
    let message = r#"{"type":"event_callback","event_id":"Ev1","event":{"type":"message"}}"#;
    let said = || post("/in/chat", slack(SLACK, now(), message.as_bytes()), message);
    let elsewhere = format!(
        "no signature matches the secret; the URL that was checked is http://{address}/in/till?a=2 (as the request came in); \
         if a proxy changes it, set `public_url` of the source to the URL that the provider was given"
    );
    let paid = r#"{"event_id":"p-1","type":"payment.created"}"#;
    let books = |signature: &str| {
        request("POST", "/in/books", &[("x-xero-signature", signature)], r#"{"events":[]}"#)
    };
    let key = |token: &str| {
        request("POST", "/in/key", &[("x-api-key", token)], r#"{"id":"e-1","type":"thing.done"}"#)
    };
    vec![
        Row::new("a Slack event", said(), answered(200, "", "")),
        Row::new("a Slack event again", said(), answered(200, "", "")),
        Row::new(
            "a signed address",
            till(address, "/in/till?a=1&b=%20", "/in/till?a=1&b=%20", paid),
            accepted("p-1", 0),
        ),
        Row::new(
            "another address than was signed",
            till(address, "/in/till?a=1", "/in/till?a=2", paid),
            unverified(&elsewhere),
        ),
        Row::new(
            "one without a body in its answer",
            books("CVrwjhRNBeVNzNq9QGCgjb7hlijwMSj5UYpnoGaBnRU="),
            answered(200, TEXT, ""),
        ),
        Row::new(
            "the same, wrong",
            books("AAAwjhRNBeVNzNq9QGCgjb7hlijwMSj5UYpnoGaBnRU="),
            unverified("no signature matches the secret"),
        ),
        Row::new("a mail", mail("token-1", "event-1"), answered(200, "", "")),
        Row::new("another mail with the same token", mail("token-1", "event-2"), answered(200, "", "")),
        Row::new("the first mail with another token", mail("token-2", "event-1"), answered(200, "", "")),
        Row::new("a token", key(KEY), accepted("{}", 0)),
        Row::new("a token again", key(KEY), accepted("{}", 0)),
        Row::new(
            "a password",
            request("POST", "/in/login", &[("authorization", "Basic YWxhZGRpbjpvcGVuc2VzYW1l")], "{}"),
            accepted("{}", 0),
        ),
    ]
}
