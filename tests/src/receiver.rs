//! A receiver of deliveries that records what comes and answers as it is told.

use crate::wait::{PATIENCE, eventually};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// One request that came.
#[derive(Debug, Clone)]
pub struct Received {
    /// The method.
    pub method: String,
    /// The path with its query.
    pub path: String,
    /// Header fields with names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Received {
    /// The value of a header field.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        crate::header(&self.headers, name)
    }
}

/// What a receiver answers.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// Further header fields.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// Whether the answer is held back until [`Receiver::release`].
    pub held: bool,
}

impl Reply {
    /// An empty answer of this status.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new(), held: false }
    }

    /// An answer of this status that waits for [`Receiver::release`].
    #[must_use]
    pub fn held(status: u16) -> Self {
        Self { held: true, ..Self::status(status) }
    }

    /// The same with a header field.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same with a body.
    #[must_use]
    pub fn body(mut self, body: &[u8]) -> Self {
        self.body = body.to_vec();
        self
    }
}

type Script = dyn Fn(&Received, usize) -> Reply + Send + Sync;

struct Shared {
    requests: Mutex<Vec<Received>>,
    changed: Condvar,
    released: AtomicBool,
    stopped: AtomicBool,
    /// Connections that are served.
    open: AtomicUsize,
    records: bool,
    script: Box<Script>,
}

/// A receiver on 127.0.0.1. It stops when it is dropped.
pub struct Receiver {
    port: u16,
    shared: Arc<Shared>,
}

impl Receiver {
    /// One that answers 200.
    #[must_use]
    pub fn start() -> Self {
        Self::with(|_, _| Reply::status(200))
    }

    /// One that answers what `script` says of a request and its number, from 0.
    #[must_use]
    pub fn with(script: impl Fn(&Received, usize) -> Reply + Send + Sync + 'static) -> Self {
        Self::on(0, script)
    }

    /// The same on a port.
    ///
    /// # Panics
    ///
    /// If the port is taken.
    #[must_use]
    pub fn on(port: u16, script: impl Fn(&Received, usize) -> Reply + Send + Sync + 'static) -> Self {
        Self::listen(port, true, Box::new(script))
    }

    /// One on a port that keeps nothing of what comes, and answers any number of requests side by side.
    ///
    /// # Panics
    ///
    /// If the port is taken.
    #[must_use]
    pub fn unrecorded(port: u16, script: impl Fn(&Received) -> Reply + Send + Sync + 'static) -> Self {
        Self::listen(port, false, Box::new(move |received, _| script(received)))
    }

    fn listen(port: u16, records: bool, script: Box<Script>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).expect("no port for a receiver");
        let port = listener.local_addr().expect("a listener has an address").port();
        let shared = Arc::new(Shared {
            requests: Mutex::default(),
            changed: Condvar::new(),
            released: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
            open: AtomicUsize::new(0),
            records,
            script,
        });
        let acceptor = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if acceptor.stopped.load(Ordering::SeqCst) {
                    break;
                }
                let Ok(stream) = stream else { continue };
                let shared = Arc::clone(&acceptor);
                shared.open.fetch_add(1, Ordering::SeqCst);
                std::thread::spawn(move || {
                    shared.serve(stream);
                    shared.open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self { port, shared }
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its address with a path.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// What has come so far.
    #[must_use]
    pub fn requests(&self) -> Vec<Received> {
        self.shared.requests.lock().expect("a thread of the receiver panicked").clone()
    }

    /// Waits until at least so many requests have come.
    #[must_use]
    pub fn wait(&self, count: usize) -> Vec<Received> {
        self.wait_until(&format!("{count} requests"), |requests| requests.len() >= count)
    }

    /// Waits until what has come is enough.
    ///
    /// # Panics
    ///
    /// If that takes longer than [`PATIENCE`].
    #[must_use]
    pub fn wait_until(&self, what: &str, enough: impl Fn(&[Received]) -> bool) -> Vec<Received> {
        let requests = self.shared.requests.lock().expect("a thread of the receiver panicked");
        let (requests, waited) = self
            .shared
            .changed
            .wait_timeout_while(requests, PATIENCE, |requests| !enough(requests))
            .expect("a thread of the receiver panicked");
        assert!(!waited.timed_out(), "gave up waiting: {what}; {} requests came", requests.len());
        requests.clone()
    }

    /// Waits until everything that a process has sent is seen which does not live any more.
    ///
    /// # Panics
    ///
    /// If somebody else still sends.
    pub fn drain(&self) {
        // Connections are taken in the order in which they were made: after this one no older one comes.
        let mut marker = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).expect("no receiver");
        marker.shutdown(Shutdown::Write).expect("no end of a connection");
        let _ = marker.read_to_end(&mut Vec::new());
        drop(marker);
        eventually("the connections are over", || {
            (self.shared.open.load(Ordering::SeqCst) == 0).then_some(())
        });
    }

    /// Lets the answers go that are held back, and those to come.
    pub fn release(&self) {
        let guard = self.shared.requests.lock();
        self.shared.released.store(true, Ordering::SeqCst);
        drop(guard);
        self.shared.changed.notify_all();
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        self.release();
        // The acceptor sees the flag when the next connection comes.
        drop(TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)));
    }
}

impl Shared {
    /// Keeps a request and waits until it may be answered.
    fn record(&self, received: Received) -> Reply {
        let mut requests = self.requests.lock().expect("a thread of the receiver panicked");
        let reply = (self.script)(&received, requests.len());
        requests.push(received);
        self.changed.notify_all();
        if reply.held {
            let released = |_: &mut Vec<Received>| !self.released.load(Ordering::SeqCst);
            let waited = self.changed.wait_timeout_while(requests, PATIENCE, released);
            drop(waited);
        }
        reply
    }

    fn serve(&self, stream: TcpStream) {
        let Ok(mut writer) = stream.try_clone() else { return };
        let mut reader = BufReader::new(stream);
        while !self.stopped.load(Ordering::SeqCst) {
            let Some(received) = read(&mut reader) else { return };
            // Whoever stopped meanwhile takes nothing more, not even over the connections that are open.
            if self.stopped.load(Ordering::SeqCst) {
                return;
            }
            let reply = if self.records { self.record(received) } else { (self.script)(&received, 0) };
            let mut head =
                format!("HTTP/1.1 {} Scripted\r\ncontent-length: {}\r\n", reply.status, reply.body.len());
            for (name, value) in &reply.headers {
                head.push_str(&format!("{name}: {value}\r\n"));
            }
            head.push_str("\r\n");
            let written = writer.write_all(head.as_bytes()).and_then(|()| writer.write_all(&reply.body));
            if written.is_err() {
                return;
            }
        }
    }
}

/// Reads one request; `None` at the end of the connection.
fn read(reader: &mut BufReader<TcpStream>) -> Option<Received> {
    reader.get_ref().set_read_timeout(Some(Duration::from_secs(600))).ok()?;
    let line = |reader: &mut BufReader<TcpStream>| {
        let mut line = String::new();
        (reader.read_line(&mut line).ok()? > 0).then(|| line.trim_end().to_owned())
    };
    let first = line(reader)?;
    let (method, rest) = first.split_once(' ')?;
    let (path, _) = rest.split_once(' ')?;
    let mut headers = Vec::new();
    loop {
        let field = line(reader)?;
        if field.is_empty() {
            break;
        }
        let (name, value) = field.split_once(':')?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = crate::header(&headers, "content-length").map_or(Some(0), |text| text.parse().ok())?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Received { method: method.to_owned(), path: path.to_owned(), headers, body })
}
