//! Which URL was checked, for somebody whose signature of it does not match.

use super::context::Context;
use super::place::Place;
use super::scheme::Variant;
use super::url;
use std::borrow::Cow;

/// What stands for a value that is not told.
const HIDDEN: &str = "…";

/// What is to be known of a URL with escapes in it, beside what was checked.
const ESCAPES_NOTE: &str = "; its percent-encoding is compared as it was sent, byte for byte";

/// Words of parameters whose values may be secrets though no scheme says so.
const SECRET_WORDS: [&str; 7] = ["token", "secret", "key", "sig", "pass", "auth", "code"];

impl Variant {
    /// Whether the signature covers the URL or a part of it.
    pub(super) fn signs_url(&self) -> bool {
        let places = self.signed.places();
        places.iter().any(|place| matches!(place, Place::Url | Place::Path | Place::PathAndQuery))
    }
}

/// The URL that was checked, where its parts came from, and what would help.
pub(super) fn told(context: &Context<'_>, public_url: Option<&str>, credentials: &[String]) -> String {
    let checked = &context.url;
    // A stranger reads this, too: the public URL's own query was never sent by it.
    let own = public_url.map(url::query).unwrap_or_default();
    let shown = without_secrets(checked, own, credentials);
    let mut text = format!("the URL that was checked is {shown}");
    let escapes = if shown.contains('%') { ESCAPES_NOTE } else { "" };
    if public_url.is_some() {
        let query = if own.is_empty() { "query of the request" } else { "its query and then the request's" };
        text.push_str(&format!(" (scheme, host and path of `public_url`, {query})"));
        text.push_str(escapes);
        return text;
    }
    let header = |name: &str| {
        let value = context.request.header_values(name).last()?;
        let value = std::str::from_utf8(value).ok()?.rsplit(',').next()?.trim();
        (!value.is_empty() && value.len() <= 256 && value.bytes().all(|byte| byte.is_ascii_graphic()))
            .then_some(value)
    };
    let (scheme, rest) = checked.split_once("://").unwrap_or(("", checked));
    let host = rest.split(['/', '?']).next().unwrap_or_default();
    let prefix = match context.request.added_prefix {
        "" => String::new(),
        added => {
            let field = header("x-forwarded-prefix").map(|field| field.trim_end_matches('/'));
            let from =
                if field == Some(added) { "the proxy's X-Forwarded-Prefix" } else { "`server.path_prefix`" };
            format!(", and `{added}` of {from} put in front of the path")
        }
    };
    match (header("x-forwarded-proto"), header("x-forwarded-host")) {
        (None, None) => text.push_str(&format!(
            " (as the request came in{prefix}); if a proxy changes it, set `public_url` of the source to the URL that the provider was given",
        )),
        (proto, forwarded) => {
            let used = proto.is_none_or(|proto| proto.eq_ignore_ascii_case(scheme))
                && forwarded.is_none_or(|forwarded| forwarded.eq_ignore_ascii_case(host));
            if used {
                text.push_str(&format!(
                    " (scheme and host of the proxy's X-Forwarded-* fields{prefix}); if the provider was given another one, set `public_url` of the source",
                ));
            } else {
                text.push_str(&format!(
                    " (as the request came in{prefix}); X-Forwarded-* fields say {}://{}, which counts only of a proxy in `server.trusted_proxies`; or set `public_url` of the source",
                    proto.unwrap_or(scheme),
                    forwarded.unwrap_or(host)
                ));
            }
        }
    }
    text.push_str(escapes);
    text
}

/// The URL with values hidden that are or may be secrets.
fn without_secrets<'a>(checked: &'a str, own: &str, credentials: &[String]) -> Cow<'a, str> {
    let Some((head, query)) = checked.split_once('?') else { return Cow::Borrowed(checked) };
    let own: Vec<&str> = own.split('&').filter(|pair| !pair.is_empty()).collect();
    let pairs: Vec<Cow<'_, str>> = query
        .split('&')
        .map(|pair| {
            let Some((name, _)) = pair.split_once('=') else {
                return Cow::Borrowed(if own.contains(&pair) { HIDDEN } else { pair });
            };
            let lower = name.to_ascii_lowercase();
            let hidden = own.contains(&pair)
                || credentials.iter().any(|known| known.eq_ignore_ascii_case(name))
                // An escape in a name could hide one of the words.
                || name.contains(['%', '+'])
                || SECRET_WORDS.iter().any(|word| lower.contains(word));
            if hidden { Cow::Owned(format!("{name}={HIDDEN}")) } else { Cow::Borrowed(pair) }
        })
        .collect();
    Cow::Owned(format!("{head}?{}", pairs.join("&")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_may_be_secrets_are_hidden() {
        let shown = |url: &str, own: &str| without_secrets(url, own, &["t".to_owned()]).into_owned();
        assert_eq!(shown("https://h/a?x=1&api_token=2&T=3&y", ""), "https://h/a?x=1&api_token=…&T=…&y");
        assert_eq!(shown("https://h/a?x=1&y&z=2", "x=1&y"), "https://h/a?x=…&…&z=2");
        assert_eq!(shown("https://h/a?%74=1", ""), "https://h/a?%74=…");
    }
}
