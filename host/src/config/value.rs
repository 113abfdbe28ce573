//! Reading the values that keys of several tables have.

use anglerfish_core::config::{Node, Secret, TOKEN_HINT, token_problem};
use bytesize::ByteSize;
use ipnet::IpNet;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const HOUR: Duration = Duration::from_secs(3600);
/// The mean year, as durations are written with units.
pub(crate) const YEAR: Duration = Duration::from_secs(31_557_600);

/// Sets what a key says, if it is there and says something valid.
pub(crate) fn set<T>(target: &mut T, node: Option<Node<'_>>, read: impl FnOnce(&Node<'_>) -> Option<T>) {
    if let Some(value) = node.and_then(|node| read(&node)) {
        *target = value;
    }
}

/// An IP address and a port.
pub(crate) fn address(node: &Node<'_>) -> Option<SocketAddr> {
    let text = node.text()?;
    let address = SocketAddr::from_str(text).ok();
    if address.is_none() {
        node.report_with_hint("not an address", "write an IP address and a port, such as \"127.0.0.1:8080\"");
    }
    address
}

/// A duration in the words of a file. Parts of a millisecond are rounded up.
pub(crate) fn milliseconds(duration: Duration) -> String {
    format!("{}ms", duration.as_nanos().div_ceil(1_000_000))
}

/// A number within bounds.
pub(crate) fn count(node: &Node<'_>, bounds: RangeInclusive<u64>) -> Option<usize> {
    node.integer(bounds).and_then(|count| usize::try_from(count).ok())
}

/// A number of bytes within bounds, with or without a unit.
pub(crate) fn size(node: &Node<'_>, bounds: RangeInclusive<ByteSize>) -> Option<u64> {
    node.size(bounds.start().as_u64()..=bounds.end().as_u64())
}

/// A token that can stand in an `Authorization` field and cannot be guessed.
pub(crate) fn token(node: &Node<'_>) -> Option<Secret> {
    let text = node.text()?;
    if let Some(problem) = token_problem(text) {
        node.report_with_hint(problem, TOKEN_HINT);
        return None;
    }
    Some(Secret::new(text))
}

/// Networks in CIDR notation; those that are none are reported and left out.
pub(crate) fn networks(node: &Node<'_>) -> Option<Vec<IpNet>> {
    let mut networks = Vec::new();
    for item in node.items()? {
        let Some(text) = item.text() else { continue };
        match IpNet::from_str(text) {
            Ok(network) => networks.push(network),
            Err(_) => {
                item.report_with_hint(
                    "not a network",
                    "write \"10.0.0.0/8\", or \"10.1.2.3/32\" for one address",
                );
            }
        }
    }
    Some(networks)
}
