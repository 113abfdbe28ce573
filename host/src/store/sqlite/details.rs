//! What is kept of an event beside its attributes, as JSON; what is as usual is left out.

use crate::store::{Cause, EventSeq, FailedFilter, NewEvent, Origin, RequestRecord};
use anglerfish_core::event::Event;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The object in the column `details`.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Details<'a> {
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    method: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    url: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "str::is_empty")]
    added_prefix: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    headers: Option<Cow<'a, [(String, String)]>>,
    #[serde(default, skip_serializing_if = "is_request")]
    origin: Origin,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cause: Option<EventSeq>,
    /// How many entries before it the one is that caused it, where that is of the same commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    behind: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    secret: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "is_empty")]
    failures: Cow<'a, [FailedFilter]>,
    #[serde(default, skip_serializing_if = "is_none")]
    extensions: Cow<'a, BTreeMap<String, String>>,
}

/// What [`Details`] say, owned.
#[derive(Debug)]
pub(super) struct OwnedDetails {
    pub(super) origin: Origin,
    pub(super) cause: Option<EventSeq>,
    pub(super) request: Option<RequestRecord>,
    pub(super) secret: Option<String>,
    pub(super) failures: Vec<FailedFilter>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature is serde's")]
fn is_request(origin: &Origin) -> bool {
    *origin == Origin::Request
}

fn is_empty(failures: &[FailedFilter]) -> bool {
    failures.is_empty()
}

fn is_none(extensions: &BTreeMap<String, String>) -> bool {
    extensions.is_empty()
}

impl<'a> Details<'a> {
    /// Those of a new event, which is at this place in its commit.
    pub(super) fn of(new: &'a NewEvent, index: usize) -> Self {
        let request = new.request.as_ref();
        Self {
            method: request.map(|request| Cow::Borrowed(&*request.method)),
            url: request.map(|request| Cow::Borrowed(&*request.url)),
            added_prefix: request.map(|request| Cow::Borrowed(&*request.added_prefix)).unwrap_or_default(),
            headers: request.map(|request| Cow::Borrowed(&*request.headers)),
            origin: new.origin,
            cause: match new.cause {
                Some(Cause::Entry(seq)) => Some(seq),
                Some(Cause::First) | None => None,
            },
            behind: (new.cause == Some(Cause::First)).then(|| i64::try_from(index).unwrap_or(i64::MAX)),
            secret: new.secret.as_deref().map(Cow::Borrowed),
            failures: Cow::Borrowed(&new.failures),
            extensions: Cow::Borrowed(&new.event.extensions),
        }
    }

    /// What they say of the event at this position; the extension attributes go into it.
    pub(super) fn tell(self, event: &mut Event, seq: EventSeq) -> OwnedDetails {
        event.extensions = self.extensions.into_owned();
        let request = match (self.method, self.url) {
            (Some(method), Some(url)) => Some(RequestRecord {
                method: method.into_owned(),
                url: url.into_owned(),
                added_prefix: self.added_prefix.into_owned(),
                headers: self.headers.unwrap_or_default().into_owned(),
            }),
            _ => None,
        };
        OwnedDetails {
            origin: self.origin,
            cause: self.cause.or_else(|| self.behind.map(|behind| EventSeq(seq.0.saturating_sub(behind)))),
            request,
            secret: self.secret.map(Cow::into_owned),
            failures: self.failures.into_owned(),
        }
    }
}
