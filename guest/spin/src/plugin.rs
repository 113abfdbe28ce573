//! Plugins: each is a component of the app's own, and is asked over Spin's service chaining before an event is sent. One that
//! traps ends its own instance and no other.

use crate::delivery::{Unanswered, Why, is_unreached, millis};
use crate::table::Table;
use crate::{clock, diagnostic};
use anglerfish_core::config::{OnPluginError, PluginUse};
use anglerfish_core::edge::{
    EdgePlugin, MOST_ANSWERED, PluginAnswer, PluginQuestion, plugin_component, plugin_message, plugin_origin,
    read_plugin_message,
};
use anglerfish_core::event::Event;
use bytes::Bytes;
use futures_util::future::{Either, select};
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use spin_sdk::http::send;
use spin_sdk::time::sleep;
use std::fmt::Display;
use std::pin::pin;
use std::time::Duration;

/// How long an instance may take to start.
const START: Duration = Duration::from_secs(5);

/// How many calls Spin gives one instance at once: the last of them waits for all others.
const AT_ONCE: u32 = 16;

/// How often a call is made again whose instance has ended, and how long it waits at most before, in milliseconds: calls that end
/// their instances one after another are not to meet the same others each time.
const AGAIN: [u64; 3] = [0, 200, 1000];

/// What is asked for, and until when.
pub(crate) struct Asked<'a> {
    pub(crate) table: &'a Table,
    /// The subscription.
    pub(crate) subscription: &'a str,
    /// When the attempt ends, in Unix milliseconds.
    pub(crate) until: u64,
}

/// Why a plugin has said nothing.
enum Silence {
    /// It is not there.
    Absent(String),
    /// It failed.
    Failed(String),
    /// Its instance ended, by this call or by another one of the same instance; or none was started.
    Ended,
}

/// Asks all of them, in their order; each sees what the one before it has made of the data. Gives what is to be sent.
pub(crate) async fn judge(
    asked: &Asked<'_>,
    uses: &[PluginUse],
    (event, mut data): (&Event, Bytes),
) -> Result<(Event, Bytes), Unanswered> {
    let mut event = event.clone();
    for used in uses {
        let name = &used.name;
        let Some(plugin) = asked.table.directory.plugin(name) else {
            return Err(Unanswered { why: Why::Local, reason: format!("there is no plugin {name}") });
        };
        match ask_until_answered(asked, plugin, used, &event, &data).await {
            Ok((PluginAnswer::Deliver, _)) => {}
            Ok((PluginAnswer::Drop(reason), _)) => {
                let reason = format!("plugin {name} dropped it: {reason}");
                return Err(Unanswered { why: Why::Unwanted, reason });
            }
            Ok((PluginAnswer::Replace { datacontenttype }, replaced)) => {
                data = replaced;
                event.datacontenttype = datacontenttype.or(event.datacontenttype);
            }
            Ok((PluginAnswer::Error(reason), _)) => return Err(on_error(used, &reason)),
            Ok((PluginAnswer::Late, _)) => return Err(on_error(used, &"ran into its time limit")),
            Err(silence @ (Silence::Ended | Silence::Failed(_))) => {
                let reason = match silence {
                    Silence::Failed(reason) => reason,
                    _ => "trapped, or did not start".to_owned(),
                };
                let subscription = asked.subscription;
                diagnostic::report(&format!(
                    "plugin {name} failed for {subscription:?} and event {:?}: it {reason}",
                    event.id
                ));
                return Err(on_error(used, &reason));
            }
            Err(Silence::Absent(reason)) => {
                let component = plugin_component(name);
                let reason = format!(
                    "plugin {name} is not there ({reason}): the manifest has no component {component:?}, or does not allow the app to call it"
                );
                return Err(Unanswered { why: Why::Local, reason });
            }
        }
    }
    Ok((event, data))
}

fn on_error(used: &PluginUse, failure: &dyn Display) -> Unanswered {
    let why = match used.on_error {
        OnPluginError::Discard => Why::Unwanted,
        OnPluginError::Hold => Why::Unsendable,
    };
    Unanswered { why, reason: format!("plugin {} failed: {failure}", used.name) }
}

/// Asks one, again where its instance has ended: an event is not to go by what another one did to the plugin.
async fn ask_until_answered(
    asked: &Asked<'_>,
    plugin: &EdgePlugin,
    used: &PluginUse,
    event: &Event,
    data: &Bytes,
) -> Result<(PluginAnswer, Bytes), Silence> {
    let mut began = clock::now();
    let mut answered = ask(asked, plugin, used, event, data).await;
    for (times, pause) in AGAIN.into_iter().enumerate() {
        let now = clock::now();
        // What does not end by itself holds a processor each time.
        let is_slow = times > 0 && now.saturating_sub(began) > plugin.timeout_ms;
        if !matches!(answered, Err(Silence::Ended)) || is_slow || now.saturating_add(pause) >= asked.until {
            break;
        }
        sleep(Duration::from_millis(clock::random() % (pause + 1))).await;
        began = clock::now();
        answered = ask(asked, plugin, used, event, data).await;
    }
    answered
}

/// Asks one.
async fn ask(
    asked: &Asked<'_>,
    plugin: &EdgePlugin,
    used: &PluginUse,
    event: &Event,
    data: &Bytes,
) -> Result<(PluginAnswer, Bytes), Silence> {
    let question = PluginQuestion {
        subscription: asked.subscription.to_owned(),
        event: event.clone(),
        config: used.config.clone(),
        state: plugin.state,
        timeout_ms: plugin.timeout_ms,
    };
    let message = plugin_message(&question, data).map_err(Silence::Failed)?;
    let request = Request::builder()
        .method(Method::POST)
        .uri(format!("{}/judge", plugin_origin(&used.name)))
        .header(header::CONTENT_LENGTH, message.len())
        .body(Full::new(Bytes::from(message)))
        .map_err(|error| Silence::Failed(error.to_string()))?;
    // The instance says how long the call itself took. This is for one that says nothing any more.
    let calls = Duration::from_millis(plugin.timeout_ms).saturating_mul(AT_ONCE);
    let left = Duration::from_millis(asked.until.saturating_sub(clock::now()));
    let patience = START.saturating_add(calls).min(left);
    let most = MOST_ANSWERED.saturating_add(data.len());
    match select(pin!(exchange(request, most)), pin!(sleep(patience))).await {
        Either::Left((answered, _)) => answered,
        Either::Right(_) => Err(Silence::Failed(format!("said nothing within {} ms", millis(patience)))),
    }
}

async fn exchange(request: Request<Full<Bytes>>, most: usize) -> Result<(PluginAnswer, Bytes), Silence> {
    let response = send(request).await.map_err(|error| match is_unreached(&error) {
        true => Silence::Absent(error.to_string()),
        false => Silence::Failed(format!("did not answer: {error}")),
    })?;
    let status = response.status();
    match status {
        StatusCode::OK => {}
        StatusCode::INTERNAL_SERVER_ERROR => return Err(Silence::Ended),
        _ => return Err(Silence::Failed(format!("answered {status}"))),
    }
    let body = Limited::new(response.into_body(), most).collect().await;
    let body =
        body.map_err(|error| Silence::Failed(format!("gave no whole answer, or too long a one: {error}")))?;
    let body = body.to_bytes();
    let (answer, data) = read_plugin_message(&body)
        .map_err(|reason| Silence::Failed(format!("gave an answer that is not understood: {reason}")))?;
    Ok((answer, body.slice_ref(data)))
}
