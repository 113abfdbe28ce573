//! Around a plugin under Spin: the state and the log that plugins get. The state is the instance's, and gone with it.

#[allow(missing_docs, unsafe_code, unreachable_pub, clippy::all, clippy::pedantic, reason = "generated code")]
mod binding {
    wit_bindgen::generate!({
        path: ["../../wit/plugin/0.1.0", "../spin-plugin/wit"],
        world: "anglerfish:spin-plugin/provider",
        generate_all,
    });
}

use anglerfish_core::edge::PluginKept;
use binding::exports::anglerfish::plugin::{log, state as contract};
use binding::exports::anglerfish::spin_plugin::host;
use std::cell::RefCell;

thread_local! {
    static KEPT: RefCell<PluginKept> = RefCell::new(PluginKept::default());
}

struct Provider;

impl host::Guest for Provider {
    fn begin(state: u64) {
        KEPT.with_borrow_mut(|kept| kept.begin(state));
    }

    fn lines() -> Vec<String> {
        KEPT.with_borrow_mut(PluginKept::lines)
    }
}

impl contract::Guest for Provider {
    fn get(key: String) -> Option<Vec<u8>> {
        KEPT.with_borrow(|kept| kept.get(&key))
    }

    fn set(key: String, value: Vec<u8>) -> Result<(), String> {
        KEPT.with_borrow_mut(|kept| kept.set(key, value))
    }

    fn delete(key: String) {
        KEPT.with_borrow_mut(|kept| kept.delete(&key));
    }
}

impl log::Guest for Provider {
    fn write(message: String) {
        KEPT.with_borrow_mut(|kept| kept.write(message));
    }
}

#[allow(unsafe_code, reason = "generated code")]
mod export {
    use super::{Provider, binding};
    binding::export!(Provider with_types_in binding);
}
