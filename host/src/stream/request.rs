//! What a reader asks for.

use super::item::{DataStyle, SseStyle};
use super::place::Protocol;
use super::position::Position;
use crate::web::ProblemDetails;
use anglerfish_core::request::UnixMillis;
use http::HeaderMap;
use http::header::{ACCEPT, HeaderName};
use serde::Deserialize;
use std::time::Duration;

/// The header field of `EventSource` that says up to where it has read; answers say in it where they begin.
pub(super) const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Events of one batch.
const MOST: usize = 1000;
const EVENTS: usize = 100;

/// What is chosen where several formats will do.
const STREAM_FIRST: [Format; 4] = [Format::Sse, Format::Lines, Format::Json, Format::Cloudevents];
const BATCH_FIRST: [Format; 4] = [Format::Json, Format::Cloudevents, Format::Sse, Format::Lines];

/// Proxies cut what is silent for longer.
const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// How a stream is written, where `Accept` cannot say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema), schema(as = StreamFormat))]
#[serde(rename_all = "lowercase")]
pub(super) enum Format {
    /// Server-Sent Events, without end.
    Sse,
    /// JSON lines, without end.
    Lines,
    /// One JSON document, with the next position.
    Json,
    /// One CloudEvents batch, with the next position in `Link`.
    Cloudevents,
}

/// How an event's data is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema), schema(as = StreamData))]
#[serde(rename_all = "lowercase")]
pub(super) enum Data {
    /// CloudEvents' JSON format: JSON data as it is, other text as a string, all else in base64.
    Cloudevent,
    /// The same with all data in base64, so that every byte comes back.
    Base64,
    /// The data alone; only in Server-Sent Events.
    Raw,
}

/// What `event` says in a stream of Server-Sent Events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema), schema(as = StreamEventName))]
#[serde(rename_all = "lowercase")]
pub(super) enum EventName {
    /// The event's type.
    Type,
    /// Nothing, so that a browser's `onmessage` gets all of them.
    Message,
}

/// The parameters of a stream.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::IntoParams), into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub(super) struct StreamQuery {
    /// The token, where no `Authorization` can be sent: `EventSource` of browsers sends none.
    #[cfg_attr(feature = "api", param(required = false))]
    #[expect(dead_code, reason = "it is read before the others, which are for whoever may read")]
    pub(super) access_token: Option<String>,
    /// Where to begin: `now`, `earliest`, or a time such as `2026-01-31T12:00:00Z`.
    #[cfg_attr(feature = "api", param(required = false))]
    pub(super) from: Option<String>,
    /// The position to begin behind.
    #[cfg_attr(feature = "api", param(required = false))]
    pub(super) after: Option<String>,
    /// The same, as `EventSource` sends it in its header field, which counts more.
    #[serde(rename = "last-event-id")]
    #[cfg_attr(feature = "api", param(required = false))]
    pub(super) last_event_id: Option<String>,
    /// How the answer is written, if `Accept` does not say it.
    #[cfg_attr(feature = "api", param(required = false, inline))]
    pub(super) format: Option<Format>,
    /// How data is written.
    #[cfg_attr(feature = "api", param(required = false, inline))]
    pub(super) data: Option<Data>,
    /// What `event` says in Server-Sent Events.
    #[cfg_attr(feature = "api", param(required = false, inline))]
    pub(super) event: Option<EventName>,
    /// How long a batch waits for its first event, up to `60s`; not at all by default.
    #[cfg_attr(feature = "api", param(required = false))]
    pub(super) wait: Option<String>,
    /// How many events a batch has at most, up to 1000.
    #[cfg_attr(feature = "api", param(required = false, minimum = 1, maximum = 1000))]
    pub(super) max: Option<usize>,
}

/// Where somebody begins to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    Behind(Position),
    /// Behind what is no position of any log.
    Nowhere,
    Now,
    Earliest,
    At(UnixMillis),
}

impl Start {
    /// By what a parameter of this name says.
    pub(super) fn named(name: &str, text: &str) -> Result<Self, ProblemDetails> {
        match (name, text) {
            ("from", "now") => Ok(Self::Now),
            ("from", "earliest") => Ok(Self::Earliest),
            ("from", text) => UnixMillis::from_rfc3339(text).map(Self::At).ok_or_else(|| {
                invalid(
                    "`from` must be `now`, `earliest` or a time that is past, such as `2026-01-31T12:00:00Z`",
                )
            }),
            (name, text) => position(name, text),
        }
    }
}

/// How the answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Sse(SseStyle),
    Lines(DataStyle),
    Batch { data: DataStyle, max: usize, wait: Duration, is_cloudevents: bool },
}

impl Answer {
    pub(super) const fn protocol(self) -> Protocol {
        match self {
            Self::Sse(_) => Protocol::Sse,
            Self::Lines(_) => Protocol::Lines,
            Self::Batch { .. } => Protocol::Batch,
        }
    }
}

fn invalid(detail: impl Into<String>) -> ProblemDetails {
    ProblemDetails::bad_request("invalid-query", detail)
}

impl StreamQuery {
    /// Where to begin: a browser that comes again sends the position in the header, and the address as it was.
    pub(super) fn start(&self, headers: &HeaderMap) -> Result<Start, ProblemDetails> {
        let sent = headers.get(LAST_EVENT_ID).filter(|value| !value.is_empty());
        let named = [("after", &self.after), ("last-event-id", &self.last_event_id), ("from", &self.from)];
        let mut named = named.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)));
        let one = named.next();
        if let (Some((one, _)), Some((other, _))) = (one, named.next()) {
            return Err(invalid(format!("`{one}` and `{other}` both say where to begin; give one of them")));
        }
        match (sent, one) {
            // It is not in the hand of whoever wrote the address: a browser sends what it was given last, whoever gave it. It is
            // told as one of another log is.
            (Some(sent), _) => {
                let position = Position::parse(sent.to_str().unwrap_or_default());
                Ok(position.map_or(Start::Nowhere, Start::Behind))
            }
            (None, None) => Ok(Start::Now),
            (None, Some((name, text))) => Start::named(name, text),
        }
    }

    /// Where to begin, if anything is said of it.
    pub(super) fn start_if_said(&self, headers: &HeaderMap) -> Result<Option<Start>, ProblemDetails> {
        let is_said = headers.get(LAST_EVENT_ID).is_some_and(|value| !value.is_empty())
            || self.after.is_some()
            || self.last_event_id.is_some()
            || self.from.is_some();
        if is_said { self.start(headers).map(Some) } else { Ok(None) }
    }

    /// How events are written in the messages of a WebSocket.
    pub(super) fn message_style(&self) -> Result<DataStyle, ProblemDetails> {
        if self.format.is_some() || self.event.is_some() || self.wait.is_some() || self.max.is_some() {
            return Err(invalid("`format`, `event`, `wait` and `max` are not for a WebSocket"));
        }
        match self.data.unwrap_or(Data::Cloudevent) {
            Data::Cloudevent => Ok(DataStyle::CloudEvent),
            Data::Base64 => Ok(DataStyle::Base64),
            Data::Raw => Err(invalid("`data=raw` is for Server-Sent Events only")),
        }
    }

    /// How the answer is written.
    pub(super) fn answer(&self, headers: &HeaderMap) -> Result<Answer, ProblemDetails> {
        let format = match self.format {
            Some(format) => format,
            None => {
                let is_batch = self.wait.is_some() || self.max.is_some();
                accepted(headers, if is_batch { BATCH_FIRST } else { STREAM_FIRST })?
            }
        };
        let is_batch = matches!(format, Format::Json | Format::Cloudevents);
        if !is_batch && (self.wait.is_some() || self.max.is_some()) {
            return Err(invalid("`wait` and `max` are for a batch, and a stream without end was asked for"));
        }
        if format != Format::Sse && self.event.is_some() {
            return Err(invalid("`event` is for Server-Sent Events only"));
        }
        let data = match self.data.unwrap_or(Data::Cloudevent) {
            Data::Cloudevent => DataStyle::CloudEvent,
            Data::Base64 => DataStyle::Base64,
            Data::Raw if format == Format::Sse => DataStyle::Raw,
            Data::Raw => return Err(invalid("`data=raw` is for Server-Sent Events only")),
        };
        Ok(match format {
            Format::Sse => Answer::Sse(SseStyle { data, is_named: self.event != Some(EventName::Message) }),
            Format::Lines => Answer::Lines(data),
            Format::Json | Format::Cloudevents => Answer::Batch {
                data,
                max: self.most()?,
                wait: self.patience()?,
                is_cloudevents: format == Format::Cloudevents,
            },
        })
    }

    fn most(&self) -> Result<usize, ProblemDetails> {
        match self.max {
            None => Ok(EVENTS),
            Some(max) if (1..=MOST).contains(&max) => Ok(max),
            Some(max) => Err(invalid(format!("`max` is {max}; it must be from 1 to {MOST}"))),
        }
    }

    fn patience(&self) -> Result<Duration, ProblemDetails> {
        let Some(text) = &self.wait else { return Ok(Duration::ZERO) };
        let wait = duration(text).filter(|wait| *wait <= LONGEST_WAIT);
        wait.ok_or_else(|| invalid("`wait` must be a time up to `60s`, such as `30s` or `500ms`"))
    }
}

fn position(name: &str, text: &str) -> Result<Start, ProblemDetails> {
    let position = Position::parse(text).map(Start::Behind);
    position.ok_or_else(|| invalid(format!("`{name}` is not a position that this gateway gave")))
}

/// Whole minutes, seconds or milliseconds.
fn duration(text: &str) -> Option<Duration> {
    let number = |digits: &str| digits.parse::<u32>().ok().map(u64::from);
    match text.strip_suffix("ms") {
        Some(digits) => number(digits).map(Duration::from_millis),
        None => match text.strip_suffix('m') {
            Some(digits) => number(digits).map(|minutes| Duration::from_secs(minutes * 60)),
            None => number(text.strip_suffix('s')?).map(Duration::from_secs),
        },
    }
}

/// What a media range of `Accept` stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Range {
    One(Format),
    Text,
    Application,
    Any,
}

impl Range {
    fn named(essence: &str) -> Option<Self> {
        Some(match essence {
            "text/event-stream" => Self::One(Format::Sse),
            "application/x-ndjson" | "application/jsonl" | "application/json-lines" => {
                Self::One(Format::Lines)
            }
            "application/json" => Self::One(Format::Json),
            "application/cloudevents-batch+json" => Self::One(Format::Cloudevents),
            "text/*" => Self::Text,
            "application/*" => Self::Application,
            "*/*" => Self::Any,
            _ => return None,
        })
    }

    /// A narrower range counts more than a wider one.
    fn width(self) -> u8 {
        match self {
            Self::One(_) => 0,
            Self::Text | Self::Application => 1,
            Self::Any => 2,
        }
    }

    fn has(self, format: Format) -> bool {
        match self {
            Self::One(one) => one == format,
            Self::Text => format == Format::Sse,
            Self::Application => format != Format::Sse,
            Self::Any => true,
        }
    }
}

/// The format that `Accept` names first, and of those that a range allows the first of `order`. What has the weight 0 is refused
/// (RFC 9110, section 12.4.2), unless a narrower range allows it.
fn accepted(headers: &HeaderMap, order: [Format; 4]) -> Result<Format, ProblemDetails> {
    let (mut is_said, mut ranges) = (false, Vec::new());
    for value in headers.get_all(ACCEPT) {
        for range in value.to_str().unwrap_or_default().split(',') {
            let mut parts = range.split(';').map(|part| part.trim().to_ascii_lowercase());
            let essence = parts.next().unwrap_or_default();
            is_said |= !essence.is_empty();
            if let Some(range) = Range::named(&essence) {
                let weight = parts.find_map(|part| part.strip_prefix("q=").map(str::to_owned));
                let is_refused =
                    weight.and_then(|weight| weight.parse::<f32>().ok()).is_some_and(|weight| weight <= 0.0);
                ranges.push((range, is_refused));
            }
        }
    }
    if !is_said {
        ranges.push((Range::Any, false));
    }
    let is_refused = |format: Format, allowing: Range| {
        let refused = ranges.iter().filter(|(range, is_refused)| *is_refused && range.has(format));
        refused.into_iter().any(|(range, _)| range.width() <= allowing.width())
    };
    let allowed = ranges.iter().filter(|(_, is_refused)| !is_refused);
    let found = allowed
        .map(|(range, _)| *range)
        .find_map(|range| order.into_iter().find(|format| range.has(*format) && !is_refused(*format, range)));
    found.ok_or_else(|| {
        ProblemDetails::new(
            http::StatusCode::NOT_ACCEPTABLE,
            "not-acceptable",
            "a stream is text/event-stream, application/x-ndjson, application/json or application/cloudevents-batch+json",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn query(text: &str) -> StreamQuery {
        let uri = format!("/out/a?{text}").parse().unwrap();
        axum::extract::Query::try_from_uri(&uri).unwrap().0
    }

    fn headers(name: HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    fn answer(text: &str, accept: &'static str) -> Result<Answer, String> {
        query(text).answer(&headers(ACCEPT, accept)).map_err(|problem| problem.code().to_owned())
    }

    #[test]
    fn the_header_of_a_reader_that_comes_again_counts_more_than_its_address() {
        let text = "0000000100000000000000ff";
        let behind = Ok(Start::Behind(Position::parse(text).unwrap()));
        let start = |text: &str, sent| {
            query(text).start(&headers(LAST_EVENT_ID, sent)).map_err(|problem| problem.code().to_owned())
        };
        assert_eq!(start("from=earliest", "0000000100000000000000ff"), behind);
        assert_eq!(start(&format!("after={text}"), ""), behind);
        assert_eq!(start(&format!("last-event-id={text}"), ""), behind);
        assert_eq!(start("from=earliest", ""), Ok(Start::Earliest));
        assert_eq!(start("from=now", ""), Ok(Start::Now));
        assert_eq!(start("", ""), Ok(Start::Now));
        assert_eq!(start("from=1970-01-01T00:00:01Z", ""), Ok(Start::At(UnixMillis(1000))));
        let refused = Err("invalid-query".to_owned());
        for text in ["from=yesterday", "after=1", "last-event-id=", &format!("from=now&after={text}")] {
            assert_eq!(start(text, ""), refused, "{text}");
        }
        assert_eq!(start("from=earliest", "nonsense"), Ok(Start::Nowhere));
    }

    #[test]
    fn the_format_is_what_the_address_says_or_the_header_or_server_sent_events() {
        let sse = Ok(Answer::Sse(SseStyle::default()));
        let lines = Ok(Answer::Lines(DataStyle::CloudEvent));
        let batch = |max, seconds, is_cloudevents| {
            Ok(Answer::Batch {
                data: DataStyle::CloudEvent,
                max,
                wait: Duration::from_secs(seconds),
                is_cloudevents,
            })
        };
        assert_eq!(answer("", "*/*"), sse);
        assert_eq!(answer("", "text/event-stream"), sse);
        assert_eq!(answer("", "text/html, application/x-ndjson;q=0.9, */*"), lines);
        assert_eq!(answer("format=lines", "text/event-stream"), lines);
        assert_eq!(answer("", "application/json"), batch(100, 0, false));
        assert_eq!(answer("wait=30s&max=5", "*/*"), batch(5, 30, false));
        assert_eq!(answer("wait=1m", "application/cloudevents-batch+json"), batch(100, 60, true));
        assert_eq!(answer("wait=30s&max=5", "application/*"), batch(5, 30, false));
        assert_eq!(answer("", "application/*"), lines);
        let none = Err("not-acceptable".to_owned());
        assert_eq!(answer("", "image/png"), none);
        assert_eq!(answer("", "text/event-stream;q=0, */*"), lines);
        assert_eq!(answer("", "text/event-stream; Q=0.000, application/json;q=0.1"), batch(100, 0, false));
        assert_eq!(answer("", "text/*;q=0, application/x-ndjson;q=0, */*;q=0.5"), batch(100, 0, false));
        assert_eq!(answer("", "*/*;q=0, application/x-ndjson"), lines);
        assert_eq!(answer("", "application/*;q=0, application/json"), batch(100, 0, false));
        for accept in ["text/event-stream;q=0", "*/*;q=0", "text/event-stream;q=0, text/*"] {
            assert_eq!(answer("", accept), none, "{accept}");
        }
        for text in [
            "format=sse&wait=1s",
            "wait=61s",
            "wait=1h",
            "wait=-1s",
            "wait=1",
            "max=0",
            "max=1001",
            "format=json&data=raw",
            "format=lines&event=message",
        ] {
            assert_eq!(answer(text, "*/*"), Err("invalid-query".to_owned()), "{text}");
        }
    }
}
