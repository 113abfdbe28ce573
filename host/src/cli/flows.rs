//! `anglerfish flows`: the functions of a program that survive.

use super::client::{ApiArgs, Client};
use super::page::{self, text};
use super::table::{Table, plain};
use super::{Failure, Format, Outcome, Output};
use anstream::eprintln;
use clap::{Args, Subcommand};
use serde_json::Value;

/// The arguments of `flows`.
#[derive(Debug, Args)]
pub(super) struct FlowsArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List flows, by name and id
    List(ListArgs),
    /// Show one flow with its journal as a time line
    Show(OneArgs),
    /// End a flow where it waits, and give up what it had begun
    Cancel(OneArgs),
    /// Let a flow go on that ended without a result
    Retry(OneArgs),
}

#[derive(Debug, Args)]
struct ListArgs {
    #[command(flatten)]
    api: ApiArgs,
    /// Those that have ended, rather than those that run
    #[arg(long)]
    ended: bool,
    /// Only of this name
    #[arg(long, value_name = "NAME")]
    flow: Option<String>,
    /// Only those behind this one
    #[arg(long, value_name = "NAME/ID")]
    after: Option<String>,
    /// How many to list at most
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=500))]
    limit: u16,
}

#[derive(Debug, Args)]
struct OneArgs {
    #[command(flatten)]
    api: ApiArgs,
    /// The name of its code
    flow: String,
    /// Its id
    id: String,
}

/// Runs the command.
pub(super) async fn run(args: FlowsArgs, output: &mut Output) -> Result<Outcome, Failure> {
    match args.command {
        Command::List(args) => list(&args, &args.api.client()?, output).await?,
        Command::Show(args) => {
            let flow = args.api.client()?.get(&["flows", &args.flow, &args.id], &[]).await?;
            show(&flow, output)?;
        }
        Command::Cancel(args) => change(&args, "cancel", output).await?,
        Command::Retry(args) => change(&args, "retry", output).await?,
    }
    Ok(Outcome::Fine)
}

async fn change(args: &OneArgs, what: &str, output: &mut Output) -> Result<(), Failure> {
    let path = ["flows", &args.flow, &args.id, what];
    let flow: Value = args.api.client()?.post(&path, &[], None).await?;
    show(&flow, output)
}

async fn list(args: &ListArgs, client: &Client, output: &mut Output) -> Result<(), Failure> {
    let limit = args.limit.to_string();
    let query = [
        ("ended", args.ended.then_some("true")),
        ("flow", args.flow.as_deref()),
        ("after", args.after.as_deref()),
        ("limit", Some(&*limit)),
    ];
    let page: Value = client.get(&["flows"], &query).await?;
    let items = page.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
    page::write(&items, output, |items, output| {
        let mut table = Table::new(["FLOW", "ID", "VERSION", "STATE", "CREATED", "ENDED", "REASON"]);
        for item in items {
            let cells = ["/flow", "/id", "/version", "/state", "/created", "/ended", "/reason"];
            table.row(cells.map(|cell| text(item, cell)));
        }
        table.write(output)
    })?;
    if items.is_empty() {
        eprintln!("no flows");
    } else if page.get("more") == Some(&Value::Bool(true))
        && let Some(last) = items.last()
    {
        eprintln!("there are more: --after {}/{}", plain(&text(last, "/flow")), plain(&text(last, "/id")));
    }
    Ok(())
}

fn show(flow: &Value, output: &mut Output) -> Result<(), Failure> {
    if output.format() == Format::Json {
        return output.json(flow);
    }
    let members = [
        ("flow", "/flow/flow"),
        ("id", "/flow/id"),
        ("version", "/flow/version"),
        ("state", "/flow/state"),
        ("created", "/flow/created"),
        ("ended", "/flow/ended"),
        ("reason", "/flow/reason"),
        ("input", "/input"),
        ("result", "/result"),
    ];
    page::members(flow, &members, output)?;
    let journal = flow.get("journal").and_then(Value::as_array).cloned().unwrap_or_default();
    if journal.is_empty() {
        return Ok(());
    }
    let mut table = Table::new(["ENTRY", "AT", "WHAT", "OUTCOME"]);
    for entry in &journal {
        table.row(["/number", "/at", "/what", "/outcome"].map(|cell| text(entry, cell)));
    }
    table.write(output)
}
