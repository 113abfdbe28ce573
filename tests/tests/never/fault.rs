//! A fault in one part costs more than that part, or is not seen. The faults are injected: a debug build panics at a named
//! point where a test asks for it.

use super::{SOURCE, local, metric, post, request};
use anglerfish_tests::{Answer, Gateway, Receiver, Reply, Setup, eventually, send};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A gateway with faults to be had.
struct Faulty {
    gateway: Gateway,
    faults: TempDir,
}

impl Faulty {
    fn start(rest: &str) -> Self {
        let faults = tempfile::tempdir().unwrap();
        let environment = vec![("ANGLERFISH_TEST_FAULTS".to_owned(), faults.path().display().to_string())];
        let gateway = Gateway::set_up(&Setup { rest: rest.into(), environment, ..Setup::default() });
        Self { gateway, faults }
    }

    fn file(&self, point: &str) -> PathBuf {
        self.faults.path().join(point)
    }

    /// The next one who comes to this point panics.
    fn inject(&self, point: &str) -> PathBuf {
        let file = self.file(point);
        std::fs::write(&file, "").unwrap();
        file
    }

    fn ready(&self) -> Answer {
        self.gateway.api("GET", "/ready", None)
    }

    /// How often a part was started again.
    fn restarts(&self, part: &str) -> f64 {
        metric(&self.gateway, &format!("anglerfish_part_restarts_total{{part=\"{part}\"}}")).unwrap_or(0.0)
    }

    fn panics(&self) -> f64 {
        metric(&self.gateway, "anglerfish_panics_total").unwrap()
    }
}

fn is_gone(file: &Path) -> Option<()> {
    (!file.exists()).then_some(())
}

fn is(number: f64, expected: u8) -> bool {
    (number - f64::from(expected)).abs() < 0.5
}

#[test]
fn the_stores_writer_comes_back_and_is_counted() {
    let receiver = Receiver::start();
    let faulty = Faulty::start(&format!("{SOURCE}{}", local("a", &receiver, "")));
    let _ = post(&faulty.gateway, "before", b"{}").expect(202);
    let _ = faulty.inject("store writer");
    // Whoever comes first meets it, and is told that it failed.
    let answers: Vec<u16> = (0..5)
        .map(|number| send(faulty.gateway.ingress(), &request(&format!("d-{number}"), b"{}")).unwrap().status)
        .collect();
    assert!(answers.iter().filter(|status| **status != 202).count() <= 1, "{answers:?}");
    assert!(is(faulty.panics(), 1) && is(faulty.restarts("store writer"), 1));
    assert_eq!(faulty.ready().status, 200);
    let accepted = 1 + answers.iter().filter(|status| **status == 202).count();
    let deliveries = faulty.gateway.settled();
    assert_eq!(deliveries.len(), accepted);
    assert!(deliveries.iter().all(|one| one["status"] == "delivered"), "{deliveries:?}");
}

#[test]
fn a_store_that_dies_is_told_by_ready_and_refuses_until_it_lives_again() {
    let faulty = Faulty::start(SOURCE);
    let death = faulty.inject("store recovery.always");
    let _ = faulty.inject("store writer");
    let _ = send(faulty.gateway.ingress(), &request("first", b"{}"));
    eventually("it says that its writer is down", || {
        let answer = faulty.ready();
        (answer.status == 503 && answer.text().contains("store writer is down")).then_some(())
    });
    let refused = send(faulty.gateway.ingress(), &request("meanwhile", b"{}")).unwrap();
    assert_eq!(refused.problem(503), "store-unavailable");
    std::fs::remove_file(death).unwrap();
    eventually("it is ready again", || (faulty.ready().status == 200).then_some(()));
    let _ = post(&faulty.gateway, "meanwhile", b"{}").expect(202);
}

#[test]
fn deliveries_go_on_after_their_driver_and_an_attempt_broke_down() {
    let receiver = Receiver::with(|_, _| Reply::status(200));
    let delays = vec!["\"50ms\""; 20].join(", ");
    let retry = format!("retry = {{ delays = [{delays}], jitter = 0 }}");
    let faulty = Faulty::start(&format!("{SOURCE}{}", local("a", &receiver, &retry)));
    for (number, point) in ["deliveries", "attempt", "deliveries"].into_iter().enumerate() {
        let file = faulty.inject(point);
        let _ = post(&faulty.gateway, &format!("d-{number}"), b"{}").expect(202);
        eventually(point, || is_gone(&file));
        let deliveries = faulty.gateway.settled();
        assert_eq!(deliveries.len(), number + 1);
        assert!(deliveries.iter().all(|one| one["status"] == "delivered"), "{point}: {deliveries:?}");
    }
    assert!(is(faulty.panics(), 3) && is(faulty.restarts("deliveries"), 2));
    assert_eq!(faulty.ready().status, 200);
}

#[test]
fn a_request_that_breaks_down_is_answered_500_and_the_next_one_is_taken() {
    let faulty = Faulty::start(SOURCE);
    let _ = faulty.inject("request");
    let mut answers = vec![send(faulty.gateway.ingress(), &request("d-1", b"{}")).unwrap().status];
    // The management API may have met it instead.
    answers.push(send(faulty.gateway.ingress(), &request("d-1", b"{}")).unwrap().status);
    assert_eq!(answers, [500, 202]);
    assert!(is(faulty.panics(), 1));
}

#[test]
fn a_log_whose_writer_breaks_down_loses_a_line_and_nothing_else() {
    let receiver = Receiver::start();
    let rest = format!("[log]\nfilter = \"debug\"\n{SOURCE}{}", local("a", &receiver, ""));
    let faulty = Faulty::start(&rest);
    for number in 0..5 {
        let file = faulty.inject("log");
        let _ = post(&faulty.gateway, &format!("d-{number}"), b"{}").expect(202);
        eventually("a line was to be written", || is_gone(&file));
    }
    assert!(faulty.gateway.settled().iter().all(|one| one["status"] == "delivered"));
    faulty.gateway.wait_log("a fault at the point");
    assert!(metric(&faulty.gateway, "anglerfish_log_lines_lost_total").unwrap() > 4.5);
    assert_eq!(faulty.ready().status, 200);
}
