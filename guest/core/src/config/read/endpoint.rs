//! Reading where deliveries go.

use super::signature::{self, Signed};
use super::{expression, port, resource};
use crate::config::{
    ActionConfig, ClientCertificate, DataTemplate, EndpointConfig, EndpointTemplates, EndpointTls,
    EndpointUrl, Secret, Template,
};
use crate::node::{Node, Table};
use crate::resource::Action;
use http::{HeaderName, Uri};
use std::str::FromStr;

pub(super) const KEYS: &[&str] = &[
    "url",
    "method",
    "headers",
    "data",
    "signature",
    "secret",
    "secrets",
    "rotation_overlap",
    "allow_private",
    "allow_networks",
    "allow_http",
    "allow_ports",
    "tls",
    "actions",
];

/// Servers take 8 KB of a request's target as a rule (RFC 9110, section 4.1, asks for 8000 bytes at least).
pub(crate) const LONGEST_URL: usize = 8000;
/// Configured header fields. Servers take 100 fields and 8 to 16 KB in all, those of the delivery and of proxies included.
pub(crate) const MOST_HEADERS: usize = 64;
/// Bytes of the configured fields' names and values together.
pub(crate) const MOST_HEADER_BYTES: usize = 16 * 1024;
const MOST_NETWORKS: usize = 100;

/// Methods that carry a body and ask for something to be done with it.
const METHODS: &[&str] = &["POST", "PUT", "PATCH"];
/// Those by which the subscriber of a resource is told.
const DOCUMENT_METHODS: &[&str] = &["GET", "POST", "PUT", "PATCH", "DELETE"];

/// Fields that belong to the connection (RFC 9110, section 7.6.1) or are written by the delivery itself.
const RESERVED_HEADERS: &[&str] = &[
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Whether nobody but this gateway sets a header field, by its lower-case name: one of the connection, or one of Standard
/// Webhooks, which a signature is over.
pub(crate) fn is_reserved_header(name: &str) -> bool {
    RESERVED_HEADERS.contains(&name) || name.starts_with("webhook-")
}

/// Whether a text is sent as a header field's value just as it is written.
#[must_use]
pub fn is_header_value(text: &str) -> bool {
    // Other bytes may be sent, and everybody reads them as something else (RFC 9110, section 5.5).
    text.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\t')) && text.trim() == text
}

/// What stands in a URL or a header field in the place of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialect {
    /// `{{ expression }}`, of an event.
    Events,
    /// `{wildcard}`, of a resource.
    Documents,
}

/// An endpoint, if nothing is wrong with what it has of the known keys.
pub(super) fn read(node: &Node<'_>) -> Option<EndpointConfig> {
    let keys: Vec<&'static str> = KEYS.iter().copied().filter(|key| *key != "actions").collect();
    let table = node.table(&keys)?;
    let url = table.require("url");
    read_as(node, &table, Dialect::Events, url)
}

/// An endpoint, what of it is another for an action, and whether it has a URL of its own.
type OfDocuments = (EndpointConfig, Vec<(Action, ActionConfig)>, bool);

/// The endpoint of a resource's subscription, what of it is another for an action, and whether it has a URL of its own: it need not
/// have one if each action has.
pub(super) fn read_of_documents(node: &Node<'_>) -> Option<OfDocuments> {
    // What is sent is said by `notification`.
    let keys: Vec<&'static str> = KEYS.iter().copied().filter(|key| *key != "data").collect();
    let table = node.table(&keys)?;
    let before = node.problem_count();
    // What is wrong with them is reported where the endpoint itself is read.
    let ports = table.get("allow_ports").map(|node| port::allowed(node.value())).unwrap_or_default();
    let actions = table.get("actions").and_then(|node| resource::actions(&node, &ports)).unwrap_or_default();
    let of = |action| actions.iter().find(|(known, _)| *known == action).map(|(_, own)| own);
    let all =
        |has: fn(&ActionConfig) -> bool| Action::ALL.into_iter().all(|action| of(action).is_some_and(has));
    let own = table.get("url");
    let has_url = own.is_some();
    let first = table.get("actions");
    let first = first.as_ref().map(|node| node.value()).and_then(|value| value.get("create")?.get("url"));
    let url = match (own, first) {
        (Some(own), _) => Some(own),
        // It is called for no action, and stands in for one.
        (None, Some(value)) if all(|own| own.url.is_some()) => Some(node.beside("url", value)),
        (None, _) => table.require("url"),
    };
    if table.get("method").is_none() && !all(|own| own.method.is_some()) {
        table.report_missing("method", "missing key", "name it here, or for each of the actions");
    }
    let endpoint = read_as(node, &table, Dialect::Documents, url)?;
    (node.problem_count() == before).then_some((endpoint, actions, has_url))
}

/// What of an endpoint is another for one action.
pub(super) fn action(node: &Node<'_>, allow_ports: &[u16]) -> Option<ActionConfig> {
    let table = node.table(&["url", "method", "headers"])?;
    let url = table.get("url").and_then(|node| {
        target(&node, Dialect::Documents).filter(|(url, _)| port::permits(&node, url, allow_ports))
    });
    let method = table.get("method").and_then(|node| method(&node, Dialect::Documents));
    let headers = table.get("headers").and_then(|node| headers(&node, Dialect::Documents));
    Some(ActionConfig {
        url: url.map(|(url, target)| (EndpointUrl::from(url), target)),
        method: method.map(str::to_owned),
        headers,
    })
}

fn read_as(
    node: &Node<'_>,
    table: &Table<'_>,
    dialect: Dialect,
    url: Option<Node<'_>>,
) -> Option<EndpointConfig> {
    let before = node.problem_count();
    let allow_ports = table.get("allow_ports").and_then(|node| port::read(&node)).unwrap_or_default();
    let url = url
        .and_then(|node| target(&node, dialect).filter(|(url, _)| port::permits(&node, url, &allow_ports)));
    let method = table.get("method").map_or(Some("POST"), |node| method(&node, dialect));
    let headers = table.get("headers").and_then(|node| headers(&node, dialect)).unwrap_or_default();
    let (url, target) = url.map_or((None, None), |(url, target)| (Some(EndpointUrl::from(url)), target));
    let (headers, header_templates) = headers;
    let data = table.get("data").and_then(|node| data(&node, &headers));
    let templates = EndpointTemplates { target, headers: header_templates, data };
    let Signed { signature, secrets, rotation_overlap } = signature::read(table);
    let allow_private = table.get("allow_private").is_some_and(|node| node.boolean() == Some(true));
    let allow_http = table.get("allow_http").is_some_and(|node| node.boolean() == Some(true));
    let tls = table.get("tls").and_then(|node| tls(&node)).unwrap_or_default();
    let allow_networks = table.get("allow_networks").and_then(|node| networks(&node)).unwrap_or_default();
    if node.problem_count() != before {
        return None;
    }
    Some(EndpointConfig {
        url: url?,
        templates,
        method: method?.to_owned(),
        headers,
        signature,
        secrets,
        rotation_overlap,
        allow_private,
        allow_networks,
        allow_http,
        allow_ports,
        tls,
    })
}

/// Where requests go, and what of it depends on the event: never the host, which decides who may be called.
fn target(node: &Node<'_>, dialect: Dialect) -> Option<(String, Option<Template>)> {
    let text = node.text_up_to(LONGEST_URL)?;
    let template = |text| match dialect {
        Dialect::Events => match Template::parse(text).transpose() {
            Ok(template) => Some(template),
            Err(problem) => {
                node.report(problem);
                None
            }
        },
        Dialect::Documents => Some(Template::of_wildcards(&resource::wildcards(node, text, false)?)),
    };
    let Some(whole) = template(text)? else { return Some((url(node)?, None)) };
    let begin = text.find("://").map(|at| at + 3).unwrap_or_default();
    let end = text.get(begin..).and_then(|rest| rest.find(['/', '?'])).map(|at| begin + at);
    let Some((_, path)) =
        end.and_then(|end| text.split_at_checked(end)).filter(|(host, _)| !host.contains(dialect.opening()))
    else {
        let hint = "only the path and the query may depend on the event";
        node.report_with_hint("the host must not depend on the event", hint);
        return None;
    };
    if dialect == Dialect::Events && !expressions(node, &whole) {
        return None;
    }
    let whole = url_of(node, &whole.with(STAND_IN))?;
    template(path)?.map(|target| (whole, Some(target)))
}

impl Dialect {
    /// What a value's place begins with.
    const fn opening(self) -> &'static str {
        match self {
            Self::Events => "{{",
            Self::Documents => "{",
        }
    }
}

/// What stands for a value where the rest is looked at.
const STAND_IN: &str = "x";

/// Reports what does not compile.
fn expressions(node: &Node<'_>, template: &Template) -> bool {
    template.expressions().all(|text| expression::compiles(node, text))
}

/// An absolute `http` or `https` URL without credentials and without a fragment.
pub(super) fn url(node: &Node<'_>) -> Option<String> {
    // What is written here is not quoted: a URL can hold a token.
    url_of(node, node.text_up_to(LONGEST_URL)?)
}

fn url_of(node: &Node<'_>, text: &str) -> Option<String> {
    let begins =
        |prefix: &str| text.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix));
    let problem = if !begins("http://") && !begins("https://") {
        Some("must be an absolute URL that begins with http:// or https://".to_owned())
    } else {
        match text.parse::<Uri>() {
            Err(error) => Some(format!("not a URL: {error}")),
            Ok(uri) => url_problem(text, &uri).map(str::to_owned),
        }
    };
    if let Some(problem) = problem {
        node.report(problem);
        return None;
    }
    Some(text.to_owned())
}

fn url_problem(text: &str, uri: &Uri) -> Option<&'static str> {
    let Some(authority) = uri.authority().filter(|authority| !authority.host().is_empty()) else {
        return Some("has no host");
    };
    if authority.as_str().contains('@') {
        return Some("must not hold a user name or password; use a header with a secret");
    }
    let after_host = authority.as_str().get(authority.host().len()..).unwrap_or_default();
    if !after_host.is_empty() && authority.port_u16().is_none_or(|port| port == 0) {
        return Some("has no valid port after the host");
    }
    text.contains('#').then_some("must not have a fragment (#…)")
}

/// Bytes of certificates and keys: a bundle of an operating system's authorities has 200 KB.
const LONGEST_PEM: usize = 512 * 1024;

/// `{ roots = "file:internal.pem", certificate = "file:client.pem", key = "file:client.key" }`.
fn tls(node: &Node<'_>) -> Option<EndpointTls> {
    let table = node.table(&["roots", "certificate", "key"])?;
    let pem = |key: &'static str, what: &str| {
        let node = table.get(key)?;
        let text = node.text_up_to(LONGEST_PEM)?;
        if !text.contains("-----BEGIN ") {
            // It is not quoted: it may be a key.
            node.report_with_hint(
                format!("is no PEM: {what} begins with -----BEGIN"),
                "write file:PATH for a file",
            );
        }
        Some(text.to_owned())
    };
    let (roots, chain) = (pem("roots", "a certificate"), pem("certificate", "a certificate"));
    let key = pem("key", "a key");
    for (one, other) in [("certificate", "key"), ("key", "certificate")] {
        if table.get(one).is_some() && table.get(other).is_none() {
            table.report_missing(other, "missing key", format!("\"{one}\" says nothing without it"));
        }
    }
    let client = chain.zip(key).map(|(chain, key)| ClientCertificate { chain, key: Secret::new(key) });
    Some(EndpointTls { roots, client })
}

fn method(node: &Node<'_>, dialect: Dialect) -> Option<&'static str> {
    let text = node.string()?;
    let methods = match dialect {
        Dialect::Events => METHODS,
        Dialect::Documents => DOCUMENT_METHODS,
    };
    let method = methods.iter().copied().find(|method| *method == text);
    if method.is_none() {
        let upper = methods.iter().find(|method| method.eq_ignore_ascii_case(text));
        match (upper, dialect) {
            (Some(upper), _) => node.report_with_hint("methods are upper case", format!("write {upper:?}")),
            (None, Dialect::Events) => node.report("must be \"POST\", \"PUT\" or \"PATCH\""),
            (None, Dialect::Documents) => {
                node.report("must be \"GET\", \"POST\", \"PUT\", \"PATCH\" or \"DELETE\"");
            }
        }
    }
    method
}

/// A text in the place of the event's data. What it is, its content type says, or how it begins.
fn data(node: &Node<'_>, headers: &[(String, Secret)]) -> Option<DataTemplate> {
    let text = node.string()?;
    let content_type = headers.iter().find(|(name, _)| name == "content-type");
    match DataTemplate::of(text, content_type.map(|(_, value)| value.reveal())) {
        Ok(template) => {
            let compile = template.expressions().all(|text| expression::compiles(node, text));
            compile.then_some(template)
        }
        Err(problem) => {
            let hint = "values stand in strings, as \"{{ message.id }}\", or as values of their own, as {{ message.id }}";
            match problem.contains("would not be JSON") {
                true => node.report_with_hint(problem, hint),
                false => node.report(problem),
            }
            None
        }
    }
}

type Headers = (Vec<(String, Secret)>, Vec<(String, Template)>);

fn headers(node: &Node<'_>, dialect: Dialect) -> Option<Headers> {
    let mut headers: Vec<(String, Secret)> = Vec::new();
    let mut templates: Vec<(String, Template)> = Vec::new();
    let mut bytes = 0;
    for (name, value) in node.members_up_to(MOST_HEADERS)? {
        let Ok(parsed) = HeaderName::from_str(name) else {
            value.report("not the name of a header field");
            continue;
        };
        let name = parsed.as_str();
        if is_reserved_header(name) {
            value.report("this header field is written by the delivery itself");
            continue;
        }
        if headers.iter().any(|(other, _)| other == name) || templates.iter().any(|(other, _)| other == name)
        {
            value.report("the same header field twice; upper and lower case make no difference");
            continue;
        }
        if dialect == Dialect::Documents && value.value().is_array() {
            bytes += several(&mut headers, &mut templates, name, &value);
            continue;
        }
        let Some(text) = header_value(&value) else { continue };
        bytes += name.len() + text.len();
        let template = match dialect {
            Dialect::Events => Template::parse(text).transpose(),
            Dialect::Documents => {
                let Some(parts) = resource::wildcards(&value, text, true) else { continue };
                Ok(Template::of_wildcards(&parts))
            }
        };
        match template {
            Ok(Some(template)) => {
                if dialect == Dialect::Events {
                    expressions(&value, &template);
                }
                templates.push((name.to_owned(), template));
                continue;
            }
            Err(problem) => {
                value.report(problem);
                continue;
            }
            Ok(None) => {}
        }
        headers.push((name.to_owned(), Secret::new(text)));
    }
    if bytes > MOST_HEADER_BYTES {
        node.report(format!(
            "the header fields are {bytes} bytes long; at most {MOST_HEADER_BYTES} are taken"
        ));
        return None;
    }
    Some((headers, templates))
}

fn header_value<'a>(node: &Node<'a>) -> Option<&'a str> {
    let text = node.string()?;
    if !is_header_value(text) {
        node.report("must be printable ASCII without spaces around it");
        return None;
    }
    Some(text)
}

/// A header field that stands several times; how many bytes they are.
fn several(
    headers: &mut Vec<(String, Secret)>,
    templates: &mut Vec<(String, Template)>,
    name: &str,
    list: &Node<'_>,
) -> usize {
    let mut bytes = 0;
    for value in list.items_up_to(MOST_HEADERS).into_iter().flatten() {
        let Some(text) = header_value(&value) else { continue };
        bytes += name.len() + text.len();
        let Some(parts) = resource::wildcards(&value, text, true) else { continue };
        match Template::of_wildcards(&parts) {
            Some(template) => templates.push((name.to_owned(), template)),
            None => headers.push((name.to_owned(), Secret::new(text))),
        }
    }
    bytes
}

fn networks(node: &Node<'_>) -> Option<Vec<String>> {
    let mut networks = Vec::new();
    for item in node.items_up_to(MOST_NETWORKS)? {
        let Some(text) = item.text() else { continue };
        match ipnet::IpNet::from_str(text) {
            Ok(_) => networks.push(text.to_owned()),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::Problems;
    use serde_json::{Value, json};

    fn problems(endpoint: &Value) -> Vec<String> {
        let problems = Problems::default();
        let read = read(&Node::root(endpoint, "endpoint", &problems));
        let told: Vec<String> = problems.into_vec().into_iter().map(|problem| problem.path).collect();
        assert_eq!(read.is_some(), told.is_empty(), "{endpoint}");
        told
    }

    #[test]
    fn odd_ports_are_refused_unless_they_are_named() {
        for port in [22, 25, 443, 444, 5432, 6379, 8080, 27017, 65535] {
            let is_odd = matches!(port, 22 | 25 | 444 | 5432 | 6379 | 27017);
            let url = format!("https://example.com:{port}/x");
            assert_eq!(problems(&json!({"url": url})).len(), usize::from(is_odd), "{port}");
            assert!(problems(&json!({"url": url, "allow_ports": [port]})).is_empty(), "{port}");
        }
        assert_eq!(problems(&json!({"url": "https://example.com/", "allow_ports": [0, 70_000]})).len(), 2);
    }

    #[test]
    fn an_action_of_a_document_is_held_to_the_same_ports() {
        let of = |ports: Value| {
            let endpoint = json!({
                "url": "https://example.com/", "method": "PUT", "allow_ports": ports,
                "actions": {"delete": {"url": "https://example.com:5432/{id}", "method": "DELETE"}},
            });
            let problems = Problems::default();
            let read = read_of_documents(&Node::root(&endpoint, "endpoint", &problems));
            let told: Vec<String> = problems.into_vec().into_iter().map(|problem| problem.path).collect();
            assert_eq!(read.is_some(), told.is_empty());
            told
        };
        assert_eq!(of(json!([])), ["endpoint.actions.delete.url"]);
        assert!(of(json!([5432])).is_empty());
        assert_eq!(of(json!([5433])), ["endpoint.actions.delete.url"]);
    }

    #[test]
    fn a_body_is_read_as_what_its_content_type_says_it_is() {
        let with = |data: &str, headers: Value| {
            problems(&json!({"url": "https://example.com/", "data": data, "headers": headers}))
        };
        let json = "{\"id\": {{ message.id }}}";
        assert!(with(json, json!({})).is_empty() && with("Order {{ message.id }}", json!({})).is_empty());
        assert!(with(json, json!({"content-type": "application/vnd.x+json"})).is_empty());
        assert!(
            with("id={{ message.id }}", json!({"content-type": "application/x-www-form-urlencoded"}))
                .is_empty()
        );
        assert_eq!(
            with("id={{ message.id }}", json!({"Content-Type": "application/json"})),
            ["endpoint.data"]
        );
        for wrong in ["", "{\"id\": {{ message. }}}", "{\"id\": }", "Order {{ }}", "Order {{ message.id"] {
            assert_eq!(with(wrong, json!({})), ["endpoint.data"], "{wrong}");
        }
        assert_eq!(with(&"{{ now }}".repeat(101), json!({"content-type": "text/plain"})), ["endpoint.data"]);
    }

    #[test]
    fn a_certificate_needs_its_key_and_both_are_pem() {
        let with = |tls: Value| problems(&json!({"url": "https://example.com/", "tls": tls}));
        let pem = "-----BEGIN X-----";
        assert!(with(json!({"roots": pem, "certificate": pem, "key": pem})).is_empty());
        assert_eq!(with(json!({"certificate": pem})), ["endpoint.tls.key"]);
        assert_eq!(with(json!({"key": pem})), ["endpoint.tls.certificate"]);
        assert_eq!(with(json!({"roots": "/etc/ssl/roots.pem"})), ["endpoint.tls.roots"]);
        assert_eq!(with(json!({"ca": pem})), ["endpoint.tls.ca"]);
    }
}
