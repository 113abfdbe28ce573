//! What two configurations do not have in common.

use crate::gateway::Config;
use anglerfish_core::config::{ApiConfig, ResourceConfig, SourceConfig, TopicConfig};
use std::collections::BTreeMap;

/// The keys that differ: those that take effect now, and those that need a new start.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Difference {
    pub(super) applied: Vec<String>,
    pub(super) needs_restart: Vec<String>,
}

impl Difference {
    /// Compares what runs with what the file says now.
    pub(super) fn between(old: &Config, new: &Config) -> Self {
        let mut difference = Self::default();
        let (a, b) = (&old.server, &new.server);
        let (o, n) = (&old.outbound, &new.outbound);
        // What is bound, opened or divided once.
        let fixed = [
            ("server.listen", a.listen == b.listen),
            ("server.data_dir", a.data_dir == b.data_dir),
            ("server.max_connections", a.max_connections == b.max_connections),
            ("server.public_url", a.public_url == b.public_url),
            ("server.header_timeout", a.header_timeout == b.header_timeout),
            ("server.idle_timeout", a.idle_timeout == b.idle_timeout),
            ("admin.listen", old.admin.listen == new.admin.listen),
            ("admin.requests", old.admin.requests == new.admin.requests),
            ("out.listen", old.out.listen == new.out.listen),
            ("out.stomp", old.out.stomp == new.out.stomp),
            ("out.max_connections", old.out.max_connections == new.out.max_connections),
            (
                "out.max_connections_per_address",
                old.out.max_connections_per_address == new.out.max_connections_per_address,
            ),
            ("out.allowed_origins", old.out.allowed_origins == new.out.allowed_origins),
            ("out.max_readers", old.out.max_readers == new.out.max_readers),
            ("out.max_readers_per_token", old.out.max_readers_per_token == new.out.max_readers_per_token),
            (
                "out.max_readers_per_address",
                old.out.max_readers_per_address == new.out.max_readers_per_address,
            ),
            ("out.heartbeat", old.out.heartbeat == new.out.heartbeat),
            ("out.rotate_after", old.out.rotate_after == new.out.rotate_after),
            ("out.reader_buffer", old.out.reader_buffer == new.out.reader_buffer),
            ("out.stall_timeout", old.out.stall_timeout == new.out.stall_timeout),
            ("out.reader_events", old.out.reader_events == new.out.reader_events),
            ("documents", old.documents == new.documents),
            ("outbound.max_connections", o.max_connections == n.max_connections),
            ("outbound.max_connections_per_host", o.max_connections_per_host == n.max_connections_per_host),
            ("outbound.host_rates", o.host_rates == n.host_rates),
            ("outbound.proxy", o.proxy == n.proxy),
            ("outbound.roots", o.roots == n.roots),
            ("telemetry.otlp", old.telemetry == new.telemetry),
            ("log.format", old.log.format == new.log.format),
        ];
        // What an address lets in goes with the address: a token that only the new one can do without stays.
        let token = old.admin.token == new.admin.token;
        let moved = old.admin.listen != new.admin.listen;
        let free = [
            ("server.body_limit", a.body_limit == b.body_limit),
            ("server.body_timeout", a.body_timeout == b.body_timeout),
            ("server.body_memory", a.body_memory == b.body_memory),
            ("server.max_requests", a.max_requests == b.max_requests),
            ("server.max_queue", a.max_queue == b.max_queue),
            ("server.workers", a.workers == b.workers),
            ("server.decision_timeout", a.decision_timeout == b.decision_timeout),
            ("server.memory_limit", a.memory_limit == b.memory_limit),
            ("server.shutdown_timeout", a.shutdown_timeout == b.shutdown_timeout),
            ("server.trusted_proxies", a.trusted_proxies == b.trusted_proxies),
            ("server.path_prefix", a.path_prefix == b.path_prefix),
            ("server.allow_networks", a.allow_networks == b.allow_networks),
            ("admin.token", token || moved),
            ("admin.references", old.admin.references == new.admin.references),
            ("admin.networks", old.admin.networks == new.admin.networks),
            ("store.retention", old.store.retention == new.store.retention),
            ("log.filter", old.log.filter == new.log.filter),
            ("plugin", old.plugins == new.plugins),
        ];
        let differing = |keys: &[(&str, bool)]| -> Vec<String> {
            keys.iter().filter(|(_, same)| !same).map(|(key, _)| (*key).to_owned()).collect()
        };
        difference.applied = differing(&free);
        difference.needs_restart = differing(&fixed);
        if moved && !token {
            difference.needs_restart.push("admin.token".to_owned());
        }
        difference.applied.extend(sources(old, new));
        difference.applied.extend(apis(old, new));
        difference.applied.extend(topics(old, new));
        difference.applied.extend(resources(old, new));
        difference
    }
}

/// The sources that differ, as lines.
fn sources(old: &Config, new: &Config) -> Vec<String> {
    let by_name = |config: &Config| -> BTreeMap<String, SourceConfig> {
        config.document.sources.iter().map(|(_, source)| (source.name.clone(), source.clone())).collect()
    };
    lines("source", &by_name(old), &by_name(new))
}

/// The same of the APIs.
fn apis(old: &Config, new: &Config) -> Vec<String> {
    let by_name = |config: &Config| -> BTreeMap<String, ApiConfig> {
        config.apis.iter().map(|(_, api)| (api.config.name.clone(), api.config.clone())).collect()
    };
    lines("api", &by_name(old), &by_name(new))
}

/// The same of the topics.
fn topics(old: &Config, new: &Config) -> Vec<String> {
    let by_name = |config: &Config| -> BTreeMap<String, TopicConfig> {
        config.document.topics.iter().map(|(_, topic)| (topic.name.to_string(), topic.clone())).collect()
    };
    lines("topic", &by_name(old), &by_name(new))
}

/// The same of the resources.
fn resources(old: &Config, new: &Config) -> Vec<String> {
    let by_id = |config: &Config| -> BTreeMap<String, ResourceConfig> {
        let resources = config.document.resources.iter();
        resources.map(|(_, resource)| (resource.id.clone(), resource.clone())).collect()
    };
    lines("resource", &by_id(old), &by_id(new))
}

/// What differs, as lines. Each is compared as a whole, secrets included; nothing of it is shown but its name.
fn lines<T: PartialEq>(what: &str, old: &BTreeMap<String, T>, new: &BTreeMap<String, T>) -> Vec<String> {
    let mut lines = Vec::new();
    for (name, one) in new {
        match old.get(name) {
            None => lines.push(format!("{what} {name} added")),
            Some(before) if before != one => lines.push(format!("{what} {name} changed")),
            Some(_) => {}
        }
    }
    let removed = old.keys().filter(|name| !new.contains_key(*name));
    lines.extend(removed.map(|name| format!("{what} {name} removed")));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Environment;
    use std::path::Path;

    fn config(text: &str) -> Config {
        Config::parse("a.toml", text, Path::new(""), &Environment::default()).unwrap()
    }

    fn between(old: &str, new: &str) -> (Vec<String>, Vec<String>) {
        let Difference { applied, needs_restart } = Difference::between(&config(old), &config(new));
        (applied, needs_restart)
    }

    #[test]
    fn tells_what_takes_effect_from_what_needs_a_start() {
        let old = "[server]\nbody_limit = 1000\n";
        let new = "[server]\nbody_limit = 2000\nlisten = \"127.0.0.1:9\"\n[store]\nretention = \"1h\"\n";
        let (applied, needs_restart) = between(old, new);
        assert_eq!(applied, ["server.body_limit", "store.retention"]);
        assert_eq!(needs_restart, ["server.listen"]);
        assert_eq!(between(new, new), (Vec::new(), Vec::new()));
    }

    #[test]
    fn a_secret_that_was_rotated_is_a_change_and_is_not_shown() {
        let source = |secret: &str| {
            format!("[[source]]\nname = \"hub\"\nscheme = \"github\"\nsecrets = [\"{secret}\"]\n")
        };
        let (applied, _) = between(&source("the first secret"), &source("the second secret"));
        assert_eq!(applied, ["source hub changed"]);
        assert_eq!(between("", &source("x")).0, ["source hub added"]);
        assert_eq!(between(&source("x"), "").0, ["source hub removed"]);
    }

    #[test]
    fn a_token_goes_with_the_address_that_it_guards() {
        let guarded = "[admin]\nlisten = \"0.0.0.0:8081\"\ntoken = \"0123456789abcdef\"\n";
        let (applied, needs_restart) = between(guarded, "[admin]\nlisten = \"127.0.0.1:8081\"\n");
        assert_eq!(applied, Vec::<String>::new());
        assert_eq!(needs_restart, ["admin.listen", "admin.token"]);
    }
}
