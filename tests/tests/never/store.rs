//! An event that got 2xx is lost, or waits for nobody.

use super::{SOURCE, local, post, request};
use anglerfish_tests::{Gateway, Receiver, Setup, eventually, send};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering};

#[test]
fn nothing_is_acknowledged_once_the_files_are_gone() {
    let mut gateway = Gateway::start(SOURCE);
    let _ = post(&gateway, "before", b"{}").expect(202);
    let data = gateway.directory().join("data");
    for part in ["", "-wal", "-shm"] {
        std::fs::remove_file(data.join(format!("anglerfish.db{part}"))).unwrap();
    }
    for id in ["late-1", "late-2"] {
        let answer = send(gateway.ingress(), &request(id, b"{}")).unwrap();
        assert_eq!(answer.problem(503), "store-unavailable");
    }
    assert_eq!(gateway.api("GET", "/ready", None).status, 503);
    gateway.wait_log("was removed while the gateway had it open");
    // Said once, and not for each request that is refused.
    let errors = gateway.log().lines().filter(|line| line.contains("ERROR")).count();
    assert_eq!(errors, 1, "{}", gateway.log());
    // What its sender sends again is taken in by the next one.
    gateway.kill();
    gateway.spawn();
    let _ = post(&gateway, "late-1", b"{}").expect(202);
}

#[test]
fn nothing_is_acknowledged_once_a_file_was_cut_short() {
    for (part, percent) in [("-wal", 0), ("-wal", 50), ("", 0), ("", 50)] {
        let mut gateway = Gateway::start(SOURCE);
        for number in 0..20 {
            let _ = post(&gateway, &format!("before-{number}"), &vec![b' '; 20_000]).expect(202);
        }
        let name = gateway.directory().join(format!("data/anglerfish.db{part}"));
        let file = std::fs::OpenOptions::new().write(true).open(&name).unwrap();
        let size = file.metadata().unwrap().len();
        file.set_len(size * percent / 100).unwrap();
        for id in ["late-1", "late-2"] {
            let answer = send(gateway.ingress(), &request(id, b"{}")).unwrap();
            // Whether an event was there before cannot be looked up either.
            let code = answer.problem(503);
            assert!(["store-unavailable", "state-unavailable"].contains(&&*code), "{part} {percent}: {code}");
        }
        // It still lives, whoever reads.
        for path in ["/v1/events?limit=100", "/v1/deliveries?limit=100"] {
            let _ = gateway.try_api("GET", path, None).unwrap();
        }
        assert_eq!(gateway.api("GET", "/ready", None).status, 503);
        gateway.wait_log("was cut short while the gateway had it open");
        assert!(gateway.runs(), "{part} {percent}");
    }
}

#[cfg(unix)]
#[test]
fn a_link_to_the_database_lets_no_second_gateway_in() {
    let gateway = Gateway::start(SOURCE);
    let data = gateway.directory().join("data");
    let other = gateway.directory().join("other");
    std::fs::create_dir(&other).unwrap();
    std::fs::hard_link(data.join("anglerfish.db"), other.join("anglerfish.db")).unwrap();
    let config = gateway.directory().join("other.toml");
    let text =
        "[server]\nlisten = \"127.0.0.1:0\"\ndata_dir = \"other\"\n[admin]\nlisten = \"127.0.0.1:0\"\n";
    std::fs::write(&config, text).unwrap();
    let output = Gateway::command().arg("serve").arg("--config").arg(&config).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("in use by another gateway"), "{told}");
    let _ = post(&gateway, "after", b"{}").expect(202);
}

#[test]
fn a_subscription_deleted_under_load_leaves_no_open_delivery() {
    let receiver = Receiver::start();
    let gateway = Gateway::start(SOURCE);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for sender in 0..4 {
            let (gateway, stop) = (&gateway, &stop);
            scope.spawn(move || {
                for number in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let _ = post(gateway, &format!("{sender}-{number}"), b"{}").expect(202);
                }
            });
        }
        let document = json!({"endpoint": {"url": receiver.url("/x"), "allow_private": true}});
        for number in 0..40 {
            let path = format!("/v1/subscriptions/x{number}");
            assert_eq!(gateway.api("PUT", &path, Some(&document)).status, 201);
            assert_eq!(gateway.api("DELETE", &path, None).status, 200);
        }
        stop.store(true, Ordering::Relaxed);
    });
    let open = gateway.list("/v1/deliveries?status=pending", 100);
    assert!(open.is_empty(), "{open:?}");
    let ended = gateway.list("/v1/deliveries?status=dead", 100);
    assert!(ended.iter().all(|one| one["reason"] == "the subscription was deleted"), "{ended:?}");
}

#[test]
fn open_deliveries_of_a_subscription_that_left_the_file_end_with_a_reason() {
    let receiver = Receiver::with(|_, _| anglerfish_tests::Reply::status(500));
    let waiting = "retry = { delays = [\"1h\"] }";
    let setup = |rest: String| Setup { rest, ..Setup::default() };
    let both = format!("{SOURCE}{}{}", local("gone", &receiver, waiting), local("stays", &receiver, waiting));
    let mut gateway = Gateway::set_up(&setup(both));
    let _ = post(&gateway, "e-1", b"{}").expect(202);
    eventually("both were attempted", || (receiver.requests().len() == 2).then_some(()));
    gateway.signal_end();
    assert_eq!(gateway.wait_end().code(), Some(0));
    gateway.write(&setup(format!("{SOURCE}{}", local("stays", &receiver, waiting))));
    gateway.spawn();
    let of = |id: &str| -> Value { gateway.list(&format!("/v1/deliveries?subscription={id}"), 9).remove(0) };
    assert_eq!(of("gone")["status"], "dead");
    assert_eq!(of("gone")["reason"], "the subscription was removed from the configuration file");
    assert_eq!(of("stays")["status"], "pending");
}
