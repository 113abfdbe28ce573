//! How others are called: `[outbound]`.

use super::Proxy;
use super::literal::canonical;
use super::tls::{Root, read_roots};
use crate::config::section::{Keys, Kind, Section, Written, written_problems};
use crate::config::value::count;
use anglerfish_core::config::{Node, RateConfig, Table, key_path, read_rate};
use anglerfish_core::problem::Problem;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Hosts with a rate of their own.
const MOST_HOSTS: usize = 1000;

/// How others are called: `[outbound]`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OutboundConfig {
    /// Connections in all, idle ones included; what the descriptor limit leaves if it is not set.
    pub max_connections: Option<usize>,
    /// Connections to one host and port.
    pub max_connections_per_host: Option<usize>,
    /// How many attempts may start to a host in which time, over all subscriptions; by the host in its canonical form.
    pub host_rates: BTreeMap<String, RateConfig>,
    /// A proxy through which everything goes out.
    pub proxy: Option<Proxy>,
    /// The authorities that others' certificates may be from, in the place of the system's.
    pub roots: Option<Vec<Root>>,
}

impl OutboundConfig {
    /// Whether names are given to a proxy, which decides itself which addresses may be called.
    pub(crate) fn proxy_resolves(&self) -> bool {
        self.proxy.as_ref().is_some_and(Proxy::resolves)
    }
}

impl Section for OutboundConfig {
    const TABLE: &'static str = "outbound";
    const KEYS: Keys = &[
        ("max_connections", Kind::Integer),
        ("max_connections_per_host", Kind::Integer),
        // A table by host; a variable cannot say one.
        ("host_rates", Kind::Text),
        ("proxy", Kind::Text),
        ("roots", Kind::Text),
        ("proxy_resolves", Kind::Boolean),
    ];

    fn read(table: &Table<'_>) -> Self {
        let mut config = Self::default();
        let connections = |node: Node<'_>| count(&node, 1..=1_000_000);
        config.max_connections = table.get("max_connections").and_then(connections);
        config.max_connections_per_host = table.get("max_connections_per_host").and_then(connections);
        if let Some(node) = table.get("host_rates")
            && let Some(hosts) = node.members_up_to(MOST_HOSTS)
        {
            let mut named: BTreeMap<String, &str> = BTreeMap::new();
            for (text, rate) in hosts {
                match read_host(text) {
                    Err(problem) => rate.report_with_hint(problem.0, problem.1),
                    Ok(host) => {
                        if let Some(other) = named.insert(host.clone(), text) {
                            rate.report(format!("is the same host as {other:?}"));
                        }
                        config.host_rates.extend(read_rate(&rate).map(|rate| (host, rate)));
                    }
                }
            }
        }
        config.roots = table.get("roots").and_then(|node| {
            let read = read_roots(node.text()?);
            read.map_err(|problem| {
                node.report_with_hint(problem, "write file:PATH for a file of certificates in PEM")
            })
            .ok()
        });
        let resolves = table.get("proxy_resolves").and_then(|node| node.boolean()).unwrap_or_default();
        config.proxy = table.get("proxy").and_then(|node| {
            let proxy = Proxy::try_new(node.text()?, resolves);
            proxy.map_err(|error| node.report(error.to_string())).ok()
        });
        if resolves
            && table.get("proxy").is_none()
            && let Some(node) = table.get("proxy_resolves")
        {
            node.report("needs \"proxy\" beside it");
        }
        config
    }
}

impl Written for OutboundConfig {
    fn written(&self) -> Value {
        let mut table = Map::new();
        let bounds = [
            ("max_connections", self.max_connections),
            ("max_connections_per_host", self.max_connections_per_host),
        ];
        for (key, connections) in bounds {
            if let Some(connections) = connections {
                table.insert(key.to_owned(), json!(connections));
            }
        }
        Value::Object(table)
    }

    /// And what a file's reader would have made of hosts and rates, which are read already in code.
    fn problems(&self) -> Vec<Problem> {
        let mut problems = written_problems(self);
        for (host, rate) in &self.host_rates {
            let path = key_path("outbound.host_rates", host);
            if canonical(host).as_ref() != Some(host) {
                let hint =
                    "write its name in lower case, or its address as the system writes it, without a port";
                problems.push(Problem::new(&path, "not a host in its canonical form").with_hint(hint));
            }
            if rate.count == 0 || rate.burst == 0 || rate.period.is_zero() {
                problems.push(Problem::new(path, "a rate of nothing, or in no time"));
            }
        }
        problems
    }
}

/// The canonical form of a host, or what is wrong with it and what would help.
fn read_host(text: &str) -> Result<String, (&'static str, &'static str)> {
    if text.contains('*') {
        return Err(("a rate is of one host; patterns are not taken", "name each host"));
    }
    canonical(text).ok_or(("not the name of a host", "write it as in a URL, without a port"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use anglerfish_core::config::Problems;

    fn read(rates: &Value) -> Result<BTreeMap<String, RateConfig>, Vec<String>> {
        let (value, problems) = (json!({ "host_rates": rates }), Problems::default());
        let config = OutboundConfig::of(&Node::root(&value, "outbound", &problems));
        let problems: Vec<String> = problems.into_vec().iter().map(ToString::to_string).collect();
        if problems.is_empty() { Ok(config.host_rates) } else { Err(problems) }
    }

    #[test]
    fn hosts_have_rates_of_their_own() {
        let rates = read(&json!({
            "Hooks.Example.com.": {"per_second": 1}, "10.0.1": {"per_hour": 5}, "[2001:DB8::0:1]": {"per_second": 1},
            "bücher.example": {"per_second": 1},
        }));
        assert_eq!(
            rates.unwrap().keys().collect::<Vec<_>>(),
            ["10.0.0.1", "2001:db8::1", "hooks.example.com", "xn--bcher-kva.example"]
        );
        for (rates, word) in [
            (json!({"example.com:80": {"per_second": 1}}), "not the name of a host"),
            (json!({"https://example.com": {"per_second": 1}}), "not the name of a host"),
            (json!({"": {"per_second": 1}}), "not the name of a host"),
            (json!({"example.com": {}}), "says no rate"),
            (json!({"example.com/": {"per_second": 1}}), "not the name of a host"),
            (json!({"user@example.com": {"per_second": 1}}), "not the name of a host"),
            (json!({"127.0.0.256": {"per_second": 1}}), "not the name of a host"),
            (json!({"*.example.com": {"per_second": 1}}), "patterns are not taken"),
            (json!({"a.test": {"per_second": 1}, "A.test.": {"per_second": 2}}), "is the same host as"),
            (json!({"127.1": {"per_second": 1}, "127.0.0.1": {"per_second": 2}}), "is the same host as"),
            (json!("example.com=1"), "expected a table"),
        ] {
            let problems = read(&rates).unwrap_err();
            assert!(problems.len() == 1 && problems[0].contains(word), "{rates}: {problems:?}");
        }
    }
}
