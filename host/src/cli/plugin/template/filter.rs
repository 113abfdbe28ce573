wit_bindgen::generate!({ path: "wit", world: "plugin" });

use exports::anglerfish::plugin::filter::{Event, Guest, Verdict};

struct Filter;

impl Guest for Filter {
    /// `config` is what the subscription says to this plugin, as JSON.
    fn judge(event: Event, _config: String) -> Result<Verdict, String> {
        if event.data.len() > 10 {
            return Ok(Verdict::Deliver);
        }
        Ok(Verdict::Drop(format!("{} has hardly any data", event.id)))
    }
}

export!(Filter);
