//! Who may have what on a connection.

use super::Inlet;
use crate::delivery::{Deliveries, PassiveSubscription};
use crate::passive::{LEASE, Refusals, too_many};
use crate::publish::{PublishError, Published, Publisher, Receipt};
use crate::server::ConnectionWatch;
use crate::store::EventSeq;
use crate::stream::handler::{at, begin};
use crate::stream::place::{Protocol, TooManyReaders, Visitor};
use crate::stream::registry::{Readable, Streams};
use crate::stream::request::Start;
use crate::topic::{Topic, Topics};
use crate::web::{Access, ProblemDetails, wrong_token};
use anglerfish_core::config::{AccessToken, DeliveryMode, TOPIC_PREFIX};
use anglerfish_core::request::UnixMillis;
use http::StatusCode;
use sha2::{Digest, Sha256};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// Who is at the other end of a connection.
#[derive(Debug, Clone)]
pub(in crate::stream) struct Caller {
    pub(in crate::stream) protocol: Protocol,
    pub(in crate::stream) address: IpAddr,
    /// How it calls itself.
    pub(in crate::stream) agent: Option<String>,
    /// The connection.
    pub(in crate::stream) watch: ConnectionWatch,
}

/// What somebody may read.
#[derive(Clone)]
pub(in crate::stream) struct Target {
    pub(in crate::stream) readable: Arc<Readable>,
    /// How far back; without it as far as events are kept.
    pub(in crate::stream) history: Option<Duration>,
}

/// What somebody wants to be given.
#[derive(Debug, Clone, Copy)]
pub(in crate::stream) struct Request {
    /// Where to begin in the log; `None` if nothing was said of it.
    pub(in crate::stream) start: Option<Start>,
    /// Whether to read the log although messages could be leased, or the other way round.
    pub(in crate::stream) mode: Option<Way>,
    /// How long messages are leased, if that was said.
    pub(in crate::stream) lease: Option<Duration>,
}

/// How events are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::stream) enum Way {
    /// From the log.
    Stream,
    /// As messages that are leased.
    Passive,
}

/// Why somebody is not given what they want.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::stream) struct Refused {
    /// A stable word for programs.
    pub(in crate::stream) code: &'static str,
    /// A sentence for people.
    pub(in crate::stream) detail: String,
    /// Behind which position nothing is missing, if that is why.
    pub(in crate::stream) oldest: Option<String>,
    /// When a token is looked at again, if that is why.
    pub(in crate::stream) wait: Option<Duration>,
}

impl Refused {
    pub(in crate::stream) fn new(code: &'static str, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), oldest: None, wait: None }
    }

    /// What is said of a token that opens nothing, whether there is such a subscription or not.
    fn token() -> Self {
        Self::new("unauthorized", "the token is not the right one")
    }
}

/// The same as the answer to a request.
impl From<Refused> for ProblemDetails {
    fn from(refused: Refused) -> Self {
        let status = match (refused.code, refused.wait) {
            ("unauthorized", _) => return wrong_token(),
            (_, Some(wait)) => return too_many(wait),
            ("position-expired" | "position-unknown", _) => StatusCode::GONE,
            ("too-many-readers", _) => StatusCode::TOO_MANY_REQUESTS,
            ("unavailable", _) => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_REQUEST,
        };
        let problem = Self::new(status, refused.code, refused.detail);
        match refused.oldest {
            Some(oldest) => problem.member("oldest", oldest),
            None => problem,
        }
    }
}

impl From<TooManyReaders> for Refused {
    fn from(refused: TooManyReaders) -> Self {
        Self::new(TooManyReaders::CODE, refused.to_string())
    }
}

impl From<PublishError> for Refused {
    fn from(error: PublishError) -> Self {
        tracing::warn!(%error, "what was sent to a topic cannot be published now");
        Self::new("unavailable", "it cannot be published now; sending it again is right")
    }
}

impl From<ProblemDetails> for Refused {
    fn from(problem: ProblemDetails) -> Self {
        Self::new(problem.code(), problem.detail())
    }
}

/// What was opened.
pub(in crate::stream) struct Opened {
    pub(in crate::stream) inlet: Inlet,
    /// Where a reader of the log begins.
    pub(in crate::stream) position: Option<EventSeq>,
}

/// Lets connections in to what their tokens open. Cheap to clone.
#[derive(Clone)]
pub(in crate::stream) struct Door {
    pub(in crate::stream) streams: Streams,
    pub(in crate::stream) deliveries: Deliveries,
    pub(in crate::stream) refusals: Arc<Refusals>,
    pub(in crate::stream) topics: Topics,
    pub(in crate::stream) publisher: Publisher,
    /// Who runs the gateway.
    pub(in crate::stream) access: Access,
}

impl Door {
    /// Looks at a token, and gives what `find` finds with it. Who has shown too many wrong ones waits.
    fn look<T>(
        &self,
        shown: &str,
        address: IpAddr,
        find: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Result<T, Refused> {
        let mut found = None;
        let looked = self.refusals.look(address, shown.as_bytes(), || {
            found = find(shown.as_bytes());
            found.is_some()
        });
        if found.is_none() {
            self.refusals.note();
        }
        match (found, looked) {
            (Some(found), _) => Ok(found),
            (None, Ok(_)) => Err(Refused::token()),
            (None, Err(wait)) => {
                let detail =
                    "too many tokens that were not right came from this address; this one was not looked at";
                Err(Refused { wait: Some(wait), ..Refused::new("too-many-wrong-tokens", detail) })
            }
        }
    }

    /// A subscription, for whoever shows one of its tokens.
    pub(in crate::stream) fn find(&self, id: &str, shown: &str, address: IpAddr) -> Result<Target, Refused> {
        let readable = self.streams.get(id);
        self.look(shown, address, |shown| {
            let opens = match &readable {
                Some(readable) => readable.opens(shown),
                // It takes as long.
                None => AccessToken::is_one_of(&[], shown),
            };
            readable.filter(|_| opens).map(|readable| Target { readable, history: None })
        })
    }

    /// Whether somebody shows the token of the management API, with which everything may be read.
    pub(in crate::stream) fn operator(&self, shown: &str, address: IpAddr) -> Result<(), Refused> {
        self.look(shown, address, |shown| self.access.opens(shown).then_some(()))
    }

    /// A topic, for whoever shows a token that lets them read it.
    pub(in crate::stream) fn find_topic(
        &self,
        name: &str,
        shown: &str,
        address: IpAddr,
    ) -> Result<Target, Refused> {
        let topic = self.look(shown, address, |shown| self.topics.to_read(name, shown))?;
        let label = format!("{TOPIC_PREFIX}{}", topic.config.name);
        let readable = self.streams.topic(&topic.source, &label, topic.filter.clone());
        // Those who read a topic are let go when it is changed. Who was let in just before that, and is among them only now, is
        // found out here.
        match self.topics.to_read(name, shown.as_bytes()) {
            Some(now) if now == topic => Ok(Target { readable, history: now.config.history }),
            _ => Err(Refused::new("unavailable", "the topic is changed just now")),
        }
    }

    /// A topic, for whoever shows a token that lets them publish to it.
    pub(in crate::stream) fn topic_to_publish(
        &self,
        name: &str,
        shown: &str,
        address: IpAddr,
    ) -> Result<Topic, Refused> {
        self.look(shown, address, |shown| self.topics.to_publish(name, shown))
    }

    /// Whether a token opens anything at all.
    pub(in crate::stream) fn check(&self, shown: &str, address: IpAddr) -> Result<(), Refused> {
        self.look(shown, address, |shown| {
            (self.streams.knows(shown) || self.topics.knows(shown)).then_some(())
        })
    }

    /// The present time, by the clock of the gateway.
    pub(in crate::stream) fn now(&self) -> UnixMillis {
        self.publisher.now()
    }

    /// Puts events into the log, in their order, all of them or none. They are on disk when this returns.
    pub(in crate::stream) async fn publish(&self, events: Vec<Published>) -> Result<Vec<Receipt>, Refused> {
        Ok(self.publisher.publish(events, self.now()).await?)
    }

    /// Opens a subscription for somebody who may have it.
    pub(in crate::stream) async fn open(
        &self,
        target: &Target,
        shown: &str,
        caller: &Caller,
        request: Request,
    ) -> Result<Opened, Refused> {
        let (streams, readable) = (&self.streams, &target.readable);
        if streams.is_stopping() {
            return Err(Refused::new("unavailable", "the gateway stops"));
        }
        let visitor = Visitor {
            subscription: Arc::clone(&readable.id),
            label: Arc::clone(&readable.label),
            protocol: caller.protocol,
            address: caller.address,
            token: Sha256::digest(shown).into(),
            agent: caller.agent.clone(),
            watch: caller.watch.clone(),
        };
        if let Some(passive) = self.passive(readable, &request)? {
            let place = streams.shared.places.take(visitor, None)?;
            let (token, lease) = (AccessToken::of(shown), request.lease.unwrap_or(LEASE));
            let inlet = Inlet::Passive { subscription: passive, token, lease, place };
            return Ok(Opened { inlet, position: None });
        }
        let beginning = begin(streams, request.start.unwrap_or(Start::Now), target.history).await?;
        if let Some(gap) = beginning.gap {
            let oldest = Some(at(streams, beginning.position));
            return Err(Refused { oldest, ..Refused::new(gap.code(), gap.detail()) });
        }
        let reader = streams.open(readable, visitor, beginning.position).map_err(ProblemDetails::from)?;
        Ok(Opened { inlet: Inlet::Stream(Box::new(reader)), position: Some(beginning.position) })
    }

    /// The subscription to lease from, if that is how events are given.
    fn passive(
        &self,
        readable: &Readable,
        request: &Request,
    ) -> Result<Option<PassiveSubscription>, Refused> {
        let is_passive = readable.mode == DeliveryMode::Passive;
        let way = request.mode.unwrap_or(match is_passive && request.start.is_none() {
            true => Way::Passive,
            false => Way::Stream,
        });
        match way {
            Way::Stream if request.lease.is_some() => {
                let detail =
                    "nothing is leased here: a reader of the log has its position, and is given no `lease`";
                Err(Refused::new("not-passive", detail))
            }
            Way::Stream => Ok(None),
            Way::Passive if !is_passive => Err(Refused::new(
                "not-passive",
                "nothing is kept to be leased: the subscription is not passive",
            )),
            Way::Passive if request.start.is_some() => {
                let detail = "messages are leased in the order in which they are due, and from no position";
                Err(Refused::new("invalid-message", detail))
            }
            Way::Passive => {
                let passive = self.deliveries.passive(&readable.id);
                passive
                    .map(Some)
                    .ok_or_else(|| Refused::new("unavailable", "the subscription is changed just now"))
            }
        }
    }
}
