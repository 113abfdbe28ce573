//! The address of a callback: its name, 128 random bits, and a check over both.
//!
//! The random bits are what only those know who were given the address. The check tells an address that was never given from
//! one that was and is over: the first does not exist, the second is gone; and who guesses is turned away without a look at
//! the store.

use sha2::{Digest, Sha256};

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
