//! What Spin offers to the app beside WASI: a key-value store and variables.

wasmtime::component::bindgen!({
    path: "../wit",
    inline: "
        package test:spin;

        world offers {
            import wasi:keyvalue/store@0.2.0-draft2;
            import wasi:keyvalue/atomics@0.2.0-draft2;
            import wasi:keyvalue/batch@0.2.0-draft2;
            import spin:variables/variables@3.0.0;
        }

        package spin:variables@3.0.0 {
            interface variables {
                variant error {
                    invalid-name(string),
                    undefined(string),
                    provider(string),
                    other(string),
                }
                get: async func(name: string) -> result<string, error>;
            }
        }
    ",
    world: "test:spin/offers",
    imports: { default: trappable },
    with: {
        "wasi:keyvalue/store.bucket": super::host::Bucket,
        "wasi:keyvalue/atomics.cas": super::host::Cas,
    },
});

pub(crate) use self::spin::variables::variables;
pub(crate) use self::wasi::keyvalue::{atomics, batch, store};
