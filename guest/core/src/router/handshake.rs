//! What an operator must copy from a handshake.

use crate::request::Request;
use crate::state::{Keys, key};

/// How many different values of one name are kept.
const MOST_COPIES: usize = 10;

/// Keeps what an operator must copy from a handshake, for the shell to show.
pub(super) fn remember_copies(
    request: &Request<'_>,
    copies: Vec<(String, String)>,
    keys: &mut dyn Keys,
) -> Result<(), String> {
    for (name, text) in copies {
        let key = key("copy", request.source, &name);
        let known = keys.get(&key)?.unwrap_or_default();
        let known = String::from_utf8_lossy(&known).into_owned();
        let mut lines: Vec<&str> = known.lines().collect();
        // The same value again is nothing to be shown again.
        if lines.iter().any(|line| line.split_once(' ').is_some_and(|(_, known)| known == text)) {
            continue;
        }
        // Anybody can send one: the first is the provider's as a rule, and is never pushed out by later ones.
        if lines.len() >= MOST_COPIES {
            lines.remove(1);
        }
        let line = format!("{} {text}", request.received.0);
        lines.push(&line);
        keys.set(&key, lines.join("\n").as_bytes())?;
    }
    Ok(())
}
