//! Whoever reads the gateway's log: faithfully, not at all for a while, and at last gone for good.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::process::ChildStderr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

const READS: u8 = 0;
const SLEEPS: u8 = 1;
const LEAVES: u8 = 2;

/// Tells the reader what to do.
#[derive(Clone, Default)]
pub(crate) struct LogReader(Arc<AtomicU8>);

impl LogReader {
    /// Reads into a file from now on.
    pub(crate) fn start(mut stderr: ChildStderr, file: &Path) -> Self {
        let reader = Self::default();
        let file = File::options().create(true).append(true).open(file);
        let (told, mut file) = (reader.clone(), file.expect("no file for the log"));
        std::thread::spawn(move || {
            let mut bytes = [0; 8192];
            loop {
                match told.0.load(Ordering::SeqCst) {
                    SLEEPS => std::thread::sleep(Duration::from_millis(50)),
                    LEAVES => return,
                    _ => match stderr.read(&mut bytes) {
                        Ok(length) if length > 0 => drop(file.write_all(&bytes[..length])),
                        _ => return,
                    },
                }
            }
        });
        reader
    }

    pub(crate) fn sleep(&self) {
        let _ = self.0.compare_exchange(READS, SLEEPS, Ordering::SeqCst, Ordering::SeqCst);
    }

    pub(crate) fn wake(&self) {
        let _ = self.0.compare_exchange(SLEEPS, READS, Ordering::SeqCst, Ordering::SeqCst);
    }

    pub(crate) fn leave(&self) {
        self.0.store(LEAVES, Ordering::SeqCst);
    }
}
