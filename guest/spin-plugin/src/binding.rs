//! Bindings generated from `wit/`: the plugin, and what is put around it.

#![expect(clippy::pedantic, reason = "generated code of the canonical ABI")]

spin_sdk::wit_bindgen::generate!({
    path: ["../../wit/plugin/0.1.0", "wit"],
    world: "anglerfish:spin-plugin/face",
    runtime_path: "::spin_sdk::wit_bindgen::rt",
    generate_all,
});

pub(crate) use self::anglerfish::plugin::filter::{Event, Verdict, judge};
pub(crate) use self::anglerfish::spin_plugin::host;
