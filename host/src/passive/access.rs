//! Who may lease.

use super::Out;
use super::guess::Guesses;
use crate::delivery::PassiveSubscription;
use crate::server::{Peer, sender};
use crate::telemetry::SharedRepeated;
use crate::web::{ProblemDetails, Segment, bearer};
use axum::extract::FromRequestParts;
use http::StatusCode;
use http::request::Parts;
use ipnet::IpNet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What is counted of requests that show no right token. Cheap to clone; all clones are one.
#[derive(Debug, Clone, Default)]
pub struct OutMetrics {
    unauthorized: Counter,
}

impl OutMetrics {
    /// Adds the metrics to the registry.
    #[must_use]
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register(
            "out_unauthorized",
            "Requests to /out that showed no token, or none of the subscription's",
            metrics.unauthorized.clone(),
        );
        metrics
    }
}

/// Looks at tokens: counts those that are not right, tells of them now and then, since whoever guesses must not fill the log,
/// and slows down who guesses.
#[derive(Debug)]
pub struct Refusals {
    metrics: OutMetrics,
    told: SharedRepeated,
    /// Proxies whose `X-Forwarded-For` counts.
    trusted: Vec<IpNet>,
    begun: Instant,
    guesses: Mutex<Guesses>,
}

impl Refusals {
    /// What is counted goes into these metrics; who asks is whom these proxies name.
    #[must_use]
    pub fn new(metrics: OutMetrics, trusted: &[IpNet]) -> Arc<Self> {
        Arc::new(Self {
            metrics,
            told: SharedRepeated::default(),
            trusted: trusted.to_vec(),
            begun: Instant::now(),
            guesses: Mutex::default(),
        })
    }

    /// A request showed no right token.
    pub(crate) fn note(&self) {
        self.metrics.unauthorized.inc();
        if let Some(count) = self.told.note("unauthorized") {
            tracing::warn!(count, "requests to /out showed no token, or none of the subscription's");
        }
    }

    /// Looks at the token of a request, which `show` takes from it and hands to the function that it is given.
    ///
    /// # Errors
    ///
    /// There is none, it is not right, or too many were wrong that came from there.
    pub(crate) fn check(
        &self,
        parts: &Parts,
        opens: impl FnOnce(&[u8]) -> bool,
        show: impl FnOnce(&mut dyn FnMut(&[u8]) -> bool) -> Result<(), ProblemDetails>,
    ) -> Result<(), ProblemDetails> {
        let peer = parts.extensions.get::<Peer>();
        let peer: IpAddr = peer.map_or(Ipv4Addr::UNSPECIFIED.into(), |peer| peer.0.ip());
        let address = sender(&parts.headers, peer, &self.trusted);
        let (mut held, mut opens) = (None, Some(opens));
        let shown = show(&mut |token| {
            let looked = self.look(address, token, || opens.take().is_some_and(|opens| opens(token)));
            looked.unwrap_or_else(|wait| {
                held = Some(wait);
                false
            })
        });
        if shown.is_err() {
            self.note();
        }
        match held {
            Some(wait) => Err(too_many(wait)),
            None => shown,
        }
    }

    /// Looks at a token that somebody at this address shows: whether it opens what it is shown for.
    ///
    /// # Errors
    ///
    /// Too many were wrong that came from there, and it is not looked at: when the next one is.
    pub(crate) fn look(
        &self,
        address: IpAddr,
        token: &[u8],
        opens: impl FnOnce() -> bool,
    ) -> Result<bool, Duration> {
        self.guesses().admit(address, token, self.begun.elapsed())?;
        let is_right = opens();
        match is_right {
            true => self.guesses().right(address, token),
            false => self.guesses().wrong(address, self.begun.elapsed()),
        }
        Ok(is_right)
    }

    fn guesses(&self) -> MutexGuard<'_, Guesses> {
        self.guesses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The answer to whoever shows a token that is not looked at.
pub(crate) fn too_many(wait: Duration) -> ProblemDetails {
    let detail = "too many tokens that were not right came from this address; this one was not looked at";
    ProblemDetails::new(StatusCode::TOO_MANY_REQUESTS, "too-many-wrong-tokens", detail).retry_after(wait)
}

/// The subscription of the address, opened with one of its tokens. Whoever shows none gets the same answer whether there is
/// such a subscription or not.
pub(super) struct Opened(pub(super) PassiveSubscription);

impl FromRequestParts<Out> for Opened {
    type Rejection = ProblemDetails;

    async fn from_request_parts(parts: &mut Parts, out: &Out) -> Result<Self, Self::Rejection> {
        let Segment(name) = Segment::from_request_parts(parts, out).await?;
        let subscription = out.deliveries.passive(&name);
        let opens = |token: &[u8]| match &subscription {
            Some(subscription) => subscription.opens(token),
            // It is only read, or is not there: that takes as long.
            None => (out.is_read_with)(&name, token),
        };
        out.refusals.check(parts, opens, |look| bearer(&parts.headers, look))?;
        subscription.map(Self).ok_or_else(|| {
            let detail = "nothing is kept to be leased: the subscription is not passive";
            ProblemDetails::new(StatusCode::CONFLICT, "not-passive", detail)
        })
    }
}
