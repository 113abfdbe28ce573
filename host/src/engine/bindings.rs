//! Bindings generated from `wit/`.

#![allow(unreachable_pub, reason = "generated code; whether it is unreachable depends on what is used")]

wasmtime::component::bindgen!({
    path: "wit",
    world: "gateway",
    ownership: Borrowing { duplicate_if_necessary: true },
    with: { "wasi:keyvalue/store.bucket": super::overlay::Bucket },
});
