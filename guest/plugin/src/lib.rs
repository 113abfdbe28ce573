//! Write filter plugins for Anglerfish: which events a subscription gets, decided in a sandbox.
//!
//! ```ignore
//! use anglerfish_plugin::{Event, Filter, Verdict, filter};
//!
//! struct Large;
//!
//! impl Filter for Large {
//!     fn judge(event: Event, _config: String) -> Result<Verdict, String> {
//!         let large = event.data.len() > 1000;
//!         Ok(if large { Verdict::Deliver } else { Verdict::Drop("too small".to_owned()) })
//!     }
//! }
//!
//! filter!(Large);
//! ```
//!
//! Its crate is a `cdylib`, built for `wasm32-unknown-unknown`: `anglerfish plugin new` writes one.

#[doc(hidden)]
#[allow(missing_docs, unsafe_code, unreachable_pub, clippy::all, reason = "generated code")]
pub mod bindings {
    wit_bindgen::generate!({
        path: "../../wit/plugin/0.1.0",
        world: "plugin",
        pub_export_macro: true,
        default_bindings_module: "::anglerfish_plugin::bindings",
    });
}

pub use bindings::anglerfish::plugin::types::{Body, Event, Verdict};

/// A filter.
pub trait Filter {
    /// Says what is to become of an event. `config` is what the subscription says to the plugin, as JSON.
    ///
    /// # Errors
    ///
    /// Why that cannot be said: the event is not delivered then.
    fn judge(event: Event, config: String) -> Result<Verdict, String>;
}

/// What a plugin remembers from call to call: in memory, within the gateway's limit, gone after a restart.
pub mod state {
    pub use crate::bindings::anglerfish::plugin::state::{delete, get, set};
}

/// Writes a line into the gateway's log.
pub fn log(message: &str) {
    bindings::anglerfish::plugin::log::write(message);
}

/// Makes a plugin of a type that is a [`Filter`].
#[macro_export]
macro_rules! filter {
    ($filter:ty) => {
        #[doc(hidden)]
        struct AnglerfishPlugin;

        impl $crate::bindings::exports::anglerfish::plugin::filter::Guest for AnglerfishPlugin {
            fn judge(event: $crate::Event, config: String) -> Result<$crate::Verdict, String> {
                <$filter as $crate::Filter>::judge(event, config)
            }
        }

        $crate::bindings::export!(AnglerfishPlugin with_types_in $crate::bindings);
    };
}
