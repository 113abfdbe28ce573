//! Bindings generated from `wit/`: the gateway component's router, and the key-value store that both share.

#![expect(clippy::pedantic, reason = "generated code of the canonical ABI")]

spin_sdk::wit_bindgen::generate!({
    path: "../../wit",
    inline: "
        package anglerfish:spin;

        world app {
            import wasi:keyvalue/store@0.2.0-draft2;
            import wasi:keyvalue/atomics@0.2.0-draft2;
            import wasi:keyvalue/batch@0.2.0-draft2;
            import anglerfish:gateway/router@0.1.0;
        }
    ",
    world: "anglerfish:spin/app",
    runtime_path: "::spin_sdk::wit_bindgen::rt",
    generate_all,
});

pub(crate) use self::anglerfish::gateway::router::Router;
pub(crate) use self::anglerfish::gateway::types;
pub(crate) use self::wasi::keyvalue::{atomics, batch, store};
