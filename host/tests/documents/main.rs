//! What verification needs from a provider's own host, through the whole gateway: the real component, a real store,
//! requests over HTTP, and in the provider's place a TLS server on loopback that has a certificate for its name.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    missing_docs,
    reason = "a test fails loudly"
)]

mod message;
mod provider;

use anglerfish::config::Environment;
use anglerfish::fetch::DocumentCache;
use anglerfish::gateway::Config;
use anglerfish::gateway::Gateway;
use anglerfish::outbound::ProviderOptions;
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use message::{
    CERTIFICATE, CONFIRM, KEY_ID, Message, PAYPAL, PAYPAL_CERTIFICATE, PLAID, PLAID_KEYS, SNS, TOPIC, WEBHOOK,
};
use provider::{Asked, Page, Provider};
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::OnceCell;

const PLAID_SECRET: &str = "the-api-secret-of-plaid";

/// A gateway whose providers' names lead to a host of the test's.
struct Rig {
    gateway: Gateway,
    address: SocketAddr,
    _data: TempDir,
}

/// Providers' hosts are here, and this is whom to trust.
fn options(provider: &Provider) -> ProviderOptions {
    let names = [SNS, PAYPAL, PLAID].map(|name| (name.to_owned(), provider.address));
    ProviderOptions {
        roots: vec![provider.root.clone()],
        allow_networks: vec!["127.0.0.0/8".to_owned()],
        names: names.into(),
    }
}

/// The directory of a gateway that has compiled the component; the others take it from there.
static COMPILED: OnceCell<TempDir> = OnceCell::const_new();

async fn compiled() -> TempDir {
    let data = tempfile::tempdir().unwrap();
    let documents = DocumentCache::try_new(ProviderOptions::default()).unwrap();
    Gateway::start_with(config(&data), Arc::new(documents)).await.unwrap().shutdown().await;
    data
}

fn config(data: &TempDir) -> Config {
    let text = format!(
        r#"
            [server]
            listen = "127.0.0.1:0"
            data_dir = "data"
            workers = 1
            [admin]
            listen = "127.0.0.1:0"
            [[source]]
            name = "sns"
            scheme = "aws-sns"
            secrets = ["{TOPIC}"]
            [[source]]
            name = "paypal"
            scheme = "paypal"
            secrets = ["{WEBHOOK}"]
            [[source]]
            name = "plaid"
            scheme = "plaid"
            secrets = ["{PLAID_SECRET}"]
            parameters = {{ client_id = "client-1" }}
            "#
    );
    Config::parse("test.toml", &text, data.path(), &Environment::default()).unwrap()
}

impl Rig {
    async fn start(options: ProviderOptions, timeout: Duration) -> Self {
        let data = tempfile::tempdir().unwrap();
        let cache = COMPILED.get_or_init(compiled).await.path().join("data/cache");
        std::fs::create_dir_all(data.path().join("data/cache")).unwrap();
        for file in std::fs::read_dir(cache).unwrap().map(Result::unwrap) {
            std::fs::copy(file.path(), data.path().join("data/cache").join(file.file_name())).unwrap();
        }
        let documents = DocumentCache::try_new(options).unwrap().with_timeout(timeout);
        let gateway = Gateway::start_with(config(&data), Arc::new(documents)).await.unwrap();
        let address = gateway.ingress_address().unwrap();
        Self { gateway, address, _data: data }
    }

    /// Posts a message; the status and the body of the answer.
    async fn post(&self, source: &str, message: &Message) -> (u16, Value) {
        let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
        let mut request = Request::post(format!("http://{}/in/{source}", self.address));
        for (name, value) in &message.headers {
            request = request.header(*name, value);
        }
        let request = request.body(Full::from(message.body.clone())).unwrap();
        let answer = client.request(request).await.unwrap();
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
    }
}

async fn rig(provider: &Provider) -> Rig {
    Rig::start(options(provider), Duration::from_secs(10)).await
}

fn asked(host: &str, path: &str) -> Asked {
    Asked { host: host.to_owned(), method: "GET".to_owned(), path: path.to_owned(), body: String::new() }
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_of_sns_are_accepted_with_a_certificate_that_is_fetched_once() {
    let provider = Provider::start(&[SNS]).await;
    provider.page(CERTIFICATE, Page::Text(200, message::certificate(SNS)));
    let rig = rig(&provider).await;
    for id in ["m-1", "m-2"] {
        let (status, answer) = rig.post("sns", &message::sns(id, false)).await;
        assert_eq!((status, &answer["id"]), (202, &id.into()), "{answer}");
    }
    assert_eq!(provider.asked(), [asked(SNS, CERTIFICATE)]);
    let mut forged = message::sns("m-3", false);
    forged.body = forged.body.replace("sold", "gone");
    assert_eq!(rig.post("sns", &forged).await.0, 401);
    rig.gateway.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_of_sns_is_confirmed_at_the_pinned_host_and_makes_no_event() {
    let provider = Provider::start(&[SNS]).await;
    provider.page(CERTIFICATE, Page::Text(200, message::certificate(SNS)));
    provider.page(CONFIRM, Page::Text(200, "<ConfirmSubscriptionResponse/>".to_owned()));
    let rig = rig(&provider).await;
    for _ in 0..2 {
        let (status, answer) = rig.post("sns", &message::sns("m-1", true)).await;
        assert_eq!((status, answer), (200, Value::Null));
    }
    // The certificate is kept; a confirmation never is.
    let expected = [asked(SNS, CERTIFICATE), asked(SNS, CONFIRM), asked(SNS, CONFIRM)];
    assert_eq!(provider.asked(), expected);
    rig.gateway.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_confirmation_that_fails_is_answered_502_so_that_sns_tries_again() {
    let provider = Provider::start(&[SNS]).await;
    provider.page(CERTIFICATE, Page::Text(200, message::certificate(SNS)));
    provider.page(CONFIRM, Page::Text(503, String::new()));
    let rig = rig(&provider).await;
    let message = message::sns("m-1", true);
    let (status, problem) = rig.post("sns", &message).await;
    assert_eq!((status, &problem["code"]), (502, &"provider-unavailable".into()), "{problem}");
    assert!(!problem.to_string().contains("t0k3n"), "{problem}");
    provider.page(CONFIRM, Page::Text(200, String::new()));
    assert_eq!(rig.post("sns", &message).await.0, 200);
    rig.gateway.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_cannot_be_had_is_a_502_after_which_nothing_is_remembered() {
    let provider = Provider::start(&[PAYPAL]).await;
    let rig = Rig::start(options(&provider), Duration::from_millis(300)).await;
    let elsewhere = "/v1/notifications/certs/CERT-elsewhere";
    provider.page(elsewhere, Page::Text(200, message::certificate(PAYPAL)));
    let message = message::paypal("WH-1");
    for (page, reason) in [
        (Page::Text(500, String::new()), "answered 500"),
        (Page::Text(404, String::new()), "answered 404"),
        (Page::Text(200, "A".repeat(70_000)), "did not answer"),
        (Page::Redirect(format!("https://{PAYPAL}{elsewhere}")), "answered 302"),
        (Page::Silence, "did not answer"),
    ] {
        provider.page(PAYPAL_CERTIFICATE, page);
        let (status, problem) = rig.post("paypal", &message).await;
        assert_eq!((status, &problem["code"]), (502, &"provider-unavailable".into()), "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains(reason), "{reason}: {problem}");
    }
    assert!(provider.asked().iter().all(|asked| asked.path != elsewhere), "a redirect was followed");
    provider.page(PAYPAL_CERTIFICATE, Page::Text(200, message::certificate(PAYPAL)));
    assert_eq!(rig.post("paypal", &message).await.0, 202);
    assert_eq!(rig.post("paypal", &message).await.0, 200, "it is a duplicate now");
    rig.gateway.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_certificate_is_refused() {
    let provider = Provider::start(&[PAYPAL]).await;
    let rig = rig(&provider).await;
    provider.page(PAYPAL_CERTIFICATE, Page::Text(200, "<html>sign in</html>".to_owned()));
    let (status, problem) = rig.post("paypal", &message::paypal("WH-1")).await;
    assert_eq!((status, &problem["code"]), (401, &"verification-failed".into()), "{problem}");
    rig.gateway.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_paypal_are_accepted_with_a_certificate_that_is_fetched_once() {
    let provider = Provider::start(&[PAYPAL]).await;
    provider.page(PAYPAL_CERTIFICATE, Page::Text(200, message::certificate(PAYPAL)));
    let rig = rig(&provider).await;
    for id in ["WH-1", "WH-2"] {
        let (status, answer) = rig.post("paypal", &message::paypal(id)).await;
        assert_eq!((status, &answer["id"]), (202, &id.into()), "{answer}");
    }
    assert_eq!(provider.asked(), [asked(PAYPAL, PAYPAL_CERTIFICATE)]);
    rig.gateway.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_plaid_are_accepted_with_a_key_that_is_asked_for_once_with_the_credentials() {
    let provider = Provider::start(&[PLAID]).await;
    provider.page(PLAID_KEYS, Page::Text(200, message::plaid_key()));
    let rig = rig(&provider).await;
    for code in ["SYNC_UPDATES_AVAILABLE", "INITIAL_UPDATE"] {
        let (status, answer) = rig.post("plaid", &message::plaid(code)).await;
        assert_eq!(status, 200, "{answer}");
    }
    let asked = provider.asked();
    let [Asked { host, method, path, body }] = asked.as_slice() else { panic!("{asked:?}") };
    assert_eq!((host.as_str(), method.as_str(), path.as_str()), (PLAID, "POST", PLAID_KEYS));
    let expected = serde_json::json!({"client_id": "client-1", "secret": PLAID_SECRET, "key_id": KEY_ID});
    assert_eq!(serde_json::from_str::<Value>(body).unwrap(), expected);
    rig.gateway.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_plaid_does_not_give_is_a_502_that_shows_no_credentials() {
    let provider = Provider::start(&[PLAID]).await;
    provider.page(PLAID_KEYS, Page::Text(400, format!("{{\"error\":\"{PLAID_SECRET}\"}}")));
    let rig = rig(&provider).await;
    let message = message::plaid("SYNC_UPDATES_AVAILABLE");
    let (status, problem) = rig.post("plaid", &message).await;
    assert_eq!((status, &problem["code"]), (502, &"provider-unavailable".into()), "{problem}");
    assert!(!problem.to_string().contains(PLAID_SECRET), "{problem}");
    provider.page(PLAID_KEYS, Page::Text(200, message::plaid_key()));
    assert_eq!(rig.post("plaid", &message).await.0, 200);
    rig.gateway.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_connection_is_made_to_a_private_address_whatever_the_name() {
    let provider = Provider::start(&[PAYPAL]).await;
    provider.page(PAYPAL_CERTIFICATE, Page::Text(200, message::certificate(PAYPAL)));
    let private = ProviderOptions { allow_networks: Vec::new(), ..options(&provider) };
    let rig = Rig::start(private, Duration::from_secs(10)).await;
    let (status, problem) = rig.post("paypal", &message::paypal("WH-1")).await;
    assert_eq!((status, &problem["code"]), (502, &"provider-unavailable".into()), "{problem}");
    assert_eq!(provider.connections(), 0);
    rig.gateway.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_without_a_certificate_for_the_providers_name_is_not_asked() {
    let impostor = Provider::start(&["api.paypal.example"]).await;
    impostor.page(PAYPAL_CERTIFICATE, Page::Text(200, message::certificate(PAYPAL)));
    let rig = rig(&impostor).await;
    let (status, problem) = rig.post("paypal", &message::paypal("WH-1")).await;
    assert_eq!((status, &problem["code"]), (502, &"provider-unavailable".into()), "{problem}");
    assert_eq!(impostor.asked(), []);
    rig.gateway.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_elsewhere_is_not_fetched() {
    let provider = Provider::start(&[SNS, PAYPAL]).await;
    let rig = rig(&provider).await;
    for url in [
        format!("https://{PAYPAL}.evil.example{PAYPAL_CERTIFICATE}"),
        format!("http://{PAYPAL}{PAYPAL_CERTIFICATE}"),
        format!("https://{PAYPAL}:8443{PAYPAL_CERTIFICATE}"),
        format!("https://{PAYPAL}@127.0.0.1{PAYPAL_CERTIFICATE}"),
        format!("https://{}{PAYPAL_CERTIFICATE}", provider.address),
    ] {
        let mut message = message::paypal("WH-1");
        message.headers.retain(|(name, _)| *name != "paypal-cert-url");
        message.headers.push(("paypal-cert-url", url.clone()));
        let (status, problem) = rig.post("paypal", &message).await;
        assert_eq!((status, &problem["code"]), (401, &"verification-failed".into()), "{url}: {problem}");
    }
    assert_eq!(provider.connections(), 0);
    rig.gateway.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_messages_at_once_ask_for_their_certificate_a_few_times_at_most() {
    let provider = Provider::start(&[SNS]).await;
    provider.page(CERTIFICATE, Page::Text(200, message::certificate(SNS)));
    let rig = Arc::new(rig(&provider).await);
    let posts = (0..40).map(|number| {
        let rig = Arc::clone(&rig);
        tokio::spawn(async move { rig.post("sns", &message::sns(&format!("m-{number}"), false)).await.0 })
    });
    for status in futures_util::future::join_all(posts).await {
        assert_eq!(status.unwrap(), 202);
    }
    assert!((1..=8).contains(&provider.asked().len()), "{}", provider.asked().len());
}
