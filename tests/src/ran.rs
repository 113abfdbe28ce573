//! A command that was run to its end.

use crate::wait::PATIENCE;
use serde_json::Value;
use std::io::Read;
use std::process::{Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What a command left behind.
#[derive(Debug, Clone)]
pub struct Ran {
    /// The exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// Data.
    pub stdout: String,
    /// Talk.
    pub stderr: String,
}

impl Ran {
    /// Runs a command, without anything on stdin unless it has been given something.
    ///
    /// # Panics
    ///
    /// If it cannot be run or does not end.
    #[must_use]
    pub fn of(command: &mut Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?} cannot be run: {error}"));
        let (stdout, stderr) = (read(child.stdout.take()), read(child.stderr.take()));
        let end = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = child.try_wait().expect("no such process") {
                break status;
            }
            if Instant::now() > end {
                drop(child.kill());
                panic!("{command:?} does not end");
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        let text = |reader: JoinHandle<Vec<u8>>| {
            let bytes = reader.join().expect("what a command writes cannot be read");
            String::from_utf8(bytes).expect("a command writes UTF-8")
        };
        Self { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
    }

    /// The same, if it ended with this code.
    ///
    /// # Panics
    ///
    /// If it ended otherwise.
    #[must_use]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Stdout as one JSON document.
    ///
    /// # Panics
    ///
    /// If it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Stdout as one JSON document a line.
    ///
    /// # Panics
    ///
    /// If a line is none.
    #[must_use]
    pub fn json_lines(&self) -> Vec<Value> {
        let line = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {self:?}"));
        self.stdout.lines().map(line).collect()
    }

    /// The same, if no line of either is wider than a terminal.
    ///
    /// # Panics
    ///
    /// If one is.
    #[must_use]
    pub fn in_eighty_columns(self) -> Self {
        for line in self.stdout.lines().chain(self.stderr.lines()) {
            assert!(line.chars().count() <= 80, "{} columns: {line}", line.chars().count());
        }
        self
    }
}

/// Reads to the end, beside the process that writes.
fn read(from: Option<impl Read + Send + 'static>) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        drop(from.map(|mut from| from.read_to_end(&mut bytes)));
        bytes
    })
}
