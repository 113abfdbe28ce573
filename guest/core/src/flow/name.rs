//! How flows are named, and under which keys they are kept.

/// The longest name of a flow and the longest id of one of its runs, in bytes: together with a number they make the name of a
/// callback.
const LONGEST_NAME: usize = 40;
const LONGEST_ID: usize = 72;

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

/// The name of the callback that the entry of this number of a journal begins.
#[must_use]
pub fn flow_callback(flow: &str, id: &str, number: usize) -> String {
    format!("flow/{flow}/{id}/{number}")
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
