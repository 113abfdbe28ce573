//! Building the Spin app: its own component and the gateway component, where `spin.toml` looks for them, and what plugins are put
//! into.

use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::process::Command;

const TARGET: &str = "wasm32-unknown-unknown";

/// The packages, with the names that their modules have and that the components get.
const PACKAGES: [(&str, &str, &str); 4] = [
    ("anglerfish-gateway", "anglerfish_gateway.wasm", "gateway.wasm"),
    ("anglerfish-spin", "anglerfish_spin.wasm", "anglerfish_spin.wasm"),
    // What `anglerfish deploy-config --manifest` puts around each plugin.
    ("anglerfish-spin-plugin", "anglerfish_spin_plugin.wasm", "plugin.wasm"),
    ("anglerfish-spin-plugin-host", "anglerfish_spin_plugin_host.wasm", "plugin-host.wasm"),
];

/// Builds all components into `target/spin`, and gives that folder.
///
/// They are compiled for `wasm32-unknown-unknown` and wrapped by `wit-component`, so that they import what their worlds
/// say and nothing else; the gateway's bytes are those that the native host embeds.
///
/// # Errors
///
/// Says which package does not build, or is no component.
pub(crate) fn build_spin() -> Result<PathBuf> {
    let root =
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the package has no workspace around it")?;
    let target = root.join("target");
    let out = target.join("spin");
    std::fs::create_dir_all(&out)?;
    // The folder that the native host's build uses, too: what it has compiled is not compiled again.
    let compiled = target.join("component");
    let mut gateway = None;
    for (package, module, component) in PACKAGES {
        let mut cargo = cargo(root);
        // The shell says in its status which gateway it is for.
        if let Some(hash) = &gateway {
            cargo.env("ANGLERFISH_GATEWAY_SHA256", hash);
        }
        let status = cargo
            .args(["build", "--quiet", "--package", package, "--target", TARGET, "--profile", "guest"])
            .arg("--target-dir")
            .arg(&compiled)
            .status()?;
        ensure!(
            status.success(),
            "{package} does not build; is the target there? (rustup target add {TARGET})"
        );
        let bytes = std::fs::read(compiled.join(TARGET).join("guest").join(module))?;
        let bytes = encode(&bytes).with_context(|| format!("{package} is no component"))?;
        gateway.get_or_insert_with(|| hex::encode(Sha256::digest(&bytes)));
        std::fs::write(out.join(component), bytes)?;
    }
    Ok(out)
}

fn encode(module: &[u8]) -> Result<Vec<u8>> {
    wit_component::ComponentEncoder::default().module(module)?.validate(true).encode()
}

/// Cargo without what it sets for the compilation around this one.
fn cargo(root: &Path) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root);
    for name in [
        "CARGO_ENCODED_RUSTFLAGS",
        "RUSTFLAGS",
        "RUSTC_WORKSPACE_WRAPPER",
        "CLIPPY_ARGS",
        "CARGO_MAKEFLAGS",
        "MAKEFLAGS",
    ] {
        cargo.env_remove(name);
    }
    cargo
}
