//! URLs without the secrets in their queries.

use percent_encoding::percent_decode_str;

/// What stands for a value that is not kept.
const HIDDEN: &str = "…";

/// The URL with the values of those parameters hidden whose names are secret. Names are told as they are meant, however
/// they are encoded.
#[must_use]
pub fn hide_parameters(url: &str, is_secret: impl Fn(&str) -> bool) -> String {
    let Some((head, query)) = url.split_once('?') else { return url.to_owned() };
    let hide = |pair: &str| {
        let name = pair.split_once('=').map_or(pair, |(name, _)| name);
        let spaced = name.replace('+', " ");
        let decoded = percent_decode_str(&spaced).decode_utf8_lossy();
        if is_secret(&decoded) { format!("{name}={HIDDEN}") } else { pair.to_owned() }
    };
    let pairs: Vec<String> = query.split('&').map(hide).collect();
    format!("{head}?{}", pairs.join("&"))
}

#[cfg(test)]
mod tests {
    use super::hide_parameters;

    #[test]
    fn only_values_of_secret_parameters_are_hidden_and_all_of_them() {
        let hide = |url: &str| hide_parameters(url, |name| name == "a b");
        assert_eq!(hide("http://h/x?a+b=1&c=2&a%20b=3&a%20b"), "http://h/x?a+b=…&c=2&a%20b=…&a%20b=…");
        assert_eq!(hide("http://h/a b"), "http://h/a b");
    }
}
