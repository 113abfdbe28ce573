//! Streams of no subscription: whoever runs the gateway names sources and a filter with the request.

use super::registry::{Readable, Streams};
use super::request::{Data, EventName, Format, StreamQuery};
use super::session::Target;
use crate::web::ProblemDetails;
use anglerfish_core::config::{DeliveryMode, OrderingConfig, is_built_in, topic_of};
use anglerfish_core::problem::Problem;
use anglerfish_core::router::{FilterTable, RenderConfig, RoutingSubscription};
use serde::Deserialize;
use std::sync::{Arc, PoisonError};

/// What such a stream is called among those that are read. No subscription has such an id.
pub(super) const NAME: &str = "/out";

/// Sources of one stream: whoever wants more wants all of them and a filter.
const MOST_SOURCES: usize = 100;

/// The parameters of a stream of no subscription.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::IntoParams), into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub(super) struct AdHocQuery {
    /// The token of a WebSocket, where no `Authorization` can be sent: browsers send none with one.
    #[cfg_attr(feature = "api", param(required = false))]
    access_token: Option<String>,
    /// Sources with commas between them, `/topic/NAME` among them; without it all of them.
    #[cfg_attr(feature = "api", param(required = false))]
    source: Option<String>,
    /// A CEL expression as subscriptions have one; without it everything of the sources.
    #[cfg_attr(feature = "api", param(required = false))]
    filter: Option<String>,
    /// Where to begin: `now`, `earliest`, or a time such as `2026-01-31T12:00:00Z`.
    #[cfg_attr(feature = "api", param(required = false))]
    from: Option<String>,
    /// The position to begin behind.
    #[cfg_attr(feature = "api", param(required = false))]
    after: Option<String>,
    /// The same, as `EventSource` sends it in its header field, which counts more.
    #[serde(rename = "last-event-id")]
    #[cfg_attr(feature = "api", param(required = false))]
    last_event_id: Option<String>,
    /// How the answer is written, if `Accept` does not say it.
    #[cfg_attr(feature = "api", param(required = false, inline))]
    format: Option<Format>,
    /// How data is written.
    #[cfg_attr(feature = "api", param(required = false, inline))]
    data: Option<Data>,
    /// What `event` says in Server-Sent Events.
    #[cfg_attr(feature = "api", param(required = false, inline))]
    event: Option<EventName>,
    /// How long a batch waits for its first event, up to `60s`; not at all by default.
    #[cfg_attr(feature = "api", param(required = false))]
    wait: Option<String>,
    /// How many events a batch has at most, up to 1000.
    #[cfg_attr(feature = "api", param(required = false, minimum = 1, maximum = 1000))]
    max: Option<usize>,
}

/// What is read, before it is known whether there is such a thing.
#[derive(Debug)]
pub(super) struct Wanted {
    sources: Option<String>,
    filter: Option<String>,
}

impl AdHocQuery {
    /// What is read, and how.
    pub(super) fn split(self) -> (Wanted, StreamQuery) {
        let Self { access_token, source, filter, from, after, last_event_id, format, data, event, wait, max } =
            self;
        let wanted = Wanted { sources: source, filter };
        (wanted, StreamQuery { access_token, from, after, last_event_id, format, data, event, wait, max })
    }

    /// Whether it asks for anything but a connection.
    pub(super) fn is_for_a_stream(&self) -> bool {
        let Self {
            access_token: _,
            source,
            filter,
            from,
            after,
            last_event_id,
            format,
            data,
            event,
            wait,
            max,
        } = self;
        let texts = [source, filter, from, after, last_event_id, wait];
        texts.into_iter().any(Option::is_some)
            || format.is_some()
            || data.is_some()
            || event.is_some()
            || max.is_some()
    }
}

impl Wanted {
    /// What is read; what is wrong with it is said.
    pub(super) fn target(
        self,
        streams: &Streams,
        is_source: impl Fn(&str) -> bool,
    ) -> Result<Target, ProblemDetails> {
        let mut problems = Vec::new();
        let named = self.sources.as_deref().map(|text| text.split(',').map(str::trim)).into_iter().flatten();
        let mut sources: Vec<String> = Vec::new();
        for name in named {
            if topic_of(name).is_none() && !is_built_in(name) && !is_source(name) {
                problems.push(Problem::new("source", format!("there is no source {name:?}")));
            } else if !sources.iter().any(|known| known == name) {
                sources.push(name.to_owned());
            }
        }
        if sources.len() > MOST_SOURCES {
            let hint = "leave `source` out, and say in `filter` which";
            problems.push(
                Problem::new("source", format!("names more than {MOST_SOURCES} sources")).with_hint(hint),
            );
        }
        if self.filter.as_ref().is_some_and(|filter| filter.trim().is_empty()) {
            problems.push(
                Problem::new("filter", "must not be empty").with_hint("leave it out to read everything"),
            );
        }
        let subscription = RoutingSubscription {
            id: NAME.to_owned(),
            sources,
            filter: self.filter,
            ordering: OrderingConfig::None,
            render: RenderConfig::default(),
            interest: None,
        };
        if problems.is_empty()
            && let Err(found) = FilterTable::default().put(&subscription)
        {
            problems = found;
        }
        match problems.is_empty() {
            true => Ok(Target { readable: streams.ad_hoc(subscription), history: None }),
            false => Err(ProblemDetails::invalid(&problems)),
        }
    }
}

impl Streams {
    fn ad_hoc(&self, subscription: RoutingSubscription) -> Arc<Readable> {
        let ended = self.shared.ad_hoc.lock().unwrap_or_else(PoisonError::into_inner).child_token();
        Readable::new(NAME.into(), Vec::new(), DeliveryMode::Stream, subscription, ended).into()
    }

    /// The management token is another one now: those who read by the old one are let go.
    pub fn end_ad_hoc(&self) {
        let mut token = self.shared.ad_hoc.lock().unwrap_or_else(PoisonError::into_inner);
        token.cancel();
        *token = self.shared.stop.child_token();
    }
}
