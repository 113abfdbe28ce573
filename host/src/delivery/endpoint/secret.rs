//! What of an endpoint's configuration must not come back in a text from outside.

use crate::outbound::Redactor;
use anglerfish_core::config::{EndpointConfig, Piece, Secret, is_token};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Uri;
use std::sync::OnceLock;

/// Fields whose values say how to talk and are worth reading in an error.
const NO_SECRETS: [&str; 5] = ["accept", "accept-encoding", "accept-language", "content-type", "user-agent"];

/// An endpoint's secrets, made ready to be looked for with the first text that comes.
#[derive(Debug)]
pub(crate) struct EndpointSecrets {
    secrets: Vec<Secret>,
    redactor: OnceLock<Redactor>,
}

impl EndpointSecrets {
    pub(super) fn of(endpoint: &EndpointConfig) -> Self {
        let mut found = Vec::new();
        for (name, value) in &endpoint.headers {
            if !NO_SECRETS.contains(&name.as_str()) {
                of_header(value.reveal(), &mut found);
            }
        }
        for (name, template) in &endpoint.templates.headers {
            let literals = template.as_slice().iter().filter_map(|piece| match piece {
                Piece::Literal(text) => Some(text.trim()),
                Piece::Expression(_) => None,
            });
            if !NO_SECRETS.contains(&name.as_str()) {
                literals.for_each(|text| of_header(text, &mut found));
            }
        }
        for key in &endpoint.secrets {
            let text = key.value.reveal();
            found.push(text.to_owned());
            found.extend(text.split_once('_').map(|(_, key)| key.to_owned()));
        }
        of_url(endpoint.url.reveal(), endpoint.url.is_secret(), &mut found);
        Self { secrets: found.into_iter().map(Secret::new).collect(), redactor: OnceLock::new() }
    }

    pub(crate) fn redactor(&self) -> &Redactor {
        self.redactor.get_or_init(|| Redactor::new(self.secrets.iter().map(Secret::reveal)))
    }
}

/// The whole value, and what stands behind the scheme of an `Authorization` field.
fn of_header(value: &str, found: &mut Vec<String>) {
    found.push(value.to_owned());
    let Some((_, credentials)) = value.split_once(' ') else { return };
    found.push(credentials.to_owned());
    if let Some(pair) = STANDARD.decode(credentials).ok().and_then(|bytes| String::from_utf8(bytes).ok()) {
        found.extend(pair.split_once(':').map(|(_, word)| word.to_owned()));
        found.push(pair);
    }
}

/// Of a URL that is no secret itself the query and what looks like a token; of one that is, everything.
fn of_url(url: &str, secret: bool, found: &mut Vec<String>) {
    let (before, query) = url.split_once('?').map_or((url, None), |(before, query)| (before, Some(query)));
    if let Some(query) = query {
        found.push(query.to_owned());
        let values = query.split('&').map(|part| part.split_once('=').map_or(part, |(_, value)| value));
        found.extend(values.map(str::to_owned));
    }
    let uri: Option<Uri> = before.parse().ok();
    let path = uri.as_ref().map_or(before, Uri::path);
    found.extend(path.split('/').filter(|part| secret || is_token(part)).map(str::to_owned));
    if secret {
        found.push(url.to_owned());
        found.push(path.to_owned());
        found.extend(uri.as_ref().and_then(Uri::host).map(str::to_owned));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anglerfish_core::config::{SigningKeyConfig, Template};

    fn redact(endpoint: &EndpointConfig, text: &str) -> String {
        EndpointSecrets::of(endpoint).redactor().redact(text).into_owned()
    }

    fn endpoint(url: &str) -> EndpointConfig {
        EndpointConfig {
            headers: vec![
                ("authorization".into(), Secret::new("Basic dXNlcjpwYXNzd29yZA==")),
                ("content-type".into(), Secret::new("application/json")),
                ("x-key".into(), Secret::new("k3y9")),
            ],
            secrets: vec![SigningKeyConfig::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")],
            ..EndpointConfig::new(url)
        }
    }

    #[test]
    fn hides_values_credentials_keys_and_queries_and_leaves_what_says_how_to_talk() {
        let endpoint = endpoint("https://example.com/hooks/orders?token=QUERYSECRET&v=1");
        for text in [
            "dXNlcjpwYXNzd29yZA==",
            "password",
            "user:password",
            "k3y9",
            "QUERYSECRET",
            "MfKQ9r8GKYqrTwjUPD8I",
        ] {
            assert_eq!(redact(&endpoint, &format!("got:{text}; x")), "got:…; x", "{text}");
        }
        let text = "application/json is no good for https://example.com/hooks/orders v1";
        assert_eq!(redact(&endpoint, text), text);
    }

    #[test]
    fn hides_what_a_header_with_a_template_says_of_every_event() {
        let mut endpoint = EndpointConfig::new("https://example.com/");
        let template = |text| Template::parse(text).unwrap().unwrap();
        endpoint.templates.headers = vec![
            ("authorization".into(), template("Bearer HEADERSECRET {{ event.id }}")),
            ("content-type".into(), template("application/{{ event.type }}")),
        ];
        assert_eq!(redact(&endpoint, "got:HEADERSECRET; application/x"), "got:…; application/x");
    }

    #[test]
    fn of_a_secret_url_nothing_is_left() {
        let mut endpoint = endpoint("https://hooks.slack.test/services/T012/B345/abcdefgh");
        let text = "dns: hooks.slack.test: no address of services/T012/B345/abcdefgh";
        assert_eq!(redact(&endpoint, text), text);
        endpoint.url.hide();
        let shown = redact(&endpoint, text);
        for part in ["slack", "T012", "B345", "abcd"] {
            assert!(!shown.contains(part), "{shown}");
        }
    }

    #[test]
    fn a_part_of_a_path_that_looks_like_a_token_is_one() {
        let endpoint = endpoint("https://example.com/hooks/AbCdEfGh12345678/orders");
        assert_eq!(redact(&endpoint, "POST /hooks/AbCdEfGh12345678/orders"), "POST /hooks/…/orders");
    }
}
