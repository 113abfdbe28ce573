//! Another key in the place of those that sign, another token in the place of those that are right.

use crate::random::{self, NoRandomNumbers};
use anglerfish_core::config::{AccessToken, EndpointConfig, MOST_SECRETS, MOST_TOKENS};
use anglerfish_core::problem::Problem;
use anglerfish_core::request::UnixMillis;
use serde_json::{Value, json};
use std::time::Duration;

/// A subscription's document with another key: the old ones sign along for `overlap`, or for as long as they did anyway if
/// that is shorter. The document holds references where they are written so.
pub(super) fn rotated(
    document: &Value,
    endpoint: Option<&EndpointConfig>,
    secret: String,
    overlap: Option<Duration>,
    now: UnixMillis,
) -> Result<Value, Problem> {
    let mut document = document.clone();
    let written = document.get_mut("endpoint").and_then(Value::as_object_mut);
    let (Some(endpoint), Some(written)) = (endpoint, written) else {
        return Err(Problem::new("endpoint", "there is none, so nothing is signed"));
    };
    let until = now.after(overlap.unwrap_or(endpoint.rotation_overlap));
    let old = match (written.remove("secret"), written.remove("secrets")) {
        (Some(one), _) => vec![one],
        (None, Some(Value::Array(several))) => several,
        (None, _) => Vec::new(),
    };
    let mut keys = Vec::with_capacity(old.len() + 1);
    for (written, known) in old.into_iter().zip(&endpoint.secrets) {
        let ends = known.not_after.map_or(until, |ends| ends.min(until));
        // One that signs no more, or is to sign no longer, is let go of.
        if ends <= now {
            continue;
        }
        let mut key = match written {
            Value::Object(members) => Value::Object(members),
            text => json!({"value": text}),
        };
        if let Some(members) = key.as_object_mut() {
            members.insert("not_after".to_owned(), json!(ends.rfc3339()));
        }
        keys.push(key);
    }
    if keys.len() >= MOST_SECRETS {
        // One that somebody still verifies with would end without a word.
        let problem =
            Problem::new("endpoint.secrets", format!("{MOST_SECRETS} sign already, and no more may"));
        return Err(problem.with_hint(
            "wait until the overlap of the oldest ends, end all before the new one with an `overlap` of 0s, or put the \
             subscription with those that are still used",
        ));
    }
    // Where there is room for one signature the first valid key signs: the old one, until its time is over.
    keys.push(Value::String(secret));
    written.insert("secrets".to_owned(), Value::Array(keys));
    Ok(document)
}

/// How many random octets a token has that is made here.
const RANDOM: usize = 32;

/// A new token: hexadecimal digits, so that it begins with no dash and no shell reads anything into it.
///
/// # Errors
///
/// This machine gives no random numbers.
pub(super) fn new_token() -> Result<String, NoRandomNumbers> {
    let mut octets = [0; RANDOM];
    random::fill(&mut octets)?;
    Ok(hex::encode(octets))
}

/// A subscription's document with another token, the newest. Those before it go on to be right, so that each subscriber can
/// change at any time; with `only` none of them does.
pub(super) fn with_token(document: &Value, token: String, only: bool) -> Result<Value, Problem> {
    let mut document = document.clone();
    let Some(Value::Array(tokens)) = document.get_mut("tokens") else {
        return Err(Problem::new("tokens", "there are none: nobody reads this subscription"));
    };
    // A token that is the newest already takes nobody's place. What is kept of those that were written out is their hashes.
    let hash = AccessToken::of(&token).hash();
    tokens.retain(|known| known.as_str().is_none_or(|known| known != token && known != hash));
    if only {
        tokens.clear();
    }
    if tokens.len() >= MOST_TOKENS {
        // One that somebody still shows would end without a word.
        let problem = Problem::new("tokens", format!("{MOST_TOKENS} are right already, and no more may be"));
        return Err(problem.with_hint(
            "end those before with `only`, or put the subscription with those that are still used",
        ));
    }
    tokens.insert(0, Value::String(token));
    Ok(document)
}

#[cfg(test)]
mod tests {
    use super::*;
    use anglerfish_core::config::read_endpoint;

    const OLD: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";
    const NEW: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn rotate(endpoint: Value, overlap: Option<Duration>) -> Value {
        let read = read_endpoint(&endpoint, "").unwrap();
        let now = UnixMillis(1_700_000_000_000);
        let document = json!({"id": "a", "endpoint": endpoint});
        rotated(&document, Some(&read), NEW.to_owned(), overlap, now).unwrap()["endpoint"]["secrets"].clone()
    }

    #[test]
    fn the_old_key_signs_along_for_the_overlap() {
        let old = |ends: &str| json!([{"value": OLD, "not_after": ends}, NEW]);
        let url = "https://example.com/";
        let one = json!({"url": url, "secret": OLD});
        assert_eq!(rotate(one.clone(), None), old("2023-11-15T22:13:20Z"));
        assert_eq!(rotate(one.clone(), Some(Duration::from_mins(1))), old("2023-11-14T22:14:20Z"));
        assert_eq!(rotate(one, Some(Duration::ZERO)), json!([NEW]));
        let ends = json!({"url": url, "rotation_overlap": "1h", "secrets": [
            {"value": OLD, "not_after": "2023-11-14T22:13:30Z"}, {"value": OLD, "not_after": "2023-11-01T00:00:00Z"}]});
        assert_eq!(rotate(ends, None), old("2023-11-14T22:13:30Z"));
        assert_eq!(rotate(json!({"url": url}), None), json!([NEW]));
    }

    #[test]
    fn where_as_many_keys_sign_as_may_it_is_said_what_to_do() {
        let keys: Vec<Value> = (0..MOST_SECRETS).map(|_| json!({"value": OLD})).collect();
        let endpoint = json!({"url": "https://example.com/", "secrets": keys});
        let read = read_endpoint(&endpoint, "").unwrap();
        let document = json!({"id": "a", "endpoint": endpoint});
        let now = UnixMillis(1_700_000_000_000);
        let rotate = |overlap| rotated(&document, Some(&read), NEW.to_owned(), Some(overlap), now);
        let problem = rotate(Duration::from_secs(1)).unwrap_err();
        assert_eq!((&*problem.path, problem.hint.is_some()), ("endpoint.secrets", true));
        assert_eq!(rotate(Duration::ZERO).unwrap()["endpoint"]["secrets"], json!([NEW]));
    }

    #[test]
    fn all_tokens_before_stay_right_while_there_is_room_unless_the_new_one_is_to_be_the_only_one() {
        let second = AccessToken::of("second").hash();
        let document = json!({"id": "a", "tokens": [second, "first"]});
        let rotated =
            |token: &str, only| with_token(&document, token.to_owned(), only).unwrap()["tokens"].clone();
        assert_eq!(rotated("third", false), json!(["third", second, "first"]));
        assert_eq!(rotated("second", false), json!(["second", "first"]));
        assert_eq!(rotated("third", true), json!(["third"]));
        let full: Vec<String> = (0..MOST_TOKENS).map(|number| number.to_string()).collect();
        let full = json!({"id": "a", "tokens": full});
        let problem = with_token(&full, "another".to_owned(), false).unwrap_err();
        assert_eq!((&*problem.path, problem.hint.is_some()), ("tokens", true));
        assert_eq!(with_token(&full, "another".to_owned(), true).unwrap()["tokens"], json!(["another"]));
        assert_eq!(with_token(&full, "3".to_owned(), false).unwrap()["tokens"][0], "3");
        let problem = with_token(&json!({"id": "a"}), "first".to_owned(), false).unwrap_err();
        assert_eq!(problem.path, "tokens");
    }
}
