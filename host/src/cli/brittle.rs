//! A brittle API, to try against it what is said to survive one.

use super::Failure;
use axum::body::{Body, Bytes};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use clap::Args;
use futures_util::stream;
use std::io;
use std::time::Duration;

/// How brittle it is; without any of these it is no API at all.
#[derive(Debug, Args)]
pub(super) struct BrittleArgs {
    /// Fail with this probability
    #[arg(long, value_name = "P")]
    failure_rate: Option<f64>,
    /// Of the failures close the connection without a word with this probability
    #[arg(long, value_name = "P")]
    silent_failure_rate: Option<f64>,
    /// Take so many seconds for an answer at least
    #[arg(long, value_name = "SECONDS")]
    min_latency: Option<f64>,
    /// Take so many seconds for an answer at most
    #[arg(long, value_name = "SECONDS")]
    max_latency: Option<f64>,
}

/// How brittle it is.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Brittle {
    failure: f64,
    silent: f64,
    /// In seconds.
    latency: (f64, f64),
}

/// The longest latency, in seconds.
const LONGEST: f64 = 3600.0;

impl BrittleArgs {
    pub(super) fn brittle(&self) -> Result<Option<Brittle>, Failure> {
        let Self { failure_rate, silent_failure_rate, min_latency, max_latency } = self;
        if [failure_rate, silent_failure_rate, min_latency, max_latency].iter().all(|one| one.is_none()) {
            return Ok(None);
        }
        let rate = |name: &str, rate: Option<f64>| match rate {
            Some(rate) if !(0.0..=1.0).contains(&rate) => {
                Err(Failure::misuse(format_args!("--{name} {rate}: a probability is from 0 to 1")))
            }
            rate => Ok(rate.unwrap_or_default()),
        };
        let least = min_latency.unwrap_or_default();
        let most = max_latency.unwrap_or(least);
        if !(0.0..=LONGEST).contains(&least) || !(least..=LONGEST).contains(&most) {
            return Err(Failure::misuse(
                "a latency is from 0 to 3600 seconds, and the least is no more than the most",
            ));
        }
        Ok(Some(Brittle {
            failure: rate("failure-rate", *failure_rate)?,
            silent: rate("silent-failure-rate", *silent_failure_rate)?,
            latency: (least, most),
        }))
    }
}

impl Brittle {
    /// What it answers, after its time; `None` is silence.
    pub(super) async fn answer(&self, head: &http::request::Parts, body: &Bytes) -> Option<Response> {
        let (method, path) = (&head.method, head.uri.path());
        match path {
            "/up" if matches!(*method, Method::GET | Method::HEAD) => {
                return Some(StatusCode::OK.into_response());
            }
            "/api" if *method != Method::POST || body.is_empty() => {
                return Some(StatusCode::BAD_REQUEST.into_response());
            }
            "/api" => {}
            _ => return Some(StatusCode::NOT_FOUND.into_response()),
        }
        let Ok(text) = std::str::from_utf8(body) else {
            return Some(StatusCode::BAD_REQUEST.into_response());
        };
        let (least, most) = self.latency;
        let latency = least + (most - least) * fastrand::f64();
        tokio::time::sleep(Duration::try_from_secs_f64(latency).unwrap_or_default()).await;
        if fastrand::f64() >= self.failure {
            return Some(text.chars().rev().collect::<String>().into_response());
        }
        if fastrand::f64() >= self.silent {
            return Some(StatusCode::SERVICE_UNAVAILABLE.into_response());
        }
        None
    }
}

/// An answer that breaks off before it has begun: the server closes the connection.
pub(super) fn silence() -> Response {
    let broken = stream::once(async { Err::<Bytes, _>(io::Error::other("no answer")) });
    let mut response = Response::new(Body::from_stream(broken));
    // Whoever gets as far as reading a head finds that its body is missing.
    response.headers_mut().insert(http::header::CONTENT_LENGTH, http::HeaderValue::from_static("1"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(failure: Option<f64>, silent: Option<f64>, least: Option<f64>, most: Option<f64>) -> BrittleArgs {
        BrittleArgs {
            failure_rate: failure,
            silent_failure_rate: silent,
            min_latency: least,
            max_latency: most,
        }
    }

    async fn answer(brittle: &Brittle, method: &str, path: &str, body: &'static str) -> Option<u16> {
        let head = http::Request::builder().method(method).uri(path).body(()).unwrap().into_parts().0;
        let answer = brittle.answer(&head, &Bytes::from_static(body.as_bytes())).await;
        answer.map(|answer| answer.status().as_u16())
    }

    #[tokio::test]
    async fn answers_fails_and_keeps_silent_as_it_is_told() {
        let brittle =
            |failure, silent| args(Some(failure), Some(silent), None, None).brittle().unwrap().unwrap();
        for (failure, silent, expected) in [(0.0, 0.0, Some(200)), (1.0, 0.0, Some(503)), (1.0, 1.0, None)] {
            assert_eq!(answer(&brittle(failure, silent), "POST", "/api", "abc").await, expected);
        }
        let fine = brittle(0.0, 0.0);
        assert_eq!(answer(&fine, "GET", "/up", "").await, Some(200));
        assert_eq!(answer(&fine, "GET", "/api", "").await, Some(400));
        assert_eq!(answer(&fine, "POST", "/api", "").await, Some(400));
        let head = http::Request::post("/api").body(()).unwrap().into_parts().0;
        let body = fine.answer(&head, &Bytes::from("äbc")).await.unwrap().into_body();
        assert_eq!(axum::body::to_bytes(body, 99).await.unwrap(), "cbä");
    }

    #[test]
    fn without_an_option_it_is_no_api_and_odd_ones_are_misuse() {
        assert_eq!(args(None, None, None, None).brittle().unwrap(), None);
        assert!(args(Some(1.5), None, None, None).brittle().is_err());
        assert!(args(None, Some(-0.1), None, None).brittle().is_err());
        assert!(args(None, None, Some(3.0), Some(1.0)).brittle().is_err());
        assert!(args(None, None, Some(1.0), None).brittle().unwrap().is_some());
    }
}
