//! `anglerfish sources`: where requests come in to a running gateway.

use super::client::{ApiArgs, Client};
use super::page::{self, text};
use super::table::Table;
use super::{Failure, Format, Outcome, Output};
use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::Value;

/// The arguments of `sources`.
#[derive(Debug, Args)]
pub(super) struct SourcesArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the sources
    List(ListArgs),
    /// Show one source, with what its handshake came with and must be copied
    Show(ShowArgs),
}

#[derive(Debug, Args)]
struct ListArgs {
    #[command(flatten)]
    api: ApiArgs,
}

#[derive(Debug, Args)]
struct ShowArgs {
    #[command(flatten)]
    api: ApiArgs,
    /// The source's name
    name: String,
}

#[derive(Debug, Deserialize)]
struct Sources {
    items: Vec<Value>,
}

/// Runs the command.
pub(super) async fn run(args: SourcesArgs, output: &mut Output) -> Result<Outcome, Failure> {
    match args.command {
        Command::List(args) => list(&args.api.client()?, output).await?,
        Command::Show(args) => show(&args.name, &args.api.client()?, output).await?,
    }
    Ok(Outcome::Fine)
}

async fn list(client: &Client, output: &mut Output) -> Result<(), Failure> {
    let sources: Sources = client.get(&["sources"], &[]).await?;
    page::write(&sources.items, output, |items, output| {
        let mut table = Table::new(["SOURCE", "SCHEME", "PATH"]);
        for item in items {
            table.row(["/name", "/scheme", "/path"].map(|cell| text(item, cell)));
        }
        table.write(output)
    })
}

async fn show(name: &str, client: &Client, output: &mut Output) -> Result<(), Failure> {
    let source: Value = client.get(&["sources", name], &[]).await?;
    if output.format() == Format::Json {
        return output.json(&source);
    }
    let shown = [("name", "/name"), ("scheme", "/scheme"), ("path", "/path"), ("public url", "/public_url")];
    page::members(&source, &shown, output)?;
    let list = |key: &str| source.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    for secret in list("secrets") {
        page::member("secret", &text(&secret, "/name"), output)?;
    }
    for copy in list("to_copy") {
        let part = |pointer: &str| text(&copy, pointer);
        let said = format!("{} = {} (of {})", part("/name"), part("/value"), part("/seen"));
        page::member("to copy", &said, output)?;
    }
    Ok(())
}
