//! `anglerfish subscriptions rotate-secret` and `rotate-token`: another key or token in the place of the one that is used.

use super::client::ApiArgs;
use super::table::plain;
use super::{Failure, Format, Output, input};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use clap::Args;
use serde_json::{Value, json};
use std::path::Path;

/// How many random octets a new key has: as many as the hash that it is used with.
const RANDOM: usize = 32;

#[derive(Debug, Args)]
#[command(after_help = "Without --secret a new key (whsec_…) is made and printed, this once.

Examples:
  anglerfish subscriptions rotate-secret orders
  anglerfish subscriptions rotate-secret orders --secret - --overlap 1h < key
  anglerfish subscriptions rotate-secret orders --secret env:NEW_KEY")]
pub(super) struct SecretArgs {
    #[command(flatten)]
    api: ApiArgs,
    /// The subscription's id
    id: String,
    /// The new key, or a reference that `references` of [admin] names; `-` reads it
    /// from stdin, where no list of processes shows it
    #[arg(long, value_name = "KEY")]
    secret: Option<String>,
    /// How long the old keys sign along: 0s, 24h, 7days
    /// [default: the endpoint's `rotation_overlap`]
    #[arg(long, value_name = "TIME")]
    overlap: Option<String>,
}

#[derive(Debug, Args)]
#[command(after_help = "Without --new-token one is made and printed, this once. Those before it go on to
be right, ten in all, or end at once with --only.

Examples:
  anglerfish subscriptions rotate-token orders
  anglerfish subscriptions rotate-token orders --only")]
pub(super) struct TokenArgs {
    #[command(flatten)]
    api: ApiArgs,
    /// The subscription's id
    id: String,
    /// The new token, its hash (sha256:…), or a reference that `references` of
    /// [admin] names; `-` reads it from stdin, where no list of processes shows it
    #[arg(long, value_name = "TOKEN")]
    new_token: Option<String>,
    /// No other token is right from now on
    #[arg(long)]
    only: bool,
}

/// Puts another key in the place of those that sign.
pub(super) async fn secret(args: &SecretArgs, output: &mut Output) -> Result<(), Failure> {
    let (secret, is_new) = match &args.secret {
        Some(given) => (read(given)?, false),
        None => (format!("whsec_{}", BASE64_STANDARD.encode(random()?)), true),
    };
    let mut body = json!({"secret": secret});
    if let (Some(overlap), Some(members)) = (&args.overlap, body.as_object_mut()) {
        members.insert("overlap".to_owned(), overlap.as_str().into());
    }
    let segments = ["subscriptions", &*args.id, "rotate-secret"];
    let item: Value = args.api.client()?.post(&segments, &[], Some(&body)).await?;
    told(&item, &args.id, ("secret", "key"), is_new.then_some(&secret), output)
}

/// Gives a subscriber another token.
pub(super) async fn token(args: &TokenArgs, output: &mut Output) -> Result<(), Failure> {
    let mut body = json!({"only": args.only});
    if let (Some(given), Some(members)) = (&args.new_token, body.as_object_mut()) {
        members.insert("token".to_owned(), read(given)?.into());
    }
    let segments = ["subscriptions", &*args.id, "rotate-token"];
    let item: Value = args.api.client()?.post(&segments, &[], Some(&body)).await?;
    let made = item.get("token").and_then(Value::as_str).map(str::to_owned);
    told(&item, &args.id, ("token", "token"), made.as_ref(), output)
}

/// A value that was given, or stands at stdin.
fn read(given: &str) -> Result<String, Failure> {
    match given {
        "-" => Ok(input::read(Path::new("-"))?.trim_end_matches(['\r', '\n']).to_owned()),
        given => Ok(given.to_owned()),
    }
}

fn random() -> Result<[u8; RANDOM], Failure> {
    let mut octets = [0; RANDOM];
    crate::random::fill(&mut octets).map_err(Failure::failed)?;
    Ok(octets)
}

/// Says what was done; what was made is shown here and nowhere else, for a program as a member of the document.
fn told(
    item: &Value,
    id: &str,
    (member, word): (&str, &str),
    new: Option<&String>,
    output: &mut Output,
) -> Result<(), Failure> {
    if output.format() == Format::Json {
        let mut item = item.clone();
        if let (Some(new), Some(members)) = (new, item.as_object_mut()) {
            members.insert(member.to_owned(), new.as_str().into());
        }
        return output.json(&item);
    }
    match new {
        Some(new) => output.line(new),
        None => output.line(format_args!("subscription {} has the new {word}", plain(id))),
    }
}
