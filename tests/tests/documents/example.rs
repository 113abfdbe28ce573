//! The example that the documentation names.

use anglerfish_tests::{Foreign, Request, Running, binary, eventually, free_port, send};
use std::net::SocketAddr;
use std::path::Path;

#[test]
fn the_example_says_where_its_page_is_at_once_and_shows_there_what_is_told() {
    let Some(python) = Foreign::python() else { return };
    let room = tempfile::tempdir().unwrap();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/flare");
    std::fs::copy(example.join("anglerfish.toml"), room.path().join("anglerfish.toml")).unwrap();
    let source = std::fs::read_to_string(example.join("run.py")).unwrap();
    let ports: Vec<u16> = (0..4).map(|_| free_port()).collect();
    let mut command = python.program(room.path(), &source);
    command.arg(binary()).arg("--ports").args(ports.iter().map(u16::to_string));
    let mut example = Running::of(&mut command);
    let page = SocketAddr::from(([127, 0, 0, 1], ports[3]));
    assert_eq!(example.line(), format!("what is told: http://{page}/"));
    let shown = || {
        let request = Request { method: "GET".into(), path: "/".into(), ..Request::default() };
        send(page, &request).unwrap().text()
    };
    // It is there before the gateway is.
    assert!(shown().contains("What was told"), "{}", shown());
    loop {
        let line = example.line();
        if line.contains("PUT product") {
            assert!(line.ends_with(": 202"), "{line}");
            break;
        }
    }
    eventually("the page shows what the consumer has", || {
        let page = shown();
        (page.contains("<td>create<td>") && page.contains("http://shop.example/products/")).then_some(())
    });
    example.interrupt();
}
