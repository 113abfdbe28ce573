//! `[[plugin]]`: which plugins there are, and what each may use.

use crate::config::value::{count, set, size};
use anglerfish_core::config::{Node, Problems, is_name, item_path, key_path};
use anglerfish_core::problem::Problem;
use bytesize::ByteSize;
use serde_json::Value;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::thread::available_parallelism;
use std::time::Duration;

/// Plugins of one gateway.
const MOST_PLUGINS: usize = 64;

/// What all plugins together may hold, in bytes: instances and state. More is refused when the configuration is read: a
/// limit that cannot be kept for all at once is none.
const ALL_MEMORY: u64 = 1 << 30;

/// The least and the most memory of an instance.
const MEMORY: (ByteSize, ByteSize) = (ByteSize::mib(1), ByteSize::gib(1));
/// The shortest and the longest time of a call.
const TIMEOUT: (Duration, Duration) = (Duration::from_millis(1), Duration::from_secs(10));
/// The most that a plugin may remember.
const STATE: ByteSize = ByteSize::mib(256);
const MOST_INSTANCES: u64 = 64;

const KEYS: &[&str] = &["name", "path", "sha256", "memory", "timeout", "state", "instances"];

/// A plugin of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginConfig {
    /// Its name.
    pub name: String,
    /// The file of the component.
    pub path: PathBuf,
    /// The SHA-256 that the file has to have.
    pub sha256: Option<[u8; 32]>,
    /// Bytes of memory of each instance.
    pub memory: u64,
    /// How long one call may take.
    pub timeout: Duration,
    /// Bytes that it may remember from call to call.
    pub state: u64,
    /// How many calls of it run at once, each in an instance of its own.
    pub instances: usize,
}

impl PluginConfig {
    /// One in this file, with the limits that there are by default.
    #[must_use]
    pub fn new(name: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        // Half of the processors stay with everything else, whatever plugins do.
        let processors = available_parallelism().map_or(1, usize::from);
        Self {
            name: name.into(),
            path: path.into(),
            sha256: None,
            memory: 16 << 20,
            timeout: Duration::from_millis(100),
            state: 0,
            instances: (processors / 2).max(1),
        }
    }

    /// Bytes that it may hold.
    fn held(&self) -> u64 {
        self.memory.saturating_mul(self.instances as u64).saturating_add(self.state)
    }
}

/// Reads all plugins of a configuration; relative paths begin at `directory`.
pub(crate) fn read(document: &Value, directory: &Path) -> (Vec<PluginConfig>, Vec<Problem>) {
    let Some(value) = document.get("plugin") else { return (Vec::new(), Vec::new()) };
    let problems = Problems::default();
    let node = Node::root(value, "plugin", &problems);
    let (mut plugins, mut names) = (Vec::new(), HashSet::new());
    for item in node.items_up_to(MOST_PLUGINS).into_iter().flatten() {
        let Some(plugin) = one(&item, directory) else { continue };
        if !names.insert(plugin.name.clone()) {
            item.report(format!("there are two plugins {:?}", plugin.name));
        }
        plugins.push(plugin);
    }
    if let Some((message, hint)) =
        too_much(plugins.iter().map(PluginConfig::held).fold(0_u64, u64::saturating_add))
    {
        node.report_with_hint(message, hint);
    }
    (plugins, problems.into_vec())
}

/// What is wrong with plugins that a program gives, by the same limits as those of a file.
pub(crate) fn problems<'a>(plugins: impl IntoIterator<Item = &'a PluginConfig>) -> Vec<Problem> {
    let (mut found, mut names, mut all) = (Vec::new(), HashSet::new(), 0_u64);
    for (index, plugin) in plugins.into_iter().enumerate() {
        let mut problem = |key, message: &str| found.push(Problem::new(place(index, key), message));
        if !is_name(&plugin.name) {
            problem("name", "must be 1 to 64 of a-z A-Z 0-9 . _ -");
        } else if !names.insert(&plugin.name) {
            problem("name", &format!("there are two plugins {:?}", plugin.name));
        }
        if index == MOST_PLUGINS {
            problem("name", &format!("there are more than {MOST_PLUGINS} plugins"));
        }
        if !(MEMORY.0.as_u64()..=MEMORY.1.as_u64()).contains(&plugin.memory) {
            problem("memory", "must be from 1 MiB to 1 GiB");
        }
        if !(TIMEOUT.0..=TIMEOUT.1).contains(&plugin.timeout) {
            problem("timeout", "must be from 1ms to 10s");
        }
        if plugin.state > STATE.as_u64() {
            problem("state", "must be at most 256 MiB");
        }
        if !(1..=MOST_INSTANCES).contains(&(plugin.instances as u64)) {
            problem("instances", &format!("must be from 1 to {MOST_INSTANCES}"));
        }
        all = all.saturating_add(plugin.held());
    }
    found.extend(too_much(all).map(|(message, hint)| Problem::new("plugin", message).with_hint(hint)));
    found
}

/// What is wrong with so many bytes of all plugins together, and what they are.
fn too_much(all: u64) -> Option<(String, &'static str)> {
    let size = |bytes| ByteSize::b(bytes).display().iec().to_string();
    (all > ALL_MEMORY).then(|| {
        let message = format!("together they may hold {}; there is room for {}", size(all), size(ALL_MEMORY));
        (message, "`memory` counts for each of `instances`, and `state` once")
    })
}

fn one(node: &Node<'_>, directory: &Path) -> Option<PluginConfig> {
    let table = node.table(KEYS)?;
    let before = node.problem_count();
    let name = table.require("name").and_then(|node| {
        let text = node.text()?;
        if !is_name(text) {
            node.report("must be 1 to 64 of a-z A-Z 0-9 . _ -");
            return None;
        }
        Some(text.to_owned())
    });
    let path = table.require("path").and_then(|node| node.text().map(|text| directory.join(text)));
    let mut plugin = PluginConfig::new(name.unwrap_or_default(), path.unwrap_or_default());
    set(&mut plugin.memory, table.get("memory"), |node| size(node, MEMORY.0..=MEMORY.1));
    set(&mut plugin.timeout, table.get("timeout"), |node| node.duration(TIMEOUT.0..=TIMEOUT.1));
    set(&mut plugin.state, table.get("state"), |node| size(node, ByteSize::b(0)..=STATE));
    set(&mut plugin.instances, table.get("instances"), |node| count(node, 1..=MOST_INSTANCES));
    plugin.sha256 = table.get("sha256").and_then(|node| hash(&node));
    (node.problem_count() == before).then_some(plugin)
}

fn hash(node: &Node<'_>) -> Option<[u8; 32]> {
    let text = node.text()?;
    let mut hash = [0; 32];
    if hex::decode_to_slice(text, &mut hash).is_err() {
        node.report_with_hint("must be 64 hexadecimal digits", "sha256sum FILE prints them");
        return None;
    }
    Some(hash)
}

/// The place of a key of a plugin.
pub(super) fn place(index: usize, key: &str) -> String {
    key_path(&item_path("plugin", index), key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reads_limits_and_tells_what_is_wrong_with_them() {
        let document = json!({"plugin": [
            {"name": "geo", "path": "geo.wasm", "memory": "8MiB", "timeout": "20ms", "state": "1MiB", "instances": 2},
            {"name": "geo", "path": "geo.wasm"},
            {"name": "a b", "sha256": "xyz", "timeout": "1h", "memry": "1MiB"},
        ]});
        let (plugins, problems) = read(&document, Path::new("/etc/anglerfish"));
        assert_eq!(plugins[0].path, Path::new("/etc/anglerfish/geo.wasm"));
        assert_eq!((plugins[0].memory, plugins[0].timeout), (8 << 20, Duration::from_millis(20)));
        let mut places: Vec<_> = problems.iter().map(|problem| problem.path.as_str()).collect();
        places.sort_unstable();
        let wrong = [
            "plugin[1]",
            "plugin[2].memry",
            "plugin[2].name",
            "plugin[2].path",
            "plugin[2].sha256",
            "plugin[2].timeout",
        ];
        assert_eq!(places, wrong);
    }

    #[test]
    fn a_program_keeps_to_the_same_limits() {
        let good = PluginConfig::new("geo", "geo.wasm");
        assert_eq!(problems([&good]), []);
        let odd = PluginConfig {
            memory: 1,
            timeout: Duration::from_secs(11),
            state: u64::MAX,
            instances: 0,
            ..PluginConfig::new("a b", "geo.wasm")
        };
        let found = problems([&good, &good, &odd]);
        let places: Vec<_> = found.iter().map(|problem| problem.path.as_str()).collect();
        let wrong = [
            "plugin[1].name",
            "plugin[2].name",
            "plugin[2].memory",
            "plugin[2].timeout",
            "plugin[2].state",
            "plugin[2].instances",
            "plugin",
        ];
        assert_eq!(places, wrong);
    }

    #[test]
    fn limits_that_cannot_be_kept_for_all_at_once_are_refused() {
        let plugin = |name: &str| json!({"name": name, "path": "p.wasm", "memory": "300MiB", "instances": 2});
        let read = |names: &[&str]| {
            let plugins: Vec<_> = names.iter().map(|name| plugin(name)).collect();
            read(&json!({"plugin": plugins}), Path::new("")).1
        };
        assert_eq!(read(&["a"]), []);
        assert_eq!(read(&["a", "b"])[0].message, "together they may hold 1.2 GiB; there is room for 1.0 GiB");
    }
}
