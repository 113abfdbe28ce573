//! The same thing done to many: asked of the gateway as a job, and watched.

use super::client::Client;
use super::jobs;
use super::page::{Page, text};
use super::{Failure, Format, Outcome, Output};
use clap::Args;
use serde_json::{Value, json};

/// How many items are counted at once.
const PAGE: &str = "500";

/// How a bulk command goes about it.
#[derive(Debug, Args)]
pub(super) struct BulkArgs {
    /// Only say how many there are to choose from
    #[arg(long, conflicts_with = "detach")]
    dry_run: bool,
    #[command(flatten)]
    watch: WatchArgs,
}

impl BulkArgs {
    /// Whether nothing is done.
    pub(super) const fn is_dry_run(&self) -> bool {
        self.dry_run
    }
}

/// Whether a job is waited for.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct WatchArgs {
    /// Say the number of the job and do not wait for its end; `anglerfish jobs`
    /// shows it
    #[arg(long)]
    detach: bool,
}

/// What is done, in words and as documents.
pub(super) struct Bulk<'a> {
    /// The listing: `events`, `deliveries`.
    pub(super) listing: &'a str,
    /// What of it.
    pub(super) query: Vec<(&'a str, Option<String>)>,
    /// What happens to an item, as a participle: `retried`.
    pub(super) done: &'a str,
    /// The jobs that do it.
    pub(super) jobs: Vec<Value>,
}

impl Bulk<'_> {
    /// Has it done, or counts what would be done.
    pub(super) async fn run(
        &self,
        args: &BulkArgs,
        client: &Client,
        output: &mut Output,
    ) -> Result<Outcome, Failure> {
        if args.dry_run {
            return self.count(client, output).await;
        }
        let mut is_fine = true;
        for job in &self.jobs {
            is_fine &= start(job, args.watch, client, output).await? == Outcome::Fine;
        }
        Ok(Outcome::of(is_fine))
    }

    /// Whether there is anything to choose from.
    pub(super) async fn is_empty(&self, client: &Client) -> Result<bool, Failure> {
        let query = self.query.iter().map(|(name, value)| (*name, value.as_deref()));
        let query: Vec<(&str, Option<&str>)> = query.chain([("limit", Some("1"))]).collect();
        let page: Page = client.get(&[self.listing], &query).await?;
        Ok(page.items.is_empty())
    }

    async fn count(&self, client: &Client, output: &mut Output) -> Result<Outcome, Failure> {
        let mut count = 0;
        let mut cursor: Option<String> = None;
        loop {
            let mut query: Vec<(&str, Option<&str>)> =
                self.query.iter().map(|(name, value)| (*name, value.as_deref())).collect();
            query.push(("limit", Some(PAGE)));
            query.push(("cursor", cursor.as_deref()));
            let page: Page = client.get(&[self.listing], &query).await?;
            count += page.items.len();
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        match output.format() {
            Format::Json => output.json(&json!({"chosen": count}))?,
            Format::Text => output.line(format_args!("{count} {} would be {}", self.listing, self.done))?,
        }
        Ok(Outcome::Fine)
    }
}

/// A job as it is asked for, with those members that there are.
pub(super) fn job<'a>(kind: &str, members: impl IntoIterator<Item = (&'a str, Option<Value>)>) -> Value {
    let members = members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    let kind = ("kind".to_owned(), Value::from(kind));
    Value::Object(members.chain([kind]).collect())
}

/// A text as a member.
pub(super) fn member(text: Option<&String>) -> Option<Value> {
    text.map(|text| text.as_str().into())
}

/// Makes a job, and watches it to its end unless that is not wanted.
pub(super) async fn start(
    job: &Value,
    watch: WatchArgs,
    client: &Client,
    output: &mut Output,
) -> Result<Outcome, Failure> {
    let made: Value = client.post(&["jobs"], &[], Some(job)).await?;
    let id = text(&made, "/id");
    if !watch.detach {
        return jobs::follow(&id, client, output).await;
    }
    match output.format() {
        Format::Json => output.json(&made)?,
        Format::Text => {
            output
                .line(format_args!("job {id} is running: `anglerfish jobs show {id} --follow` watches it"))?;
        }
    }
    Ok(Outcome::Fine)
}
