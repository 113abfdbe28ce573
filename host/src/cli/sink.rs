//! `anglerfish sink`: a small receiver that prints what it gets.

use super::brittle::{Brittle, BrittleArgs};
use super::table::plain;
use super::{Failure, Format, Outcome, Output, brittle};
use crate::cli::clock;
use crate::config::Environment;
use anglerfish_core::request::{Header, Request as Inbound};
use anglerfish_core::verify::{SecretConfig, Verification, VerificationConfig, Verifier};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use serde_json::{Map, Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot};

/// The longest body that is taken, in bytes.
const BODY_LIMIT: usize = 64 * 1024 * 1024;

/// How many characters of a body a line shows.
const SHOWN: usize = 200;

/// The arguments of `sink`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  anglerfish sink
  anglerfish sink --status 503
  anglerfish sink --secret env:ORDERS_SECRET --format json | jq .body
  anglerfish sink --failure-rate 0.5 --silent-failure-rate 0.3

With one of the rates or latencies it is a brittle API: GET /up answers 200, and
POST /api takes its time, then answers with the text reversed, fails with 503, or
closes the connection without a word.

With --secret what is not signed with it the Standard Webhooks way gets 401.")]
pub(super) struct SinkArgs {
    /// Where to listen
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9000")]
    listen: SocketAddr,
    /// What to answer
    #[arg(long, default_value = "200", value_parser = clap::value_parser!(u16).range(200..=599))]
    status: u16,
    /// Verify Standard Webhooks signatures with this secret, or env:NAME or
    /// file:PATH
    #[arg(long)]
    secret: Option<String>,
    #[command(flatten)]
    brittle: BrittleArgs,
}

/// One request, and who waits for it to be printed.
struct Received {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Bytes,
    /// `None` if it gets no answer.
    status: Option<StatusCode>,
    verified: Option<Result<(), String>>,
    printed: oneshot::Sender<()>,
}

struct Sink {
    status: StatusCode,
    verifier: Option<Verifier>,
    brittle: Option<Brittle>,
    lines: mpsc::Sender<Received>,
}

/// Runs the command until it is interrupted or nobody reads what it prints.
pub(super) async fn run(args: SinkArgs, output: &mut Output) -> Result<Outcome, Failure> {
    let status = StatusCode::from_u16(args.status).map_err(Failure::misuse)?;
    let verifier = args.secret.as_deref().map(verifier).transpose()?;
    let brittle = args.brittle.brittle()?;
    let listener = TcpListener::bind(args.listen)
        .await
        .map_err(|error| Failure::failed(format_args!("failed to listen on {}: {error}", args.listen)))?;
    let address = listener.local_addr().map_err(Failure::failed)?;
    // Before anybody knows that it runs, so that nobody can end it in another way.
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Failure::failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(Failure::failed)?;
    anstream::eprintln!("listening on http://{address}");
    let (lines, mut received) = mpsc::channel(64);
    let app = Router::new()
        .fallback(receive)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(Arc::new(Sink { status, verifier, brittle, lines }));
    let server = tokio::spawn(axum::serve(listener, app).into_future());
    loop {
        tokio::select! {
            next = received.recv() => match next {
                Some(next) => print(next, output)?,
                None => break,
            },
            _ = interrupt.recv() => break,
            _ = terminate.recv() => break,
        }
    }
    server.abort();
    Ok(Outcome::Fine)
}

fn verifier(text: &str) -> Result<Verifier, Failure> {
    let misuse = |reason: String| Failure::misuse(format_args!("--secret: {reason}"));
    let secret = Environment::of_process().resolve(text).map_err(misuse)?;
    let config = VerificationConfig {
        scheme: "standard-webhooks".to_owned(),
        secrets: vec![SecretConfig::new(secret)],
        ..VerificationConfig::default()
    };
    Verifier::try_new("", &config).map_err(|problems| {
        misuse(problems.iter().map(|problem| problem.message.clone()).collect::<Vec<_>>().join("; "))
    })
}

/// Answers only after the request was printed, so that whoever reads the output knows of all that was answered.
async fn receive(State(sink): State<Arc<Sink>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, BODY_LIMIT).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let verified = sink.verifier.as_ref().map(|verifier| verify(verifier, &head, &body));
    let answer = match &sink.brittle {
        _ if matches!(verified, Some(Err(_))) => Some(StatusCode::UNAUTHORIZED.into_response()),
        None => Some(sink.status.into_response()),
        Some(brittle) => brittle.answer(&head, &body).await,
    };
    let status = answer.as_ref().map(Response::status);
    let (printed, done) = oneshot::channel();
    let received = Received {
        method: head.method.to_string(),
        path: head.uri.to_string(),
        headers: head
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect(),
        body,
        status,
        verified,
        printed,
    };
    if sink.lines.send(received).await.is_err() || done.await.is_err() {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    answer.unwrap_or_else(brittle::silence)
}

fn verify(verifier: &Verifier, head: &http::request::Parts, body: &[u8]) -> Result<(), String> {
    let url = head.uri.to_string();
    let headers = head
        .headers
        .iter()
        .map(|(name, value)| Header { name: name.as_str(), value: value.as_bytes() })
        .collect();
    let request = Inbound {
        id: "",
        source: "",
        method: head.method.as_str(),
        url: &url,
        headers,
        body,
        received: clock::now(),
        added_prefix: "",
        fetched: Vec::new(),
    };
    match verifier.verify(&request) {
        Verification::Verified(_) => Ok(()),
        Verification::Rejected(rejection) => Err(rejection.reason),
        Verification::Answered(_) | Verification::Fetch(_) => Err("it is no delivery".to_owned()),
    }
}

fn print(received: Received, output: &mut Output) -> Result<(), Failure> {
    match output.format() {
        Format::Json => output.json(&document(&received))?,
        Format::Text => output.line(line(&received))?,
    }
    output.flush()?;
    // A sender that hung up meanwhile does not wait.
    let _ = received.printed.send(());
    Ok(())
}

fn line(received: &Received) -> String {
    let id = received.headers.iter().find(|(name, _)| name == "webhook-id").map_or("-", |(_, id)| id);
    let verified = match &received.verified {
        None => String::new(),
        Some(Ok(())) => " verified".to_owned(),
        Some(Err(reason)) => format!(" refused ({})", plain(reason)),
    };
    let Received { method, path, status, body, .. } = received;
    let text = String::from_utf8_lossy(body);
    let shown: String = text.chars().take(SHOWN).collect();
    let more = if shown.len() < text.len() { "…" } else { "" };
    let status = status.map_or_else(|| "silence".to_owned(), |status| status.as_u16().to_string());
    let (path, id) = (plain(path), plain(id));
    format!("{method} {path} {status}{verified} {id} {} B {}{more}", body.len(), plain(&shown))
}

fn document(received: &Received) -> Value {
    let mut headers = Map::new();
    for (name, value) in &received.headers {
        match headers.get_mut(name) {
            Some(Value::String(before)) => {
                before.push_str(", ");
                before.push_str(value);
            }
            _ => {
                headers.insert(name.clone(), Value::from(value.as_str()));
            }
        }
    }
    let (body, encoded) = match std::str::from_utf8(&received.body) {
        Ok(text) => ("body", text.to_owned()),
        Err(_) => ("body_base64", STANDARD.encode(&received.body)),
    };
    let mut document = json!({
        "method": received.method,
        "path": received.path,
        "headers": headers,
        "status": received.status.map(|status| status.as_u16()),
        body: encoded,
    });
    if let (Some(verified), Value::Object(members)) = (&received.verified, &mut document) {
        members.insert("verified".to_owned(), Value::from(verified.is_ok()));
    }
    document
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(verified: Option<Result<(), String>>, body: &[u8]) -> Received {
        Received {
            method: "POST".to_owned(),
            path: "/orders".to_owned(),
            headers: vec![("webhook-id".to_owned(), "evt_1".to_owned()), ("a".to_owned(), "1".to_owned())],
            body: Bytes::copy_from_slice(body),
            status: Some(StatusCode::OK),
            verified,
            printed: oneshot::channel().0,
        }
    }

    #[test]
    fn a_request_is_one_line_without_control_characters() {
        let text = line(&received(None, b"{\"a\":\n\x1b[31m1}"));
        assert!(text.starts_with("POST /orders 200 evt_1 13 B {\"a\":"), "{text}");
        assert!(!text.contains(['\n', '\x1b']), "{text:?}");
        assert!(line(&received(Some(Ok(())), b"")).contains(" 200 verified "));
        assert!(
            line(&received(Some(Err("no signature".to_owned())), b"")).contains("refused (no signature)")
        );
        assert!(line(&received(None, &[b'x'; 500])).ends_with("x…"));
    }

    #[test]
    fn a_body_that_is_no_text_is_base64() {
        let document = document(&received(Some(Ok(())), &[0xff]));
        assert_eq!((&document["body_base64"], &document["body"]), (&json!("/w=="), &Value::Null));
        assert_eq!(document["verified"], true);
        assert_eq!(document["headers"]["a"], "1");
    }

    #[test]
    fn verifies_what_is_signed_and_refuses_the_rest() {
        let secret = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
        let verifier = verifier(secret).unwrap();
        let head = http::Request::post("/x").body(()).unwrap().into_parts().0;
        assert!(verify(&verifier, &head, b"{}").is_err());
        let key = anglerfish_core::sign::SigningSecret::parse(secret).unwrap();
        let now = clock::now().seconds();
        let signed = anglerfish_core::sign::standard_webhooks(&[key], "evt_1", now, b"{}");
        let request = http::Request::post("/x")
            .header("webhook-id", signed.id)
            .header("webhook-timestamp", signed.timestamp)
            .header("webhook-signature", signed.signature);
        let head = request.body(()).unwrap().into_parts().0;
        assert_eq!(verify(&verifier, &head, b"{}"), Ok(()));
        assert!(verify(&verifier, &head, b"{} ").is_err());
    }
}
