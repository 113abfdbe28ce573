//! What is kept of a document.

use super::revision::Revision;
use crate::request::UnixMillis;

/// Whether a document is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DocumentState {
    /// It is.
    Present,
    /// It was deleted, and its last revision is remembered until then.
    Deleted {
        /// Until when.
        until: UnixMillis,
    },
}

/// What is kept of a document: its newest content, and how far its subscribers were looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredDocument {
    /// Its URL.
    pub url: String,
    /// Whether it is there.
    pub state: DocumentState,
    /// The newest revision.
    pub revision: Revision,
    /// What tells it from another one that had this URL before and was deleted: the id of the change that created it.
    pub born: String,
    /// The id of the log's entry that has this revision; empty of what was kept by a version that did not note it.
    pub entry: String,
    /// Whose subscribers were looked at for this revision: those of this generation and of earlier ones.
    pub generation: u64,
    /// When this revision came.
    pub updated: UnixMillis,
    /// Its content; nothing if it was deleted.
    pub content: Vec<u8>,
}

/// What the line in front of the content begins with.
const FORMAT: &str = "2";
/// The same of one without the id of its entry.
const WITHOUT_ENTRY: &str = "1";

impl StoredDocument {
    /// Whether the document is there.
    #[must_use]
    pub fn is_present(&self) -> bool {
        self.state == DocumentState::Present
    }

    /// All but the content, as one line: two that have the same line have the same content.
    #[must_use]
    pub fn head(&self) -> String {
        let Self { url, state, revision, born, entry, generation, updated, content: _ } = self;
        let until = match state {
            DocumentState::Present => "-".to_owned(),
            DocumentState::Deleted { until } => until.0.to_string(),
        };
        let (revision, updated) = (revision.encoded(), updated.0);
        let (format, length) = match entry.len() {
            0 => (WITHOUT_ENTRY, born.len().to_string()),
            length => (FORMAT, format!("{} {length}", born.len())),
        };
        format!("{format} {until} {revision} {generation} {updated} {length} {born}{entry}{url}")
    }

    /// As it is kept: a line and the content.
    #[must_use]
    pub fn encoded(&self) -> Vec<u8> {
        let mut bytes = self.head().into_bytes();
        bytes.push(b'\n');
        bytes.extend_from_slice(&self.content);
        bytes
    }

    /// Reads what [`Self::encoded`] wrote.
    ///
    /// # Errors
    ///
    /// If it is something else.
    pub fn decoded(bytes: &[u8]) -> Result<Self, String> {
        Self::parsed(bytes).ok_or_else(|| "what is kept of a document cannot be read".to_owned())
    }

    fn parsed(bytes: &[u8]) -> Option<Self> {
        let end = bytes.iter().position(|byte| *byte == b'\n')?;
        let (head, content) = bytes.split_at_checked(end)?;
        let (format, rest) = std::str::from_utf8(head).ok()?.split_once(' ')?;
        let mut words = match format {
            FORMAT => rest.splitn(7, ' '),
            WITHOUT_ENTRY => rest.splitn(6, ' '),
            _ => return None,
        };
        let state = match words.next()? {
            "-" => DocumentState::Present,
            until => DocumentState::Deleted { until: UnixMillis(until.parse().ok()?) },
        };
        let revision = Revision::decoded(words.next()?)?;
        let generation = words.next()?.parse().ok()?;
        let updated = UnixMillis(words.next()?.parse().ok()?);
        let born_length = words.next()?.parse().ok()?;
        let entry_length = if format == FORMAT { words.next()?.parse().ok()? } else { 0 };
        let (born, rest) = words.next()?.split_at_checked(born_length)?;
        let (entry, url) = rest.split_at_checked(entry_length)?;
        Some(Self {
            url: url.to_owned(),
            state,
            revision,
            born: born.to_owned(),
            entry: entry.to_owned(),
            generation,
            updated,
            content: content.get(1..)?.to_vec(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_kept_is_read_again(
            url in "[^\\n]{0,40}", born in "[^\\n]{0,20}", entry in "[^\\n]{0,20}", number: i64, instant: bool, generation: u64,
            updated: u64, until: Option<u64>, content: Vec<u8>,
        ) {
            let revision =
                if instant { Revision::Instant(i128::from(number) * 7) } else { Revision::Number(number) };
            let state = until.map_or(DocumentState::Present, |until| DocumentState::Deleted {
                until: UnixMillis(until),
            });
            let updated = UnixMillis(updated);
            let stored = StoredDocument { url, state, revision, born, entry, generation, updated, content };
            prop_assert_eq!(StoredDocument::decoded(&stored.encoded()), Ok(stored));
        }

        #[test]
        fn no_value_breaks_the_reader(bytes: Vec<u8>) {
            let _ = StoredDocument::decoded(&bytes);
        }
    }
}
