//! `anglerfish documents`: the documents of a running gateway's resources.

use super::client::{ApiArgs, Client};
use super::page::{self, PageArgs, text};
use super::table::{Table, plain};
use super::{Failure, Format, Outcome, Output, input};
use clap::{Args, Subcommand};
use serde_json::Value;
use std::path::PathBuf;

/// The arguments of `documents`.
#[derive(Debug, Args)]
pub(super) struct DocumentsArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the documents of a resource, with their revisions
    List(ListArgs),
    /// Show one document
    Show(OneArgs),
    /// Put a document: its resource's subscribers are told what is news to them
    Put(PutArgs),
    /// Delete a document: who has it is told
    Delete(OneArgs),
}

#[derive(Debug, Args)]
struct ListArgs {
    #[command(flatten)]
    api: ApiArgs,
    #[command(flatten)]
    page: PageArgs,
    /// The resource's id
    resource: String,
}

#[derive(Debug, Args)]
struct OneArgs {
    #[command(flatten)]
    api: ApiArgs,
    /// The document's own URL
    url: String,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:
  echo '{\"version\": 3, \"name\": \"Ada\"}' |
    anglerfish documents put http://api.company.com/users/1 -")]
struct PutArgs {
    #[command(flatten)]
    api: ApiArgs,
    /// The document's own URL
    url: String,
    /// The document as JSON; `-` is stdin
    file: PathBuf,
}

/// Runs the command.
pub(super) async fn run(args: DocumentsArgs, output: &mut Output) -> Result<Outcome, Failure> {
    match args.command {
        Command::List(args) => list(&args, output).await?,
        Command::Show(args) => show(&args.url, &args.api.client()?, output).await?,
        Command::Put(args) => put(&args, &args.api.client()?, output).await?,
        Command::Delete(args) => delete(&args.url, &args.api.client()?, output).await?,
    }
    Ok(Outcome::Fine)
}

async fn list(args: &ListArgs, output: &mut Output) -> Result<(), Failure> {
    let segments = ["resources", &args.resource, "documents"];
    let items = args.page.read_at(&args.api.client()?, &segments, "documents", &[]).await?;
    page::write(&items, output, |items, output| {
        let mut table = Table::new(["DOCUMENT", "REVISION", "UPDATED"]);
        for item in items {
            table.row(["/url", "/revision", "/updated"].map(|cell| text(item, cell)));
        }
        table.write(output)
    })
}

async fn show(url: &str, client: &Client, output: &mut Output) -> Result<(), Failure> {
    let document: Value = client.get(&["documents", url], &[]).await?;
    if output.format() == Format::Json {
        return output.json(&document);
    }
    let shown = [
        ("url", "/url"),
        ("resource", "/resource"),
        ("revision", "/revision"),
        ("updated", "/updated"),
        ("content", "/content"),
    ];
    page::members(&document, &shown, output)
}

async fn put(args: &PutArgs, client: &Client, output: &mut Output) -> Result<(), Failure> {
    // As it is written: a number that was read and written again may be another one.
    let document = input::read(&args.file)?;
    let done: Value = client.put_text(&["documents", &args.url], document).await?;
    match output.format() {
        Format::Json => output.json(&done),
        Format::Text => output.line(format_args!("document {} is put", plain(&args.url))),
    }
}

async fn delete(url: &str, client: &Client, output: &mut Output) -> Result<(), Failure> {
    let deleted: Value = client.delete(&["documents", url]).await?;
    match output.format() {
        Format::Json => output.json(&deleted),
        Format::Text => output.line(format_args!("document {} is deleted", plain(url))),
    }
}
