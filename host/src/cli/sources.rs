//! `anglerfish sources`: where requests come in to a running gateway.

use super::client::{ApiArgs, Client};
use super::page::{self, text};
use super::table::{Table, plain};
use super::{Failure, Format, Outcome, Output, input};
use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::Value;
use std::path::PathBuf;

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
    /// Write a source, or replace one that was written by API
    Put(PutArgs),
    /// Delete a source that was written by API
    Delete(ShowArgs),
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

#[derive(Debug, Args)]
#[command(after_help = "FILE is one source as TOML (as in [[source]]) or as JSON, with its `name` unless
--name gives it. Its secrets can be references that `references` of [admin] names.

Example:
  echo '{\"name\": \"hub\", \"scheme\": \"github\", \"secrets\": [\"env:HUB_SECRET\"]}' |
    anglerfish sources put -")]
struct PutArgs {
    #[command(flatten)]
    api: ApiArgs,
    /// The source's document; `-` is stdin
    file: PathBuf,
    /// Its name, where the document has none
    #[arg(long)]
    name: Option<String>,
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
        Command::Put(args) => put(&args, &args.api.client()?, output).await?,
        Command::Delete(args) => delete(&args.name, &args.api.client()?, output).await?,
    }
    Ok(Outcome::Fine)
}

async fn list(client: &Client, output: &mut Output) -> Result<(), Failure> {
    let sources: Sources = client.get(&["sources"], &[]).await?;
    page::write(&sources.items, output, |items, output| {
        let mut table = Table::new(["SOURCE", "SCHEME", "ORIGIN", "PATH"]);
        for item in items {
            let [name, scheme, origin, path] =
                ["/name", "/scheme", "/origin", "/path"].map(|cell| text(item, cell));
            let invalid = item.get("problems").is_some();
            table.row([name, if invalid { "invalid".to_owned() } else { scheme }, origin, path]);
        }
        table.write(output)
    })
}

async fn show(name: &str, client: &Client, output: &mut Output) -> Result<(), Failure> {
    let source: Value = client.get(&["sources", name], &[]).await?;
    if output.format() == Format::Json {
        return output.json(&source);
    }
    let shown = [
        ("name", "/name"),
        ("origin", "/origin"),
        ("scheme", "/scheme"),
        ("path", "/path"),
        ("public url", "/public_url"),
    ];
    page::members(&source, &shown, output)?;
    let list = |key: &str| source.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    page::problems(&source, output)?;
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

async fn put(args: &PutArgs, client: &Client, output: &mut Output) -> Result<(), Failure> {
    let document = input::document(&args.file, "source")?;
    let name = input::name(&document, "name", args.name.as_deref())?;
    let (new, item): (bool, Value) = client.put(&["sources", &name], &document).await?;
    match output.format() {
        Format::Json => output.json(&item),
        Format::Text => {
            let done = if new { "created" } else { "replaced" };
            output.line(format_args!("source {} is {done}", plain(&name)))?;
            page::warn(&item);
            Ok(())
        }
    }
}

async fn delete(name: &str, client: &Client, output: &mut Output) -> Result<(), Failure> {
    let deleted: Value = client.delete(&["sources", name]).await?;
    match output.format() {
        Format::Json => output.json(&deleted),
        Format::Text => output.line(format_args!("source {} is deleted", plain(name))),
    }
}
