//! `anglerfish listen`: takes a subscription's stream to this machine, and posts each event to a local URL.
//!
//! [`feed`] reads the stream and comes again by itself, [`forward`] posts, and here is what the user sees and asks for.

mod feed;
mod forward;

use self::feed::{Feed, FeedItem};
use self::forward::{Forwarder, Posted};
use super::client::https;
use super::table::plain;
use super::{Failure, Format, Outcome, Output};
use crate::cli::clock;
use anglerfish_core::attempt::{CloudEvent, DataForm};
use anglerfish_core::event::Event;
use anglerfish_core::request::UnixMillis;
use bytes::Bytes;
use clap::{ArgGroup, Args};
use serde_json::{Map, Value, json};
use std::collections::VecDeque;
use std::io::BufRead;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// How many events can be sent again.
const KEPT: usize = 100;

/// The arguments of `listen`.
#[derive(Debug, Args)]
// What clap makes of it is wider than 80 columns.
#[command(override_usage = "anglerfish listen --token <TOKEN> <--to <URL>|--print> <SUBSCRIPTION>")]
#[command(group = ArgGroup::new("what").required(true).args(["to", "print"]))]
#[command(after_help = "Examples:
  anglerfish listen orders --url https://events.example \\
    --to http://localhost:3000/hooks
  anglerfish listen orders --print --from earliest

Nothing changes at the gateway: the stream is only read. While it runs, Enter
posts the last event again, and a number and Enter the event of that number.
When the network is gone it waits and goes on where it was.")]
pub(super) struct ListenArgs {
    /// The subscription whose events to take, or a topic: /topic/NAME
    subscription: String,
    /// Where the gateway's streams are: [out] of its configuration
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8082", env = "ANGLERFISH_OUT")]
    url: String,
    /// A token of the subscription
    #[arg(long, env = "ANGLERFISH_OUT_TOKEN", hide_env_values = true)]
    token: String,
    /// Where to post each event
    #[arg(long, value_name = "URL")]
    to: Option<String>,
    /// Only show what comes
    #[arg(long, conflicts_with = "secret")]
    print: bool,
    /// Sign what is posted with this secret (whsec_…), or env:NAME or file:PATH,
    /// the Standard Webhooks way
    #[arg(long)]
    secret: Option<String>,
    /// Where to begin: now, earliest, or a time
    #[arg(long, value_name = "now|earliest|TIME", default_value = "now")]
    from: String,
    /// Begin behind this position instead
    #[arg(long, value_name = "POSITION", conflicts_with = "from")]
    after: Option<String>,
}

/// An event of the stream.
#[derive(Debug, Clone)]
struct Received {
    /// Counted from 1.
    number: u64,
    position: String,
    event: Event,
    data: Bytes,
}

/// Runs the command until it is interrupted or nobody reads what it prints.
pub(super) async fn run(args: ListenArgs, output: &mut Output) -> Result<Outcome, Failure> {
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Failure::failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(Failure::failed)?;
    let client = https()?;
    let forwarder = match &args.to {
        Some(to) => Some(Forwarder::try_new(client.clone(), to, args.secret.as_deref())?),
        None => None,
    };
    let mut feed = Feed::try_new(client, &args)?;
    let mut typed = typed_lines();
    let (mut kept, mut count) = (VecDeque::<Received>::new(), 0);
    loop {
        let received = tokio::select! {
            _ = interrupt.recv() => break,
            _ = terminate.recv() => break,
            // What is dropped half-way has lost nothing: the feed keeps what has come of a line.
            item = feed.next() => {
                match item? {
                    FeedItem::Event { position, event, data } => {
                        count += 1;
                        kept.push_back(Received { number: count, position, event, data });
                        if kept.len() > KEPT {
                            kept.pop_front();
                        }
                        kept.back().cloned()
                    }
                    FeedItem::Notice(words) => {
                        anstream::eprintln!("{words}");
                        None
                    }
                }
            }
            // At its end nobody can ask any more.
            Some(line) = typed.recv() => chosen(&line, &kept),
        };
        let Some(received) = received else { continue };
        let posted = match &forwarder {
            Some(forwarder) => tokio::select! {
                posted = forwarder.post(&received.event, &received.data) => Some(posted),
                _ = interrupt.recv() => break,
                _ = terminate.recv() => break,
            },
            None => None,
        };
        show(&received, posted.as_ref(), output)?;
    }
    Ok(Outcome::Fine)
}

/// Lines of stdin, which is read by a thread of its own: it ends with the process.
fn typed_lines() -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel(1);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if sender.blocking_send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

/// The event that the user wants again.
fn chosen(line: &str, kept: &VecDeque<Received>) -> Option<Received> {
    let line = line.trim();
    let found = match line {
        "" => kept.back(),
        number => kept.iter().find(|received| number.parse() == Ok(received.number)),
    };
    if found.is_none() {
        anstream::eprintln!("{}", nothing_chosen(kept));
    }
    found.cloned()
}

fn nothing_chosen(kept: &VecDeque<Received>) -> String {
    match kept.front() {
        None => "nothing has come yet".to_owned(),
        Some(Received { number, .. }) => {
            format!("there is no such event; Enter is the last one again, a number from {number} on that one")
        }
    }
}

fn show(received: &Received, posted: Option<&Posted>, output: &mut Output) -> Result<(), Failure> {
    match output.format() {
        Format::Json => output.json(&document(received, posted))?,
        Format::Text => output.line(line(received, posted, clock::now()))?,
    }
    output.flush()
}

fn line(received: &Received, posted: Option<&Posted>, now: UnixMillis) -> String {
    let time = now.rfc3339().unwrap_or_default();
    let time = time.get(11..19).unwrap_or_default();
    let Received { number, event, data, .. } = received;
    let (kind, id) = (plain(&event.kind), plain(&event.id));
    let what = format!("{time} #{number} {kind} {id}");
    match posted {
        None => {
            let text = String::from_utf8_lossy(data);
            let shown: String = text.chars().take(500).collect();
            let more = if shown.len() < text.len() { "…" } else { "" };
            format!("{what} {} B {}{more}", data.len(), plain(&shown))
        }
        Some(Posted { status: Ok(status), taken }) => {
            format!("{what} POST {} {} ms", status.as_u16(), taken.as_millis())
        }
        Some(Posted { status: Err(reason), taken }) => {
            format!("{what} POST failed after {} ms: {}", taken.as_millis(), plain(reason))
        }
    }
}

fn document(received: &Received, posted: Option<&Posted>) -> Value {
    let Received { number, position, event, data } = received;
    let mut document = Map::new();
    document.insert("number".into(), json!(number));
    document.insert("position".into(), json!(position));
    let data = CloudEvent::new(event, data, DataForm::Plain);
    document.insert("event".into(), json!(data));
    if let Some(Posted { status, taken }) = posted {
        document.insert("method".into(), json!("POST"));
        document.insert("duration_ms".into(), json!(u64::try_from(taken.as_millis()).unwrap_or(u64::MAX)));
        match status {
            Ok(status) => document.insert("status".into(), json!(status.as_u16())),
            Err(reason) => document.insert("error".into(), json!(reason)),
        };
    }
    Value::Object(document)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::StatusCode;
    use std::time::Duration;

    fn received(number: u64) -> Received {
        let event =
            Event { id: "e\n1".into(), source: "shop".into(), kind: "order.paid".into(), ..Event::default() };
        Received { number, position: "p".into(), event, data: Bytes::from_static(b"{\"a\":\n1}") }
    }

    #[test]
    fn an_event_is_one_line_with_what_came_of_it() {
        let taken = Duration::from_millis(12);
        let now = UnixMillis(1_700_000_000_000);
        let posted = Posted { status: Ok(StatusCode::OK), taken };
        let text = line(&received(3), Some(&posted), now);
        assert!(text.starts_with("22:13:20 #3 order.paid e") && text.ends_with(" POST 200 12 ms"), "{text}");
        let posted = Posted { status: Err("refused".into()), taken };
        assert!(line(&received(3), Some(&posted), now).ends_with("POST failed after 12 ms: refused"));
        let text = line(&received(3), None, now);
        assert!(text.contains(" 8 B {\"a\":") && !text.contains('\n'), "{text}");
        assert_eq!(document(&received(3), None)["event"]["data"]["a"], 1);
    }

    #[test]
    fn enter_is_the_last_event_and_a_number_is_that_one() {
        let kept: VecDeque<Received> = (4..7).map(received).collect();
        for (line, number) in [("", Some(6)), (" 4\n", Some(4)), ("3", None), ("x", None)] {
            assert_eq!(chosen(line, &kept).map(|received| received.number), number, "{line}");
        }
        assert!(nothing_chosen(&kept).contains("from 4 on"));
        assert_eq!(nothing_chosen(&VecDeque::new()), "nothing has come yet");
    }
}
