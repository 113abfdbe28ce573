//! URLs of resources and of documents, read the way Go's `net/url` reads them, so that what is wrong with one is said in
//! the same order and in the same words as by the service whose API this is.

/// Why a text is not the URL of a resource or a document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UrlError {
    /// It has characters that no URL has.
    #[error("not a url: {0}")]
    Malformed(&'static str),
    /// `mailto:x`.
    #[error("should not have opaque content '{0}'")]
    Opaque(String),
    /// `http://user@host/`.
    #[error("should not have user")]
    User,
    /// `/users/1`.
    #[error("missing host")]
    Host,
    /// `http://host`.
    #[error("missing path")]
    Path,
    /// `http://host/users/1?x=1`.
    #[error("should not have query string '{0}'")]
    Query(String),
    /// `http://host/users/1#top`.
    #[error("should not have fragment '{0}'")]
    Fragment(String),
    /// `//host/users/1`.
    #[error("missing scheme")]
    Scheme,
    /// `ftp://host/users/1`.
    #[error("unknown scheme '{0}'")]
    UnknownScheme(String),
}

/// A URL's parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Parts<'a> {
    /// `http` or `https`, in whatever case.
    pub(super) scheme: &'a str,
    /// The host with its port.
    pub(super) host: &'a str,
    /// The path, which begins with a slash.
    pub(super) path: &'a str,
}

/// Takes an absolute `http` or `https` URL apart that has a path and nothing behind it.
pub(super) fn parse(text: &str) -> Result<Parts<'_>, UrlError> {
    if text.chars().any(char::is_control) {
        return Err(UrlError::Malformed("it has control characters"));
    }
    let (text, fragment) = cut(text, '#');
    let (scheme, rest) = scheme(text);
    let (rest, query) = cut(rest, '?');
    if !scheme.is_empty() && !rest.starts_with('/') && !rest.is_empty() {
        return Err(UrlError::Opaque(rest.to_owned()));
    }
    let (authority, path) = match rest.strip_prefix("//") {
        Some(rest) => rest.find('/').map_or((rest, ""), |at| rest.split_at(at)),
        None => ("", rest),
    };
    if authority.contains('@') {
        return Err(UrlError::User);
    }
    if authority.is_empty() {
        return Err(UrlError::Host);
    }
    if path.is_empty() || path == "/" {
        return Err(UrlError::Path);
    }
    if let Some(query) = query {
        return Err(UrlError::Query(query.to_owned()));
    }
    if let Some(fragment) = fragment {
        return Err(UrlError::Fragment(fragment.to_owned()));
    }
    if scheme.is_empty() {
        return Err(UrlError::Scheme);
    }
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return Err(UrlError::UnknownScheme(scheme.to_owned()));
    }
    if !is_host(authority) {
        return Err(UrlError::Malformed("its host is none"));
    }
    Ok(Parts { scheme, host: authority, path })
}

/// What stands before a character and what behind it, if it is there.
fn cut(text: &str, at: char) -> (&str, Option<&str>) {
    text.split_once(at).map_or((text, None), |(before, behind)| (before, Some(behind)))
}

/// The scheme (RFC 3986, section 3.1), empty if there is none, and what follows its colon.
fn scheme(text: &str) -> (&str, &str) {
    let Some((scheme, rest)) = text.split_once(':') else { return ("", text) };
    let mut bytes = scheme.bytes();
    let begins = bytes.next().is_some_and(|first| first.is_ascii_alphabetic());
    let goes_on = bytes.all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    if begins && goes_on { (scheme, rest) } else { ("", text) }
}

/// Whether a text can be a host, with a port or without one.
fn is_host(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, rest)) if address.parse::<std::net::Ipv6Addr>().is_ok() => {
            (address, if rest.is_empty() { None } else { Some(rest.strip_prefix(':').unwrap_or("x")) })
        }
        Some(_) => return false,
        None => cut(text, ':'),
    };
    let is_port = |port: &str| port.parse::<u16>().is_ok_and(|port| port > 0);
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:".contains(&byte) || !byte.is_ascii();
    !host.is_empty() && host.bytes().all(is_part) && port.is_none_or(is_port)
}

/// The text with percent escapes undone; `None` if one of them is none, or what comes of it is not UTF-8.
pub(super) fn unescaped(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, behind @ ..] = rest {
        rest = behind;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let [high, low, behind @ ..] = rest else { return None };
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        bytes.push(digit(*high)? << 4 | digit(*low)?);
        rest = behind;
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_a_url_apart() {
        for (text, scheme, host, path) in [
            ("http://api.company.com/users/1", "http", "api.company.com", "/users/1"),
            ("HTTPS://h:8443/a/", "HTTPS", "h:8443", "/a/"),
            ("http://[::1]:80/a:b", "http", "[::1]:80", "/a:b"),
            ("http://[::1]/a", "http", "[::1]", "/a"),
            ("http://app_1/x", "http", "app_1", "/x"),
        ] {
            assert_eq!(parse(text), Ok(Parts { scheme, host, path }), "{text}");
        }
    }

    #[test]
    fn says_the_first_thing_that_is_wrong() {
        let text = |text: &str| text.to_owned();
        for (url, error) in [
            ("", UrlError::Host),
            ("/users/1", UrlError::Host),
            ("http:", UrlError::Host),
            ("mailto:someone", UrlError::Opaque(text("someone"))),
            ("http:h/users", UrlError::Opaque(text("h/users"))),
            ("http://user:word@h/x", UrlError::User),
            ("http://flare.com", UrlError::Path),
            ("http://flare.com/", UrlError::Path),
            ("http://h?key=value", UrlError::Path),
            ("http://h/x?key=value", UrlError::Query(text("key=value"))),
            ("http://h/x?", UrlError::Query(text(""))),
            ("http://h/x#top", UrlError::Fragment(text("top"))),
            ("//h/x", UrlError::Scheme),
            ("ftp://h/x", UrlError::UnknownScheme(text("ftp"))),
            ("http://h:0/x", UrlError::Malformed("its host is none")),
            ("http://{h}/x", UrlError::Malformed("its host is none")),
            ("http://[::x]/x", UrlError::Malformed("its host is none")),
            ("http://h/x\ny", UrlError::Malformed("it has control characters")),
        ] {
            assert_eq!(parse(url), Err(error), "{url}");
        }
    }

    #[test]
    fn escapes_are_undone_once_and_a_plus_stays_a_plus() {
        assert_eq!(unescaped("a%20b+c%2520").as_deref(), Some("a b+c%20"));
        assert_eq!(unescaped("%C3%BC").as_deref(), Some("ü"));
        for text in ["%", "%z0", "%0", "%FF", "%+1"] {
            assert_eq!(unescaped(text), None, "{text}");
        }
    }
}
