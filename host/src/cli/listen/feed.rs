//! Reads a stream of JSON lines, and comes again behind its position whenever it ends.

use super::super::Failure;
use super::super::client::{HttpsClient, innermost};
use super::super::table::plain;
use super::ListenArgs;
use anglerfish_core::config::TOPIC_PREFIX;
use anglerfish_core::event::Event;
use anglerfish_core::request::UnixMillis;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT, AUTHORIZATION, HeaderValue, RETRY_AFTER};
use http::{Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// The other side says something at least every minute (`out.heartbeat`); after so long of nothing it is gone.
const SILENCE: Duration = Duration::from_secs(75);

/// How long it takes to be let in.
const OPENING: Duration = Duration::from_secs(30);

/// The waits between attempts to come again; the last one for ever.
const WAITS: [u64; 6] = [0, 1, 2, 4, 8, 15];

/// The longest line that is read, in bytes: it has room for 192 MiB of data in base64.
const LONGEST: usize = 256 << 20;

/// What came.
pub(super) enum FeedItem {
    Event {
        position: String,
        event: Event,
        data: Bytes,
    },
    /// Something that the user should know.
    Notice(String),
}

/// A stream that is being read.
pub(super) struct Feed {
    client: HttpsClient,
    base: String,
    authorization: HeaderValue,
    from: String,
    after: Option<String>,
    open: Option<Incoming>,
    buffer: BytesMut,
    /// Attempts to come again that failed since something last came.
    failed: usize,
    wait: Duration,
    is_away: bool,
    /// What the user was last told of why nothing comes.
    told: Option<String>,
}

/// Why a stream is not open.
enum ConnectError {
    /// It may be otherwise later.
    Temporary(String, Option<Duration>),
    /// The gateway answered that it does not let anybody in now, why, and when to come again.
    Refused(String, Option<Duration>),
    /// It will be the same the next time.
    Permanent(Failure),
}

impl Feed {
    pub(super) fn try_new(client: HttpsClient, args: &ListenArgs) -> Result<Self, Failure> {
        let url = args.url.trim_end_matches('/');
        let is_known = url.parse::<Uri>().is_ok_and(|uri| {
            matches!(uri.scheme_str(), Some("http" | "https"))
                && uri.authority().is_some()
                && uri.query().is_none()
        });
        if !is_known {
            return Err(Failure::misuse(format_args!("`{url}` is not the address of a gateway's streams"))
                .with_hint("it looks like https://events.example, or http://127.0.0.1:8082"));
        }
        let mut authorization = HeaderValue::try_from(format!("Bearer {}", args.token))
            .map_err(|_| Failure::misuse("the token has characters that cannot be sent in a header field"))?;
        authorization.set_sensitive(true);
        let (place, name) = match args.subscription.strip_prefix(TOPIC_PREFIX) {
            Some(topic) => ("topic", topic),
            None => ("out", args.subscription.as_str()),
        };
        let name = utf8_percent_encode(name, NON_ALPHANUMERIC);
        Ok(Self {
            client,
            base: format!("{url}/{place}/{name}?format=lines&data=base64"),
            authorization,
            from: args.from.clone(),
            after: args.after.clone(),
            open: None,
            buffer: BytesMut::new(),
            failed: 0,
            wait: Duration::ZERO,
            is_away: true,
            told: None,
        })
    }

    /// What comes next. It may be dropped while it waits: nothing is skipped.
    ///
    /// # Errors
    ///
    /// The stream cannot be had, now or later.
    pub(super) async fn next(&mut self) -> Result<FeedItem, Failure> {
        loop {
            if let Some(line) = self.line()? {
                if let Some(item) = self.read(&line)? {
                    return Ok(item);
                }
                continue;
            }
            let Some(body) = &mut self.open else {
                sleep(self.wait).await;
                match self.connect().await {
                    Ok(Some(item)) => return Ok(item),
                    // The stream was only rotated.
                    Ok(None) => continue,
                    Err(ConnectError::Permanent(failure)) => return Err(failure),
                    Err(ConnectError::Temporary(words, wait)) => {
                        if let Some(item) = self.disconnected(&words, wait, false) {
                            return Ok(item);
                        }
                        continue;
                    }
                    Err(ConnectError::Refused(words, wait)) => {
                        if let Some(item) = self.disconnected(&words, wait, true) {
                            return Ok(item);
                        }
                        continue;
                    }
                }
            };
            let words = match timeout(SILENCE, body.frame()).await {
                Ok(Some(Ok(frame))) => {
                    if let Ok(data) = frame.into_data() {
                        self.failed = 0;
                        self.buffer.extend_from_slice(&data);
                    }
                    continue;
                }
                Ok(Some(Err(error))) => innermost(&error),
                // It says before why.
                Ok(None) => {
                    self.open = None;
                    self.wait = Duration::ZERO;
                    self.buffer.clear();
                    continue;
                }
                Err(_) => format!("nothing came for {} s", SILENCE.as_secs()),
            };
            if let Some(item) = self.disconnected(&words, None, false) {
                return Ok(item);
            }
        }
    }

    /// A whole line of what has come.
    fn line(&mut self) -> Result<Option<Bytes>, Failure> {
        let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') else {
            return match self.buffer.len() > LONGEST {
                true => Err(unreadable("a line does not end")),
                false => Ok(None),
            };
        };
        Ok(Some(self.buffer.split_to(end + 1).freeze()))
    }

    fn read(&mut self, line: &[u8]) -> Result<Option<FeedItem>, Failure> {
        if line.trim_ascii().is_empty() {
            return Ok(None);
        }
        let line: Map<String, Value> =
            serde_json::from_slice(line).map_err(|error| unreadable(&error.to_string()))?;
        let position = line
            .get("position")
            .and_then(Value::as_str)
            .ok_or_else(|| unreadable("a line says no position"))?;
        self.after = Some(position.to_owned());
        if let Some(event) = line.get("event") {
            let (event, data) =
                event_of(event).ok_or_else(|| unreadable("an event is not in CloudEvents' format"))?;
            return Ok(Some(FeedItem::Event { position: position.to_owned(), event, data }));
        }
        let detail = line.get("gap").and_then(|gap| gap.get("detail")).and_then(Value::as_str);
        Ok(detail.map(|detail| FeedItem::Notice(format!("events are missing: {}", plain(detail)))))
    }

    /// The stream is gone, or was refused. The user is told once, and of each reason that the gateway gives.
    fn disconnected(&mut self, words: &str, wait: Option<Duration>, is_refused: bool) -> Option<FeedItem> {
        self.open = None;
        // Half a line comes again whole.
        self.buffer.clear();
        let next = WAITS.get(self.failed).or(WAITS.last()).copied().unwrap_or_default();
        self.failed += 1;
        // Not all come again in the same moment.
        self.wait = wait.unwrap_or(Duration::from_secs(next)).mul_f64(fastrand::f64().mul_add(0.5, 1.0));
        // What is back at once is not worth a word.
        let is_new = match is_refused {
            true => self.told.as_deref() != Some(words),
            false => self.told.is_none() && self.failed >= 2,
        };
        if !is_new {
            return None;
        }
        self.is_away = true;
        self.told = Some(words.to_owned());
        let what = if is_refused { "the gateway refuses" } else { "the gateway is out of reach" };
        Some(FeedItem::Notice(format!("{what} ({}); trying again", plain(words))))
    }

    async fn connect(&mut self) -> Result<Option<FeedItem>, ConnectError> {
        let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let uri = match &self.after {
            Some(after) => format!("{}&after={}", self.base, encoded(after)),
            None => format!("{}&from={}", self.base, encoded(&self.from)),
        };
        let request = Request::get(uri)
            .header(ACCEPT, "application/x-ndjson, application/problem+json")
            .header(AUTHORIZATION, &self.authorization)
            .body(Full::default())
            .map_err(|error| {
                ConnectError::Permanent(Failure::misuse(format_args!("this cannot be asked for: {error}")))
            })?;
        let answer = match timeout(OPENING, self.client.request(request)).await {
            Err(_) => return Err(ConnectError::Temporary("no answer".to_owned(), None)),
            Ok(Err(error)) if self.after.is_none() && !error.is_connect() => {
                return Err(ConnectError::Permanent(Failure::failed(innermost(&error))));
            }
            Ok(Err(error)) => {
                // Whoever just began may have mistyped; who has read before waits.
                let words = innermost(&error);
                return Err(match self.after {
                    Some(_) => ConnectError::Temporary(words, None),
                    None => ConnectError::Permanent(
                        Failure::failed(format_args!("failed to reach the gateway: {words}")).with_hint(
                            "`--url` or ANGLERFISH_OUT names where its streams are, `listen` of [out]",
                        ),
                    ),
                });
            }
            Ok(Ok(answer)) => answer,
        };
        if answer.status() != StatusCode::OK {
            return self.refused(answer).await.map(Some);
        }
        self.open = Some(answer.into_body());
        self.told = None;
        let words = if self.after.is_some() { "reading on" } else { "reading" };
        Ok(std::mem::take(&mut self.is_away).then(|| FeedItem::Notice(words.to_owned())))
    }

    async fn refused(&mut self, answer: Response<Incoming>) -> Result<FeedItem, ConnectError> {
        let status = answer.status();
        let seconds = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let body = Limited::new(answer.into_body(), 1 << 20).collect().await;
        let body = body.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        let problem: Map<String, Value> = serde_json::from_slice(&body).unwrap_or_default();
        let text = |name: &str| problem.get(name).and_then(Value::as_str).map(plain);
        let detail = text("detail").unwrap_or_else(|| format!("the answer was {status}"));
        match (status, text("oldest")) {
            (StatusCode::GONE, Some(oldest)) => {
                self.after = Some(oldest);
                self.wait = Duration::ZERO;
                Ok(FeedItem::Notice(format!("events are missing: {detail}")))
            }
            (StatusCode::UNAUTHORIZED, _) => Err(ConnectError::Permanent(
                Failure::misuse(detail)
                    .with_hint("`--token` or ANGLERFISH_OUT_TOKEN gives a token of the subscription, and `--url` must name `listen` of [out]"),
            )),
            (StatusCode::TOO_MANY_REQUESTS, _) => {
                Err(ConnectError::Refused(detail, seconds.map(Duration::from_secs)))
            }
            _ if status.is_server_error() => {
                Err(ConnectError::Refused(detail, seconds.map(Duration::from_secs)))
            }
            // What was asked for makes no sense, and the gateway says what of it.
            (StatusCode::BAD_REQUEST, _) if text("code").as_deref() == Some("invalid-query") => {
                Err(ConnectError::Permanent(Failure::misuse(detail)))
            }
            _ => Err(ConnectError::Permanent(
                Failure::failed(detail).with_hint("`--url` must name where streams are, `listen` of [out]"),
            )),
        }
    }
}

fn unreadable(why: &str) -> Failure {
    Failure::failed(format_args!("the gateway says what is not understood: {why}"))
        .with_hint("is it a gateway of this version?")
}

/// An event with all of its data in base64.
fn event_of(value: &Value) -> Option<(Event, Bytes)> {
    let members = value.as_object()?;
    let text = |name: &str| members.get(name).and_then(Value::as_str).map(str::to_owned);
    let data = text("data_base64").map_or(Some(Vec::new()), |text| STANDARD.decode(text).ok())?;
    let own = ["specversion", "id", "source", "type", "subject", "time", "datacontenttype", "data_base64"];
    let extensions = members.iter().filter(|(name, _)| !own.contains(&name.as_str()));
    let event = Event {
        id: text("id")?,
        source: text("source")?,
        kind: text("type")?,
        subject: text("subject"),
        time: text("time").and_then(|time| UnixMillis::from_rfc3339(&time)).unwrap_or_default(),
        datacontenttype: text("datacontenttype"),
        extensions: extensions
            .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
            .collect(),
    };
    Some((event, data.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use anglerfish_core::attempt::{CloudEvent, DataForm};
    use serde_json::json;

    #[test]
    fn an_event_comes_back_as_it_was_with_every_byte() {
        let event = Event {
            id: "e1".into(),
            source: "shop".into(),
            kind: "order.paid".into(),
            subject: Some("42".into()),
            time: UnixMillis(1_700_000_000_000),
            datacontenttype: Some("application/json".into()),
            extensions: [("traceparent".to_owned(), "00-1".to_owned())].into(),
        };
        for data in [&b"{\n}"[..], b"\xff\0", b""] {
            let sent = json!(CloudEvent::new(&event, data, DataForm::Base64));
            assert_eq!(event_of(&sent), Some((event.clone(), Bytes::copy_from_slice(data))));
        }
        assert_eq!(event_of(&json!({"id": "e1"})), None);
    }
}
