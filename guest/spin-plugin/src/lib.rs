//! Around a plugin under Spin: it is asked over HTTP, by the app alone, and asks the plugin that it was put together with.
//!
//! What is asked and answered is in `anglerfish_core::edge`. The other half, which offers plugins their state and their log,
//! is `guest/spin-plugin-host`.

mod binding;

use anglerfish_core::edge::{PluginAnswer, PluginQuestion, plugin_message, read_plugin_message};
use anglerfish_core::event::Event;
use binding::{Verdict, host, judge};
use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use spin_sdk::http::{IntoResponse, Request};
use spin_sdk::wasip3::clocks::monotonic_clock;
use spin_sdk::wasip3::{cli::stderr, spawn, wit_stream};

/// The largest question, in bytes: more than the largest body that an app takes.
const LARGEST: usize = 256 << 20;

/// Nanoseconds of a millisecond.
const MILLISECOND: u64 = 1_000_000;

/// Answers one question.
#[spin_sdk::http_service]
async fn handle(request: Request) -> impl IntoResponse {
    let answered = match Limited::new(request.into_body(), LARGEST).collect().await {
        Ok(body) => answer(&body.to_bytes()),
        Err(error) => Err(error.to_string()),
    };
    let (status, body) = match answered {
        Ok(body) => (StatusCode::OK, body),
        // Whoever asks it this is not the app.
        Err(reason) => (StatusCode::BAD_REQUEST, reason.into_bytes()),
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response
}

fn answer(message: &[u8]) -> Result<Vec<u8>, String> {
    let (question, data) = read_plugin_message::<PluginQuestion>(message)?;
    let PluginQuestion { subscription, event, config, state, timeout_ms } = question;
    host::begin(state);
    let event = asked(subscription, event, data.to_vec());
    let begun = monotonic_clock::now();
    let judged = judge(&event, &config);
    let took = monotonic_clock::now().saturating_sub(begun);
    host::lines().into_iter().for_each(log);
    let late = took > timeout_ms.saturating_mul(MILLISECOND);
    let (answer, data) = match judged {
        _ if late => (PluginAnswer::Late, Vec::new()),
        Ok(Verdict::Deliver) => (PluginAnswer::Deliver, Vec::new()),
        Ok(Verdict::Drop(reason)) => (PluginAnswer::Drop(reason), Vec::new()),
        Ok(Verdict::Replace(body)) => {
            (PluginAnswer::Replace { datacontenttype: body.datacontenttype }, body.data)
        }
        Err(reason) => (PluginAnswer::Error(reason), Vec::new()),
    };
    plugin_message(&answer, &data)
}

/// The event as the plugin's contract has it. Header fields are not kept under Spin.
fn asked(subscription: String, event: Event, data: Vec<u8>) -> binding::Event {
    binding::Event {
        subscription,
        id: event.id,
        source: event.source,
        type_: event.kind,
        subject: event.subject,
        time: event.time.0,
        datacontenttype: event.datacontenttype,
        extensions: event.extensions.into_iter().collect(),
        headers: Vec::new(),
        data,
    }
}

/// Writes a line of the plugin's to standard error, which Spin keeps as its component's log.
fn log(line: String) {
    let line = format!("{}\n", line.escape_debug()).into_bytes();
    spawn(async move {
        let (mut writer, reader) = wit_stream::new();
        let written = stderr::write_via_stream(reader);
        writer.write_all(line).await;
        drop(writer);
        let _ = written.await;
    });
}
