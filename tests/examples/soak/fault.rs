//! Faults: one after another, each undone before the next.

use crate::ledger::Ledger;
use crate::plan::{SECRET, SUBSCRIBERS, tables};
use crate::reader::LogReader;
use crate::receiver;
use anglerfish_tests::{Gateway, Setup, github};
use serde_json::json;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::Child;
use std::sync::{RwLock, RwLockReadGuard};
use std::time::{Duration, Instant};

/// Everything that faults are done to.
pub(crate) struct Faults<'a> {
    pub(crate) gateway: &'a RwLock<Gateway>,
    pub(crate) setup: Setup,
    pub(crate) ledger: &'a Ledger,
    pub(crate) log: LogReader,
    pub(crate) ports: Vec<u16>,
    pub(crate) receivers: Vec<Child>,
    pub(crate) random: fastrand::Rng,
    pub(crate) done: Vec<&'static str>,
    /// The file that says how far the gateway's clock is off, if it can be put wrong here.
    pub(crate) clock: Option<PathBuf>,
}

const KINDS: [&str; 13] = [
    "a receiver is killed",
    "the store is locked",
    "nobody reads the log",
    "silent connections",
    "unfinished bodies",
    "the configuration is reloaded",
    "a broken configuration is reloaded",
    "subscriptions are written and deleted",
    "the management API is asked for much",
    "bodies come byte by byte",
    "endpoints have names that are dead",
    "the gateway is killed",
    "the clock is wrong",
];

impl Faults<'_> {
    fn gateway(&self) -> RwLockReadGuard<'_, Gateway> {
        self.gateway.read().expect("nobody panics with the gateway in hand")
    }

    /// The file in which a receiver notes what it took.
    pub(crate) fn notes(&self, index: usize) -> PathBuf {
        self.gateway().directory().join(format!("received-{}", SUBSCRIBERS[index].id))
    }

    /// Faults until `end`, with pauses in which all is well.
    pub(crate) fn run(&mut self, end: Instant) {
        let begun = Instant::now();
        while Instant::now() + Duration::from_secs(15) < end {
            let kind = KINDS[self.random.usize(..KINDS.len())];
            // Memory is compared within the second half, of one process.
            let is_late = begun.elapsed() > (end - begun) / 2;
            if kind == "the gateway is killed" && is_late
                || kind == "the clock is wrong" && self.clock.is_none()
            {
                continue;
            }
            let length = Duration::from_millis(self.random.u64(1000..8000));
            self.done.push(kind);
            self.inject(kind, length);
            // In the last third there is nobody left to read the log.
            if begun.elapsed() > (end - begun) * 2 / 3 {
                self.log.leave();
            }
            std::thread::sleep(Duration::from_millis(self.random.u64(1000..6000)));
        }
    }

    fn inject(&mut self, kind: &str, length: Duration) {
        match kind {
            "a receiver is killed" => {
                let index = self.random.usize(..self.receivers.len());
                let _ = self.receivers[index].kill();
                let _ = self.receivers[index].wait();
                std::thread::sleep(length);
                self.receivers[index] =
                    receiver::start(self.ports[index], &self.notes(index), SUBSCRIBERS[index].id);
            }
            "the store is locked" => {
                let other = rusqlite::Connection::open(self.gateway().directory().join("data/anglerfish.db"));
                let other = other.expect("the database cannot be opened");
                other.busy_timeout(Duration::from_secs(30)).expect("no timeout can be set");
                if other.execute_batch("BEGIN IMMEDIATE").is_ok() {
                    std::thread::sleep(length);
                    let _ = other.execute_batch("ROLLBACK");
                }
            }
            "nobody reads the log" => {
                self.log.sleep();
                std::thread::sleep(length);
                self.log.wake();
            }
            "silent connections" => {
                let said = [&b""[..], b"PRI * HTTP/2.0\r\n", b"POST /in/s0 HTTP/1.1\r\nhost: a\r\n"];
                let said = said[self.random.usize(..said.len())];
                let held = [self.gateway().ingress(), self.gateway().admin()]
                    .map(|address| open(address, 150, said));
                std::thread::sleep(length);
                drop(held);
            }
            "unfinished bodies" => {
                let mut said = "POST /in/s0 HTTP/1.1\r\nhost: a\r\ncontent-length: 900000\r\n".to_owned();
                for (name, value) in github(SECRET, "unfinished", b"") {
                    said.push_str(&format!("{name}: {value}\r\n"));
                }
                let mut said = format!("{said}\r\n").into_bytes();
                said.extend_from_slice(&vec![b' '; 400_000]);
                let held = open(self.gateway().ingress(), 150, &said);
                std::thread::sleep(length);
                drop(held);
            }
            "the configuration is reloaded" => {
                let rest = tables(&self.ports, self.random.bool());
                self.gateway().write(&Setup { rest, ..self.setup.clone() });
                self.gateway().signal("HUP");
                std::thread::sleep(length);
            }
            "a broken configuration is reloaded" => {
                let rest =
                    format!("{}\n[[source]]\nname = \"s0\"\nscheme = \"none-such\"\n", self.setup.rest);
                self.gateway().write(&Setup { rest, ..self.setup.clone() });
                self.gateway().signal("HUP");
                std::thread::sleep(length);
                self.gateway().write(&self.setup);
            }
            "subscriptions are written and deleted" => {
                let end = Instant::now() + length;
                while Instant::now() < end {
                    let path = format!("/v1/subscriptions/passing-{}", self.random.u8(..10));
                    let filter = format!("message.n == {}", self.random.u32(..));
                    let document = json!({
                        "filter": filter, "endpoint": {"url": "http://127.0.0.1:1029/", "allow_private": true}
                    });
                    for method in ["PUT", "DELETE"] {
                        let answer =
                            self.gateway().try_api(method, &path, (method == "PUT").then_some(&document));
                        if let Ok(answer) = answer
                            && answer.status == 500
                        {
                            self.ledger.odd(format!("{method} {path}: 500 {}", answer.text()));
                        }
                    }
                    std::thread::sleep(Duration::from_millis(20));
                }
            }
            "bodies come byte by byte" => {
                let head = b"POST /in/s0 HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\n\r\n";
                let mut held = open(self.gateway().ingress(), 50, head);
                let end = Instant::now() + length;
                while Instant::now() < end {
                    held.retain_mut(|stream| stream.write_all(b" ").is_ok());
                    std::thread::sleep(Duration::from_millis(100));
                }
            }
            "endpoints have names that are dead" => {
                let paths: Vec<String> =
                    (0..40).map(|number| format!("/v1/subscriptions/passing-name-{number}")).collect();
                for (number, path) in paths.iter().enumerate() {
                    let document = json!({
                        "filter": "message.n % 20 == 0",
                        "endpoint": {"url": format!("http://dead-{number}.invalid/")}
                    });
                    let _ = self.gateway().try_api("PUT", path, Some(&document));
                }
                std::thread::sleep(length);
                for path in &paths {
                    let _ = self.gateway().try_api("DELETE", path, None);
                }
            }
            "the gateway is killed" => {
                let mut gateway = self.gateway.write().expect("nobody panics with the gateway in hand");
                gateway.kill();
                let stderr = gateway.spawn_piped();
                self.log = LogReader::start(stderr, &gateway.directory().join("log"));
            }
            "the clock is wrong" => {
                let Some(clock) = &self.clock else { return };
                let off = self.random.i32(-90_000..90_000);
                std::fs::write(clock, format!("{off:+}\n")).expect("the clock cannot be put wrong");
                std::thread::sleep(length);
                std::fs::write(clock, "+0\n").expect("the clock cannot be put right");
            }
            _ => {
                let end = Instant::now() + length;
                while Instant::now() < end {
                    for path in ["/v1/events?limit=200", "/v1/deliveries?limit=200", "/metrics", "/ready"] {
                        let _ = self.gateway().try_api("GET", path, None);
                    }
                }
            }
        }
    }
}

fn open(address: SocketAddr, count: usize, said: &[u8]) -> Vec<TcpStream> {
    (0..count)
        .filter_map(|_| {
            let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(5)).ok()?;
            stream.set_write_timeout(Some(Duration::from_millis(200))).ok()?;
            let _ = stream.write_all(said);
            Some(stream)
        })
        .collect()
}
