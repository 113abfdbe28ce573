//! The table sent to a real Spin, named by the variable `SPIN`.

use crate::receiver::Receiver;
use crate::sender::send;
use crate::shell::differences;
use crate::table::{configuration, rows};
use std::ffi::OsStr;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;
use tempfile::TempDir;

struct Spin {
    process: Child,
    address: SocketAddr,
    _state: TempDir,
}

impl Drop for Spin {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Spin {
    async fn up(spin: &OsStr, configuration: &str) -> Self {
        crate::build::build_spin().unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let state = tempfile::tempdir().unwrap();
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../spin.toml");
        let process = Command::new(spin)
            .args(["up", "--quiet", "--listen", &address.to_string(), "--from"])
            .arg(manifest)
            .arg("--state-dir")
            .arg(state.path())
            .env("SPIN_VARIABLE_CONFIGURATION", configuration)
            .env("SPIN_VARIABLE_OUTBOUND_HOST", "http://127.0.0.1:*")
            .spawn()
            .expect("SPIN names a spin");
        let spin = Self { process, address, _state: state };
        for _ in 0..600 {
            if tokio::net::TcpStream::connect(address).await.is_ok()
                && send(address, http::Request::get("/ready"), "").await.status == 200
            {
                return spin;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("spin does not get ready");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_spin_answers_as_the_table_says() {
    let Some(spin) = std::env::var_os("SPIN") else {
        eprintln!("skipped: the variable SPIN names no spin");
        return;
    };
    let mut receiver = Receiver::listen(200).await.unwrap();
    let spin = Spin::up(&spin, &configuration(&receiver).to_string()).await;
    let mut rows = rows(spin.address);
    // Spin itself answers what no route of the manifest takes.
    rows.retain(|row| row.request.path.starts_with("/in/"));
    let found = differences(spin.address, rows).await;
    assert!(found.is_empty(), "{}", found.join("\n"));
    let sent = tokio::time::timeout(Duration::from_secs(20), receiver.requests.recv()).await;
    assert!(sent.is_ok_and(|sent| sent.is_some()));
}
