//! The same thing done to all items of a listing, page by page.

use super::client::Client;
use super::page::{self, Page};
use super::table::plain;
use super::{Failure, Format, Outcome, Output};
use anstream::eprintln;
use clap::Args;
use futures_util::StreamExt;
use futures_util::stream;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

/// How many items are asked for at once, and how many requests are under way at once.
const STEP: &str = "100";
const CONCURRENCY: usize = 8;

/// How many refusals are told one by one.
const TOLD: u64 = 10;

/// How a bulk command goes about it.
#[derive(Debug, Args)]
pub(super) struct BulkArgs {
    /// Only say how many there are
    #[arg(long)]
    dry_run: bool,
    /// Where to go on, as a run that broke off said
    #[arg(long, value_name = "CURSOR")]
    resume: Option<String>,
}

/// What is done, in words and as addresses.
pub(super) struct Bulk<'a> {
    /// The listing: `events`, `deliveries`.
    pub(super) listing: &'a str,
    /// What of it.
    pub(super) query: Vec<(&'a str, Option<String>)>,
    /// The last segment of the address that each item is posted to.
    pub(super) action: &'a str,
    /// What happened to an item, as a participle: `retried`.
    pub(super) done: &'a str,
    /// Members of an item that its address's query names.
    pub(super) select: &'a [&'a str],
    /// What is posted.
    pub(super) body: Option<Value>,
}

/// What became of the items.
#[derive(Default)]
struct Count {
    done: u64,
    refused: u64,
}

impl Bulk<'_> {
    /// Goes through the listing from its newest item to its oldest.
    pub(super) async fn run(
        &self,
        args: &BulkArgs,
        client: &Client,
        output: &mut Output,
    ) -> Result<Outcome, Failure> {
        let progress = bar(if args.dry_run { "chosen" } else { self.done });
        let mut count = Count::default();
        let mut cursor = args.resume.clone();
        loop {
            let page = match self.page(client, cursor.as_deref()).await {
                Ok(page) => page,
                Err(failure) => return Err(broken_off(failure, cursor.as_deref(), &progress)),
            };
            if args.dry_run {
                count.done += page.items.len() as u64;
            } else if let Err(failure) = self.step(client, &page.items, &mut count, &progress).await {
                return Err(broken_off(failure, cursor.as_deref(), &progress));
            }
            progress.set_position(count.done + count.refused);
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        progress.finish_and_clear();
        let done = if args.dry_run { "chosen" } else { self.done };
        match output.format() {
            Format::Json => output.json(&json!({done: count.done, "refused": count.refused}))?,
            Format::Text if args.dry_run => {
                output.line(format_args!("{} {} would be {}", count.done, self.listing, self.done))?;
            }
            Format::Text => {
                output.line(format_args!(
                    "{} {} {done}, {} refused",
                    count.done, self.listing, count.refused
                ))?;
            }
        }
        Ok(Outcome::of(count.refused == 0))
    }

    async fn page(&self, client: &Client, cursor: Option<&str>) -> Result<Page, Failure> {
        let mut query: Vec<(&str, Option<&str>)> =
            self.query.iter().map(|(name, value)| (*name, value.as_deref())).collect();
        query.push(("limit", Some(STEP)));
        query.push(("cursor", cursor));
        client.get(&[self.listing], &query).await
    }

    /// Does it to the items of one page. Some of them may be done already when it breaks off; doing them again is
    /// harmless to the receivers, who see the same `webhook-id`.
    async fn step(
        &self,
        client: &Client,
        items: &[Value],
        count: &mut Count,
        progress: &ProgressBar,
    ) -> Result<(), Failure> {
        let mut answers = stream::iter(items)
            .map(async |item| {
                let id = page::text(item, "/id");
                let members: Vec<(&str, String)> =
                    self.select.iter().map(|name| (*name, page::text(item, &format!("/{name}")))).collect();
                let query: Vec<(&str, Option<&str>)> =
                    members.iter().map(|(name, value)| (*name, Some(value.as_str()))).collect();
                let refusal =
                    client.try_post(&[self.listing, &id, self.action], &query, self.body.as_ref()).await;
                (id, refusal)
            })
            .buffer_unordered(CONCURRENCY);
        while let Some((id, refusal)) = answers.next().await {
            match refusal? {
                None => count.done += 1,
                Some(words) => {
                    count.refused += 1;
                    if count.refused <= TOLD {
                        progress.suspend(|| eprintln!("{}: {words}", plain(&id)));
                    }
                }
            }
            progress.inc(1);
        }
        Ok(())
    }
}

/// A bar without an end: how many items there are is known only at the end. It is drawn on a terminal only.
fn bar(done: &str) -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {pos} {msg} ({per_sec}, {elapsed})");
    let bar = ProgressBar::new_spinner().with_message(done.to_owned());
    if let Ok(style) = style { bar.with_style(style) } else { bar }
}

/// Says where to go on.
fn broken_off(failure: Failure, cursor: Option<&str>, progress: &ProgressBar) -> Failure {
    progress.finish_and_clear();
    match cursor {
        Some(cursor) => {
            failure.with_hint(format_args!("the same command with --resume {cursor} goes on from there"))
        }
        None => failure,
    }
}
