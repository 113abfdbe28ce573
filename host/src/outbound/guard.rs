//! Which addresses may be called: whoever can write an endpoint's URL must not reach into the operator's network.
//!
//! The registries behind the tables are IANA's "IPv4 Special-Purpose Address Registry" and "IPv6 Special-Purpose
//! Address Registry". In IPv6 it is the other way round: only what lies in global unicast space may be called.

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Networks of IPv4 that are not global, with what they are for.
/// And one address of IPv4 that is, but at which machines of one cloud find a service of their own platform, as others do at
/// a link-local one (Microsoft, "What is IP address 168.63.129.16?").
const SPECIAL_V4: [(Ipv4Net, &str); 17] = [
    (v4([0, 0, 0, 0], 8), "an unspecified"),
    (v4([10, 0, 0, 0], 8), "a private"),
    (v4([100, 64, 0, 0], 10), "a carrier's shared"),
    (v4([127, 0, 0, 0], 8), "a loopback"),
    (v4([169, 254, 0, 0], 16), "a link-local"),
    (v4([168, 63, 129, 16], 32), "a cloud platform's"),
    (v4([172, 16, 0, 0], 12), "a private"),
    (v4([192, 0, 0, 0], 24), "a protocol"),
    (v4([192, 0, 2, 0], 24), "a documentation"),
    (v4([192, 88, 99, 0], 24), "a relay"),
    (v4([192, 168, 0, 0], 16), "a private"),
    (v4([198, 18, 0, 0], 15), "a benchmarking"),
    (v4([198, 51, 100, 0], 24), "a documentation"),
    (v4([203, 0, 113, 0], 24), "a documentation"),
    (v4([224, 0, 0, 0], 4), "a multicast"),
    (v4([255, 255, 255, 255], 32), "a broadcast"),
    (v4([240, 0, 0, 0], 4), "a reserved"),
];

/// Networks of IPv6 with a name of their own, all of them not global.
const SPECIAL_V6: [(Ipv6Net, &str); 10] = [
    (v6([0, 0, 0, 0, 0, 0, 0, 0], 128), "an unspecified"),
    (v6([0, 0, 0, 0, 0, 0, 0, 1], 128), "a loopback"),
    (v6([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48), "a local translation"),
    (v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23), "a protocol"),
    (v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32), "a documentation"),
    (v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20), "a documentation"),
    (v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7), "a unique local"),
    (v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10), "a link-local"),
    (v6([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10), "a site-local"),
    (v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8), "a multicast"),
];

/// The only space from which global unicast addresses are given out.
const GLOBAL_V6: Ipv6Net = v6([0x2000, 0, 0, 0, 0, 0, 0, 0], 3);
/// RFC 6052: the last 32 bits are an IPv4 address.
const NAT64: Ipv6Net = v6([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96);
/// RFC 3056: the 32 bits behind the prefix are an IPv4 address.
const SIX_TO_FOUR: Ipv6Net = v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16);

const fn v4(address: [u8; 4], prefix: u8) -> Ipv4Net {
    let [a, b, c, d] = address;
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(address: [u16; 8], prefix: u8) -> Ipv6Net {
    let [a, b, c, d, e, f, g, h] = address;
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, d, e, f, g, h), prefix)
}

/// The networks that are not called unless they are allowed, as far as they have a name of their own. What is reached through 6to4
/// is among them as a whole.
#[cfg(feature = "cli")]
pub(crate) fn special_networks() -> Vec<IpNet> {
    let v4 = SPECIAL_V4.iter().map(|(network, _)| IpNet::from(*network));
    let v6 = SPECIAL_V6.iter().map(|(network, _)| IpNet::from(*network));
    v4.chain(v6).chain([SIX_TO_FOUR.into()]).collect()
}

/// The addresses that one subscription may call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Guard {
    allow_private: bool,
    allow_http: bool,
    allow_networks: Vec<IpNet>,
}

/// A network of the allow-list cannot be read.
#[derive(Debug, Clone, thiserror::Error)]
#[error("`{0}` is not a network in CIDR notation")]
pub struct NetworkError(String);

/// An address was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "address {address} refused: it is {class} address, which neither allow_private nor allow_networks permits"
)]
pub(crate) struct Refused {
    address: IpAddr,
    class: &'static str,
}

/// A public address was to be called without TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("refused: a public address is called without TLS, which only allow_http = true permits")]
pub(crate) struct Plain;

impl Refused {
    /// What the address is for, with its article.
    pub(crate) fn class(&self) -> &'static str {
        self.class
    }
}

impl Guard {
    /// Reads the allow-list. A network that cannot be read fails: dropping it would be a silent change of who is called.
    pub(crate) fn try_new(allow_private: bool, allow_networks: &[String]) -> Result<Self, NetworkError> {
        let parse = |text: &String| text.parse().map_err(|_| NetworkError(text.clone()));
        let allow_networks = allow_networks.iter().map(parse).collect::<Result<_, _>>()?;
        Ok(Self { allow_private, allow_http: true, allow_networks })
    }

    /// Whether an address may be called.
    pub(crate) fn check(&self, address: IpAddr) -> Result<(), Refused> {
        // An IPv4 address written in IPv6 goes out as IPv4, so it is judged and allowed as that.
        let address = address.to_canonical();
        match class(address) {
            Some(class) if !self.permits(address) => Err(Refused { address, class }),
            _ => Ok(()),
        }
    }

    /// Whether one of the two addresses of this machine's own names may be called.
    pub(crate) fn check_loopback(&self) -> Result<(), Refused> {
        self.check(Ipv6Addr::LOCALHOST.into()).or_else(|_| self.check(Ipv4Addr::LOCALHOST.into()))
    }

    /// The same guard, which also says whether public addresses may be called without TLS.
    pub(crate) fn allow_http(self, allow_http: bool) -> Self {
        Self { allow_http, ..self }
    }

    /// Whether an address may be called without TLS: what is said to a public one others read on the way.
    pub(crate) fn check_plain(&self, address: IpAddr) -> Result<(), Plain> {
        if self.allow_http || !self.is_public(address) { Ok(()) } else { Err(Plain) }
    }

    /// Whether everything may be called without TLS, whatever its address.
    pub(crate) fn allows_http(&self) -> bool {
        self.allow_http
    }

    /// Whether an address is a public one.
    pub(crate) fn is_public(&self, address: IpAddr) -> bool {
        class(address.to_canonical()).is_none()
    }

    fn permits(&self, address: IpAddr) -> bool {
        self.allow_private || self.allow_networks.iter().any(|network| network.contains(&address))
    }
}

/// What an address that is not global is for.
fn class(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => class_v4(address),
        IpAddr::V6(address) => class_v6(address),
    }
}

fn class_v4(address: Ipv4Addr) -> Option<&'static str> {
    SPECIAL_V4.iter().find(|(network, _)| network.contains(&address)).map(|(_, class)| *class)
}

fn class_v6(address: Ipv6Addr) -> Option<&'static str> {
    if let Some((_, class)) = SPECIAL_V6.iter().find(|(network, _)| network.contains(&address)) {
        return Some(class);
    }
    let [_, b, c, .., g, h] = address.segments();
    if NAT64.contains(&address) {
        class_v4(embedded(g, h))
    } else if SIX_TO_FOUR.contains(&address) {
        class_v4(embedded(b, c))
    } else if GLOBAL_V6.contains(&address) {
        None
    } else {
        Some("a reserved")
    }
}

fn embedded(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strict() -> Guard {
        Guard::try_new(false, &[]).unwrap()
    }

    fn refusal(address: &str) -> Option<String> {
        strict().check(address.parse().unwrap()).err().map(|refused| refused.to_string())
    }

    #[test]
    fn permits_global_addresses() {
        for address in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.1",
            "168.63.129.15",
            "169.253.255.255",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.167.255.255",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2606:4700::1111",
            "2001:200::1",
            "2a00::1",
            "::ffff:1.1.1.1",
            "64:ff9b::1.1.1.1",
            "2002:101:101::1",
        ] {
            assert_eq!(refusal(address), None, "{address}");
        }
    }

    #[test]
    fn refuses_each_class_of_addresses_that_are_not_global() {
        for (address, class) in [
            ("0.0.0.0", "an unspecified"),
            ("0.1.2.3", "an unspecified"),
            ("10.0.0.1", "a private"),
            ("172.16.0.1", "a private"),
            ("172.31.255.255", "a private"),
            ("192.168.1.1", "a private"),
            ("100.64.0.1", "a carrier's shared"),
            ("100.127.255.255", "a carrier's shared"),
            ("127.0.0.1", "a loopback"),
            ("127.255.255.255", "a loopback"),
            ("168.63.129.16", "a cloud platform's"),
            ("::ffff:168.63.129.16", "a cloud platform's"),
            ("169.254.169.254", "a link-local"),
            ("192.0.0.8", "a protocol"),
            ("192.0.2.1", "a documentation"),
            ("198.51.100.1", "a documentation"),
            ("203.0.113.1", "a documentation"),
            ("192.88.99.1", "a relay"),
            ("198.18.0.1", "a benchmarking"),
            ("198.19.255.255", "a benchmarking"),
            ("224.0.0.1", "a multicast"),
            ("239.255.255.255", "a multicast"),
            ("240.0.0.1", "a reserved"),
            ("255.255.255.255", "a broadcast"),
            ("::", "an unspecified"),
            ("::1", "a loopback"),
            ("::7f00:1", "a reserved"),
            ("::ffff:127.0.0.1", "a loopback"),
            ("::ffff:10.0.0.1", "a private"),
            ("::ffff:169.254.169.254", "a link-local"),
            ("64:ff9b::10.0.0.1", "a private"),
            ("64:ff9b::127.0.0.1", "a loopback"),
            ("64:ff9b:1::1", "a local translation"),
            ("100::1", "a reserved"),
            ("2001::1", "a protocol"),
            ("2001:db8::1", "a documentation"),
            ("3fff::1", "a documentation"),
            ("2002:a00:1::1", "a private"),
            ("2002:7f00:1::1", "a loopback"),
            ("2002:c0a8:101::1", "a private"),
            ("5f00::1", "a reserved"),
            ("fc00::1", "a unique local"),
            ("fdff::1", "a unique local"),
            ("fe80::1", "a link-local"),
            ("febf::1", "a link-local"),
            ("fec0::1", "a site-local"),
            ("ff02::1", "a multicast"),
        ] {
            let error = refusal(address).unwrap_or_else(|| panic!("{address} was permitted"));
            assert!(error.contains(class), "{address}: {error}");
        }
    }

    #[test]
    fn names_the_address_that_it_refuses() {
        let error = refusal("::ffff:10.1.2.3").unwrap();
        assert!(error.starts_with("address 10.1.2.3 refused: it is a private address"), "{error}");
    }

    #[test]
    fn the_allow_list_permits_its_networks_and_no_others() {
        let guard = Guard::try_new(false, &["10.1.0.0/16".into(), "fd00::/8".into()]).unwrap();
        for (address, permitted) in [
            ("10.1.2.3", true),
            ("::ffff:10.1.2.3", true),
            ("10.2.0.1", false),
            ("127.0.0.1", false),
            ("fd12::1", true),
            ("fc12::1", false),
            ("64:ff9b::10.1.2.3", false),
            ("1.1.1.1", true),
        ] {
            assert_eq!(guard.check(address.parse().unwrap()).is_ok(), permitted, "{address}");
        }
    }

    #[test]
    fn allow_private_permits_all() {
        let guard = Guard::try_new(true, &[]).unwrap();
        for address in ["127.0.0.1", "10.0.0.1", "::1", "fe80::1", "1.1.1.1"] {
            assert_eq!(guard.check(address.parse().unwrap()), Ok(()), "{address}");
        }
    }

    #[test]
    fn a_network_that_cannot_be_read_is_an_error() {
        for text in ["10.0.0.0", "10.0.0.0/33", "localhost", ""] {
            assert!(Guard::try_new(false, &[text.into()]).is_err(), "{text}");
        }
    }
}
