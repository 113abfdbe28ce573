//! `anglerfish deploy-config`: gives a configuration to a gateway that runs under Spin.

mod edit;
mod manifest;
mod runtime;
mod store;

use super::client::{https, innermost};
use super::command::say;
use super::configuration::ConfigArgs;
use super::plugin::sandbox;
use super::table::plain;
use super::{Failure, Format, Outcome, Output};
use crate::config::Environment;
use crate::gateway::Config;
use crate::plugin::{PluginConfig, SpinParts, SpinPluginError};
use anglerfish_core::edge::{Deployment, instance_memory, opened_networks, outbound_hosts};
use anglerfish_core::problem::Problem;
use bytes::Bytes;
use clap::Args;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use manifest::{HOSTS, Manifest, Needs, PLUGINS, hosts_line};
use runtime::{Limits, named_store, runtime};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};
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
Both files get what the configuration needs and nothing else is changed in them;
what was changed is told.

Examples:
  anglerfish deploy-config --manifest spin.toml
  anglerfish deploy-config --manifest spin.toml --runtime-config runtime.toml
  anglerfish deploy-config --manifest spin.toml --check
  anglerfish deploy-config --to https://hooks.example.com --token env:TOKEN
  anglerfish deploy-config --to https://hooks.example.com --rollback

Exit codes: 0 in use, 1 it could not be given, or --check found something to
change, 2 it has problems")]
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
    /// Write what the app is granted (whom it may call, its store, its variables), and its plugins, into this manifest of Spin's
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    /// Write the networks that are kept from the app, and its limits, into this runtime configuration of Spin's
    #[arg(long, value_name = "FILE", conflicts_with = "rollback")]
    runtime_config: Option<PathBuf>,
    /// Have Spin's own store, which is this file, written ahead of itself (WAL): what was accepted outlasts a loss of power, and is written faster
    #[arg(long, value_name = "FILE", conflicts_with = "rollback")]
    store: Option<PathBuf>,
    /// Tell what would be changed in the files, and neither change them nor deploy anything
    #[arg(long, conflicts_with = "rollback")]
    dry_run: bool,
    /// The same, with exit code 1 if something would be changed, or is granted that the app does not use
    #[arg(long, conflicts_with_all = ["rollback", "to"])]
    check: bool,
}

/// How large a body the app takes unless its manifest says it, in bytes.
const LARGEST_BODY: u64 = 1 << 20;

/// Spin's own store beside a manifest, unless it is told another place.
const STORE: &str = ".spin/sqlite_key_value.db";

/// What was done to the files, or would be.
#[derive(Default)]
struct Files {
    /// What is to be written where.
    written: Vec<(PathBuf, Vec<u8>)>,
    /// The store that is to be written ahead.
    store: Option<PathBuf>,
    /// What is to be removed.
    removed: Vec<PathBuf>,
    /// What that changes, a line for each.
    changes: Vec<String>,
    /// What is granted by hand and not used.
    excess: Vec<String>,
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
    let (config, resolved) = Config::resolve(args.config.path(), &Environment::of_process())?;
    let (document, mut without_effect) = part_for_spin(resolved.clone());
    Deployment::read(&document).map_err(|problems| config.locate(problems))?;
    if args.runtime_config.is_some() {
        let says = |table: &str, key: &str| resolved.get(table).and_then(|table| table.get(key)).is_some();
        let is_read = [("server", "allow_networks"), ("outbound", "max_connections")];
        without_effect.retain(|name| !is_read.iter().any(|(table, key)| table == name && says(table, key)));
    }
    if !without_effect.is_empty() {
        let tables = without_effect.join(", ");
        say("", 0, &format!("note: under Spin these tables say nothing: {tables}"));
    }
    let is_nothing = args.manifest.is_none() && args.runtime_config.is_none() && args.store.is_none();
    if args.check && is_nothing {
        return Err(Failure::misuse("there is no file to check")
            .with_hint("name one: --manifest spin.toml, --runtime-config runtime-config.toml"));
    }
    distinct(&args)?;
    let hosts = outbound_hosts(&document);
    let files = files(&args, &config, &resolved, &document)?;
    let is_tried = args.dry_run || args.check;
    if is_tried {
        tell(&files, "would change: ");
        show_hosts(&hosts, &files, output)?;
        let is_as_it_should = files.changes.is_empty() && files.excess.is_empty();
        return Ok(if args.check && !is_as_it_should { Outcome::Negative } else { Outcome::Fine });
    }
    files.write()?;
    tell(&files, "changed: ");
    let Some(target) = target else {
        show_hosts(&hosts, &files, output)?;
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

/// What the files have to have for a configuration. `resolved` is all of it, `document` what the app gets.
fn files(args: &DeployArgs, config: &Config, resolved: &Value, document: &Value) -> Result<Files, Failure> {
    let mut files = Files::default();
    let mut body = LARGEST_BODY;
    if let Some(file) = &args.manifest {
        let names: Vec<&str> = config.plugins.iter().map(|plugin| plugin.name.as_str()).collect();
        let hosts = outbound_hosts(document);
        let has_documents =
            document.get("resource").and_then(Value::as_array).is_some_and(|resources| !resources.is_empty());
        let manifest = Manifest::of(file, &Needs { hosts: &hosts, plugins: &names, has_documents })?;
        body = manifest.largest_body().unwrap_or(body);
        let shown = manifest.edit.shown();
        files.changes.extend(manifest.edit.changes.iter().map(|change| format!("{shown}: {change}")));
        files.excess.extend(manifest.edit.excess.iter().map(|key| format!("{shown}: {key}")));
        // The components are there before the manifest that names them.
        for (file, component) in put_together(file, config)? {
            if std::fs::read(&file).ok().as_ref() != Some(&component) {
                files.changes.push(format!("{} is made", file.display()));
                files.written.push((file, component));
            }
        }
        files.written.extend(manifest.text.map(|text| (file.clone(), text.into_bytes())));
        files.removed.extend(manifest.gone.iter().map(|gone| component_of(file, gone)));
    }
    if let Some(file) = &args.runtime_config {
        let opened = opened_networks(resolved);
        if !opened.whole.is_empty() {
            let ids = opened.whole.join(", ");
            let note = format!(
                "note: no network is kept from the app: `allow_private` of {ids} permits all of them to a host that has a name; \
                 `allow_networks` says which"
            );
            say("", 0, &note);
        }
        let length = u64::try_from(document.to_string().len()).unwrap_or(u64::MAX);
        let of_plugins = config.plugins.iter().map(|plugin| plugin.memory).max().unwrap_or(0);
        let memory = instance_memory(length, body).max(of_plugins);
        let connections = resolved.get("outbound").and_then(|outbound| outbound.get("max_connections"));
        let connections = connections.and_then(Value::as_u64);
        let beside = args.manifest.as_deref().map(|manifest| manifest.with_file_name(STORE));
        let limits = Limits { opened, memory, connections, store: args.store.clone().or(beside) };
        let edit = runtime(file, &limits)?;
        if let Some(store) = &args.store
            && named_store(&edit, file)
                .is_some_and(|named| !named.is_some_and(|named| is_same(&named, store)))
        {
            return Err(Failure::misuse(format_args!(
                "{} names another store than {}, which the app would not use",
                edit.shown(),
                store.display()
            ))
            .with_hint("name the file of [key_value_store.default], or leave --store out"));
        }
        let shown = edit.shown();
        files.changes.extend(edit.changes.iter().map(|change| format!("{shown}: {change}")));
        files.written.extend(edit.text().map(|text| (file.clone(), text.into_bytes())));
    }
    if let Some(file) = &args.store
        && !store::is_ahead(file)?
    {
        files.changes.push(format!("{} is written ahead", file.display()));
        files.store = Some(file.clone());
    }
    Ok(files)
}

/// Refuses one file for two purposes.
fn distinct(args: &DeployArgs) -> Result<(), Failure> {
    let named = [
        ("--manifest", &args.manifest),
        ("--runtime-config", &args.runtime_config),
        ("--store", &args.store),
    ];
    let named: Vec<_> = named.iter().filter_map(|(flag, file)| Some((flag, file.as_ref()?))).collect();
    for (index, (flag, file)) in named.iter().enumerate() {
        if let Some((other, _)) = named.iter().take(index).find(|(_, other)| is_same(other, file)) {
            return Err(Failure::misuse(format_args!(
                "{other} and {flag} name the same file: {}",
                file.display()
            )));
        }
    }
    Ok(())
}

/// Whether two paths lead to one file; one that is not there yet is what it is called.
fn is_same(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        _ => plainly(one) == plainly(other),
    }
}

/// An absolute path without steps back.
fn plainly(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).components() {
        match part {
            Component::ParentDir => _ = plain.pop(),
            part => plain.push(part),
        }
    }
    plain
}

impl Files {
    fn write(&self) -> Result<(), Failure> {
        let mut done = Vec::new();
        for (file, content) in &self.written {
            let failed = |error: std::io::Error| {
                let failure = Failure::failed(format_args!("failed to write {}: {error}", file.display()));
                match done.is_empty() {
                    true => failure,
                    false => failure.with_hint(format!("{} is written already", done.join(", "))),
                }
            };
            if let Some(folder) = file.parent() {
                std::fs::create_dir_all(folder).map_err(failed)?;
            }
            std::fs::write(file, content).map_err(failed)?;
            done.push(file.display().to_string());
        }
        self.removed.iter().try_for_each(|file| remove(file))?;
        self.store.as_deref().map_or(Ok(()), store::write_ahead)
    }
}

/// Tells what was changed, or would be, behind this title, and what is not used.
fn tell(files: &Files, title: &str) {
    files.changes.iter().for_each(|change| say(title, title.len(), change));
    for excess in &files.excess {
        say("", 0, &format!("note: {excess} is there and nothing of the app uses it; take it out"));
    }
}

fn show_hosts(hosts: &BTreeSet<String>, files: &Files, output: &mut Output) -> Result<(), Failure> {
    match output.format() {
        Format::Json => {
            let Files { changes, excess, .. } = files;
            output.json(&json!({ HOSTS: hosts, "changes": changes, "unused": excess }))?;
        }
        Format::Text => output.line(format_args!("{}", hosts_line(hosts)))?,
    }
    Ok(())
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

/// The component of each plugin of a configuration, with the file that it belongs in.
fn put_together(manifest: &Path, config: &Config) -> Result<Vec<(PathBuf, Vec<u8>)>, Failure> {
    if config.plugins.is_empty() {
        return Ok(Vec::new());
    }
    let parts = SpinParts::of(manifest.with_file_name("target").join("spin"))
        .map_err(|why| Failure::misuse(why).with_hint("build the app first: spin build"))?;
    let failed =
        |error: String| Failure::failed(format_args!("failed to make the plugins' components: {error}"));
    let sandbox = sandbox().map_err(|error| failed(error.to_string()))?;
    let (mut problems, mut components) = (Vec::new(), Vec::new());
    for (index, plugin) in config.plugins.iter().enumerate() {
        let PluginConfig { name, .. } = plugin;
        match parts.put_together(&sandbox, plugin) {
            Ok(component) => components.push((component_of(manifest, name), component)),
            Err(SpinPluginError::Plugin(key, error)) => {
                problems.push(Problem::new(format!("plugin[{index}].{key}"), error.to_string()));
            }
            Err(SpinPluginError::Other(reason)) => return Err(failed(reason)),
        }
    }
    if problems.is_empty() { Ok(components) } else { Err(config.locate(problems).into()) }
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
