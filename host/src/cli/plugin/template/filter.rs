//! What a plugin is asked and what it may say stands in wit/plugin.wit.

mod bindings;

use bindings::exports::anglerfish::plugin::filter::{Event, Guest, Verdict};
use serde_json::Value;

struct Filter;

impl Guest for Filter {
    /// `config` is what the subscription says to this plugin, as JSON. An `Err` is an error in words.
    fn judge(event: Event, config: String) -> Result<Verdict, String> {
        let read = |json: &[u8]| serde_json::from_slice::<Value>(json).map_err(|error| error.to_string());
        let over = read(config.as_bytes())?["over"].as_f64().unwrap_or(100.0);
        let total = read(&event.data)?["total"].as_f64().ok_or("it has no total")?;
        if total > over {
            return Ok(Verdict::Deliver);
        }
        Ok(Verdict::Drop(format!("{total} is not over {over}")))
    }
}

bindings::export!(Filter with_types_in bindings);
