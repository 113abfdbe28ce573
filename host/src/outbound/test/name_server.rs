//! A name server: answers what it is told to, refuses to know the rest, or says nothing at all.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

const A: u16 = 1;
const AAAA: u16 = 28;
const NO_ERROR: u8 = 0;
const SERVER_FAILURE: u8 = 2;
const NO_NAME: u8 = 3;

#[derive(Debug, Default)]
struct Zone {
    addresses: Mutex<HashMap<String, Vec<IpAddr>>>,
    ttl: AtomicU32,
    fails: AtomicBool,
    asked: Mutex<HashMap<String, usize>>,
}

/// Runs until it is dropped. Names under `silent.` get no answer, those under `broken.` a failure.
pub(crate) struct NameServer {
    pub(crate) address: SocketAddr,
    zone: Arc<Zone>,
    task: JoinHandle<()>,
}

impl NameServer {
    pub(crate) async fn start(names: &[(&str, &[&str])]) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let zone = Arc::new(Zone::default());
        for (name, addresses) in names {
            zone.set(name, addresses);
        }
        let task = tokio::spawn(serve(socket, zone.clone()));
        Self { address, zone, task }
    }

    /// One that never says anything.
    pub(super) async fn mute() -> (SocketAddr, UdpSocket) {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        (socket.local_addr().unwrap(), socket)
    }

    pub(super) fn set(&self, name: &str, addresses: &[&str]) {
        self.zone.set(name, addresses);
    }

    pub(super) fn set_ttl(&self, seconds: u32) {
        self.zone.ttl.store(seconds, Ordering::SeqCst);
    }

    /// Answers everything with a failure, or no longer: as a resolver that reaches no other server.
    pub(super) fn fail(&self, fails: bool) {
        self.zone.fails.store(fails, Ordering::SeqCst);
    }

    /// How often the IPv4 addresses of a name were asked for.
    pub(super) fn asked(&self, name: &str) -> usize {
        self.zone.asked.lock().unwrap().get(name).copied().unwrap_or_default()
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Zone {
    fn set(&self, name: &str, addresses: &[&str]) {
        let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
        self.addresses.lock().unwrap().insert(name.to_owned(), addresses);
    }
}

async fn serve(socket: UdpSocket, zone: Arc<Zone>) {
    let mut buffer = [0; 1500];
    loop {
        let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
        if let Some(answer) = answer(&buffer[..length], &zone) {
            socket.send_to(&answer, from).await.unwrap();
        }
    }
}

/// RFC 1035, section 4.1: the header, the question as it came, the records.
fn answer(question: &[u8], zone: &Zone) -> Option<Vec<u8>> {
    let (mut name, mut place) = (Vec::new(), 12);
    while question[place] != 0 {
        let end = place + 1 + usize::from(question[place]);
        name.push(String::from_utf8_lossy(&question[place + 1..end]).to_lowercase());
        place = end;
    }
    let name = name.join(".");
    let kind = u16::from_be_bytes([question[place + 1], question[place + 2]]);
    if kind == A {
        *zone.asked.lock().unwrap().entry(name.clone()).or_default() += 1;
    }
    if name.ends_with("silent.test") {
        return None;
    }
    let known = zone.addresses.lock().unwrap().get(&name).cloned();
    let code = match &known {
        _ if name.ends_with("broken.test") || zone.fails.load(Ordering::SeqCst) => SERVER_FAILURE,
        None if !name.is_empty() => NO_NAME,
        _ => NO_ERROR,
    };
    let records: Vec<Vec<u8>> = known
        .into_iter()
        .flatten()
        .filter_map(|address| match address {
            IpAddr::V4(address) if kind == A => Some(address.octets().to_vec()),
            IpAddr::V6(address) if kind == AAAA => Some(address.octets().to_vec()),
            _ => None,
        })
        .collect();
    let mut answer =
        vec![question[0], question[1], 0x81, 0x80 | code, 0, 1, 0, records.len() as u8, 0, 0, 0, 0];
    answer.extend_from_slice(&question[12..place + 5]);
    for data in records {
        answer.extend([0xc0, 12]);
        answer.extend(kind.to_be_bytes());
        answer.extend([0, 1]);
        answer.extend(zone.ttl.load(Ordering::SeqCst).to_be_bytes());
        answer.extend((data.len() as u16).to_be_bytes());
        answer.extend(data);
    }
    Some(answer)
}
