//! Plugins where each is a component of the app's own: what it is asked over HTTP, and what it answers.
//!
//! A message is a line of JSON and, behind it, data byte for byte.

use crate::config::{Node, Problems, SubscriptionConfig, is_name, item_path, key_path};
use crate::event::Event;
use crate::problem::Problem;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// Plugins of one configuration: what the native gateway takes.
const MOST_PLUGINS: usize = 64;

/// Characters of a plugin's name: a label of a host name ends at 63, and `plugin-` is before it.
const LONGEST_NAME: usize = 56;

/// The keys of the native gateway. What stands under those that are not read here is looked at on the user's machine, where
/// the components are put together.
const KEYS: &[&str] = &["name", "path", "sha256", "memory", "timeout", "state", "instances"];

/// The shortest and the longest time of a call.
const TIMEOUT: (Duration, Duration) = (Duration::from_millis(1), Duration::from_secs(10));

/// How long a call may take where the plugin's table does not say it.
const USUAL: Duration = Duration::from_millis(100);

/// The most that a plugin may remember, in bytes.
const MOST_STATE: u64 = 256 << 20;

/// What an answer may have beside as much data as the plugin was given, in bytes.
pub const MOST_ANSWERED: usize = 2 << 20;

/// What an app has to know of a plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EdgePlugin {
    /// How long a call may take, in milliseconds.
    pub timeout_ms: u64,
    /// How much one instance may remember, in bytes.
    #[serde(default)]
    pub state: u64,
}

/// What a plugin is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginQuestion {
    /// The subscription's id.
    pub subscription: String,
    /// The event. Header fields of the request that brought it are not kept.
    pub event: Event,
    /// What the subscription says to the plugin, as JSON.
    pub config: String,
    /// How much the instance may remember, in bytes.
    pub state: u64,
    /// How long the call may take, in milliseconds.
    pub timeout_ms: u64,
}

/// What a plugin answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PluginAnswer {
    /// The event is delivered.
    Deliver,
    /// It is not, for this reason.
    Drop(String),
    /// It is delivered with the data of the answer.
    Replace {
        /// Its media type; none leaves that of the event.
        datacontenttype: Option<String>,
    },
    /// It cannot be said, for this reason.
    Error(String),
    /// It was said too late.
    Late,
}

/// Writes a question or an answer with its data.
///
/// # Errors
///
/// It cannot be written as JSON.
pub fn plugin_message(head: &impl Serialize, data: &[u8]) -> Result<Vec<u8>, String> {
    let mut message = serde_json::to_vec(head).map_err(|error| error.to_string())?;
    message.push(b'\n');
    message.extend_from_slice(data);
    Ok(message)
}

/// Reads a question or an answer, and gives its data.
///
/// # Errors
///
/// It is no such message.
pub fn read_plugin_message<T: DeserializeOwned>(message: &[u8]) -> Result<(T, &[u8]), String> {
    let end = message.iter().position(|byte| *byte == b'\n').ok_or("it has no line of JSON")?;
    let (head, data) = message.split_at(end);
    let head =
        serde_json::from_slice(head).map_err(|error| format!("its first line is not understood: {error}"))?;
    Ok((head, data.get(1..).unwrap_or_default()))
}

/// The id of a plugin's component in the manifest.
#[must_use]
pub fn plugin_component(name: &str) -> String {
    format!("plugin-{name}")
}

/// Where the app asks a plugin: Spin's own way from one component of an app to another.
#[must_use]
pub fn plugin_origin(name: &str) -> String {
    format!("http://{}.spin.internal", plugin_component(name))
}

/// Whether a component of the manifest can be called `plugin-NAME`: words of lower-case letters and digits, each beginning with
/// a letter, with one hyphen between two.
fn is_component_name(name: &str) -> bool {
    let is_word = |word: &str| {
        word.starts_with(|first: char| first.is_ascii_lowercase())
            && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    name.len() <= LONGEST_NAME && name.split('-').all(is_word)
}

/// Reads the plugins of a document.
pub(super) fn read_plugins(document: &Value) -> (BTreeMap<String, EdgePlugin>, Vec<Problem>) {
    let Some(value) = document.get("plugin") else { return (BTreeMap::new(), Vec::new()) };
    let problems = Problems::default();
    let node = Node::root(value, "plugin", &problems);
    let mut plugins = BTreeMap::new();
    for item in node.items_up_to(MOST_PLUGINS).into_iter().flatten() {
        let Some((name, plugin)) = one(&item) else { continue };
        if plugins.insert(name.clone(), plugin).is_some() {
            item.report(format!("there are two plugins {name:?}"));
        }
    }
    (plugins, problems.into_vec())
}

fn one(node: &Node<'_>) -> Option<(String, EdgePlugin)> {
    let table = node.table(KEYS)?;
    let name = table.require("name").and_then(|node| {
        let text = node.text()?;
        if !is_name(text) {
            node.report("must be 1 to 64 of a-z A-Z 0-9 . _ -");
            return None;
        }
        if !is_component_name(text) {
            let hint = format!(
                "at most {LONGEST_NAME} of a-z 0-9 -, each word beginning with a letter: the component is `plugin-NAME`"
            );
            node.report_with_hint("cannot be the name of a component under Spin", hint);
            return None;
        }
        Some(text.to_owned())
    });
    let timeout = match table.get("timeout") {
        Some(node) => node.duration(TIMEOUT.0..=TIMEOUT.1)?,
        None => USUAL,
    };
    let state = match table.get("state") {
        Some(node) => node.size(0..=MOST_STATE)?,
        None => 0,
    };
    let timeout_ms = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
    Some((name?, EdgePlugin { timeout_ms, state }))
}

/// The plugins that subscriptions name and that there are not.
pub(super) fn unknown_plugins(
    plugins: &BTreeMap<String, EdgePlugin>,
    subscriptions: &[(String, SubscriptionConfig)],
) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (path, subscription) in subscriptions {
        for (index, used) in subscription.plugins.iter().enumerate() {
            if !plugins.contains_key(&used.name) {
                let place = key_path(&item_path(&key_path(path, "plugins"), index), "name");
                problems.push(Problem::new(place, format!("there is no plugin {:?}", used.name)));
            }
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_message_gives_back_what_was_written() {
        let question = PluginQuestion {
            subscription: "orders".to_owned(),
            event: Event { id: "evt\n1".to_owned(), kind: "order".to_owned(), ..Event::default() },
            config: "{\"over\":1}".to_owned(),
            state: 3,
            timeout_ms: 20,
        };
        for data in [&b""[..], b"\n", b"a\nb\0\xff"] {
            let message = plugin_message(&question, data).unwrap();
            assert_eq!(read_plugin_message::<PluginQuestion>(&message).unwrap(), (question.clone(), data));
        }
        for answer in [
            PluginAnswer::Deliver,
            PluginAnswer::Drop("no\nline".to_owned()),
            PluginAnswer::Replace { datacontenttype: None },
            PluginAnswer::Error(String::new()),
            PluginAnswer::Late,
        ] {
            let message = plugin_message(&answer, b"x").unwrap();
            assert_eq!(read_plugin_message(&message).unwrap(), (answer, &b"x"[..]));
        }
        for nonsense in [&b""[..], b"{}", b"{}\n", b"\"deliver\"", b"\"perhaps\"\n", b"\xff\n"] {
            assert!(read_plugin_message::<PluginAnswer>(nonsense).is_err(), "{nonsense:?}");
        }
    }

    #[test]
    fn plugins_are_read_as_natively_and_have_names_that_components_can_have() {
        let document = json!({"plugin": [
            {"name": "geo", "path": "geo.wasm", "sha256": "00", "memory": "8MiB", "timeout": "20ms", "state": "1KiB"},
            {"name": "by-size2", "path": "s.wasm"},
        ]});
        let (plugins, problems) = read_plugins(&document);
        assert_eq!(problems, []);
        assert_eq!(plugins["geo"], EdgePlugin { timeout_ms: 20, state: 1024 });
        assert_eq!(plugins["by-size2"], EdgePlugin { timeout_ms: 100, state: 0 });
        let long = "a".repeat(LONGEST_NAME + 1);
        for (plugin, place) in [
            (json!({"name": "Geo"}), "plugin[0].name"),
            (json!({"name": "a_b"}), "plugin[0].name"),
            (json!({"name": "a.b"}), "plugin[0].name"),
            (json!({"name": "a--b"}), "plugin[0].name"),
            (json!({"name": "a-1"}), "plugin[0].name"),
            (json!({"name": "-a"}), "plugin[0].name"),
            (json!({"name": long}), "plugin[0].name"),
            (json!({}), "plugin[0].name"),
            (json!({"name": "a", "timeout": "1h"}), "plugin[0].timeout"),
            (json!({"name": "a", "state": "1GiB"}), "plugin[0].state"),
            (json!({"name": "a", "memry": 1}), "plugin[0].memry"),
        ] {
            let problems = read_plugins(&json!({"plugin": [plugin]})).1;
            let places: Vec<&str> = problems.iter().map(|problem| problem.path.as_str()).collect();
            assert_eq!(places, [place], "{plugin}");
        }
        let twice = read_plugins(&json!({"plugin": [{"name": "a"}, {"name": "a"}]})).1;
        assert_eq!(twice[0].path, "plugin[1]");
    }
}
