//! `anglerfish deploy-config`: gives a configuration to a gateway that runs under Spin.

mod manifest;

use super::client::{https, innermost};
use super::command::say;
use super::configuration::ConfigArgs;
use super::plugin::sandbox;
use super::table::plain;
use super::{Failure, Format, Outcome, Output};
use crate::config::Environment;
use crate::gateway::Config;
use crate::plugin::{PluginConfig, SpinParts, SpinPluginError};
use anglerfish_core::edge::{Deployment, outbound_hosts};
use anglerfish_core::problem::Problem;
use bytes::Bytes;
use clap::Args;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use manifest::{HOSTS, PLUGINS, hosts_line};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long the app may take to check a configuration and to keep it.
const TIMEOUT: Duration = Duration::from_secs(60);

/// How much of an answer is read, in bytes.
const ANSWER_LIMIT: usize = 4 * 1024 * 1024;

/// The arguments of `deploy-config`.
#[derive(Debug, Args)]
#[command(after_help = "References to secrets (env:NAME, file:PATH) are resolved here, and what they
refer to is sent. What the app cannot do is refused, with its place in the file.
Whom the app has to call is printed as the manifest has it; the manifest has
effect when the app is deployed, and the configuration at once. With --manifest
each [[plugin]] becomes a component of the app, in target/spin/plugins beside it.

Examples:
  anglerfish deploy-config --manifest spin.toml
  anglerfish deploy-config --to https://hooks.example.com --token env:TOKEN
  anglerfish deploy-config --to https://hooks.example.com --rollback

Exit codes: 0 in use, 1 it could not be given, 2 it has problems")]
pub(super) struct DeployArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Where the app is; without it nothing is deployed
    #[arg(long, value_name = "URL")]
    to: Option<String>,
    /// The value of the app's variable `admin_token`: env:NAME, file:PATH or itself
    #[arg(long, env = "ANGLERFISH_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Go back to the configuration that was in use before
    #[arg(long, requires = "to", conflicts_with = "manifest")]
    rollback: bool,
    /// Write whom the app may call, and its plugins, into this manifest of Spin's
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
}

/// What the app says of the configuration in use.
#[derive(Debug, Deserialize)]
struct InUse {
    version: u64,
    previous: Option<u64>,
    #[serde(default)]
    changed: bool,
}

/// What is needed of a problem document.
#[derive(Debug, Deserialize)]
struct Refusal {
    detail: String,
    #[serde(default)]
    problems: Vec<Problem>,
}

/// Runs the command.
pub(super) async fn run(args: DeployArgs, output: &mut Output) -> Result<Outcome, Failure> {
    let target = args.to.as_deref().map(|to| Target::new(to, args.token.as_deref())).transpose()?;
    if let (true, Some(target)) = (args.rollback, &target) {
        let answer = target.send(Method::POST, "/config/rollback", None).await?;
        return show(&answer, target, output);
    }
    let (config, document) = Config::resolve(args.config.path(), &Environment::of_process())?;
    let (document, without_effect) = part_for_spin(document);
    Deployment::read(&document).map_err(|problems| config.locate(problems))?;
    if !without_effect.is_empty() {
        let tables = without_effect.join(", ");
        say("", 0, &format!("note: under Spin these tables say nothing: {tables}"));
    }
    let hosts = outbound_hosts(&document);
    if let Some(manifest) = &args.manifest {
        put_together(manifest, &config)?;
        let names: Vec<&str> = config.plugins.iter().map(|plugin| plugin.name.as_str()).collect();
        for gone in manifest::write(manifest, &hosts, &names)? {
            remove(&component_of(manifest, &gone))?;
        }
    }
    let Some(target) = target else {
        match output.format() {
            Format::Json => output.json(&json!({ HOSTS: hosts }))?,
            Format::Text => output.line(format_args!("{}", hosts_line(&hosts)))?,
        }
        return Ok(Outcome::Fine);
    };
    let answer = target.send(Method::PUT, "/config", Some(&document)).await;
    let answer = answer.map_err(|refused| match refused {
        Refused::Problems(problems) => Failure::from(config.locate(problems)),
        Refused::Failure(failure) => failure,
    })?;
    if output.format() == Format::Text && args.manifest.is_none() {
        say("", 0, &format!("note: the manifest should have {}", hosts_line(&hosts)));
    }
    show(&answer, &target, output)
}

fn show(answer: &Value, target: &Target, output: &mut Output) -> Result<Outcome, Failure> {
    let in_use = InUse::deserialize(answer).map_err(|error| target.strange(&error.to_string()))?;
    match output.format() {
        Format::Json => output.json(answer)?,
        Format::Text => {
            let InUse { version, previous, changed } = in_use;
            let as_before = if changed || answer.get("changed").is_none() { "" } else { ", as before" };
            let before =
                previous.map_or_else(String::new, |previous| format!("; version {previous} is kept"));
            output.line(format_args!(
                "version {version} is in use at {}{as_before}{before}",
                plain(&target.base)
            ))?;
        }
    }
    Ok(Outcome::Fine)
}

/// The tables that the app reads or refuses, and the names of those that say nothing there.
fn part_for_spin(document: Value) -> (Value, Vec<String>) {
    const READ: [&str; 6] = ["source", "subscription", "resource", "topic", "api", "plugin"];
    let Value::Object(members) = document else { return (document, Vec::new()) };
    let (read, rest): (Map<_, _>, Map<_, _>) =
        members.into_iter().partition(|(key, _)| READ.contains(&key.as_str()));
    (Value::Object(read), rest.into_iter().map(|(key, _)| key).collect())
}

/// Where a plugin's component is, beside a manifest.
fn component_of(manifest: &Path, name: &str) -> PathBuf {
    manifest.with_file_name(PLUGINS).join(format!("{name}.wasm"))
}

/// Makes a component of each plugin of a configuration.
fn put_together(manifest: &Path, config: &Config) -> Result<(), Failure> {
    if config.plugins.is_empty() {
        return Ok(());
    }
    let parts = SpinParts::of(manifest.with_file_name("target").join("spin"))
        .map_err(|why| Failure::misuse(why).with_hint("build the app first: spin build"))?;
    let failed =
        |error: String| Failure::failed(format_args!("failed to make the plugins' components: {error}"));
    std::fs::create_dir_all(manifest.with_file_name(PLUGINS)).map_err(|error| failed(error.to_string()))?;
    let sandbox = sandbox().map_err(|error| failed(error.to_string()))?;
    let mut problems = Vec::new();
    for (index, plugin) in config.plugins.iter().enumerate() {
        let PluginConfig { name, .. } = plugin;
        match parts.put_together(&sandbox, plugin, &component_of(manifest, name)) {
            Ok(()) => {}
            Err(SpinPluginError::Plugin(key, error)) => {
                problems.push(Problem::new(format!("plugin[{index}].{key}"), error.to_string()));
            }
            Err(SpinPluginError::Other(reason)) => return Err(failed(reason)),
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(config.locate(problems).into()) }
}

/// Removes the component of a plugin that is not there any more.
fn remove(file: &Path) -> Result<(), Failure> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Failure::failed(format_args!("failed to remove {}: {error}", file.display())))
        }
        _ => Ok(()),
    }
}

/// The app.
struct Target {
    base: String,
    authorization: Option<HeaderValue>,
}

/// Why the app has not done what it was asked.
enum Refused {
    /// The configuration has these problems there.
    Problems(Vec<Problem>),
    /// Anything else.
    Failure(Failure),
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Problems(problems) => {
                Self::Configuration(problems.iter().map(ToString::to_string).collect())
            }
            Refused::Failure(failure) => failure,
        }
    }
}

impl Target {
    fn new(to: &str, token: Option<&str>) -> Result<Self, Failure> {
        let uri = to.parse::<Uri>().ok().filter(|uri| uri.authority().is_some() && uri.query().is_none());
        let scheme = uri.as_ref().and_then(Uri::scheme_str);
        let host = uri.as_ref().and_then(Uri::host).unwrap_or_default();
        match scheme {
            Some("https") => {}
            Some("http") if host == "localhost" || host == "[::1]" || host.starts_with("127.") => {}
            Some("http") => {
                return Err(Failure::misuse("the configuration has secrets, and would be sent without TLS")
                    .with_hint("write https://; http:// is for this machine only"));
            }
            _ => {
                return Err(Failure::misuse(format_args!("`{}` is not the address of an app", plain(to)))
                    .with_hint("it looks like https://hooks.example.com"));
            }
        }
        let token = token.map(|token| Environment::of_process().resolve(token)).transpose();
        let authorization = token.map_err(Failure::misuse)?.map(|token| {
            let mut value = HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| {
                Failure::misuse("the token has characters that cannot be sent in a header field")
            })?;
            value.set_sensitive(true);
            Ok::<_, Failure>(value)
        });
        Ok(Self { base: to.trim_end_matches('/').to_owned(), authorization: authorization.transpose()? })
    }

    async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Refused> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header(CONTENT_TYPE, "application/json");
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let request = request
            .body(Full::from(body.map(Value::to_string).unwrap_or_default()))
            .map_err(|error| Failure::misuse(format_args!("this cannot be asked for: {error}")))?;
        let answer = tokio::time::timeout(TIMEOUT, self.exchange(request)).await;
        let (status, body) = answer.map_err(|_| {
            Failure::failed(format_args!("no answer from {} within {} s", self.base, TIMEOUT.as_secs()))
        })??;
        if status.is_success() {
            return serde_json::from_slice(&body).map_err(|error| self.strange(&error.to_string()).into());
        }
        let Ok(refusal) = serde_json::from_slice::<Refusal>(&body) else {
            return Err(self.strange(&format!("{status} without a problem document")).into());
        };
        if !refusal.problems.is_empty() {
            return Err(Refused::Problems(refusal.problems));
        }
        let detail = plain(&refusal.detail);
        Err(Refused::Failure(match status {
            StatusCode::UNAUTHORIZED => {
                Failure::misuse(detail).with_hint("--token or ANGLERFISH_TOKEN gives the app's `admin_token`")
            }
            StatusCode::FORBIDDEN | StatusCode::BAD_REQUEST => Failure::misuse(detail),
            _ => Failure::failed(detail),
        }))
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes), Failure> {
        let response = https()?.request(request).await.map_err(|error| {
            Failure::failed(format_args!("failed to reach the app at {}: {}", self.base, innermost(&error)))
        })?;
        let status = response.status();
        let body = Limited::new(response.into_body(), ANSWER_LIMIT).collect().await;
        Ok((status, body.map_err(|error| self.strange(&error.to_string()))?.to_bytes()))
    }

    fn strange(&self, why: &str) -> Failure {
        Failure::failed(format_args!("{} gave an answer that is not understood: {why}", self.base))
            .with_hint("`--to` must name the app that runs under Spin, of this version")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_sent_with_tls_or_to_this_machine_only() {
        for to in
            ["https://h.example", "http://127.0.0.1:3000", "http://localhost:3000/", "http://[::1]:3000"]
        {
            assert!(Target::new(to, None).is_ok(), "{to}");
        }
        for to in ["http://h.example", "http://10.0.0.1", "h.example", "ftp://h", "https://h?x", ""] {
            assert_eq!(Target::new(to, None).err().map(|failure| failure.code()), Some(2), "{to}");
        }
    }

    #[test]
    fn what_belongs_to_the_native_gateway_alone_is_named_and_not_sent() {
        let (document, rest) = part_for_spin(json!({ "server": {}, "source": [], "store": {}, "topic": [] }));
        assert_eq!(document, json!({ "source": [], "topic": [] }));
        assert_eq!(rest, ["server", "store"]);
    }
}
