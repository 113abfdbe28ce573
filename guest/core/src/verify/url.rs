//! The parts of a URL that signatures cover, byte for byte as they were written.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, utf8_percent_encode};
use std::borrow::Cow;

/// The URL as the provider knows it: the configured public one, with the request's query if it has none of its own.
pub(crate) fn effective<'a>(request: &'a str, public: Option<&'a str>) -> Cow<'a, str> {
    let Some(public) = public else { return Cow::Borrowed(request) };
    match request.split_once('?') {
        Some((_, query)) if !public.contains('?') => Cow::Owned(format!("{public}?{query}")),
        _ => Cow::Borrowed(public),
    }
}

/// The path and query, from the first `/` after the authority on.
pub(crate) fn path_and_query(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.find(['/', '?']).and_then(|start| rest.get(start..)).unwrap_or("/")
}

/// The path without the query.
pub(crate) fn path(url: &str) -> &str {
    let path = path_and_query(url);
    path.split_once('?').map_or(path, |(path, _)| path)
}

/// The query without its `?`; empty if there is none.
pub(crate) fn query(url: &str) -> &str {
    url.split_once('?').map_or("", |(_, query)| query)
}

/// The URL with and without the default port of its scheme: providers differ in which one they sign.
pub(crate) fn port_variants(url: &str) -> Vec<String> {
    let mut variants = vec![url.to_owned()];
    let Some((scheme, rest)) = url.split_once("://") else { return variants };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    let port = if scheme.eq_ignore_ascii_case("http") { "80" } else { "443" };
    // A colon inside brackets belongs to an IPv6 address.
    let explicit = authority.rsplit_once(':').filter(|(_, port)| !port.contains(']'));
    match explicit {
        None => variants.push(format!("{scheme}://{authority}:{port}{tail}")),
        Some((host, given)) => {
            variants.push(format!("{scheme}://{host}{tail}"));
            if given != port {
                variants.push(format!("{scheme}://{host}:{port}{tail}"));
            }
        }
    }
    variants
}

/// The URL with those escapes undone that HubSpot undoes before it signs.
pub(crate) fn hubspot(url: &str) -> String {
    const UNDONE: [(&str, &str); 12] = [
        ("%3A", ":"),
        ("%2F", "/"),
        ("%3F", "?"),
        ("%40", "@"),
        ("%21", "!"),
        ("%24", "$"),
        ("%27", "'"),
        ("%28", "("),
        ("%29", ")"),
        ("%2A", "*"),
        ("%2C", ","),
        ("%3B", ";"),
    ];
    let mut result = String::with_capacity(url.len());
    let mut rest = url;
    'text: while let Some(start) = rest.find('%') {
        let (before, escape) = rest.split_at(start);
        result.push_str(before);
        for (code, character) in UNDONE {
            if let Some((head, tail)) = escape.split_at_checked(3)
                && head.eq_ignore_ascii_case(code)
            {
                result.push_str(character);
                rest = tail;
                continue 'text;
            }
        }
        result.push('%');
        rest = escape.get(1..).unwrap_or("");
    }
    result.push_str(rest);
    result
}

/// What ECMAScript's `encodeURIComponent` leaves as it is.
const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'!')
    .remove(b'~')
    .remove(b'*')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')');

/// What ECMAScript's `encodeURI` leaves as it is.
const WHOLE: &AsciiSet = &COMPONENT
    .remove(b';')
    .remove(b',')
    .remove(b'/')
    .remove(b'?')
    .remove(b':')
    .remove(b'@')
    .remove(b'&')
    .remove(b'=')
    .remove(b'+')
    .remove(b'$')
    .remove(b'#');

/// The path and query as Contentful signs them: the query's own escapes are escaped, and then escaped once more.
pub(crate) fn contentful(url: &str) -> String {
    let mut parts = path_and_query(url).split('?');
    let path = parts.next().unwrap_or_default();
    match parts.next().filter(|query| !query.is_empty()) {
        None => utf8_percent_encode(path, WHOLE).to_string(),
        Some(query) => {
            let text = format!("{path}?{}", utf8_percent_encode(query, COMPONENT));
            utf8_percent_encode(&text, WHOLE).to_string()
        }
    }
}

/// The name and value pairs of a form or a query, decoded to bytes, in order.
pub(crate) fn pairs(text: &[u8]) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> {
    text.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()).map(|pair| {
        let mut halves = pair.splitn(2, |byte| *byte == b'=');
        (decode(halves.next().unwrap_or_default()), decode(halves.next().unwrap_or_default()))
    })
}

fn decode(text: &[u8]) -> Vec<u8> {
    let spaced: Vec<u8> = text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    percent_decode(&spaced).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adds_the_query_to_a_public_url_that_has_none() {
        assert_eq!(
            effective("http://10.0.0.1/in/a?x=1", Some("https://h.example/a")),
            "https://h.example/a?x=1"
        );
        assert_eq!(
            effective("http://10.0.0.1/in/a?x=1", Some("https://h.example/a?y")),
            "https://h.example/a?y"
        );
        assert_eq!(effective("http://10.0.0.1/in/a", None), "http://10.0.0.1/in/a");
    }

    #[test]
    fn finds_path_and_query() {
        assert_eq!(path_and_query("https://h.example/a/b?c=d"), "/a/b?c=d");
        assert_eq!(path("https://h.example/a/b?c=d"), "/a/b");
        assert_eq!(path("https://h.example"), "/");
        assert_eq!(query("https://h.example/a?b=?c"), "b=?c");
    }

    #[test]
    fn gives_a_url_with_and_without_its_default_port() {
        assert_eq!(port_variants("https://h.example/a"), ["https://h.example/a", "https://h.example:443/a"]);
        assert_eq!(port_variants("http://h.example:80/a"), ["http://h.example:80/a", "http://h.example/a"]);
        assert_eq!(port_variants("https://[::1]/a"), ["https://[::1]/a", "https://[::1]:443/a"]);
    }

    #[test]
    fn escapes_a_query_twice_for_contentful() {
        assert_eq!(contentful("https://h.example/a/b"), "/a/b");
        assert_eq!(contentful("https://h.example/a?b=c&d=%20"), "/a?b%253Dc%2526d%253D%252520");
    }

    #[test]
    fn undoes_only_the_escapes_that_hubspot_undoes() {
        assert_eq!(hubspot("https://h/?a=%3a%2F%20%7E%25%zz%"), "https://h/?a=:/%20%7E%25%zz%");
    }
}
