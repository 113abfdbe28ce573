//! The address of a callback: its name, 128 random bits, and a check over both.
//!
//! The random bits are what only those know who were given the address. The check tells an address that was never given from
//! one that was and is over: the first does not exist, the second is gone; and who guesses is turned away without a look at
//! the store.

use sha2::{Digest, Sha256};

/// The longest identifier that is kept as it is, and the longest of one header field, in bytes.
const LONGEST_ID: usize = 256;

/// What the source of what comes in begins with. No source of the configuration has a slash in its name.
const SOURCE: &str = "callback/";

/// Where callbacks come in.
const PREFIX: &str = "/callback/";

/// Characters of the random bits and of the check, in hexadecimal digits.
const RANDOM: usize = 32;
const CHECK: usize = 12;

/// The longest name, in bytes.
const LONGEST_NAME: usize = 128;

/// Whether a text is the name of a callback: 1 to 128 of `a-z A-Z 0-9 . _ - /`, with something between its slashes that is not
/// `.` or `..`, so that every reader of the address finds the same name in it.
#[must_use]
pub fn is_callback_name(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'/');
    text.len() <= LONGEST_NAME
        && text.bytes().all(is_plain)
        && text.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

/// The last part of the address of a callback. The core draws no random numbers: they come in.
#[must_use]
pub fn callback_token(name: &str, random: [u8; 16]) -> String {
    let random = hex::encode(random);
    format!("{random}{}", check(name, &random))
}

/// The source of what comes in at a callback.
#[must_use]
pub fn callback_source(name: &str) -> String {
    format!("{SOURCE}{name}")
}

/// Whether a source is that of a callback, whether there is one of this name or not.
#[must_use]
pub fn is_of_callback(source: &str) -> bool {
    source.starts_with(SOURCE)
}

/// The path of its address.
#[must_use]
pub fn callback_path(name: &str, token: &str) -> String {
    format!("{PREFIX}{name}/{token}")
}

/// The name and the token of a path that has been given to somebody at some time; `None` for all others.
#[must_use]
pub fn read_callback_path(path: &str) -> Option<(&str, &str)> {
    let (name, token) = path.strip_prefix(PREFIX)?.rsplit_once('/')?;
    let (random, checked) = token.split_at_checked(RANDOM)?;
    let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let is_one = is_callback_name(name) && random.bytes().all(is_hex) && checked == check(name, random);
    is_one.then_some((name, token))
}

/// What tells a callback from others, as whoever comes says it in the first of `webhook-id`, `ce-id` and `idempotency-key` that is
/// there; `field` has their values. A CloudEvent is its source and its id together, and what stands in different fields is
/// different: what is not a `webhook-id` is two parts, joined by a space that is escaped within all of them.
///
/// # Errors
///
/// What is wrong with the field, in words. Whoever names an identifier counts on it, so that none is left out.
pub fn said_id<'a>(field: impl Fn(&str) -> Option<&'a [u8]>) -> Result<Option<String>, String> {
    let text = |name: &str, longest: usize| {
        let Some(value) = field(name).filter(|value| !value.is_empty()) else { return Ok(None) };
        if value.len() > longest {
            return Err(format!(
                "the header field {name} has {} bytes; at most {longest} are taken",
                value.len()
            ));
        }
        let is_plain = value.iter().all(|byte| matches!(byte, b' '..=b'~'));
        let text = std::str::from_utf8(value).ok().filter(|_| is_plain);
        let escaped = text.map(|text| text.replace('%', "%25").replace(' ', "%20"));
        escaped.map(Some).ok_or_else(|| format!("the header field {name} is no printable ASCII"))
    };
    if let Some(id) = text("webhook-id", LONGEST_ID)? {
        return Ok(Some(bounded(id)));
    }
    if let Some(id) = text("ce-id", LONGEST_ID)? {
        let source = text("ce-source", usize::MAX)?;
        return Ok(Some(bounded(format!("{} {id}", source.as_deref().unwrap_or("ce-id")))));
    }
    Ok(text("idempotency-key", LONGEST_ID)?.map(|key| bounded(format!("idempotency-key {key}"))))
}

/// What is too long is its hash: two stay two.
fn bounded(id: String) -> String {
    if id.len() <= LONGEST_ID { id } else { format!("sha256:{}", hex::encode(Sha256::digest(id))) }
}

fn check(name: &str, random: &str) -> String {
    let mut digest = Sha256::new();
    // The name has no byte 0.
    digest.update(name);
    digest.update([0]);
    digest.update(random);
    let mut text = hex::encode(digest.finalize());
    text.truncate(CHECK);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_it_was_written() {
        let token = callback_token("orders/eu", [7; 16]);
        assert_eq!(token.len(), RANDOM + CHECK);
        let path = callback_path("orders/eu", &token);
        assert_eq!(read_callback_path(&path), Some(("orders/eu", token.as_str())));
        assert_ne!(token, callback_token("orders/eu", [8; 16]));
        assert_ne!(token[RANDOM..], callback_token("orders/us", [7; 16])[RANDOM..]);
    }

    #[test]
    fn what_was_never_given_to_anybody_is_no_address() {
        let token = callback_token("orders", [7; 16]);
        for path in [
            "/callback/orders".to_owned(),
            "/callback/orders/".to_owned(),
            format!("/callback/order/{token}"),
            format!("/callback//{token}"),
            format!("/in/orders/{token}"),
            format!("/callback/orders/{}", token.to_uppercase()),
            format!("/callback/orders/{}0", &token[..token.len() - 1]),
            format!("/callback/orders/{token}/"),
            format!("/callback/orders/1{}", &token[1..]),
            format!("/callback/orders/é{token}"),
        ] {
            assert_eq!(read_callback_path(&path), None, "{path}");
        }
    }

    fn said(fields: &[(&str, &str)]) -> Result<Option<String>, String> {
        said_id(|name| fields.iter().find(|(field, _)| *field == name).map(|(_, value)| value.as_bytes()))
    }

    #[test]
    fn what_different_senders_and_different_fields_say_is_different() {
        let all = [
            said(&[("webhook-id", "1")]),
            said(&[("webhook-id", "a b")]),
            said(&[("webhook-id", "a%20b")]),
            said(&[("ce-id", "1"), ("ce-source", "/partner/a")]),
            said(&[("ce-id", "1"), ("ce-source", "/partner/b")]),
            said(&[("ce-id", "1"), ("ce-source", &"a".repeat(600))]),
            said(&[("ce-id", "1"), ("ce-source", &"b".repeat(600))]),
            said(&[("ce-id", "1")]),
            said(&[("idempotency-key", "1")]),
            said(&[("idempotency-key", &"1".repeat(256))]),
        ];
        let ids: std::collections::BTreeSet<_> = all.iter().map(|id| id.clone().unwrap().unwrap()).collect();
        assert_eq!(ids.len(), all.len(), "{ids:?}");
        assert!(ids.iter().all(|id| id.len() <= LONGEST_ID));
        assert_eq!(said(&[("webhook-id", "m1"), ("ce-id", "2")]), Ok(Some("m1".to_owned())));
        assert_eq!(
            said(&[("webhook-id", ""), ("idempotency-key", "k")]).unwrap().unwrap(),
            "idempotency-key k"
        );
        assert_eq!(said(&[]), Ok(None));
    }

    #[test]
    fn an_identifier_that_cannot_be_kept_is_told_and_not_left_out() {
        for (name, value) in
            [("webhook-id", "x".repeat(257)), ("ce-id", "é".into()), ("idempotency-key", "\t".into())]
        {
            let told = said(&[(name, &value)]).unwrap_err();
            assert!(told.contains(name) && !told.contains(&value), "{told}");
        }
    }

    #[test]
    fn names_are_what_every_reader_of_an_address_reads_alike() {
        for name in ["a", "orders/eu", "A.b-c_1", "x/..y"] {
            assert!(is_callback_name(name), "{name}");
        }
        for name in ["", "/", "a/", "/a", "a//b", "a/../b", ".", "a b", "a%2fb", "é", &"x".repeat(129)] {
            assert!(!is_callback_name(name), "{name}");
        }
    }
}
