//! How flows are named, and under which keys they are kept.

use sha2::{Digest, Sha256};

/// The longest name of a flow and the longest id of one of its runs, in bytes: together with a number they make the name of a
/// callback.
const LONGEST_NAME: usize = 40;
const LONGEST_ID: usize = 72;

/// What the names of their callbacks begin with.
const CALLBACKS: &str = "flow/";

/// The kinds of keys that stay until they are deleted: a flow that runs, and what is in its journal.
pub const FLOW_KEYS: [&str; 2] = ["flow", "flow-journal"];

fn is_plain(text: &str, longest: usize) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    !text.is_empty() && text.len() <= longest && text.bytes().all(plain) && !matches!(text, "." | "..")
}

/// Whether a text is the name of flows: 1 to 40 of `a-z A-Z 0-9 . _ -`.
#[must_use]
pub fn is_flow_name(text: &str) -> bool {
    is_plain(text, LONGEST_NAME)
}

/// Whether a text is the id of one of them: 1 to 72 of `a-z A-Z 0-9 . _ -`.
#[must_use]
pub fn is_flow_id(text: &str) -> bool {
    is_plain(text, LONGEST_ID)
}

/// The id of the flow that an event starts: what is plain of the event's own id, and 128 bits of SHA-256 over its source and its id,
/// which together tell it from all others.
#[must_use]
pub fn event_flow_id(source: &str, id: &str) -> String {
    const HASH: usize = 16;
    // Lengths are written so that no two pairs are one text.
    let mut digest = Sha256::new();
    for text in [source, id] {
        digest.update(u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
        digest.update(text);
    }
    let hash = digest.finalize();
    let plain = |character: &char| character.is_ascii_alphanumeric() || matches!(character, '.' | '_' | '-');
    let mut name: String = id.chars().filter(plain).take(LONGEST_ID - 1 - 2 * HASH).collect();
    if !name.is_empty() {
        name.push('-');
    }
    name.push_str(&hex::encode(hash.get(..HASH).unwrap_or_default()));
    name
}

/// The name of the callback that the entry of this number of a journal begins.
#[must_use]
pub fn flow_callback(flow: &str, id: &str, number: usize) -> String {
    format!("{CALLBACKS}{flow}/{id}/{number}")
}

/// Whether a text may be the name of a callback of a flow: nobody else takes hold of these.
#[must_use]
pub fn is_flow_callback(name: &str) -> bool {
    name.starts_with(CALLBACKS)
}

/// The key of one that runs.
#[must_use]
pub fn flow_key(flow: &str, id: &str) -> String {
    format!("flow/{flow}/{id}")
}

/// The key of one that has ended. It is forgotten with its age.
#[must_use]
pub fn ended_key(flow: &str, id: &str) -> String {
    format!("flow-ended/{flow}/{id}")
}

/// What the keys of a journal begin with.
#[must_use]
pub fn journal_prefix(flow: &str, id: &str) -> String {
    format!("flow-journal/{flow}/{id}/")
}

/// The key of an entry of a journal: their order is that of their numbers.
#[must_use]
pub fn journal_key(flow: &str, id: &str, number: usize) -> String {
    format!("{}{number:06}", journal_prefix(flow, id))
}
