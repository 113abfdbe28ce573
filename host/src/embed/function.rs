//! Functions of the program as endpoints.

use super::Delivery;
use crate::clock::WallClock;
use crate::delivery::{AttemptFailure, Attempted, Endpoint};
use crate::store::LeasedDelivery;
use crate::supervision;
use async_trait::async_trait;
use futures_util::FutureExt;
use std::error::Error;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How much of an error's text is recorded, in bytes: as much as of an endpoint's answer.
const LONGEST_ERROR: usize = 4096;

/// Makes what takes deliveries, with the clock of the gateway that it is for.
pub(super) type MakeEndpoint = Arc<dyn Fn(&WallClock) -> Arc<dyn Endpoint> + Send + Sync>;

/// An endpoint that calls this function.
pub(super) fn function<F, R, E>(call: F) -> MakeEndpoint
where
    F: Fn(Delivery) -> R + Send + Sync + 'static,
    R: Future<Output = Result<(), E>> + Send + 'static,
    E: Into<Box<dyn Error + Send + Sync>> + 'static,
{
    let call = Arc::new(call);
    Arc::new(move |clock| Arc::new(Function { call: Arc::clone(&call), clock: clock.clone() }))
}

struct Function<F> {
    call: Arc<F>,
    clock: WallClock,
}

#[async_trait]
impl<F, R, E> Endpoint for Function<F>
where
    F: Fn(Delivery) -> R + Send + Sync + 'static,
    R: Future<Output = Result<(), E>> + Send + 'static,
    E: Into<Box<dyn Error + Send + Sync>> + 'static,
{
    async fn attempt(&self, delivery: LeasedDelivery, timeout: Duration) -> Attempted {
        let (started, begun) = (self.clock.now(), Instant::now());
        let delivery = Delivery::from(delivery);
        // Called inside, so that a panic in making the future is caught as well.
        let call = async { (self.call)(delivery).await.map_err(|error| words(&*error.into())) };
        let called = tokio::time::timeout(timeout, AssertUnwindSafe(call).catch_unwind()).await;
        let failed = match called {
            Ok(Ok(Ok(()))) => None,
            Ok(Ok(Err(error))) => Some((AttemptFailure::Endpoint, error)),
            Ok(Err(panic)) => {
                let reason = supervision::reason(&*panic);
                Some((AttemptFailure::Endpoint, format!("the function panicked: {reason}")))
            }
            Err(_) => Some((AttemptFailure::Timeout, format!("timed out after {timeout:?}"))),
        };
        let failed = failed.map(|(failure, reason)| (failure, cut(reason)));
        Attempted::within(started, begun.elapsed(), failed)
    }
}

/// An error with those that led to it.
fn words(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        // Many write their cause into their own text.
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}

fn cut(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(LONGEST_ERROR));
    text
}
