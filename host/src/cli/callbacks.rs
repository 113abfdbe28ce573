//! `anglerfish callbacks`: the addresses that programs await.

use super::client::{ApiArgs, Client};
use super::page::{self, text};
use super::table::{Table, plain};
use super::{Failure, Format, Outcome, Output};
use anstream::eprintln;
use clap::{Args, Subcommand};
use serde_json::Value;

/// The arguments of `callbacks`.
#[derive(Debug, Args)]
pub(super) struct CallbacksArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List callbacks, by name
    List(ListArgs),
    /// Show one callback
    Show(OneArgs),
    /// Take nothing there any more; what came in stays
    Cancel(OneArgs),
}

#[derive(Debug, Args)]
struct ListArgs {
    #[command(flatten)]
    api: ApiArgs,
    /// Only those behind this name
    #[arg(long, value_name = "NAME")]
    after: Option<String>,
    /// How many to list at most
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=500))]
    limit: u16,
}

#[derive(Debug, Args)]
struct OneArgs {
    #[command(flatten)]
    api: ApiArgs,
    /// The callback's name
    name: String,
}

/// Runs the command.
pub(super) async fn run(args: CallbacksArgs, output: &mut Output) -> Result<Outcome, Failure> {
    match args.command {
        Command::List(args) => list(&args, &args.api.client()?, output).await?,
        Command::Show(args) => {
            let callback = args.api.client()?.get(&["callbacks", &args.name], &[]).await?;
            show(&callback, output)?;
        }
        Command::Cancel(args) => {
            let callback = args.api.client()?.post(&["callbacks", &args.name, "cancel"], &[], None).await?;
            show(&callback, output)?;
        }
    }
    Ok(Outcome::Fine)
}

async fn list(args: &ListArgs, client: &Client, output: &mut Output) -> Result<(), Failure> {
    let limit = args.limit.to_string();
    let query = [("after", args.after.as_deref()), ("limit", Some(&*limit))];
    let page: Value = client.get(&["callbacks"], &query).await?;
    let items = page.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
    page::write(&items, output, |items, output| {
        let mut table = Table::new(["NAME", "OPEN", "WAITING", "EXPIRES", "HOLDER", "CREATED"]);
        for item in items {
            let cells = ["/name", "/open", "/waiting", "/expires", "/holder", "/created"];
            table.row(cells.map(|cell| text(item, cell)));
        }
        table.write(output)
    })?;
    if items.is_empty() {
        eprintln!("no callbacks");
    } else if page.get("more") == Some(&Value::Bool(true))
        && let Some(last) = items.last()
    {
        eprintln!("there are more: --after {}", plain(&text(last, "/name")));
    }
    Ok(())
}

fn show(callback: &Value, output: &mut Output) -> Result<(), Failure> {
    if output.format() == Format::Json {
        return output.json(callback);
    }
    let members = [
        ("name", "/name"),
        ("url", "/url"),
        ("open", "/open"),
        ("problem", "/problem"),
        ("created", "/created"),
        ("expires", "/expires"),
        ("closed", "/closed"),
        ("waiting", "/waiting"),
        ("acked", "/acked"),
        ("holder", "/holder"),
        ("verify", "/verify"),
        ("filter", "/filter"),
        ("once", "/once"),
        ("max waiting", "/max_waiting"),
        ("reply within", "/reply_within"),
    ];
    page::members(callback, &members, output)
}
