//! Panics of the whole process: counted and logged, wherever they happen.

use prometheus_client::metrics::counter::Counter;
use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::Write;
use std::panic::PanicHookInfo;
use std::sync::LazyLock;

/// A hook belongs to the process, so its count does, too.
static PANICS: LazyLock<Counter> = LazyLock::new(Counter::default);

/// From now on each panic of this process is counted and becomes a log line.
///
/// The hook itself writes nothing that could fail: whoever reads stderr may be gone, and a panic in a hook ends the
/// process. It is for programs of their own; a library leaves the hook to the application that it is part of.
pub fn install_hook() {
    std::panic::set_hook(Box::new(|info| {
        PANICS.inc();
        report(info);
    }));
}

fn report(info: &PanicHookInfo<'_>) {
    let thread = std::thread::current();
    let thread = thread.name().unwrap_or("unnamed");
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    let reason = info.payload_as_str().unwrap_or("no reason is given");
    if tracing::dispatcher::has_been_set() {
        // Captured only where `RUST_BACKTRACE` asks for it.
        let backtrace = Backtrace::capture();
        if backtrace.status() == BacktraceStatus::Captured {
            tracing::error!(thread, place, %backtrace, "panic: {reason}");
        } else {
            tracing::error!(thread, place, "panic: {reason}");
        }
    } else {
        // Before there is a log, or in a command without one. What cannot be written is nobody's loss.
        drop(writeln!(std::io::stderr(), "panic in thread {thread} at {place}: {reason}"));
    }
}

/// How often this process has panicked since the hook was installed.
pub(super) fn count() -> Counter {
    PANICS.clone()
}

/// What a caught panic says.
pub(crate) fn reason(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no reason is given")
}
