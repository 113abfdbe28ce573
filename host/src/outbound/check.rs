//! What can be said of an endpoint before it is called.

use super::guard::Guard;
use super::literal::{Host, host, is_localhost};
use super::server::is_name;
use super::tls::{self, is_server_name};
use anglerfish_core::config::EndpointConfig;
use http::Uri;

/// What of TLS with an endpoint cannot be used, with its key in the endpoint's table.
#[must_use]
pub fn tls_problem(endpoint: &EndpointConfig) -> Option<(String, String)> {
    if let Some(problem) = tls::unspoken(endpoint.url.reveal()) {
        return Some(("url".to_owned(), problem.to_owned()));
    }
    tls::problem(&endpoint.tls).map(|(key, problem)| (format!("tls.{key}"), problem))
}

/// Why every attempt at an endpoint would be refused, as far as its host tells without a name server. What a secret URL
/// holds is not named. If a proxy `resolves` names, only the rule about TLS holds for them: the proxy decides about addresses.
#[must_use]
pub fn endpoint_problem(endpoint: &EndpointConfig, resolves: bool) -> Option<String> {
    if let Some(problem) = tls::unspoken(endpoint.url.reveal()) {
        return Some(format!("every attempt would be refused: {problem}"));
    }
    let guard = Guard::try_new(endpoint.allow_private, &endpoint.allow_networks).ok()?;
    let uri: Uri = endpoint.url.reveal().parse().ok()?;
    let named = uri.host()?;
    let is_plain = uri.scheme_str() == Some("http") && !endpoint.allow_http;
    let opens_private = endpoint.allow_private || !endpoint.allow_networks.is_empty();
    let is_tls = uri.scheme_str() == Some("https");
    let is_no_name = || !is_name(named) || is_tls && !is_server_name(named);
    let neither = || match endpoint.url.is_secret() {
        true => "its host is neither an address nor a name".to_owned(),
        false => format!("its host `{named}` is neither an address nor a name"),
    };
    let refused = match host(named) {
        Host::Address(address) if is_plain && guard.is_public(address) => return Some(PLAIN.to_owned()),
        Host::Address(address) => guard.check(address).err()?,
        Host::Neither => return Some(neither()),
        Host::Name if is_no_name() => return Some(neither()),
        Host::Name if !is_localhost(named) => {
            // Where nothing private may be called its address is a public one, if it is called at all; and nobody here
            // knows that of a name which the proxy resolves.
            return (is_plain && (resolves || !opens_private)).then(|| PLAIN.to_owned());
        }
        Host::Name if resolves && !is_plain => return None,
        Host::Name => guard.check_loopback().err()?,
    };
    Some(format!(
        "every attempt would be refused: its host is {} address, which neither allow_private nor allow_networks permits",
        refused.class()
    ))
}

/// What is said of a public endpoint without TLS.
const PLAIN: &str =
    "every attempt would be refused: it is called without TLS, which only allow_http = true permits";

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(url: &str, allow_private: bool, networks: &[&str]) -> Option<String> {
        let endpoint = EndpointConfig {
            allow_private,
            allow_networks: networks.iter().map(|network| (*network).to_owned()).collect(),
            ..EndpointConfig::new(url)
        };
        endpoint_problem(&endpoint, false)
    }

    #[test]
    fn of_a_name_that_the_proxy_resolves_only_the_rule_about_tls_holds() {
        let problem = |url: &str, allow_private, allow_http| {
            let endpoint = EndpointConfig { allow_private, allow_http, ..EndpointConfig::new(url) };
            endpoint_problem(&endpoint, true)
        };
        for (url, allow_private, allow_http) in [
            ("https://localhost/", false, false),
            ("http://localhost/", true, false),
            ("http://localhost/", false, true),
            ("http://inside.test/", false, true),
            ("https://inside.test/", false, false),
        ] {
            assert_eq!(problem(url, allow_private, allow_http), None, "{url}");
        }
        for (url, allow_private, allow_http, word) in [
            ("http://localhost/", false, false, "a loopback address"),
            ("http://inside.test/", true, false, "called without TLS"),
            // An address is not for the proxy to resolve.
            ("https://127.0.0.1/", false, true, "a loopback address"),
        ] {
            let said = problem(url, allow_private, allow_http).unwrap_or_default();
            assert!(said.contains(word), "{url}: {said}");
        }
    }

    #[test]
    fn tells_of_hosts_that_would_be_refused() {
        for (url, word) in [
            ("http://127.0.0.1:9000/", "a loopback address"),
            ("http://2130706433/", "a loopback address"),
            ("http://localhost/x", "a loopback address"),
            ("https://LOCALHOST./x", "a loopback address"),
            ("https://10.1.2.3/", "a private address"),
            ("https://[fd00::1]/", "a unique local address"),
            ("https://169.254.169.254/", "a link-local address"),
            ("https://127.0.0.256/", "neither an address nor a name"),
            ("https://example..com/", "neither an address nor a name"),
            ("http://example..com/", "neither an address nor a name"),
            ("https://-a.com/", "neither an address nor a name"),
            ("http://example.com/", "called without TLS"),
            ("http://1.1.1.1/", "called without TLS"),
        ] {
            let said = problem(url, false, &[]).unwrap_or_default();
            assert!(said.contains(word), "{url}: {said}");
        }
        for label in [63, 64] {
            let url = format!("https://{}.com/", "a".repeat(label));
            assert_eq!(problem(&url, false, &[]).is_some(), label > 63, "{url}");
        }
    }

    #[test]
    fn has_nothing_against_what_may_be_called_or_is_not_known_yet() {
        assert_eq!(problem("https://example.com/", false, &[]), None);
        assert_eq!(problem("https://1.1.1.1/", false, &[]), None);
        // Where something private may be called, its name tells nothing.
        assert_eq!(problem("http://inside.test/", false, &["10.0.0.0/8"]), None);
        assert_eq!(problem("http://127.0.0.1/", true, &[]), None);
        assert_eq!(problem("http://127.0.0.1/", false, &["127.0.0.0/8"]), None);
        assert_eq!(problem("http://localhost/", false, &["127.0.0.0/8"]), None);
        assert_eq!(problem("http://localhost/", false, &["::1/128"]), None);
    }
}
