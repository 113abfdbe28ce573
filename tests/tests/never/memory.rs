//! Whoever has shown nothing keeps memory, or a file, for good.

use super::{SOURCE, post};
use anglerfish_tests::{Gateway, Setup, eventually};
use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

#[test]
fn memory_of_bodies_that_do_not_end_is_given_back() {
    let gateway = Gateway::set_up(&Setup {
        server: "header_timeout = \"10m\"\nbody_timeout = \"10m\"".into(),
        rest: SOURCE.into(),
        ..Setup::default()
    });
    let Some(before) = gateway.memory() else { return };
    let head = "POST /in/hub HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\n";
    let mut said = head.as_bytes().to_vec();
    said.extend_from_slice(&vec![b' '; 900_000]);
    let mut peak = before;
    let held: Vec<TcpStream> = (0..300)
        .map(|_| {
            let mut stream = TcpStream::connect(gateway.ingress()).unwrap();
            stream.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
            // Some have to give way meanwhile, and cannot write all of it.
            let _ = stream.write_all(&said);
            peak = peak.max(gateway.memory().unwrap());
            stream
        })
        .collect();
    let _ = post(&gateway, "meanwhile", b"{}").expect(202);
    drop(held);
    let taken = peak - before;
    assert!(taken > 30 << 20, "nothing was taken: {taken}");
    eventually("three quarters of it are given back", || {
        let now = gateway.memory()?;
        (now.saturating_sub(before) < taken / 4).then_some(())
    });
}
