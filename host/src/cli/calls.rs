//! `anglerfish calls`: requests to other systems' APIs, and what became of them.

use super::client::{ApiArgs, Client, Trouble};
use super::page::{self, Page, PageArgs, text};
use super::table::{Table, plain};
use super::{Failure, Format, Outcome, Output};
use anglerfish_core::config::OPERATIONAL_SOURCE;
use anstream::eprintln;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Map, Value};
use std::time::{Duration, Instant};

/// How often the log is asked for what is new.
const EVERY: Duration = Duration::from_millis(250);

/// How long one request for a call that is waited for waits.
const WAIT: &str = "20s";

/// How long a gateway that is out of reach is asked again, and how often.
const AWAY: Duration = Duration::from_secs(60);
const AGAIN: Duration = Duration::from_millis(500);

/// The arguments of `calls`.
#[derive(Debug, Args)]
pub(super) struct CallsArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Say how calls to an API are repeated that are made from now on
    Configure(ConfigureArgs),
    /// Attempt calls to an API again that has asked to be left alone
    Resume(ResumeArgs),
    /// Make a request to an API
    Insert(InsertArgs),
    /// List calls, newest first
    List(ListArgs),
    /// Show one call with all that has happened to it
    Show(ShowArgs),
    /// Print what happens to calls as it happens, oldest first
    Watch(WatchArgs),
    /// Print each change of a call's state as it happens
    WatchRequests(WatchArgs),
    /// Print the id of the call that has a key
    #[command(alias = "resolve-external-uuid")]
    Resolve(ResolveArgs),
    /// End a call that nobody wants any more
    Cancel(OneArgs),
    /// Try a call again that ended without an answer
    Retry(OneArgs),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum State {
    /// It is not decided yet
    Pending,
    /// An answer came
    Success,
    /// The last attempt failed
    Failure,
    /// The last attempt got no answer in time
    Timeout,
    /// Somebody ended it
    Cancelled,
}

impl State {
    /// As the API says it.
    const fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Timeout => "timeout",
            Self::Cancelled => "cancelled",
        }
    }
}

#[derive(Debug, Args)]
#[command(after_help = "Without an option it only shows how they are repeated now.
It holds after a restart, too, and goes before the configuration file.")]
struct ConfigureArgs {
    #[command(flatten)]
    api: ApiArgs,
    /// The API, as the configuration names it
    name: String,
    /// How many attempts follow the first one at most
    #[arg(long, value_name = "N")]
    retries: Option<u32>,
    /// How long an attempt may take, such as 5s
    #[arg(long, value_name = "TIME")]
    timeout: Option<String>,
    /// Let the configuration file have its say again
    #[arg(long, conflicts_with_all = ["retries", "timeout"])]
    reset: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  anglerfish calls insert billing '{\"order\": 7}' --external-uuid order-7
  anglerfish calls insert billing --method GET --path /orders/7 --wait

The same key again is the same call, not a second one.
Exit codes: 0 it is made, or with --wait has an answer; 1 it has none; 2 misuse")]
struct InsertArgs {
    #[command(flatten)]
    api: ApiArgs,
    /// The API, as the configuration names it
    name: String,
    /// What to send; - reads it from stdin
    data: Option<String>,
    /// What tells it from other calls to this API
    #[arg(long, value_name = "KEY")]
    external_uuid: Option<String>,
    /// The method; the API's own by default
    #[arg(long)]
    method: Option<String>,
    /// What follows the API's URL
    #[arg(long, default_value = "")]
    path: String,
    /// The whole URL, for an API with any_url
    #[arg(long, conflicts_with = "path")]
    url: Option<String>,
    /// A further header field
    #[arg(long = "header", value_name = "NAME:VALUE")]
    headers: Vec<String>,
    /// Wait until it has ended, and print the answer
    #[arg(long)]
    wait: bool,
}

#[derive(Debug, Args)]
struct ListArgs {
    #[command(flatten)]
    api: ApiArgs,
    /// Only those that stand so
    #[arg(long)]
    state: Option<State>,
    /// Only those to this API
    #[arg(long, value_name = "API")]
    name: Option<String>,
    #[command(flatten)]
    page: PageArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "Exit codes with --wait: 0 it has an answer, 1 it has none, 2 misuse")]
struct ShowArgs {
    #[command(flatten)]
    api: ApiArgs,
    /// The call's id
    id: String,
    /// Wait until it has ended
    #[arg(long)]
    wait: bool,
}

#[derive(Debug, Args)]
struct WatchArgs {
    #[command(flatten)]
    api: ApiArgs,
    /// Begin behind this position of the log; with the next that happens by
    /// default
    #[arg(long, value_name = "POSITION")]
    start_after: Option<u64>,
    /// End with the last that has happened, instead of waiting for more
    #[arg(long)]
    until_now: bool,
}

#[derive(Debug, Args)]
struct ResolveArgs {
    #[command(flatten)]
    api: ApiArgs,
    /// The API, as the configuration names it
    name: String,
    /// The key
    external_uuid: String,
}

#[derive(Debug, Args)]
struct ResumeArgs {
    #[command(flatten)]
    api: ApiArgs,
    /// The API, as the configuration names it
    name: String,
}

#[derive(Debug, Args)]
struct OneArgs {
    #[command(flatten)]
    api: ApiArgs,
    /// The call's id
    id: String,
}

/// Runs the command.
pub(super) async fn run(args: CallsArgs, output: &mut Output) -> Result<Outcome, Failure> {
    match args.command {
        Command::Configure(args) => configure(&args, &args.api.client()?, output).await?,
        Command::Resume(args) => {
            let api = args.api.client()?.post(&["apis", &args.name, "resume"], &[], None).await?;
            show_api(&api, output)?;
        }
        Command::Insert(args) => return insert(&args, &args.api.client()?, output).await,
        Command::List(args) => list(&args, &args.api.client()?, output).await?,
        Command::Show(args) => return show(&args, &args.api.client()?, output).await,
        Command::Watch(args) => watch(&args, &args.api.client()?, entry, output).await?,
        Command::WatchRequests(args) => watch(&args, &args.api.client()?, change, output).await?,
        Command::Resolve(args) => return resolve(&args, &args.api.client()?, output).await,
        Command::Cancel(args) => act(&args.id, "cancel", &args.api.client()?, output).await?,
        Command::Retry(args) => act(&args.id, "retry", &args.api.client()?, output).await?,
    }
    Ok(Outcome::Fine)
}

async fn configure(args: &ConfigureArgs, client: &Client, output: &mut Output) -> Result<(), Failure> {
    let mut said = Map::new();
    if let Some(retries) = args.retries {
        said.insert("retries".to_owned(), Value::from(retries));
    }
    if let Some(timeout) = &args.timeout {
        said.insert("timeout".to_owned(), Value::from(timeout.as_str()));
    }
    if args.reset {
        let apis: Value = client.get(&["apis"], &[]).await?;
        let items = apis.pointer("/items").and_then(Value::as_array).into_iter().flatten();
        let settings = { items }.find(|api| text(api, "/name") == args.name);
        let keys = |api: &Value| {
            let held = api.get("settings").and_then(Value::as_object).into_iter().flatten();
            let aside = api.get("left_aside").and_then(Value::as_array).into_iter().flatten();
            let aside = aside.filter_map(Value::as_str).map(str::to_owned);
            held.map(|(key, _)| key.clone()).chain(aside).collect::<Vec<_>>()
        };
        said.extend(settings.map(keys).into_iter().flatten().map(|key| (key, Value::Null)));
    }
    let api: Value = client.patch(&["apis", &args.name], &Value::Object(said)).await?;
    show_api(&api, output)
}

fn show_api(api: &Value, output: &mut Output) -> Result<(), Failure> {
    if output.format() == Format::Json {
        return output.json(api);
    }
    let members = [
        ("api", "/name"),
        ("attempts", "/attempts"),
        ("policy", "/policy"),
        ("said here", "/settings"),
        ("left aside", "/left_aside"),
        ("waits for", "/waits_for"),
        ("until", "/waits_until"),
    ];
    page::members(api, &members, output)
}

async fn insert(args: &InsertArgs, client: &Client, output: &mut Output) -> Result<Outcome, Failure> {
    let mut headers = Map::new();
    for header in &args.headers {
        let Some((name, value)) = header.split_once(':') else {
            return Err(Failure::misuse(format_args!("--header {header}: write NAME:VALUE")));
        };
        let name = name.trim();
        if headers.keys().any(|known: &String| known.eq_ignore_ascii_case(name)) {
            let message = format_args!("--header {name}: is there twice");
            return Err(Failure::misuse(message)
                .with_hint("several values of one field are written as one, with commas"));
        }
        headers.insert(name.to_owned(), Value::from(value.trim()));
    }
    let data = match args.data.as_deref() {
        Some("-") => {
            let mut bytes = Vec::new();
            std::io::Read::read_to_end(&mut std::io::stdin().lock(), &mut bytes)
                .map_err(|error| Failure::misuse(format_args!("failed to read stdin: {error}")))?;
            bytes
        }
        Some(text) => text.as_bytes().to_vec(),
        None => Vec::new(),
    };
    let mut document = Map::new();
    document.insert("api".to_owned(), Value::from(args.name.as_str()));
    document.insert("path".to_owned(), Value::from(args.path.as_str()));
    document.insert("headers".to_owned(), Value::Object(headers));
    // Of text with many characters that JSON escapes, base64 takes less of what a request may have.
    let coded = |bytes: &[u8]| Value::from(STANDARD.encode(bytes));
    let (member, body) = match String::from_utf8(data) {
        Ok(text) if Value::from(text.as_str()).to_string().len() > text.len().div_ceil(3) * 4 + 2 => {
            ("body_base64", coded(text.as_bytes()))
        }
        Ok(text) => ("body", Value::from(text)),
        Err(error) => ("body_base64", coded(error.as_bytes())),
    };
    document.insert(member.to_owned(), body);
    for (name, value) in
        [("external_uuid", &args.external_uuid), ("method", &args.method), ("url", &args.url)]
    {
        document.extend(value.as_ref().map(|value| (name.to_owned(), Value::from(value.as_str()))));
    }
    let document = Value::Object(document);
    let call: Value = client.post(&["calls"], &[], Some(&document)).await?;
    if args.wait {
        let id = text(&call, "/id");
        let hint = format!("the call is {0}; `anglerfish calls show {0} --wait` asks again", plain(&id));
        return tokio::select! {
            done = ended(&id, client, output) => done,
            // Whoever waits no longer wants to know what goes on without them.
            _ = tokio::signal::ctrl_c() => {
                Err(Failure::failed("interrupted; the call goes on").with_hint(hint))
            }
        };
    }
    match output.format() {
        Format::Json => output.json(&call)?,
        Format::Text => output.line(plain(&text(&call, "/id")))?,
    }
    Ok(Outcome::Fine)
}

/// Waits for the end of a call, and writes its answer.
async fn ended(id: &str, client: &Client, output: &mut Output) -> Result<Outcome, Failure> {
    let call = until_ended(id, client).await?;
    let is_answered = text(&call, "/state") == "success";
    match output.format() {
        Format::Json => output.json(&call)?,
        Format::Text if is_answered => {
            let bytes = match call.pointer("/answer/body_base64").and_then(Value::as_str) {
                Some(coded) => STANDARD.decode(coded).map_err(|error| {
                    Failure::failed(format_args!("the answer is not understood: it is no base64: {error}"))
                })?,
                None => text(&call, "/answer/body").into_bytes(),
            };
            if output.is_terminal() {
                // What an API answers must not steer the terminal.
                String::from_utf8_lossy(&bytes).lines().try_for_each(|line| output.line(plain(line)))?;
            } else {
                output.bytes(&bytes)?;
            }
        }
        Format::Text => eprintln!("{}", summary(&call)),
    }
    Ok(Outcome::of(is_answered))
}

/// Asks for a call until it has ended, also while the gateway is started anew.
async fn until_ended(id: &str, client: &Client) -> Result<Value, Failure> {
    let mut patience = Patience::default();
    loop {
        let asked = client.try_get(&["calls", id], &[("wait", Some(WAIT))]).await;
        let hint = || format!("the call is {id}; `anglerfish calls show {id} --wait` asks again");
        let Some(call): Option<Value> = patience.ask_again(asked, hint).await? else { continue };
        if text(&call, "/state") != "pending" {
            return Ok(call);
        }
        // A gateway that stops does not wait.
        tokio::time::sleep(EVERY).await;
    }
}

/// How long it is waited for a gateway that is out of reach.
#[derive(Default)]
struct Patience {
    since: Option<Instant>,
}

impl Patience {
    /// The answer; `None` if it is to be asked again, after a while.
    ///
    /// # Errors
    ///
    /// What the gateway says, or that it is out of reach for too long: with this hint.
    async fn ask_again<T>(
        &mut self,
        asked: Result<T, Trouble>,
        hint: impl FnOnce() -> String,
    ) -> Result<Option<T>, Failure> {
        match asked {
            Ok(answer) => {
                self.since = None;
                Ok(Some(answer))
            }
            Err(Trouble::Told(failure)) => Err(failure),
            Err(Trouble::Away(failure)) => {
                if self.since.is_none() {
                    eprintln!("the gateway is out of reach; asking again for {} s", AWAY.as_secs());
                }
                if self.since.get_or_insert_with(Instant::now).elapsed() >= AWAY {
                    return Err(failure.with_hint(hint()));
                }
                tokio::time::sleep(AGAIN).await;
                Ok(None)
            }
        }
    }
}

/// How a call ended that has no answer.
fn summary(call: &Value) -> String {
    let [id, state, attempts] = ["/id", "/state", "/attempts"].map(|cell| plain(&text(call, cell)));
    let history = call.get("history").and_then(Value::as_array).into_iter().flatten();
    let reason = history.rev().map(|record| text(record, "/reason")).find(|reason| !reason.is_empty());
    let reason = reason.map(|reason| format!(": {}", plain(&reason))).unwrap_or_default();
    let word = if attempts == "1" { "attempt" } else { "attempts" };
    format!("{id} ended in {state} after {attempts} {word}{reason}")
}

async fn list(args: &ListArgs, client: &Client, output: &mut Output) -> Result<(), Failure> {
    let query = [("state", args.state.map(State::word)), ("api", args.name.as_deref())];
    let items = args.page.read(client, "calls", &query).await?;
    page::write(&items, output, |items, output| {
        let mut table = Table::new(["CREATED", "API", "STATE", "ATTEMPTS", "KEY", "ID"]);
        for item in items {
            let cells = ["/created", "/api", "/state", "/attempts", "/external_uuid", "/id"];
            table.row(cells.map(|cell| text(item, cell)));
        }
        table.write(output)
    })
}

async fn show(args: &ShowArgs, client: &Client, output: &mut Output) -> Result<Outcome, Failure> {
    let call: Value = match args.wait {
        true => until_ended(&args.id, client).await?,
        false => client.get(&["calls", &args.id], &[]).await?,
    };
    let outcome = Outcome::of(!args.wait || text(&call, "/state") == "success");
    if output.format() == Format::Json {
        output.json(&call)?;
        return Ok(outcome);
    }
    let members = [
        ("id", "/id"),
        ("api", "/api"),
        ("key", "/external_uuid"),
        ("state", "/state"),
        ("waits for", "/waits_for"),
        ("next attempt", "/next"),
        ("method", "/method"),
        ("path", "/path"),
        ("url", "/url"),
        ("policy", "/policy"),
        ("status", "/answer/status"),
        ("answer", "/answer/body"),
        ("base64 answer", "/answer/body_base64"),
    ];
    page::members(&call, &members, output)?;
    output.line("")?;
    let mut table = Table::new(["TIME", "POSITION", "CLASS", "ATTEMPT", "STATUS", "REASON"]);
    for record in call.get("history").and_then(Value::as_array).into_iter().flatten() {
        let cells = ["/time", "/position", "/class", "/attempt", "/status", "/reason"];
        table.row(cells.map(|cell| text(record, cell)));
    }
    table.write(output)?;
    Ok(outcome)
}

/// Writes what the log tells of calls, as `line` has it.
async fn watch(
    args: &WatchArgs,
    client: &Client,
    line: fn(&Value) -> Option<String>,
    output: &mut Output,
) -> Result<(), Failure> {
    let mut position = match args.start_after {
        Some(position) => position.to_string(),
        None if args.until_now => "0".to_owned(),
        None => newest(client).await?,
    };
    let mut patience = Patience::default();
    loop {
        let query =
            [("source", Some(OPERATIONAL_SOURCE)), ("after", Some(&*position)), ("limit", Some("500"))];
        let asked = client.try_get(&["events"], &query).await;
        let hint = || format!("`--start-after {position}` goes on behind what was shown");
        let Some(page): Option<Page> = patience.ask_again(asked, hint).await? else { continue };
        for event in &page.items {
            position = text(event, "/position");
            if !text(event, "/type").starts_with("anglerfish.call.") {
                continue;
            }
            let Some(line) = line(event) else { continue };
            match output.format() {
                Format::Json => output.json(event)?,
                Format::Text => output.line(plain(&line))?,
            }
        }
        output.flush()?;
        if page.items.is_empty() {
            if args.until_now {
                return Ok(());
            }
            tokio::time::sleep(EVERY).await;
        }
    }
}

/// The position of the newest entry.
async fn newest(client: &Client) -> Result<String, Failure> {
    let page: Page = client.get(&["events"], &[("limit", Some("1"))]).await?;
    Ok(page.items.first().map_or_else(|| "0".to_owned(), |newest| text(newest, "/position")))
}

/// An entry in one line.
fn entry(event: &Value) -> Option<String> {
    let [position, received, class] =
        ["/position", "/received", "/extensions/class"].map(|cell| text(event, cell));
    let [subject, call, attempt] =
        ["/subject", "/extensions/call", "/extensions/attempt"].map(|cell| text(event, cell));
    let attempt = if attempt.is_empty() { attempt } else { format!(" {attempt}") };
    Some(format!("{position} {received} {class}{attempt} {subject} {call}").trim_end().to_owned())
}

/// An entry that changes how a call stands, in one line.
fn change(event: &Value) -> Option<String> {
    let [class, state] = ["/extensions/class", "/extensions/callstate"].map(|cell| text(event, cell));
    if state.is_empty() || (state == "pending" && !matches!(class.as_str(), "request" | "reopened")) {
        return None;
    }
    let [position, received, subject, call] =
        ["/position", "/received", "/subject", "/extensions/call"].map(|cell| text(event, cell));
    Some(format!("{position} {received} {subject} {call} {state}"))
}

async fn resolve(args: &ResolveArgs, client: &Client, output: &mut Output) -> Result<Outcome, Failure> {
    let query = [("api", Some(&*args.name)), ("external_uuid", Some(&*args.external_uuid))];
    let page: Page = client.get(&["calls"], &query).await?;
    let Some(call) = page.items.first() else {
        eprintln!("no call to `{}` has this key", plain(&args.name));
        return Ok(Outcome::Negative);
    };
    match output.format() {
        Format::Json => output.json(call)?,
        Format::Text => output.line(plain(&text(call, "/id")))?,
    }
    Ok(Outcome::Fine)
}

async fn act(id: &str, action: &str, client: &Client, output: &mut Output) -> Result<(), Failure> {
    let call: Value = client.post(&["calls", id, action], &[], None).await?;
    match output.format() {
        Format::Json => output.json(&call),
        Format::Text => {
            let [id, state] = ["/id", "/state"].map(|cell| plain(&text(&call, cell)));
            output.line(format_args!("call {id} is {state}"))
        }
    }
}
