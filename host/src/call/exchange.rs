//! One exchange with an API: the request, the whole answer, and what both come to.

use super::api::ReadyApi;
use crate::outbound::{RetryAdvice, is_local, words};
use crate::store::{CallAnswer, StoredCall};
use anglerfish_core::call::{CallRequest, outgoing};
use anglerfish_core::config::CallPolicy;
use anglerfish_core::policy::{Answered, AttemptOutcome, FailureKind};
use anglerfish_core::request::UnixMillis;
use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, HeaderValue, SET_COOKIE, USER_AGENT};
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt, Full};
use std::borrow::Cow;
use std::error::Error;

/// What an exchange came to, before the policy has its say.
#[derive(Debug)]
pub(super) struct Exchanged {
    /// The whole answer, if there is one.
    pub(super) answer: Option<CallAnswer>,
    advice: RetryAdvice,
    failure: Option<(Failure, String)>,
    /// The limit that the answer's body is longer than, if it is: then it is not kept.
    cut: Option<usize>,
}

#[derive(Debug, Clone, Copy)]
enum Failure {
    /// On the way, or there.
    Transport,
    /// On this side.
    Local,
    /// Another attempt would come to the same.
    Lasting,
    /// It was answered as it should be, and the answer is too long to be kept.
    TooLong,
}

impl Exchanged {
    fn failed(failure: Failure, reason: impl Into<String>) -> Self {
        Self {
            answer: None,
            advice: RetryAdvice::default(),
            failure: Some((failure, reason.into())),
            cut: None,
        }
    }

    /// As the policy sees it.
    pub(super) fn outcome(&self) -> AttemptOutcome<'_> {
        match (&self.answer, &self.failure) {
            (Some(answer), None) => AttemptOutcome::Answered(Answered {
                status: answer.status,
                retry_after: self.advice.retry_after.as_deref(),
                rate_limit_reset: self.advice.rate_limit_reset.as_deref(),
                is_abort: self.advice.is_abort,
            }),
            (_, Some((Failure::Local, _))) => AttemptOutcome::Local,
            (_, Some((Failure::Lasting | Failure::TooLong, _))) => AttemptOutcome::Unsendable,
            (_, _) => AttemptOutcome::Failed(FailureKind::Connection),
        }
    }

    /// The status of the answer, if one came.
    pub(super) fn status(&self) -> Option<u16> {
        self.answer.as_ref().map(|answer| answer.status)
    }

    /// The `Retry-After` field.
    pub(super) fn retry_after(&self) -> Option<&str> {
        self.advice.retry_after.as_deref()
    }

    /// Why it is no answer, in words.
    pub(super) fn reason(&self) -> String {
        match (&self.failure, &self.answer) {
            (Some((_, reason)), _) => reason.clone(),
            (None, Some(answer)) => {
                let known = http::StatusCode::from_u16(answer.status).ok();
                let phrase = known.and_then(|status| status.canonical_reason()).unwrap_or_default();
                let answered = format!("answered {} {phrase}", answer.status).trim_end().to_owned();
                match self.cut {
                    Some(limit) => {
                        format!("{answered}; its body is longer than {limit} bytes and is not kept")
                    }
                    None => answered,
                }
            }
            (None, None) => "no answer".to_owned(),
        }
    }
}

/// Sends the request and reads the whole answer. It may be dropped at any time; the connection goes with it.
pub(super) async fn exchange(
    api: &ReadyApi,
    call: &StoredCall,
    policy: &CallPolicy,
    now: UnixMillis,
) -> Exchanged {
    let base = &api.target.outgoing;
    let fields = fields(api, &call.head.request);
    let request = outgoing(
        ((!api.definition.config.any_url).then_some(&base.uri), &base.method, &fields),
        &base.signer,
        &call.head.request,
        &call.body,
        (&api.key_field, &call.head.key),
        now,
    );
    let request = match request {
        Ok(request) => with_body(request, call.body.clone()),
        Err(error) => return Exchanged::failed(Failure::Lasting, format!("cannot be sent: {error}")),
    };
    let redact = |error: &(dyn Error + 'static)| {
        let failure = if is_local(error) { Failure::Local } else { Failure::Transport };
        Exchanged::failed(failure, api.target.hidden.redactor().redact(&words(error)))
    };
    let response = match api.target.client.request(request).await {
        Ok(response) => response,
        Err(error) => return redact(&error),
    };
    let (head, mut body) = response.into_parts();
    let limit = usize::try_from(policy.answer_limit).unwrap_or(usize::MAX);
    let (mut kept, mut cut) = (BytesMut::new(), None);
    while let Some(frame) = body.frame().await {
        let frame = match frame {
            Ok(frame) => frame,
            Err(error) => return redact(&error),
        };
        let Ok(data) = frame.into_data() else { continue };
        if kept.len() + data.len() > limit {
            // Half an answer is none. What its head says holds all the same.
            cut = Some(limit);
            kept.clear();
            break;
        }
        kept.extend_from_slice(&data);
    }
    let status = head.status.as_u16();
    let failure = cut.filter(|_| policy.success.contains(status)).map(|limit| {
        (
            Failure::TooLong,
            format!("the answer ({status}) is longer than {limit} bytes, and its body is not kept"),
        )
    });
    Exchanged {
        advice: RetryAdvice::read(&head.headers),
        answer: Some(CallAnswer { status, headers: kept_headers(&head.headers), body: kept.freeze() }),
        failure,
        cut,
    }
}

/// The fields of the API. That the gateway says who it is gives way to a caller who says so.
fn fields<'a>(api: &'a ReadyApi, request: &CallRequest) -> Cow<'a, HeaderMap> {
    let fields = &api.target.outgoing.headers;
    let is_agent = |name: &String| name.eq_ignore_ascii_case(USER_AGENT.as_str());
    let says = request.headers.iter().any(|(name, _)| is_agent(name));
    if !says || api.definition.config.endpoint.headers.iter().any(|(name, _)| is_agent(name)) {
        return Cow::Borrowed(fields);
    }
    let mut fields = fields.clone();
    fields.remove(USER_AGENT);
    Cow::Owned(fields)
}

fn with_body(request: Request<()>, body: Bytes) -> Request<Full<Bytes>> {
    let (mut head, ()) = request.into_parts();
    let has_body = matches!(head.method, Method::POST | Method::PUT | Method::PATCH);
    if body.is_empty() && has_body {
        // The client says nothing of an empty body, and some servers ask for its length (RFC 9110, section 8.6).
        head.headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    Request::from_parts(head, Full::new(body))
}

/// What of the head is kept: all but a cookie, which is a credential of whoever called.
fn kept_headers(headers: &HeaderMap) -> Vec<(String, String)> {
    let kept = headers.iter().filter(|(name, _)| **name != SET_COOKIE);
    kept.map(|(name, value)| (name.to_string(), text(value.as_bytes()))).collect()
}

/// A field's value as text: what is no UTF-8 is Latin-1, as fields once were (RFC 9110, section 5.5), so that no byte is lost.
fn text(value: &[u8]) -> String {
    let latin = |_| value.iter().map(|byte| char::from(*byte)).collect();
    std::str::from_utf8(value).map_or_else(latin, str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_of_an_answer_is_kept_but_a_cookie() {
        let mut headers = HeaderMap::new();
        for (name, value) in
            [("x-utf8", "ä".as_bytes()), ("x-latin", b"\xe4 a"), ("set-cookie", b"s=1"), ("x-a", b"1")]
        {
            headers.insert(name, HeaderValue::from_bytes(value).unwrap());
        }
        let kept = kept_headers(&headers);
        let kept: Vec<(&str, &str)> = kept.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(kept, [("x-utf8", "ä"), ("x-latin", "ä a"), ("x-a", "1")]);
    }
}
