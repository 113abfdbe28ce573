//! The log never fails the work that it tells of.

use super::{SOURCE, local, metric, post, request};
use anglerfish_tests::{Gateway, Receiver, Reply, Setup, eventually, send};

/// What becomes of stderr before the gateway starts, and whether lines are lost for sure: a system takes what is written to
/// a descriptor that is closed, and a pipe and a queue take some. `$3` is the configuration's file.
const STDERR: [(&str, &str, bool); 4] = [
    ("it is closed", "exec 2>&-", false),
    ("its disk is full", "exec 2>/dev/full", true),
    ("its reader is gone", "cd \"$(dirname \"$3\")\"; mkfifo pipe; true <pipe & exec 2>pipe", true),
    ("nobody takes anything out of it", "cd \"$(dirname \"$3\")\"; mkfifo pipe; exec 2<>pipe", false),
];

#[test]
fn a_log_that_cannot_be_written_costs_neither_an_event_nor_a_delivery_nor_a_part() {
    for (what, shell, loses) in STDERR {
        // Each event fails first, which is logged.
        let receiver = Receiver::with(|_, number| Reply::status(if number % 2 == 0 { 500 } else { 200 }));
        let delays = vec!["\"20ms\""; 50].join(", ");
        let subscription = local("a", &receiver, &format!("retry = {{ delays = [{delays}], jitter = 0 }}"));
        let mut gateway = Gateway::set_up(&Setup {
            rest: format!("[log]\nfilter = \"debug,hyper=trace\"\n{SOURCE}{subscription}"),
            shell: Some(shell.into()),
            ..Setup::default()
        });
        for number in 0..30 {
            let answer = send(gateway.ingress(), &request(&format!("d-{number}"), b"{}"))
                .unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_eq!(answer.status, 202, "{what}: {}", answer.text());
        }
        assert!(gateway.settled().iter().all(|one| one["status"] == "delivered"), "{what}");

        // What the store's writer has to say is said on its own thread.
        let other = rusqlite::Connection::open(gateway.directory().join("data/anglerfish.db")).unwrap();
        other.busy_timeout(std::time::Duration::from_secs(60)).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let refused = send(gateway.ingress(), &request("meanwhile", b"{}")).unwrap();
        assert_eq!(refused.problem(503), "store-unavailable", "{what}");
        other.execute_batch("ROLLBACK").unwrap();
        drop(other);
        let _ = eventually("the store takes events again", || {
            Some(post(&gateway, "meanwhile", b"{}")).filter(|answer| answer.status == 202)
        });
        assert!(gateway.settled().iter().all(|one| one["status"] == "delivered"), "{what}");
        assert_eq!(gateway.api("GET", "/ready", None).status, 200, "{what}");
        assert!(metric(&gateway, "anglerfish_panics_total").unwrap().abs() < 0.5, "{what}");
        assert!(!loses || metric(&gateway, "anglerfish_log_lines_lost_total").unwrap() > 0.5, "{what}");
        gateway.signal_end();
        assert_eq!(gateway.wait_end().code(), Some(0), "{what}");
    }
}
