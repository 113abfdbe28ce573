//! The gateway as a process of its own, and a client that sends it events: what benchmarks of the binary share.

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a start may take, with a configuration of many megabytes.
const START: Duration = Duration::from_mins(5);

/// A running gateway, ended with its owner.
pub(crate) struct Binary {
    child: Child,
    /// Where events are sent to, at `/in/s`.
    pub(crate) ingress: SocketAddr,
    /// The management API.
    #[allow(dead_code, reason = "not every benchmark asks it")]
    pub(crate) admin: SocketAddr,
    /// How long it took to be ready.
    pub(crate) started_in: Duration,
    // Not the directory for temporary files: it may be in memory, where fsync costs nothing.
    directory: TempDir,
}

impl Drop for Binary {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Binary {
    /// Starts one with a source `s` that verifies nothing, and these tables.
    #[allow(dead_code, reason = "not every benchmark asks")]
    pub(crate) fn start(tables: &str) -> Self {
        Self::start_with("", tables)
    }

    /// The same with these keys of `[server]`.
    pub(crate) fn start_with(keys: &str, tables: &str) -> Self {
        let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let address = || SocketAddr::from(([127, 0, 0, 1], anglerfish_tests::free_port()));
        let (ingress, admin) = (address(), address());
        let file = directory.path().join("anglerfish.toml");
        let text = format!(
            "[server]\nlisten = \"{ingress}\"\ndata_dir = \"data\"\nmemory_limit = \"1GiB\"\nmax_requests = 65536\n{keys}[admin]\nlisten = \
             \"{admin}\"\n[log]\nfilter = \"error\"\n[[source]]\nname = \"s\"\nscheme = \"none\"\n{tables}"
        );
        fs::write(&file, text).unwrap();
        // What one of them has compiled, the others find.
        let compiled = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled");
        let cache = directory.path().join("data/cache");
        copy(&compiled, &cache);
        let log = File::create(directory.path().join("log")).unwrap();
        let begun = Instant::now();
        let child = Command::new(env!("CARGO_BIN_EXE_anglerfish"))
            .args(["serve", "--config"])
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut gateway = Self { child, ingress, admin, started_in: Duration::ZERO, directory };
        while !is_ready(admin) {
            let ended = gateway.child.try_wait().unwrap();
            assert!(ended.is_none() && begun.elapsed() < START, "the gateway does not start: {ended:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
        gateway.started_in = begun.elapsed();
        copy(&cache, &compiled);
        gateway
    }

    /// What its data takes on disk, in MiB.
    #[allow(dead_code, reason = "not every benchmark asks")]
    #[expect(clippy::cast_precision_loss, reason = "a number for people to read")]
    pub(crate) fn disk(&self) -> f64 {
        let files = fs::read_dir(self.directory.path().join("data")).into_iter().flatten().flatten();
        let files = files.filter_map(|file| file.metadata().ok()).filter(fs::Metadata::is_file);
        files.map(|file| file.len()).sum::<u64>() as f64 / 1024.0 / 1024.0
    }

    /// The resident memory in MiB.
    pub(crate) fn resident(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches("kB").trim().parse::<f64>().unwrap() / 1024.0
    }
}

/// Copies the files of a folder, if it is there.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for file in fs::read_dir(from).into_iter().flatten() {
        let file = file.unwrap();
        fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

fn is_ready(admin: SocketAddr) -> bool {
    let Ok(mut stream) = TcpStream::connect(admin) else { return false };
    let asked = stream.write_all(b"GET /ready HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    let mut answer = String::new();
    asked.is_ok() && stream.read_to_string(&mut answer).is_ok() && answer.starts_with("HTTP/1.1 200 ")
}

/// A client of the gateway.
#[derive(Clone)]
pub(crate) struct Sender {
    client: Client<HttpConnector, Full<Bytes>>,
    url: String,
}

impl Sender {
    pub(crate) fn new(gateway: &Binary) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Self { client, url: format!("http://{}/in/s", gateway.ingress) }
    }

    /// Sends an event of 1 KiB with these members in front; returns its id, and when the answer was there.
    pub(crate) async fn send(&self, members: &str) -> (String, Instant) {
        let mut body = format!("{{{members},\"note\":\"").into_bytes();
        body.resize(1022, b'x');
        body.extend_from_slice(b"\"}");
        let request = Request::post(&self.url)
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body)))
            .unwrap();
        let answer = self.client.request(request).await.unwrap();
        assert_eq!(answer.status(), 202);
        let answer = answer.into_body().collect().await.unwrap().to_bytes();
        let answered = Instant::now();
        let answer: serde_json::Value = serde_json::from_slice(&answer).unwrap();
        (answer.get("id").and_then(serde_json::Value::as_str).unwrap().to_owned(), answered)
    }
}
