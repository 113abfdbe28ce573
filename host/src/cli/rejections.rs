//! `anglerfish rejections`: what a running gateway refused lately.

use super::client::{ApiArgs, Client};
use super::page::{self, PageArgs, text};
use super::period::SinceArgs;
use super::table::{Table, plain};
use super::{Failure, Format, Outcome, Output};
use clap::{Args, Subcommand};
use serde_json::Value;

/// The arguments of `rejections`.
#[derive(Debug, Args)]
#[command(after_help = "The last 50 requests of each source that were refused are kept in memory,
without the values of header fields and parameters. A restart forgets them.")]
pub(super) struct RejectionsArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List what was refused, newest first
    List(ListArgs),
    /// Show one refused request
    Show(OneArgs),
    /// Say what would be decided about it now, and why
    Explain(OneArgs),
}

#[derive(Debug, Args)]
struct ListArgs {
    #[command(flatten)]
    api: ApiArgs,
    /// Only of requests to this source
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Only with this code, such as `verification-failed`
    #[arg(long)]
    code: Option<String>,
    #[command(flatten)]
    period: SinceArgs,
    #[command(flatten)]
    page: PageArgs,
}

#[derive(Debug, Args)]
struct OneArgs {
    #[command(flatten)]
    api: ApiArgs,
    /// The rejection's id
    id: String,
}

/// Runs the command.
pub(super) async fn run(args: RejectionsArgs, output: &mut Output) -> Result<Outcome, Failure> {
    match args.command {
        Command::List(args) => list(&args, &args.api.client()?, output).await?,
        Command::Show(args) => show(&args.id, &args.api.client()?, output).await?,
        Command::Explain(args) => explain(&args.id, &args.api.client()?, output).await?,
    }
    Ok(Outcome::Fine)
}

async fn list(args: &ListArgs, client: &Client, output: &mut Output) -> Result<(), Failure> {
    let since = args.period.query();
    let query =
        [("source", args.source.as_deref()), ("code", args.code.as_deref()), ("since", since.as_deref())];
    let items = args.page.read(client, "rejections", &query).await?;
    page::write(&items, output, |items, output| {
        let mut table = Table::new(["REJECTION", "RECEIVED", "SOURCE", "STATUS", "PEER", "REASON"]);
        for item in items {
            let cells = ["/id", "/received", "/source", "/status", "/peer", "/reason"];
            table.row(cells.map(|cell| text(item, cell)));
        }
        table.write(output)
    })
}

async fn show(id: &str, client: &Client, output: &mut Output) -> Result<(), Failure> {
    let detail: Value = client.get(&["rejections", id], &[]).await?;
    if output.format() == Format::Json {
        return output.json(&detail);
    }
    let shown = [
        ("id", "/rejection/id"),
        ("source", "/rejection/source"),
        ("received", "/rejection/received"),
        ("status", "/rejection/status"),
        ("code", "/rejection/code"),
        ("reason", "/rejection/reason"),
        ("peer", "/rejection/peer"),
        ("method", "/rejection/method"),
        ("url", "/rejection/url"),
        ("size", "/rejection/size"),
        ("content type", "/content_type"),
    ];
    page::members(&detail, &shown, output)?;
    let names = detail.pointer("/headers").and_then(Value::as_array).into_iter().flatten();
    let names: Vec<&str> = names.filter_map(Value::as_str).collect();
    if !names.is_empty() {
        page::member("header fields", &names.join(", "), output)?;
    }
    let excerpt = text(&detail, "/excerpt");
    if !excerpt.is_empty() {
        output.line("\nthe beginning of the body:")?;
        excerpt.lines().try_for_each(|line| output.paragraph("", "", line))?;
    }
    Ok(())
}

async fn explain(id: &str, client: &Client, output: &mut Output) -> Result<(), Failure> {
    let explanation: Value = client.get(&["rejections", id, "explain"], &[]).await?;
    if output.format() == Format::Json {
        return output.json(&explanation);
    }
    let verification = |pointer: &str| text(&explanation, &format!("/verification/{pointer}"));
    let said = format!("{}: {}", verification("outcome"), verification("reason"));
    output.paragraph("", "    ", &said)?;
    let steps = explanation.pointer("/verification/steps").and_then(Value::as_array);
    for step in steps.into_iter().flatten().filter_map(Value::as_str) {
        output.paragraph("  ", "    ", step)?;
    }
    write_event("", &explanation, output)?;
    let parts = explanation.pointer("/parts").and_then(Value::as_array);
    for (position, part) in parts.into_iter().flatten().enumerate() {
        write_event(&format!("part {position}: "), part, output)?;
    }
    Ok(())
}

/// The event that a request, or a part of it, would be, and what subscriptions say of it.
fn write_event(before: &str, explained: &Value, output: &mut Output) -> Result<(), Failure> {
    let named =
        ["/event/id", "/event/type", "/event/source"].map(|part| plain(&text(explained, part)).to_string());
    let [id, kind, source] = &named;
    if !id.is_empty() {
        let again = match explained.get("duplicate") {
            Some(Value::Bool(true)) => ", which was accepted before",
            _ => "",
        };
        output.line(format_args!("{before}event {id} of type {kind} from source {source}{again}"))?;
    }
    let verdicts = explained.pointer("/subscriptions").and_then(Value::as_array);
    for verdict in verdicts.into_iter().flatten() {
        let said = ["/id", "/outcome", "/reason"].map(|part| text(verdict, part)).join(": ");
        output.paragraph("  ", "    ", &said)?;
    }
    Ok(())
}
