//! A command that goes on until it is ended.

use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

use crate::wait::PATIENCE;

/// A command whose lines are read as they come. It is killed when it is dropped.
pub struct Running {
    child: Child,
    lines: Receiver<String>,
}

impl Running {
    /// Starts a command.
    ///
    /// # Panics
    ///
    /// If it cannot be run.
    #[must_use]
    pub fn of(command: &mut Command) -> Self {
        let child = command.stdout(Stdio::piped()).spawn();
        let mut child = child.unwrap_or_else(|error| panic!("{command:?} cannot be run: {error}"));
        let stdout = child.stdout.take().expect("stdout is a pipe");
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Self { child, lines }
    }

    /// Writes to its stdin, which has to be a pipe.
    ///
    /// # Panics
    ///
    /// If it is none, or is not read any more.
    pub fn write(&mut self, bytes: &[u8]) {
        let stdin = self.child.stdin.as_mut().expect("stdin is a pipe");
        stdin.write_all(bytes).expect("stdin is not read");
    }

    /// The next line of stdout.
    ///
    /// # Panics
    ///
    /// If none comes.
    #[must_use]
    pub fn line(&mut self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("no further line comes")
    }

    /// Asks it to end, as somebody at its terminal does, and waits until it has.
    ///
    /// # Panics
    ///
    /// If that cannot be done.
    pub fn interrupt(&mut self) {
        let sent = Command::new("sh").args(["-c", &format!("kill -INT {}", self.child.id())]).status();
        assert!(sent.expect("no shell").success(), "the signal could not be sent");
        self.child.wait().expect("no such process");
    }

    /// The next line of stdout, as JSON.
    ///
    /// # Panics
    ///
    /// If none comes, or it is no JSON.
    #[must_use]
    pub fn json_line(&mut self) -> Value {
        let line = self.line();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
