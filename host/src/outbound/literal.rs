//! Hosts that are addresses, in every form that somebody's resolver would take for one.

use idna::AsciiDenyList;
use std::net::{IpAddr, Ipv4Addr};

/// A host in the one form that all of its spellings have in common: an address as it is written as a rule (one of IPv4 within
/// IPv6 as the former), a name in lower case, without the root's dot, and as it is asked for (`xn--…`). `None` if it is neither.
pub(crate) fn canonical(text: &str) -> Option<String> {
    let ascii = |text: &str| {
        let name = idna::domain_to_ascii_cow(text.as_bytes(), AsciiDenyList::URL).ok()?;
        Some(name.into_owned())
    };
    // A letter of another width may be a digit, and a full stop of another script a dot: that is known only afterwards.
    let text = if text.is_ascii() { text.to_owned() } else { ascii(text)? };
    match host(&text) {
        Host::Address(address) => Some(address.to_canonical().to_string()),
        Host::Neither => None,
        Host::Name => ascii(&text).map(|name| name.strip_suffix('.').unwrap_or(&name).to_owned()),
    }
}

/// What a host is, before any name is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Host {
    /// An address, however it is written.
    Address(IpAddr),
    /// It ends in a number, so that it can be no name, and it is no address either.
    Neither,
    /// A name to look up.
    Name,
}

/// Whether a name is this machine's own, whatever a name server says (RFC 6761, section 6.3).
pub(super) fn is_localhost(name: &str) -> bool {
    let bare = name.trim_end_matches('.').to_ascii_lowercase();
    bare == "localhost" || bare.ends_with(".localhost")
}

/// Reads a host as the WHATWG URL standard does ("ends in a number", IPv4 parser): `127.1`, `0x7f000001`, `0177.0.0.1`
/// and `2130706433` are addresses, and what ends in a number and is no address is nothing at all, never a name. So no
/// resolver gets to have an opinion of its own about what is checked here.
pub(crate) fn host(text: &str) -> Host {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    if let Ok(address) = bare.parse::<IpAddr>() {
        return Host::Address(address);
    }
    let text = text.strip_suffix('.').unwrap_or(text);
    let last = text.rsplit('.').next().unwrap_or(text);
    if text.contains(':') || last.is_empty() {
        return Host::Neither;
    }
    let numeric = last.bytes().all(|byte| byte.is_ascii_digit()) || number(last).is_some();
    match (numeric, odd_v4(text)) {
        (true, Some(address)) => Host::Address(address.into()),
        (true, None) => Host::Neither,
        (false, _) => Host::Name,
    }
}

/// One to four numbers; the last one fills what the others leave.
fn odd_v4(text: &str) -> Option<Ipv4Addr> {
    let numbers = text.split('.').map(number).collect::<Option<Vec<u64>>>()?;
    let (last, heads) = numbers.split_last()?;
    if heads.len() > 3 || heads.iter().any(|head| *head > 255) {
        return None;
    }
    let rest = u32::try_from(4 - heads.len()).ok()? * 8;
    if *last >= 1 << rest {
        return None;
    }
    let heads = heads.iter().fold(0, |sum, head| sum << 8 | head);
    u32::try_from(heads << rest | last).ok().map(Ipv4Addr::from_bits)
}

/// A number in decimal, octal (`0…`) or hexadecimal (`0x…`); one that is too long for the type is the largest.
fn number(text: &str) -> Option<u64> {
    let (digits, radix) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some("") => ("0", 16),
        Some(digits) => (digits, 16),
        None if text.len() > 1 && text.starts_with('0') => (text, 8),
        None => (text, 10),
    };
    // `from_str_radix` would take a sign.
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
        return None;
    }
    Some(u64::from_str_radix(digits, radix).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Host {
        Host::Address(text.parse().unwrap())
    }

    #[test]
    fn reads_every_form_of_an_address() {
        for text in [
            "127.0.0.1",
            "127.1",
            "127.0.1",
            "2130706433",
            "0x7f000001",
            "0X7F000001",
            "017700000001",
            "0177.0.0.1",
            "0x7f.0.0.1",
            "0x7f.1",
            "127.0.0.1.",
            "0x7f.0.0x0.01",
            "127.0x1",
        ] {
            assert_eq!(host(text), address("127.0.0.1"), "{text}");
        }
        assert_eq!(host("0"), address("0.0.0.0"));
        assert_eq!(host("169.254.43518"), address("169.254.169.254"));
        assert_eq!(host("4294967295"), address("255.255.255.255"));
        assert_eq!(host("[::1]"), address("::1"));
        assert_eq!(host("::ffff:10.0.0.1"), address("::ffff:10.0.0.1"));
    }

    #[test]
    fn what_ends_in_a_number_and_is_no_address_is_never_a_name() {
        for text in [
            "127.0.0.256",
            "4294967296",
            "0x100000000",
            "1.2.3.4.5",
            "256.1",
            "1.2.3.0x100",
            "08",
            "a.1",
            "example.0x7f",
            "[::1%25lo]",
            "[fe80::1%lo]",
            "::1%lo",
            "1..1",
            "",
            ".",
            "a..",
        ] {
            assert_eq!(host(text), Host::Neither, "{text}");
        }
    }

    #[test]
    fn one_host_has_one_form() {
        for (text, form) in [
            ("hooks.example.com", "hooks.example.com"),
            ("Hooks.EXAMPLE.com.", "hooks.example.com"),
            ("bücher.example", "xn--bcher-kva.example"),
            ("BÜCHER.example.", "xn--bcher-kva.example"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example"),
            ("my_host.internal", "my_host.internal"),
            ("127.1", "127.0.0.1"),
            ("0x7f.1", "127.0.0.1"),
            ("2130706433", "127.0.0.1"),
            ("127.0.0.1.", "127.0.0.1"),
            ("１２７.0.0.1", "127.0.0.1"),
            ("[::ffff:127.0.0.1]", "127.0.0.1"),
            ("[2001:DB8:0:0::1]", "2001:db8::1"),
            ("2001:db8::1", "2001:db8::1"),
        ] {
            assert_eq!(canonical(text).as_deref(), Some(form), "{text}");
        }
        for text in ["", ".", "127.0.0.256", "a b", "a/b", "a:80", "*", "a..b%", "[::1%lo]"] {
            assert!(canonical(text).is_none_or(|form| form == "*"), "{text}");
        }
    }

    #[test]
    fn knows_the_names_of_this_machine() {
        for (name, is) in [
            ("localhost", true),
            ("LOCALHOST.", true),
            ("a.localhost", true),
            ("notlocalhost", false),
            ("localhost.example.com", false),
        ] {
            assert_eq!(is_localhost(name), is, "{name}");
        }
    }

    #[test]
    fn leaves_names_alone() {
        for text in [
            "example.com",
            "localhost",
            "1.example.com",
            "0x7f.example",
            "a.b1",
            "xn--4ca",
            "example.com.",
            "face",
        ] {
            assert_eq!(host(text), Host::Name, "{text}");
        }
    }
}
