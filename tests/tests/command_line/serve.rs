//! `anglerfish serve`: how it starts, and how it ends.

use super::{GITHUB, OUTGOING, SOURCES};
use anglerfish_tests::{Answer, Gateway, PATIENCE, Receiver, Reply, Setup, github};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

fn subscription(receiver: &Receiver) -> String {
    format!(
        "{SOURCES}\n[[subscription]]\nid = \"all\"\nendpoint = {{ url = \"{}\", secret = \"{OUTGOING}\", \
         allow_private = true }}\ndelivery = {{ timeout = \"10m\", retry = {{ delays = [\"0s\"] }} }}\n",
        receiver.url("/all")
    )
}

fn post(gateway: &Gateway, id: &str) -> Answer {
    gateway.post("hub", &github(GITHUB, id, b"{}"), b"{}")
}

/// A gateway with an attempt under way.
fn attempting(receiver: &Receiver, shutdown_timeout: &str) -> Gateway {
    let setup = Setup {
        server: format!("shutdown_timeout = {shutdown_timeout:?}"),
        rest: subscription(receiver),
        ..Setup::default()
    };
    let gateway = Gateway::set_up(&setup);
    let _ = post(&gateway, "d-1").expect(202);
    let _ = receiver.wait(1);
    gateway
}

/// A receiver that holds its first answer back.
fn holding() -> Receiver {
    Receiver::with(|_, number| if number == 0 { Reply::held(200) } else { Reply::status(200) })
}

#[test]
fn told_to_end_it_finishes_the_attempt_under_way() {
    for signal in ["TERM", "INT"] {
        let receiver = Receiver::with(|_, _| Reply::held(200));
        let mut gateway = attempting(&receiver, "10m");
        gateway.signal(signal);
        gateway.wait_log("stopping");
        assert!(gateway.runs(), "the attempt has not ended");
        receiver.release();
        assert_eq!(gateway.wait_end().code(), Some(0), "{}", gateway.log());
        gateway.spawn();
        let deliveries = gateway.settled();
        assert_eq!(
            (&deliveries[0]["status"], &deliveries[0]["attempt_count"]),
            (&"delivered".into(), &1.into())
        );
        assert_eq!(receiver.requests().len(), 1);
    }
}

#[test]
fn told_to_end_it_answers_the_request_under_way_and_takes_no_new_one() {
    let receiver = Receiver::start();
    let mut gateway = Gateway::start(&subscription(&receiver));
    let body = b"{\"slow\":true}";
    let mut head = format!(
        "POST /in/hub HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: {}\r\n",
        body.len()
    );
    for (name, value) in github(GITHUB, "d-1", body) {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let mut stream = TcpStream::connect(gateway.ingress()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(format!("{head}\r\n").as_bytes()).unwrap();
    // The next request is answered, so this one is being read.
    let _ = post(&gateway, "d-0").expect(202);
    gateway.signal_end();
    gateway.wait_log("stopping");
    anglerfish_tests::eventually("no connection is taken", || TcpStream::connect(gateway.ingress()).err());
    stream.write_all(body).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 202 "), "{answer}");
    assert_eq!(gateway.wait_end().code(), Some(0));
    gateway.spawn();
    let _ = gateway.settled();
    assert_eq!(gateway.list("/v1/events", 10).len(), 2);
}

#[test]
fn a_second_signal_ends_it_at_once_and_the_delivery_goes_on_at_the_next_start() {
    let receiver = holding();
    let mut gateway = attempting(&receiver, "10m");
    gateway.signal_end();
    gateway.wait_log("stopping");
    gateway.signal_end();
    assert_eq!(gateway.wait_end().code(), Some(1));
    assert!(gateway.log().contains("second signal"), "{}", gateway.log());
    gateway.spawn();
    assert_eq!(gateway.settled()[0]["status"], "delivered");
    assert_eq!(receiver.requests().len(), 2);
}

#[test]
fn an_attempt_that_does_not_end_holds_it_up_no_longer_than_it_was_told() {
    let receiver = holding();
    let mut gateway = attempting(&receiver, "200ms");
    gateway.signal_end();
    assert_eq!(gateway.wait_end().code(), Some(0));
    gateway.spawn();
    assert_eq!(gateway.settled()[0]["status"], "delivered");
}

#[test]
fn a_slow_sender_a_hanging_attempt_and_a_slow_client_share_one_time_for_stopping() {
    let receiver = holding();
    let timeout = Duration::from_secs(6);
    let mut gateway = attempting(&receiver, "6s");
    let mut slow = Vec::new();
    for (address, path) in [(gateway.ingress(), "/in/hub"), (gateway.admin(), "/v1/subscriptions")] {
        let mut stream = TcpStream::connect(address).unwrap();
        let head = "host: localhost\r\ncontent-type: application/json\r\ncontent-length: 10\r\n\r\n{";
        stream.write_all(format!("POST {path} HTTP/1.1\r\n{head}").as_bytes()).unwrap();
        slow.push(stream);
    }
    // Both have been accepted once later ones are answered.
    let _ = post(&gateway, "d-2").expect(202);
    assert_eq!(gateway.api("GET", "/ready", None).status, 200);
    let told = Instant::now();
    gateway.signal_end();
    assert_eq!(gateway.wait_end().code(), Some(0), "{}", gateway.log());
    assert!(told.elapsed() < timeout * 2, "it took {:?}", told.elapsed());
    receiver.release();
    gateway.spawn();
    assert!(gateway.settled().iter().all(|one| one["status"] == "delivered"));
}

#[test]
fn a_second_gateway_on_the_same_data_is_refused_and_the_first_goes_on() {
    let receiver = Receiver::start();
    let first = Gateway::start(&subscription(&receiver));
    let data = first.directory().join("data");
    let setup = Setup {
        rest: subscription(&receiver),
        environment: vec![("ANGLERFISH_SERVER_DATA_DIR".into(), data.display().to_string())],
        ..Setup::default()
    };
    let second = Gateway::prepare(&setup);
    let told = second.run(&["serve"], b"").expect(2);
    assert_eq!(told.stdout, "");
    for words in [
        &data.join("anglerfish.db").display().to_string(),
        "in use by another gateway",
        &format!("process {}", first.process()),
    ] {
        assert!(told.stderr.contains(words), "{words}: {}", told.stderr);
    }
    let _ = post(&first, "d-1").expect(202);
    let _ = receiver.wait(1);
}

#[test]
fn an_address_that_is_taken_is_named_with_its_key() {
    for key in ["server.listen", "admin.listen"] {
        let gateway = Gateway::prepare(&Setup::default());
        let address = if key == "server.listen" { gateway.ingress() } else { gateway.admin() };
        let _other = TcpListener::bind(address).unwrap();
        let told = gateway.run(&["serve"], b"").expect(1);
        assert!(
            told.stderr.contains(&format!("error: failed to listen on {address} ({key}): ")),
            "{}",
            told.stderr
        );
        assert!(told.stderr.contains("hint: "), "{}", told.stderr);
        assert!(!gateway.directory().join("data/anglerfish.db").exists(), "the data was touched");
    }
}

#[test]
fn a_configuration_with_problems_does_not_start_and_touches_nothing() {
    let rest = "[[source]]\nname = \"a\"\nscheme = \"nothing\"\n[[subscription]]\nid = \"b\"\nfilter = \"nope(\"\n\
                endpoint = { url = \"https://h\" }\n";
    let gateway = Gateway::prepare(&Setup { rest: rest.into(), ..Setup::default() });
    std::fs::remove_dir_all(gateway.directory().join("data")).ok();
    let served = gateway.run(&["serve"], b"").expect(2);
    let checked = gateway.run(&["check"], b"").expect(2);
    assert_eq!(served.stderr, checked.stderr, "both say the same");
    assert!(served.stderr.contains("error: 2 problems in the configuration"), "{}", served.stderr);
    assert!(!gateway.directory().join("data").exists());
}

#[test]
fn what_only_the_component_sees_is_told_with_its_place_too() {
    let rest = "[[subscription]]\nid = \"b\"\nfilter = '''\nmessage.a &&\n  nope(1)'''\nendpoint = { url = \"https://h\" }\n";
    let gateway = Gateway::prepare(&Setup { rest: rest.into(), ..Setup::default() });
    let served = gateway.run(&["serve"], b"").expect(2);
    assert!(served.stderr.contains("subscription[0].filter: "), "{}", served.stderr);
    assert_eq!(served.stderr, gateway.run(&["check"], b"").expect(2).stderr);
}

#[test]
fn data_that_is_not_its_own_is_refused_and_left_as_it_is() {
    let gateway = Gateway::prepare(&Setup::default());
    let data = gateway.directory().join("data");
    std::fs::create_dir_all(&data).unwrap();
    let file = data.join("anglerfish.db");
    std::fs::write(&file, "dear diary, ".repeat(1000)).unwrap();
    let told = gateway.run(&["serve"], b"").expect(2);
    assert!(told.stderr.contains("anglerfish.db is not an SQLite database"), "{}", told.stderr);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "dear diary, ".repeat(1000));

    let gateway = Gateway::prepare(&Setup::default());
    let data = gateway.directory().join("data");
    std::fs::remove_dir_all(&data).ok();
    std::fs::write(&data, "").unwrap();
    let told = gateway.run(&["serve"], b"").expect(1);
    assert!(told.stderr.contains("data"), "{}", told.stderr);
}

#[cfg(unix)]
#[test]
fn what_it_keeps_only_its_own_user_can_read() {
    use std::os::unix::fs::PermissionsExt;
    let mut gateway = Gateway::prepare(&Setup { rest: SOURCES.into(), ..Setup::default() });
    let data = gateway.directory().join("data");
    std::fs::remove_dir_all(&data).ok();
    gateway.spawn();
    let _ = post(&gateway, "d-1").expect(202);
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&data), 0o700);
    assert_eq!(mode(&data.join("cache")), 0o700);
    for file in [
        "anglerfish.db",
        "anglerfish.db-wal",
        "anglerfish.db-shm",
        "anglerfish.db-attempts",
        "anglerfish.db.lock",
    ] {
        assert_eq!(mode(&data.join(file)), 0o600, "{file}");
    }
}

#[test]
fn watching_its_file_it_reads_it_again_whenever_it_changes_and_a_mistake_changes_nothing() {
    let gateway = Gateway::prepare(&Setup { rest: SOURCES.into(), ..Setup::default() });
    let _serving = gateway.begin(&["serve", "--watch"]);
    let request = |path: &str| gateway.try_api("GET", path, None).ok().filter(|answer| answer.status == 200);
    anglerfish_tests::eventually("it is ready", || request("/ready"));
    let more = format!("{SOURCES}[[source]]\nname = \"more\"\nscheme = \"none\"\n");
    gateway.write(&Setup { rest: more.clone(), ..Setup::default() });
    anglerfish_tests::eventually("the new source is there", || request("/v1/sources/more"));
    gateway.write(&Setup { rest: format!("{more}nonsense"), ..Setup::default() });
    let status = anglerfish_tests::eventually("the mistake is told", || {
        let status = gateway.get("/v1/config/status");
        (status["last"]["outcome"] == "refused").then_some(status)
    });
    assert_eq!((&status["last"]["cause"], &status["generation"]), (&"watch".into(), &2.into()), "{status}");
    assert!(request("/v1/sources/more").is_some());
}

#[test]
fn it_says_on_stderr_where_it_listens() {
    let gateway = Gateway::start(SOURCES);
    gateway.wait_log(&format!("http://{}/in/{{source}}", gateway.ingress()));
    gateway.wait_log(&format!("http://{}", gateway.admin()));
}
