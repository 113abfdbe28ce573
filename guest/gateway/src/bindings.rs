//! Bindings generated from `wit/`.

wit_bindgen::generate!({
    path: "../../wit",
    world: "gateway",
    generate_all,
});
