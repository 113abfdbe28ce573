//! What subscribers are answered.

use super::request::NamedToken;
use crate::delivery::LeasedMessage;
use crate::web::ProblemDetails;
use anglerfish_core::attempt::{CloudEvent, DataForm};
use anglerfish_core::policy::Settled;
use anglerfish_core::request::UnixMillis;
use http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};

/// Messages that are leased.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema), schema(as = Leased))]
pub(super) struct LeasedDocument<'a> {
    /// The messages, those that wait longest first; none if nothing came in time.
    pub(super) messages: Vec<MessageDocument<'a>>,
    /// Whether the subscription is paused or disabled, so that nothing comes until somebody resumes it.
    pub(super) stopped: bool,
}

/// A message that is leased.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema), schema(as = Message))]
pub(super) struct MessageDocument<'a> {
    /// The delivery's number, as the management API names it. It stays the same when the message comes again.
    delivery: i64,
    /// Which attempt this is, from 1, since the delivery was made or last retried by hand.
    attempt: u32,
    /// What the lease is named by.
    token: String,
    /// When the lease ends.
    #[cfg_attr(feature = "api", schema(required, format = DateTime))]
    deadline: Option<String>,
    /// The event in CloudEvents' JSON format, with its data in `data` or `data_base64`.
    #[cfg_attr(feature = "api", schema(value_type = Object))]
    event: CloudEvent<'a>,
}

impl<'a> MessageDocument<'a> {
    pub(super) fn of(message: &'a LeasedMessage, form: DataForm) -> Self {
        let LeasedMessage { delivery, token, deadline } = message;
        Self {
            delivery: delivery.id.0,
            attempt: delivery.attempts.saturating_add(1),
            token: token.to_string(),
            deadline: deadline.rfc3339(),
            event: CloudEvent::new(&delivery.event, &delivery.data, form),
        }
    }
}

/// What became of each lease.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema), schema(as = Results))]
pub(super) struct ResultsDocument {
    /// In the order of the request.
    results: Vec<ResultDocument>,
}

/// What became of one lease.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema), schema(as = Result))]
pub(super) struct ResultDocument {
    /// The lease's token, as it was sent.
    token: String,
    outcome: Outcome,
    /// When the message comes again, if it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "api", schema(format = DateTime))]
    due: Option<String>,
    /// When the lease ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "api", schema(format = DateTime))]
    deadline: Option<String>,
}

/// What became of a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub(super) enum Outcome {
    /// The message is delivered.
    Acked,
    /// The message comes again.
    Nacked,
    /// The message does not come again: it is a dead letter.
    Dead,
    /// The lease goes on.
    Extended,
    /// The lease had ended before: nothing was changed.
    Stale,
}

impl ResultDocument {
    fn new(outcome: Outcome) -> Self {
        Self { token: String::new(), outcome, due: None, deadline: None }
    }

    pub(super) fn acked(is_acked: bool) -> Self {
        Self::new(if is_acked { Outcome::Acked } else { Outcome::Stale })
    }

    pub(super) fn given_back(settled: Option<Settled>) -> Self {
        match settled {
            Some(Settled::Retry(due)) => Self { due: due.rfc3339(), ..Self::new(Outcome::Nacked) },
            Some(_) => Self::new(Outcome::Dead),
            None => Self::new(Outcome::Stale),
        }
    }

    pub(super) fn extended(deadline: Option<UnixMillis>) -> Self {
        match deadline {
            Some(deadline) => Self { deadline: deadline.rfc3339(), ..Self::new(Outcome::Extended) },
            None => Self::new(Outcome::Stale),
        }
    }
}

impl ResultsDocument {
    /// Puts the results of those tokens that are some to all that were named. If none had an effect, that is a problem:
    /// whoever looks at the status only is to know.
    pub(super) fn of(named: Vec<NamedToken>, results: Vec<ResultDocument>) -> Result<Self, ProblemDetails> {
        let mut results = results.into_iter();
        let results: Vec<ResultDocument> = named
            .into_iter()
            .map(|NamedToken { text, token }| {
                let result = token.and_then(|_| results.next());
                ResultDocument {
                    token: text,
                    ..result.unwrap_or_else(|| ResultDocument::new(Outcome::Stale))
                }
            })
            .collect();
        if results.iter().any(|result| result.outcome != Outcome::Stale) {
            return Ok(Self { results });
        }
        let detail = "every lease named here had ended before: it was answered, it expired, or it is of an earlier run";
        let results = results.iter().map(|result| json!(result)).collect::<Vec<Value>>();
        Err(ProblemDetails::new(StatusCode::CONFLICT, "stale-lease", detail).member("results", results))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::MessageToken;

    fn named(text: &str) -> NamedToken {
        NamedToken { text: text.to_owned(), token: MessageToken::parse(text) }
    }

    #[test]
    fn each_result_stands_beside_the_token_that_it_is_about() {
        let [a, b] = ["0123456789abcdef0123456789abcdef", "00000000000000000000000000000000"];
        let results = vec![ResultDocument::acked(false), ResultDocument::acked(true)];
        let told = ResultsDocument::of(vec![named(a), named("none"), named(b)], results).unwrap();
        assert_eq!(
            json!(told),
            json!({"results": [
                {"token": a, "outcome": "stale"}, {"token": "none", "outcome": "stale"}, {"token": b, "outcome": "acked"}
            ]})
        );
    }

    #[test]
    fn a_request_that_changed_nothing_is_a_conflict() {
        let problem = ResultsDocument::of(vec![named("none")], Vec::new()).unwrap_err();
        assert_eq!((problem.status(), problem.code()), (StatusCode::CONFLICT, "stale-lease"));
    }
}
