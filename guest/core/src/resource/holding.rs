//! What a subscriber has of a document, where that cannot be told from the document itself.
//!
//! A subscriber whose deliveries went through has every document that changed since it subscribed, in its newest revision, as
//! far as its filter lets it: nothing is kept for that. A holding is the exception: a change is on its way, or could not
//! be told.

use super::revision::Revision;

/// A revision that a subscriber was told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Which of the documents that had this URL one after another: see [`super::StoredDocument::born`].
    pub born: String,
    /// Its revision.
    pub revision: Revision,
}

/// What a subscriber has of a document.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Holding {
    /// What it was told last; nothing if it has not got the document.
    pub told: Option<Told>,
    /// The content that its filter compares with, if that was kept: what it has, or what was passed over.
    pub content: Option<Vec<u8>>,
    /// Whether it may have the document though it was told nothing that it confirmed: an attempt to tell it broke off, or it
    /// asked to be told anew.
    pub doubt: bool,
}

/// What the line in front of the content begins with.
const FORMAT: &str = "1";

impl Holding {
    /// As it is kept: a line, and the content.
    #[must_use]
    pub fn encoded(&self) -> Vec<u8> {
        let told = self
            .told
            .as_ref()
            .map_or_else(|| "-".to_owned(), |told| format!("{} {}", told.revision.encoded(), told.born));
        let kept = if self.content.is_some() { "+" } else { "-" };
        let doubt = if self.doubt { "?" } else { "" };
        let mut bytes = format!("{FORMAT} {kept}{doubt} {told}\n").into_bytes();
        bytes.extend_from_slice(self.content.as_deref().unwrap_or_default());
        bytes
    }

    /// Reads what [`Self::encoded`] wrote.
    ///
    /// # Errors
    ///
    /// If it is something else.
    pub fn decoded(bytes: &[u8]) -> Result<Self, String> {
        Self::parsed(bytes).ok_or_else(|| "what is kept of a subscriber cannot be read".to_owned())
    }

    fn parsed(bytes: &[u8]) -> Option<Self> {
        let end = bytes.iter().position(|byte| *byte == b'\n')?;
        let (head, content) = bytes.split_at_checked(end)?;
        let mut words = std::str::from_utf8(head).ok()?.splitn(4, ' ');
        if words.next()? != FORMAT {
            return None;
        }
        let (kept, doubt) = match words.next()? {
            "+" => (true, false),
            "-" => (false, false),
            "+?" => (true, true),
            "-?" => (false, true),
            _ => return None,
        };
        let told = match (words.next()?, words.next()) {
            ("-", None) => None,
            (revision, Some(born)) => {
                Some(Told { revision: Revision::decoded(revision)?, born: born.to_owned() })
            }
            _ => return None,
        };
        let content = content.get(1..)?;
        Some(Self { told, content: kept.then(|| content.to_vec()), doubt })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_kept_is_read_again(
            number: Option<i64>, born in "[^\\n]{0,20}", content: Option<Vec<u8>>, doubt: bool,
        ) {
            let told = number.map(|number| Told { born, revision: Revision::Number(number) });
            let holding = Holding { told, content, doubt };
            prop_assert_eq!(Holding::decoded(&holding.encoded()), Ok(holding));
        }

        #[test]
        fn no_value_breaks_the_reader(bytes: Vec<u8>) {
            let _ = Holding::decoded(&bytes);
        }
    }
}
