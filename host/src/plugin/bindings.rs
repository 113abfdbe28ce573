//! Bindings generated from `wit/plugin`: one folder, and one module here, for each released version.

#![allow(unreachable_pub, reason = "generated code; whether it is unreachable depends on what is used")]

wasmtime::component::bindgen!({
    path: "wit/plugin/0.1.0",
    world: "plugin",
});
