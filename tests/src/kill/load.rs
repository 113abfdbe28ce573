//! Who sends: one for each key, as a provider does, again with the same id until there is an answer.

use super::campaign::Shared;
use super::ledger::{KEYS, Number};
use crate::{Request, github, send};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// The secret of the source.
pub(super) const SECRET: &str = "secret of the repository";

/// How long a sender waits after each event, at most: so long that the subscriber, who is slowest, comes along.
const PAUSE: Duration = Duration::from_millis(300);

/// Sends the events of one key until it is time to end.
pub(super) fn run(shared: &Shared, key: usize, seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    for place in 0.. {
        if shared.is_over.load(Ordering::SeqCst) {
            return;
        }
        let number = Number { key, place };
        let (id, body) = (format!("{key}-{place}"), format!("{{\"key\":{key},\"place\":{place}}}"));
        let request = Request {
            method: "POST".into(),
            path: "/in/hub".into(),
            headers: github(SECRET, &id, body.as_bytes()),
            body: body.into_bytes(),
            chunked: false,
        };
        loop {
            match send(shared.ingress, &request) {
                // 200: it was committed before, and the answer was lost with the process.
                Ok(answer) if matches!(answer.status, 200 | 202) => break,
                Ok(answer) if answer.status == 503 => {}
                Ok(answer) => panic!("{id}: {} {}", answer.status, answer.text()),
                Err(_) => {}
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        shared.ledger().accept(number);
        std::thread::sleep(PAUSE.mul_f64(random.f64()));
    }
}

/// The event of a body.
pub(super) fn number(body: &serde_json::Value) -> Option<Number> {
    let key = usize::try_from(body["key"].as_u64()?).ok().filter(|key| *key < KEYS)?;
    Some(Number { key, place: body["place"].as_u64()? })
}
