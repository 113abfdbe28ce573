//! Which private networks may be opened at run time.

use anglerfish_core::config::{EndpointConfig, item_path, key_path};
use anglerfish_core::problem::Problem;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// The networks that `admin.networks` names.
///
/// Whoever may write a subscription chooses whom it calls. With `allow_private` at hand they could reach whatever this
/// gateway reaches, so that only what is named may be opened.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NetworkList(Vec<IpNet>);

impl NetworkList {
    /// These and what lies within them.
    #[must_use]
    pub fn new(networks: Vec<IpNet>) -> Self {
        Self(networks)
    }

    /// What an endpoint opens that is not named; `path` is where it stands.
    pub(crate) fn refuse(&self, endpoint: &EndpointConfig, path: &str) -> Vec<Problem> {
        let mut problems = Vec::new();
        let everything = [IpNet::from(Ipv4Net::default()), IpNet::from(Ipv6Net::default())];
        if endpoint.allow_private && !everything.iter().all(|network| self.permits(network)) {
            let problem = Problem::new(key_path(path, "allow_private"), "may not be set at run time");
            problems.push(problem.with_hint(
                "name the networks in `networks` of [admin], and those to be called in `allow_networks` here",
            ));
        }
        for (index, text) in endpoint.allow_networks.iter().enumerate() {
            if text.parse().is_ok_and(|network| self.permits(&network)) {
                continue;
            }
            let path = item_path(&key_path(path, "allow_networks"), index);
            let problem = Problem::new(path, "this network may not be allowed at run time");
            problems.push(problem.with_hint("name it, or one that holds it, in `networks` of [admin]"));
        }
        problems
    }

    fn permits(&self, network: &IpNet) -> bool {
        self.0.iter().any(|permitted| permitted.contains(network))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(list: &[&str], allow_private: bool, networks: &[&str]) -> Vec<String> {
        let list = NetworkList::new(list.iter().map(|network| network.parse().unwrap()).collect());
        let endpoint = EndpointConfig {
            allow_private,
            allow_networks: networks.iter().map(|network| (*network).to_owned()).collect(),
            ..EndpointConfig::new("http://10.0.0.1/")
        };
        list.refuse(&endpoint, "endpoint").into_iter().map(|problem| problem.path).collect()
    }

    #[test]
    fn nothing_may_be_opened_that_is_not_named() {
        assert_eq!(refused(&[], true, &[]), ["endpoint.allow_private"]);
        assert_eq!(refused(&[], false, &["10.0.0.0/8"]), ["endpoint.allow_networks[0]"]);
        assert!(refused(&[], false, &[]).is_empty());
    }

    #[test]
    fn what_is_named_may_be_opened_and_what_lies_within_it() {
        assert!(refused(&["10.0.0.0/8"], false, &["10.0.0.0/8", "10.1.2.3/32"]).is_empty());
        assert_eq!(
            refused(&["10.0.0.0/8"], false, &["10.1.0.0/16", "0.0.0.0/0"]),
            ["endpoint.allow_networks[1]"]
        );
        assert_eq!(refused(&["10.0.0.0/8"], true, &[]), ["endpoint.allow_private"]);
        assert_eq!(refused(&["0.0.0.0/0"], true, &[]), ["endpoint.allow_private"]);
        assert!(refused(&["0.0.0.0/0", "::/0"], true, &["fd00::/8"]).is_empty());
    }
}
