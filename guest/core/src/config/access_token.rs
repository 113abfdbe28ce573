//! What a subscriber shows in order to be given what is kept for it.

use sha2::{Digest, Sha256};
use std::fmt;
use subtle::{Choice, ConstantTimeEq};

/// What stands in front of a hash in a document.
const HASH_PREFIX: &str = "sha256:";

/// Characters of a token: it must not be guessed, and has to find room in a header field.
const LENGTH: std::ops::RangeInclusive<usize> = 16..=512;

/// How to come by a token.
pub const TOKEN_HINT: &str = "make one with: openssl rand -hex 32";

/// What is wrong with a text as a token: it has to be one that can stand in an `Authorization` field and cannot be guessed. It
/// never quotes the text.
#[must_use]
pub fn token_problem(text: &str) -> Option<String> {
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Some("must be printable ASCII without spaces".to_owned());
    }
    let (least, most) = (LENGTH.start(), LENGTH.end());
    (!LENGTH.contains(&text.len())).then(|| format!("must have {least} to {most} characters"))
}

/// A subscriber's token, of which only the SHA-256 hash is kept: a token is long and random, so its hash says nothing of
/// it. Its `Debug` form hides the hash too.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct AccessToken([u8; 32]);

impl AccessToken {
    /// A token by its text.
    #[must_use]
    pub fn of(token: impl AsRef<[u8]>) -> Self {
        Self(Sha256::digest(token).into())
    }

    /// A token by what a document says: the hash as `sha256:` and 64 hexadecimal digits, or else the text.
    ///
    /// # Errors
    ///
    /// It begins like a hash and is none.
    pub fn parse(text: &str) -> Result<Self, ParseHashError> {
        let Some(digits) = text.strip_prefix(HASH_PREFIX) else {
            // Taken for the token itself it would be one that nobody shows.
            let is_meant =
                text.get(..HASH_PREFIX.len()).is_some_and(|prefix| prefix.eq_ignore_ascii_case(HASH_PREFIX));
            return if is_meant { Err(ParseHashError) } else { Ok(Self::of(text)) };
        };
        let mut hash = [0; 32];
        hex::decode_to_slice(digits, &mut hash).map_err(|_| ParseHashError)?;
        Ok(Self(hash))
    }

    /// Whether a text says the hash of a token instead of the token.
    #[must_use]
    pub fn is_hash(text: &str) -> bool {
        text.starts_with(HASH_PREFIX)
    }

    /// The hash, as a document says it.
    #[must_use]
    pub fn hash(&self) -> String {
        format!("{HASH_PREFIX}{}", hex::encode(self.0))
    }

    /// Whether what was shown is one of these tokens. It takes as long whichever of them it is, and as long for none: hashes
    /// have one length, and all are compared.
    #[must_use]
    pub fn is_one_of(tokens: &[Self], shown: &[u8]) -> bool {
        let shown: [u8; 32] = Sha256::digest(shown).into();
        let found = tokens.iter().fold(Choice::from(0), |found, token| found | token.0.ct_eq(&shown));
        found.into()
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("AccessToken(…)")
    }
}

/// Not the hash of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("`sha256:`, in lower case, needs 64 hexadecimal digits behind it")]
pub struct ParseHashError;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_and_its_hash_are_the_same_and_neither_is_shown() {
        let token = AccessToken::of("one that is long enough");
        assert_eq!(AccessToken::parse("one that is long enough"), Ok(token));
        assert_eq!(AccessToken::parse(&token.hash()), Ok(token));
        assert_eq!(AccessToken::parse(&token.hash().to_uppercase().replace("SHA256", "sha256")), Ok(token));
        assert!(AccessToken::is_hash(&token.hash()));
        assert_eq!(format!("{token:?}"), "AccessToken(…)");
    }

    #[test]
    fn what_begins_like_a_hash_and_is_none_is_no_token() {
        for text in [
            "sha256:",
            "sha256:00",
            "sha256:zz",
            "SHA256:00",
            "Sha256:one that is long enough",
            &format!("sha256:{}", "0".repeat(66)),
        ] {
            assert_eq!(AccessToken::parse(text), Err(ParseHashError), "{text}");
        }
    }

    #[test]
    fn any_of_several_opens_and_nothing_else() {
        let tokens = [AccessToken::of("the old one"), AccessToken::of("the new one")];
        for (shown, opens) in [("the old one", true), ("the new one", true), ("the new", false), ("", false)]
        {
            assert_eq!(AccessToken::is_one_of(&tokens, shown.as_bytes()), opens, "{shown}");
        }
        assert!(!AccessToken::is_one_of(&[], b"the old one"));
        // The hash is not the token.
        assert!(!AccessToken::is_one_of(&tokens, tokens[0].hash().as_bytes()));
    }
}
