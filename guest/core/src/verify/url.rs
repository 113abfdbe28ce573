//! The parts of a URL that signatures cover, byte for byte as they were written.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::borrow::Cow;

/// The URL as the provider knows it: the configured public one with the request's query added to its own. A request that
/// already has the public one's query, because the provider was given it and no proxy took it away, has it once.
pub(crate) fn effective<'a>(request: &'a str, public: Option<&'a str>) -> Cow<'a, str> {
    let Some(public) = public else { return Cow::Borrowed(request) };
    let Some((_, added)) = request.split_once('?').filter(|(_, query)| !query.is_empty()) else {
        return Cow::Borrowed(public);
    };
    let Some((base, own)) = public.split_once('?') else { return Cow::Owned(format!("{public}?{added}")) };
    let has_own = added.strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest.starts_with('&'));
    if own.is_empty() || has_own {
        return Cow::Owned(format!("{base}?{added}"));
    }
    Cow::Owned(format!("{public}&{added}"))
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

/// The URL with those escapes of its query undone that Twilio signs as characters and that travel escaped: `:` and `@` of
/// SIP addresses, and `'`, which some proxies escape. Nothing if there is none.
pub(crate) fn without_escapes(url: &str) -> Option<String> {
    let (head, query) = url.split_once('?')?;
    let mut plain = query.to_owned();
    for (escape, character) in [("%3A", ":"), ("%3a", ":"), ("%40", "@"), ("%27", "'")] {
        plain = plain.replace(escape, character);
    }
    (plain != query).then(|| format!("{head}?{plain}"))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adds_the_requests_query_to_that_of_the_public_url() {
        for (query, public, expected) in [
            ("?x=1", "https://h/a", "https://h/a?x=1"),
            ("?x=1", "https://h/a?y", "https://h/a?y&x=1"),
            ("?x=1", "https://h/a?", "https://h/a?x=1"),
            ("", "https://h/a?y", "https://h/a?y"),
            ("?", "https://h/a?y", "https://h/a?y"),
            ("?y=1", "https://h/a?y=1", "https://h/a?y=1"),
            ("?y=1&x=1", "https://h/a?y=1", "https://h/a?y=1&x=1"),
            ("?y=12", "https://h/a?y=1", "https://h/a?y=1&y=12"),
        ] {
            let request = format!("http://10.0.0.1/in/a{query}");
            assert_eq!(effective(&request, Some(public)), expected, "{query} {public}");
        }
        assert_eq!(effective("http://10.0.0.1/in/a", None), "http://10.0.0.1/in/a");
    }

    #[test]
    fn undoes_the_escapes_that_are_signed_as_characters() {
        let plain = |url: &str| without_escapes(url);
        assert_eq!(
            plain("https://h/%27?Caller=sip%3a1%401.2&n=O%27B%25"),
            Some("https://h/%27?Caller=sip:1@1.2&n=O'B%25".to_owned())
        );
        assert_eq!(plain("https://h/%3A?x=%2F"), None);
        assert_eq!(plain("https://h/%3A"), None);
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
