//! `anglerfish subscriptions`: who wants what, of a running gateway.

use super::bulk::{self, WatchArgs};
use super::client::{ApiArgs, Client};
use super::filter::Sample;
use super::page::{self, PageArgs, text};
use super::period::place;
use super::table::{Table, plain};
use super::{Failure, Format, Outcome, Output, input, rotate};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use std::path::PathBuf;

/// The arguments of `subscriptions`.
#[derive(Debug, Args)]
pub(super) struct SubscriptionsArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List subscriptions, those of the configuration and those of the API
    List(ListArgs),
    /// Show one subscription as it was written, with its problems
    Show(OneArgs),
    /// Write a subscription, or replace one that was written by API
    Put(PutArgs),
    /// Delete a subscription that was written by API
    Delete(OneArgs),
    /// Stop the attempts of a subscription; events are kept for it
    Pause(OneArgs),
    /// Send messages that are held for a passive subscription to its endpoint
    Send(SendArgs),
    /// Let the attempts of a paused or disabled subscription go on
    #[command(alias = "enable")]
    Resume(OneArgs),
    /// Deliver to a subscription again from a point of the log on
    Replay(ReplayArgs),
    /// Sign with another key; the old ones sign along for a while
    RotateSecret(rotate::SecretArgs),
    /// Give a subscriber another token; those before stay right
    RotateToken(rotate::TokenArgs),
    /// Say whether a subscription wants an event, and why
    Test(TestArgs),
}

#[derive(Debug, Args)]
struct ListArgs {
    #[command(flatten)]
    api: ApiArgs,
    #[command(flatten)]
    page: PageArgs,
}

#[derive(Debug, Args)]
struct OneArgs {
    #[command(flatten)]
    api: ApiArgs,
    /// The subscription's id
    id: String,
}

#[derive(Debug, Args)]
#[command(after_help = "FILE is one subscription as TOML (as in [[subscription]]) or as JSON, with its
`id` unless --id gives it.

Example:
  echo '{\"id\": \"orders\", \"endpoint\": {\"url\": \"https://example.com/hooks\"}}' |
    anglerfish subscriptions put -")]
struct PutArgs {
    #[command(flatten)]
    api: ApiArgs,
    /// The subscription's document; `-` is stdin
    file: PathBuf,
    /// Its id, where the document has none
    #[arg(long)]
    id: Option<String>,
}

#[derive(Debug, Args)]
#[command(after_help = "Those that wait longest go first; what is leased or not due yet is left alone.
The answer comes when all attempts are recorded.")]
struct SendArgs {
    #[command(flatten)]
    api: ApiArgs,
    /// The subscription's id
    id: String,
    /// How many messages at most
    #[arg(long, value_name = "COUNT", default_value_t = 20)]
    quantity: u16,
    /// How many attempts at once
    #[arg(long, value_name = "COUNT", default_value_t = 20)]
    concurrency: u16,
}

#[derive(Debug, Args)]
#[command(after_help = "A job goes through the log, oldest first, and asks the filter of the
subscription anew. It goes on if this command is broken off: `anglerfish jobs`
shows and ends it.

Examples:
  anglerfish subscriptions replay orders --from 1200
  anglerfish subscriptions replay orders --from 2days --missing")]
struct ReplayArgs {
    #[command(flatten)]
    api: ApiArgs,
    /// The subscription's id
    id: String,
    /// Where to begin: a position, `earliest`, a time, or how long ago: 2h, 3days
    #[arg(long, value_name = "PLACE", value_parser = place)]
    from: Value,
    /// Where to end, before this place; without it with the newest event
    #[arg(long, value_name = "PLACE", value_parser = place)]
    until: Option<Value>,
    /// Only events of this source
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Only events of this type
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// Only events that have no delivery to the subscription
    #[arg(long)]
    missing: bool,
    #[command(flatten)]
    watch: WatchArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  anglerfish subscriptions test orders --event evt_1
  anglerfish subscriptions test --filter 'message.quantity > 3' --event evt_1
  anglerfish subscriptions test orders --sample event.json

A sample is {\"event\": {…}, \"message\": …, \"headers\": {…}}: what filters see;
or {\"event\": {…}} with the message as its `data`, as the management API takes
it.
Nothing is delivered. Exit codes: 0 match, 1 no match or an error, 2 misuse")]
struct TestArgs {
    #[command(flatten)]
    api: ApiArgs,
    /// The subscription's id
    #[arg(required_unless_present = "filter", conflicts_with = "filter")]
    id: Option<String>,
    /// A filter that belongs to no subscription yet
    #[arg(long, value_name = "CEL")]
    filter: Option<String>,
    /// The event of the log with this id
    #[arg(long, value_name = "ID", required_unless_present = "sample")]
    event: Option<String>,
    /// The event's source, where several have an event of this id
    #[arg(long, value_name = "NAME", requires = "event")]
    source: Option<String>,
    /// An event as JSON; `-` is stdin
    #[arg(long, value_name = "FILE", conflicts_with = "event")]
    sample: Option<PathBuf>,
}

/// Runs the command.
pub(super) async fn run(args: SubscriptionsArgs, output: &mut Output) -> Result<Outcome, Failure> {
    match args.command {
        Command::List(args) => list(&args.page, &args.api.client()?, output).await?,
        Command::Show(args) => show(&args.id, &args.api.client()?, output).await?,
        Command::Put(args) => put(&args, &args.api.client()?, output).await?,
        Command::Delete(args) => delete(&args.id, &args.api.client()?, output).await?,
        Command::Pause(args) => stand(&args.id, "pause", &args.api.client()?, output).await?,
        Command::Send(args) => send(&args, &args.api.client()?, output).await?,
        Command::Resume(args) => stand(&args.id, "resume", &args.api.client()?, output).await?,
        Command::Replay(args) => return replay(&args, &args.api.client()?, output).await,
        Command::RotateSecret(args) => rotate::secret(&args, output).await?,
        Command::RotateToken(args) => rotate::token(&args, output).await?,
        Command::Test(args) => return test(&args, &args.api.client()?, output).await,
    }
    Ok(Outcome::Fine)
}

async fn replay(args: &ReplayArgs, client: &Client, output: &mut Output) -> Result<Outcome, Failure> {
    let ReplayArgs { id, from, until, source, kind, missing, watch, .. } = args;
    let members = [
        ("subscription", bulk::member(Some(id))),
        ("from", Some(from.clone())),
        ("until", until.clone()),
        ("source", bulk::member(source.as_ref())),
        ("type", bulk::member(kind.as_ref())),
        ("missing", Some((*missing).into())),
    ];
    let job = bulk::job("replay", members);
    bulk::start(&job, *watch, client, output).await
}

async fn list(page: &PageArgs, client: &Client, output: &mut Output) -> Result<(), Failure> {
    let items = page.read(client, "subscriptions", &[]).await?;
    page::write(&items, output, |items, output| {
        let mut table = Table::new(["ID", "STATE", "MODE", "ORIGIN", "OPEN", "SOURCES", "ENDPOINT"]);
        for item in items {
            let cells = ["/id", "/state", "/origin", "/open_deliveries"].map(|cell| text(item, cell));
            let [id, state, origin, open] = cells;
            let endpoint = text(item, "/subscription/endpoint/url");
            table.row([id, state, mode(item), origin, open, sources(item), endpoint]);
        }
        table.write(output)
    })
}

/// How deliveries get to the subscriber; of one that is removed nothing is known.
fn mode(item: &Value) -> String {
    match item.pointer("/subscription") {
        None | Some(Value::Null) => String::new(),
        Some(document) => match document.get("mode").and_then(Value::as_str) {
            Some(mode) => mode.to_owned(),
            None => "push".to_owned(),
        },
    }
}

/// The sources that a subscription names; without any it listens to all. One that is removed listens to none.
fn sources(item: &Value) -> String {
    if item.pointer("/subscription").is_none_or(Value::is_null) {
        return String::new();
    }
    let named = item.pointer("/subscription/sources").and_then(Value::as_array).map(Vec::as_slice);
    match named.unwrap_or_default() {
        [] => "all".to_owned(),
        named => named.iter().map(|name| text(name, "")).collect::<Vec<_>>().join(","),
    }
}

async fn show(id: &str, client: &Client, output: &mut Output) -> Result<(), Failure> {
    let item: Value = client.get(&["subscriptions", id], &[]).await?;
    if output.format() == Format::Json {
        return output.json(&item);
    }
    let shown = [
        ("id", "/id"),
        ("state", "/state"),
        ("origin", "/origin"),
        ("updated", "/updated"),
        ("open", "/open_deliveries"),
    ];
    page::members(&item, &shown, output)?;
    page::member("mode", &mode(&item), output)?;
    if text(&item, "/state") == "removed" {
        return page::member(
            "waiting",
            "its open deliveries wait for it to come back; `subscriptions delete` ends them",
            output,
        );
    }
    if item.get("queue").is_some() {
        let queue = [
            ("running", "/queue/running"),
            ("ready", "/queue/ready"),
            ("waits for", "/queue/waits_for"),
            ("until", "/queue/until"),
            ("failing since", "/queue/failing_since"),
        ];
        page::members(&item, &queue, output)?;
    }
    if item.get("oldest").is_some() {
        page::members(&item, &[("oldest", "/oldest")], output)?;
    }
    if item.get("leases").is_some() {
        let leases = [
            ("leased", "/leases/leased"),
            ("held", "/leases/held"),
            ("next ends", "/leases/next_end"),
            ("waiting", "/leases/waiting"),
        ];
        page::members(&item, &leases, output)?;
    }
    if item.get("catching_up").is_some() {
        let behind = [("caught up to", "/catching_up/position"), ("of", "/catching_up/last")];
        page::members(&item, &behind, output)?;
        page::member("job", &text(&item, "/catching_up/job"), output)?;
    }
    if item.get("stopped").is_some() {
        let stopped = [("stopped", "/stopped/since"), ("reason", "/stopped/reason")];
        page::members(&item, &stopped, output)?;
    }
    page::problems(&item, output)?;
    let document = item.get("subscription").unwrap_or(&Value::Null);
    let document = serde_json::to_string_pretty(document)
        .map_err(|error| Failure::failed(format_args!("failed to write JSON: {error}")))?;
    output.line("")?;
    document.lines().try_for_each(|line| output.paragraph("", "      ", line))
}

async fn put(args: &PutArgs, client: &Client, output: &mut Output) -> Result<(), Failure> {
    let document = input::document(&args.file, "subscription")?;
    let id = &*input::name(&document, "id", args.id.as_deref())?;
    let (new, item): (bool, Value) = client.put(&["subscriptions", id], &document).await?;
    match output.format() {
        Format::Json => output.json(&item),
        Format::Text => {
            let done = if new { "created" } else { "replaced" };
            output.line(format_args!("subscription {} is {done}", plain(id)))?;
            page::warn(&item);
            Ok(())
        }
    }
}

async fn delete(id: &str, client: &Client, output: &mut Output) -> Result<(), Failure> {
    let deleted: Value = client.delete(&["subscriptions", id]).await?;
    match output.format() {
        Format::Json => output.json(&deleted),
        Format::Text => {
            output.line(format_args!("subscription {} is deleted", plain(id)))?;
            let (ended, waiting) = (text(&deleted, "/abandoned"), text(&deleted, "/waiting"));
            output.line(format_args!("open deliveries that ended with it: {}", plain(&ended)))?;
            if waiting != "0" {
                let said = "deleting it again ends them";
                output.line(format_args!("that wait for it to come back: {} ({said})", plain(&waiting)))?;
            }
            Ok(())
        }
    }
}

/// Has held messages sent, and says what came of it.
async fn send(args: &SendArgs, client: &Client, output: &mut Output) -> Result<(), Failure> {
    let counts = [("quantity", args.quantity), ("concurrency", args.concurrency)];
    let counts = counts.map(|(name, count)| (name, count.to_string()));
    let query: Vec<_> = counts.iter().map(|(name, count)| (*name, Some(count.as_str()))).collect();
    let sent: Value = client.post(&["subscriptions", &args.id, "send-message"], &query, None).await?;
    match output.format() {
        Format::Json => output.json(&sent),
        Format::Text => {
            let shown = [
                ("attempts", "/attempts"),
                ("delivered", "/delivered"),
                ("discarded", "/discarded"),
                ("failed", "/failed"),
                ("dead", "/dead"),
                ("open", "/open_deliveries"),
            ];
            page::members(&sent, &shown, output)?;
            match sent.get("stopped") {
                Some(_) => page::members(&sent, &[("stopped", "/stopped")], output),
                None => Ok(()),
            }
        }
    }
}

/// Stops attempts, or lets them go on.
async fn stand(id: &str, verb: &str, client: &Client, output: &mut Output) -> Result<(), Failure> {
    let item: Value = client.post(&["subscriptions", id, verb], &[], None).await?;
    match output.format() {
        Format::Json => output.json(&item),
        Format::Text => {
            output.line(format_args!("subscription {} is {}", plain(id), plain(&text(&item, "/state"))))
        }
    }
}

async fn test(args: &TestArgs, client: &Client, output: &mut Output) -> Result<Outcome, Failure> {
    let (filter, sources) = match &args.id {
        Some(id) => {
            let item: Value = client.get(&["subscriptions", id], &[]).await?;
            let part = |name| item.pointer(&format!("/subscription/{name}")).cloned();
            (part("filter"), part("sources").unwrap_or_else(|| json!([])))
        }
        None => (args.filter.as_deref().map(Value::from), json!([])),
    };
    let sample = args.sample.as_deref().map(Sample::of_file).transpose()?;
    let trial = json!({
        "filter": filter,
        "sources": sources,
        "event_id": args.event,
        "source": args.source,
        "event": sample.as_ref().map(Sample::document),
    });
    let tried: Value = client.post(&["subscriptions", "test"], &[], Some(&trial)).await?;
    let outcome = text(&tried, "/outcome");
    match output.format() {
        Format::Json => output.json(&tried)?,
        Format::Text => {
            output.paragraph("", "    ", &format!("{outcome}: {}", text(&tried, "/reason")))?;
        }
    }
    Ok(Outcome::of(outcome == "match"))
}
