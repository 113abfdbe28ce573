//! Who sent a request that proxies handed on.

use http::HeaderMap;
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};

/// Who sent a request: the peer, or whom trusted proxies name in `X-Forwarded-For`. Read from its end, where the nearest one
/// wrote, up to the first that is no trusted proxy itself: what stands before that anybody could have written.
pub(crate) fn sender(headers: &HeaderMap, peer: IpAddr, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(&address));
    let mut sender = peer.to_canonical();
    let fields = headers.get_all("x-forwarded-for").iter().rev();
    // What cannot be read ends the list, as a name does that some write there.
    for hop in fields.flat_map(|field| field.to_str().unwrap_or_default().rsplit(',')) {
        if !is_trusted(sender) {
            break;
        }
        let hop = hop.trim();
        // Some write a port behind the address.
        let address = hop.parse::<IpAddr>().or_else(|_| hop.parse::<SocketAddr>().map(|with| with.ip()));
        let Ok(address) = address else { break };
        sender = address.to_canonical();
    }
    sender
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sender_is_whom_the_nearest_trusted_proxies_name_and_a_stranger_names_nobody() {
        let trusted: Vec<IpNet> = vec!["10.0.0.0/8".parse().unwrap()];
        let cases: [(&str, &[&str], &str); 8] = [
            ("203.0.113.1", &["192.0.2.1"], "203.0.113.1"),
            ("10.0.0.1", &["192.0.2.1"], "192.0.2.1"),
            ("10.0.0.1", &["192.0.2.9, 192.0.2.1, 10.0.0.2"], "192.0.2.1"),
            ("10.0.0.1", &["192.0.2.9", "192.0.2.1, 10.0.0.2"], "192.0.2.1"),
            ("10.0.0.1", &["192.0.2.9, nonsense"], "10.0.0.1"),
            ("10.0.0.1", &["192.0.2.1:4711"], "192.0.2.1"),
            ("::ffff:10.0.0.1", &["192.0.2.1"], "192.0.2.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
        ];
        for (peer, forwarded, expected) in cases {
            let mut headers = HeaderMap::new();
            for field in forwarded {
                headers.append("x-forwarded-for", field.parse().unwrap());
            }
            let found = sender(&headers, peer.parse().unwrap(), &trusted);
            assert_eq!(found.to_string(), expected, "{peer} {forwarded:?}");
        }
    }
}
