//! `anglerfish send`: signs a file and posts it as a provider would.

use super::client::https;
use super::table::plain;
use super::{Failure, Format, Outcome, Output};
use crate::cli::clock;
use crate::config::Environment;
use anglerfish_core::sign::{SignError, SignInput, Signed, sign};
use anglerfish_core::verify::{SecretConfig, VerificationConfig};
use bytes::Bytes;
use clap::Args;
use http::{Method, Request, Uri};
use http_body_util::{BodyExt, Full, Limited};
use serde_json::{Value, json};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// How much of an answer is read, in bytes.
const ANSWER_LIMIT: usize = 16 * 1024 * 1024;

/// The arguments of `send`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  anglerfish send --scheme github --secret env:HOOK_SECRET --event push \\
    --url http://127.0.0.1:8080/in/github push.json
  echo '{\"type\":\"order.created\"}' | anglerfish send \\
    --scheme standard-webhooks --secret whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD \\
    --url http://127.0.0.1:8080/in/shop -

Exit codes: 0 answered with 2xx, 1 anything else")]
pub(super) struct SendArgs {
    /// Sign as this provider does (`anglerfish providers` lists them)
    #[arg(long, value_name = "NAME")]
    scheme: String,
    /// The secret, or env:NAME or file:PATH
    #[arg(long)]
    secret: Option<String>,
    /// A further value that the scheme asks for
    #[arg(long = "parameter", value_name = "NAME=VALUE")]
    parameters: Vec<String>,
    /// Where to send it
    #[arg(long)]
    url: String,
    /// The event's type, where the provider sends it in a header field
    #[arg(long, value_name = "TYPE")]
    event: Option<String>,
    /// The event's id, where the provider sends it in a header field
    /// [default: a random one]
    #[arg(long)]
    id: Option<String>,
    /// A further header field
    #[arg(long = "header", value_name = "NAME:VALUE")]
    headers: Vec<String>,
    /// The method
    #[arg(long, default_value = "POST")]
    method: Method,
    /// The body; `-` is stdin
    file: PathBuf,
}

/// What came back.
struct Answer {
    status: http::StatusCode,
    body: Bytes,
}

/// Runs the command.
pub(super) async fn run(args: SendArgs, output: &mut Output) -> Result<Outcome, Failure> {
    let body = read(&args.file)?;
    let signed = signed(&args, &body)?;
    let answer = post(&args.method, signed).await?;
    let text = String::from_utf8_lossy(&answer.body);
    match output.format() {
        Format::Json => {
            let body = serde_json::from_slice(&answer.body).unwrap_or_else(|_| Value::from(&*text));
            output.json(&json!({"status": answer.status.as_u16(), "body": body}))?;
        }
        Format::Text => {
            output.line(answer.status)?;
            for line in text.lines() {
                output.line(plain(line))?;
            }
        }
    }
    Ok(Outcome::of(answer.status.is_success()))
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    let read = if file == Path::new("-") {
        std::io::stdin().lock().read_to_end(&mut body)
    } else {
        std::fs::File::open(file).and_then(|mut file| file.read_to_end(&mut body))
    };
    match read {
        Ok(_) => Ok(body),
        Err(error) => Err(Failure::misuse(format_args!("failed to read {}: {error}", file.display()))),
    }
}

fn signed(args: &SendArgs, body: &[u8]) -> Result<Signed, Failure> {
    let mut config = VerificationConfig { scheme: args.scheme.clone(), ..VerificationConfig::default() };
    let environment = Environment::of_process();
    if let Some(text) = &args.secret {
        let secret = environment
            .resolve(text)
            .map_err(|reason| Failure::misuse(format_args!("--secret: {reason}")))?;
        config.secrets.push(SecretConfig::new(secret));
    }
    for parameter in &args.parameters {
        let (name, text) = pair(parameter, '=', "--parameter", "NAME=VALUE")?;
        let value = environment
            .resolve(&text)
            .map_err(|reason| Failure::misuse(format_args!("--parameter: {reason}")))?;
        config.parameters.insert(name, value);
    }
    let mut headers = Vec::with_capacity(args.headers.len() + 1);
    for header in &args.headers {
        headers.push(pair(header, ':', "--header", "NAME:VALUE")?);
    }
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
        headers.push(("content-type".to_owned(), "application/json".to_owned()));
    }
    let random = || format!("evt_{:032x}", fastrand::u128(..));
    let id = args.id.clone().unwrap_or_else(random);
    let input = SignInput {
        method: args.method.as_str(),
        url: &args.url,
        headers: &headers,
        body,
        id: &id,
        timestamp: clock::now(),
        kind: args.event.as_deref(),
    };
    sign(&config, &input).map_err(|error| match error {
        SignError::Configuration(problems) => {
            let said: Vec<&str> = problems.iter().map(|problem| problem.message.as_str()).collect();
            let failure = Failure::misuse(said.join("; "));
            match (&args.secret, problems.into_iter().find_map(|problem| problem.hint)) {
                (_, Some(hint)) => failure.with_hint(hint),
                (None, None) => failure.with_hint("give the secret with --secret"),
                (Some(_), None) => failure.with_hint("`anglerfish providers` says what each scheme needs"),
            }
        }
        error => Failure::misuse(error),
    })
}

fn pair(text: &str, separator: char, option: &str, form: &str) -> Result<(String, String), Failure> {
    let (name, value) =
        text.split_once(separator).ok_or_else(|| Failure::misuse(format_args!("{option} takes {form}")))?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

async fn post(method: &Method, signed: Signed) -> Result<Answer, Failure> {
    let uri: Uri =
        signed.url.parse().map_err(|error| Failure::misuse(format_args!("--url is no URL: {error}")))?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err(Failure::misuse("--url must begin with http:// or https://"));
    }
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in &signed.headers {
        request = request.header(name, value);
    }
    let request = request
        .body(Full::new(Bytes::from(signed.body)))
        .map_err(|error| Failure::misuse(format_args!("the request cannot be sent: {error}")))?;
    let client = https()?;
    let exchange = async {
        let answer = client.request(request).await.map_err(|error| unreachable(&signed.url, &error))?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), ANSWER_LIMIT).collect().await;
        let body =
            body.map_err(|error| Failure::failed(format_args!("failed to read the answer: {error}")))?;
        Ok(Answer { status, body: body.to_bytes() })
    };
    tokio::time::timeout(TIMEOUT, exchange)
        .await
        .unwrap_or_else(|_| Err(Failure::failed(format_args!("no answer within {} s", TIMEOUT.as_secs()))))
}

fn unreachable(url: &str, error: &hyper_util::client::legacy::Error) -> Failure {
    use std::error::Error;
    let mut cause: &dyn Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    let host = url.split(['?', '#']).next().unwrap_or(url);
    Failure::failed(format_args!("failed to reach {host}: {cause}"))
}
