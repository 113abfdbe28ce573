//! What an app is granted beside the hosts that it calls: private networks, and memory.

use super::refusal::urls;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde_json::Value;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What an instance takes whatever it does: the code's own memory, and what it writes while it loads a configuration, in bytes.
const INSTANCE: u64 = 32 << 20;

/// Requests that one instance works on at once, unless Spin is told otherwise.
const AT_ONCE: u64 = 16;

/// How often a body lies in one memory at once: as it arrives, as the component's argument, as what is kept and what is sent.
const COPIES: u64 = 6;

/// What a configuration takes for each of its bytes: as it was read, as a tree, as tables and as compiled filters.
const FOR_EACH_BYTE: u64 = 40;

/// The private networks that a configuration opens for its endpoints.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OpenedNetworks {
    /// The networks; single addresses where endpoints are named by them.
    pub networks: Vec<IpNet>,
    /// The subscriptions, by id, that open every network: those with `allow_private` whose URL has a name for a host.
    pub whole: Vec<String>,
}

/// The private networks that the endpoints of a configuration may be on, by its `allow_private`, `allow_networks` and
/// `server.allow_networks`. Where a URL has an address in it nothing but this address is opened.
#[must_use]
pub fn opened_networks(document: &Value) -> OpenedNetworks {
    let networks = |value: Option<&Value>| -> Vec<IpNet> {
        let items = value.and_then(Value::as_array).into_iter().flatten();
        items.filter_map(|item| item.as_str()?.parse().ok()).collect()
    };
    let for_all = networks(document.get("server").and_then(|server| server.get("allow_networks")));
    let mut opened = OpenedNetworks::default();
    let subscriptions = document.get("subscription").and_then(Value::as_array);
    for subscription in subscriptions.into_iter().flatten() {
        let endpoint = subscription.get("endpoint");
        let key = |key: &str| endpoint.and_then(|endpoint| endpoint.get(key));
        let is_private = key("allow_private") == Some(&Value::Bool(true));
        let mut allowed = networks(key("allow_networks"));
        allowed.extend(&for_all);
        for (_, url) in urls(subscription) {
            match addresses(url) {
                Some(addresses) => {
                    let is_allowed = |address: &IpAddr| {
                        is_private || allowed.iter().any(|network| network.contains(address))
                    };
                    opened.networks.extend(addresses.into_iter().filter(is_allowed).map(IpNet::from));
                }
                None if is_private => {
                    opened.networks.extend([IpNet::from(Ipv4Net::default()), Ipv6Net::default().into()]);
                    let id = subscription.get("id").and_then(Value::as_str).unwrap_or_default();
                    if !opened.whole.iter().any(|known| known == id) {
                        opened.whole.push(id.to_owned());
                    }
                }
                None => opened.networks.extend(&allowed),
            }
        }
    }
    opened.networks.sort();
    opened.networks.dedup();
    opened
}

/// The addresses that a URL's host says of itself; `None` for a name, whose addresses nobody knows beforehand.
fn addresses(url: &str) -> Option<Vec<IpAddr>> {
    let uri: http::Uri = url.split(['{', '#']).next()?.parse().ok()?;
    let host = uri.host()?;
    if host.eq_ignore_ascii_case("localhost") {
        return Some(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
    }
    let address: IpAddr = host.trim_start_matches('[').trim_end_matches(']').parse().ok()?;
    Some(vec![address.to_canonical()])
}

/// What is left of networks when others are opened, in as few networks as that takes.
#[must_use]
pub fn blocked_networks(networks: &[IpNet], opened: &[IpNet]) -> Vec<IpNet> {
    let mut left = networks.to_vec();
    for hole in opened {
        left = left.into_iter().flat_map(|network| without(network, hole)).collect();
    }
    IpNet::aggregate(&left)
}

/// A network without what another one has of it.
fn without(network: IpNet, hole: &IpNet) -> Vec<IpNet> {
    if hole.contains(&network) {
        return Vec::new();
    }
    if !network.contains(hole) {
        return vec![network];
    }
    // What is opened is smaller, so that there are halves.
    let halves = network.subnets(network.prefix_len().saturating_add(1));
    halves.map_or_else(|_| Vec::new(), |halves| halves.flat_map(|half| without(half, hole)).collect())
}

/// In steps of so many bytes, so that not each change of a configuration is one of the limit.
const STEP: u64 = 16 << 20;

/// How large one memory of the app's may have to be, in bytes: for a configuration of this length (as JSON) and for bodies of `body` bytes.
#[must_use]
pub fn instance_memory(configuration: u64, body: u64) -> u64 {
    let bodies = body.saturating_mul(AT_ONCE).saturating_mul(COPIES);
    let needed = INSTANCE.saturating_add(bodies).saturating_add(configuration.saturating_mul(FOR_EACH_BYTE));
    needed.checked_next_multiple_of(STEP).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn nets(texts: &[&str]) -> Vec<IpNet> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn opened(subscriptions: &Value) -> OpenedNetworks {
        opened_networks(&json!({ "subscription": subscriptions }))
    }

    #[test]
    fn public_endpoints_open_nothing() {
        let endpoints = json!([
            { "id": "a", "endpoint": { "url": "https://hooks.example.com/" } },
            { "id": "b", "endpoint": { "url": "http://10.0.0.1/", "allow_http": true } },
            { "id": "c" },
        ]);
        assert_eq!(opened(&endpoints), OpenedNetworks::default());
    }

    #[test]
    fn an_endpoint_with_an_address_opens_that_address_alone() {
        let endpoints = json!([
            { "id": "a", "endpoint": { "url": "http://10.1.2.3:8080/{id}", "allow_private": true } },
            { "id": "b", "endpoint": { "url": "http://[fd00::1]/", "allow_networks": ["fd00::/8"] } },
            { "id": "c", "endpoint": { "url": "http://192.168.0.1/", "allow_networks": ["10.0.0.0/8"] } },
            { "id": "d", "endpoint": { "url": "http://localhost:3000/", "allow_private": true } },
        ]);
        let expected = nets(&["10.1.2.3/32", "127.0.0.1/32", "::1/128", "fd00::1/128"]);
        assert_eq!(opened(&endpoints), OpenedNetworks { networks: expected, whole: Vec::new() });
    }

    #[test]
    fn a_name_opens_the_networks_that_are_written_and_all_of_them_where_none_is() {
        let endpoints = json!([
            { "id": "a", "endpoint": { "url": "https://intern.example/", "allow_networks": ["10.1.0.0/16"] } },
        ]);
        assert_eq!(opened(&endpoints).networks, nets(&["10.1.0.0/16"]));
        let endpoints = json!([
            { "id": "a", "endpoint": {
                "url": "https://intern.example/", "allow_private": true,
                "actions": { "delete": { "url": "https://other.example/" } },
            } },
        ]);
        let everything = opened(&endpoints);
        assert_eq!(
            (everything.networks, everything.whole),
            (nets(&["0.0.0.0/0", "::/0"]), vec!["a".to_owned()])
        );
    }

    #[test]
    fn the_networks_of_the_server_are_open_to_each_endpoint() {
        let document = json!({
            "server": { "allow_networks": ["10.0.0.0/8"] },
            "subscription": [
                { "id": "a", "endpoint": { "url": "http://10.0.0.1/", "allow_http": true } },
                { "id": "b", "endpoint": { "url": "http://192.168.0.1/", "allow_http": true } },
            ],
        });
        assert_eq!(opened_networks(&document).networks, nets(&["10.0.0.1/32"]));
    }

    #[test]
    fn what_is_opened_is_taken_out_and_nothing_else() {
        let private = nets(&["10.0.0.0/8", "192.168.0.0/16", "fc00::/7"]);
        assert_eq!(blocked_networks(&private, &[]), private);
        assert_eq!(blocked_networks(&private, &nets(&["0.0.0.0/0", "::/0"])), []);
        let left = blocked_networks(&private, &nets(&["10.1.2.3/32", "192.168.0.0/16"]));
        let blocks = |text: &str| {
            let address: IpAddr = text.parse().unwrap();
            left.iter().any(|network| network.contains(&address))
        };
        for blocked in ["10.0.0.0", "10.1.2.2", "10.1.2.4", "10.255.255.255", "fd00::1"] {
            assert!(blocks(blocked), "{blocked}");
        }
        for open in ["10.1.2.3", "192.168.0.1", "192.168.255.255", "11.0.0.0", "9.255.255.255"] {
            assert!(!blocks(open), "{open}");
        }
        assert_eq!(
            left.len(),
            25,
            "one network for each bit that tells the address from others, and one more"
        );
    }

    #[test]
    fn memory_grows_with_bodies_and_with_the_configuration() {
        let small = instance_memory(1_000, 1 << 20);
        assert!(small < 256 << 20, "{small}");
        assert_eq!(instance_memory(2_000, 1 << 20), small, "in steps");
        assert!(instance_memory(1_000_000, 1 << 20) > small);
        assert!(instance_memory(1_000, 8 << 20) > small);
        assert_eq!(instance_memory(u64::MAX, u64::MAX), u64::MAX);
    }
}
