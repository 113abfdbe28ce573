//! What the operator should read: lines on standard error, which Spin keeps as the component's log.

use spin_sdk::wasip3::{cli::stderr, spawn, wit_stream};

/// Writes one line, beside whatever else goes on. A line that cannot be written is gone; nothing waits for it.
pub(crate) fn report(text: &str) {
    let line = format!("{text}\n").into_bytes();
    spawn(async move {
        let (mut writer, reader) = wit_stream::new();
        let written = stderr::write_via_stream(reader);
        writer.write_all(line).await;
        drop(writer);
        let _ = written.await;
    });
}
