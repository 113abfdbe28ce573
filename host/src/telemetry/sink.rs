//! Where log lines go: a bounded queue, and a thread that writes them and takes whatever comes of it.
//!
//! A write to stderr can fail (its reader went away, its disk is full) and can last for ever (a full pipe that nobody
//! reads). Neither is a reason for an event not to be taken in, so neither reaches the one who logs.

use crate::fault::fault_point;
use crossbeam_channel::{Receiver, Sender, bounded};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::LazyLock;
use std::time::Duration;

/// Lines that may wait: a burst of some thousands, in a few megabytes.
const QUEUE: usize = 8192;

/// How long the end of a process waits for its last lines.
const LAST_WAIT: Duration = Duration::from_secs(1);

/// Lines that were not written. A log belongs to the process, so their count does, too.
static LOST: LazyLock<Counter> = LazyLock::new(Counter::default);

/// Adds the metrics of the log to the registry.
pub(crate) fn register(registry: &mut Registry) {
    registry.register(
        "log_lines_lost",
        "Log lines that could not be written: nobody reads stderr, or it cannot be written to",
        LOST.clone(),
    );
}

enum Item {
    Line(Vec<u8>),
    /// All lines before it are written once its sender is dropped.
    Mark(Sender<()>),
}

/// The near end of the queue.
#[derive(Clone)]
pub(super) struct LogWriter {
    queue: Sender<Item>,
}

/// Waits for the lines in the queue when it is dropped, for a second at most.
#[derive(Debug)]
pub(super) struct SinkGuard {
    queue: Sender<Item>,
}

/// Starts a thread that writes to `target`.
///
/// # Errors
///
/// If the system gives no thread.
pub(super) fn spawn(target: impl Write + Send + 'static) -> io::Result<(LogWriter, SinkGuard)> {
    spawn_bounded(target, QUEUE)
}

fn spawn_bounded(target: impl Write + Send + 'static, lines: usize) -> io::Result<(LogWriter, SinkGuard)> {
    let (queue, items) = bounded(lines);
    std::thread::Builder::new().name("log".to_owned()).spawn(move || write(target, &items))?;
    Ok((LogWriter { queue: queue.clone() }, SinkGuard { queue }))
}

/// Writes until nobody can log any more. A target that panics costs a line, as one that fails does: there is nobody whom
/// its end could be told to.
fn write(mut target: impl Write, items: &Receiver<Item>) {
    while catch_unwind(AssertUnwindSafe(|| write_items(&mut target, items))).is_err() {
        LOST.inc();
    }
}

fn write_items(target: &mut impl Write, items: &Receiver<Item>) {
    for item in items {
        fault_point("log");
        match item {
            Item::Line(line) => {
                // A line that is lost half-way is as lost; the next one is tried all the same.
                if target.write_all(&line).is_err() {
                    LOST.inc();
                }
            }
            Item::Mark(sender) => {
                let _ = target.flush();
                drop(sender);
            }
        }
    }
}

impl Write for LogWriter {
    /// Takes a whole line, as the formatter writes it. Never fails.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.queue.try_send(Item::Line(line.to_vec())).is_err() {
            LOST.inc();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for SinkGuard {
    fn drop(&mut self) {
        let (mark, written) = bounded(0);
        if self.queue.send_timeout(Item::Mark(mark), LAST_WAIT / 4).is_ok() {
            // Disconnected means written; a time that is up means that nobody reads.
            let _ = written.recv_timeout(LAST_WAIT);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};
    use std::time::Instant;

    /// Fails, or waits for ever, as it is told.
    struct FailingWriter(Option<Receiver<()>>);

    impl Write for FailingWriter {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            match &self.0 {
                None => Err(io::ErrorKind::BrokenPipe.into()),
                Some(never) => {
                    let _ = never.recv();
                    Err(io::ErrorKind::TimedOut.into())
                }
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
    }

    #[derive(Clone, Default)]
    struct SharedBuffer(Arc<Mutex<Vec<u8>>>);

    impl Write for SharedBuffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_are_written_in_their_order_before_the_guard_is_gone() {
        let kept = SharedBuffer::default();
        let (mut writer, guard) = spawn(kept.clone()).unwrap();
        for line in 0..1000 {
            writeln!(writer, "{line}").unwrap();
        }
        drop(guard);
        let expected: String = (0..1000).map(|line| format!("{line}\n")).collect();
        assert_eq!(String::from_utf8(kept.0.lock().unwrap().clone()).unwrap(), expected);
    }

    #[test]
    fn a_target_that_fails_costs_its_lines_and_nothing_else() {
        let (mut writer, guard) = spawn(FailingWriter(None)).unwrap();
        let before = LOST.get();
        for _ in 0..10 {
            writer.write_all(b"lost\n").unwrap();
        }
        drop(guard);
        assert!(LOST.get() >= before + 10);
    }

    #[test]
    fn a_target_that_takes_nothing_holds_nobody_up() {
        let (release, never) = bounded(0);
        let (mut writer, guard) = spawn_bounded(FailingWriter(Some(never)), 4).unwrap();
        let (before, began) = (LOST.get(), Instant::now());
        for _ in 0..1000 {
            writer.write_all(b"nobody reads this\n").unwrap();
        }
        assert!(LOST.get() >= before + 990);
        drop(guard);
        assert!(began.elapsed() < Duration::from_secs(20));
        drop(release);
    }
}
