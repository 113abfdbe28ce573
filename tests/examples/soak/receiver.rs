//! A receiver in a process of its own, so that it can be killed. It notes what it took before it says so.

use anglerfish_tests::{Receiver, Reply};
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

/// Runs until it is killed.
pub(crate) fn run(port: u16, file: &Path, kind: &str) -> ! {
    let notes = OpenOptions::new().create(true).append(true).open(file).expect("no file for notes");
    let (notes, kind) = (Mutex::new(notes), kind.to_owned());
    let receiver = Receiver::unrecorded(port, move |request| {
        let mut status = 200;
        match kind.as_str() {
            "flaky" if fastrand::u8(..) < 100 => status = [500, 429, 503][fastrand::usize(..3)],
            "hanging" if fastrand::u8(..) < 60 => {
                std::thread::sleep(Duration::from_secs(3));
                status = 503;
            }
            "slow" => std::thread::sleep(Duration::from_millis(fastrand::u64(..80))),
            _ => {}
        }
        if status == 200 {
            let mut line = request.header("webhook-id").unwrap_or_default().to_owned();
            line.push('\n');
            // One write: a process that is killed leaves a whole line or none.
            notes.lock().unwrap().write_all(line.as_bytes()).expect("the notes cannot be written");
        }
        Reply::status(status)
    });
    let _receiver = receiver;
    loop {
        std::thread::park();
    }
}

/// Starts one.
pub(crate) fn start(port: u16, file: &Path, kind: &str) -> Child {
    let mut command = Command::new(std::env::current_exe().expect("no path of this program"));
    command.args(["receive", &port.to_string()]).arg(file).arg(kind).stdin(Stdio::null());
    command.spawn().expect("a receiver cannot be started")
}
