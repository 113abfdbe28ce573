//! Builds the gateway component and leaves its path in `ANGLERFISH_GATEWAY_COMPONENT` for the library to embed.
//!
//! The component is the crate `guest/gateway` compiled for `wasm32-unknown-unknown` and wrapped by `wit-component`, so
//! that it imports what its world says and nothing else. Packagers who build it apart name the finished component in
//! `ANGLERFISH_PREBUILT_COMPONENT`. A published package has it inside and needs no target for it.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;

const TARGET: &str = "wasm32-unknown-unknown";
/// Where a published package has the component.
const PACKAGED: &str = "component/gateway.wasm";
const PREBUILT: &str = "ANGLERFISH_PREBUILT_COMPONENT";

fn main() {
    if let Err(error) = build() {
        println!("cargo::error={error}");
    }
}

fn build() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-env-changed={PREBUILT}");
    if let Some(path) = std::env::var_os(PREBUILT) {
        let path = PathBuf::from(path).canonicalize().map_err(|error| format!("{PREBUILT}: {error}"))?;
        embed(&path);
        return Ok(());
    }
    let manifest = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let root = manifest.parent().ok_or("the package is in no folder")?;
    // Within the workspace the component is what its source is now, whatever was packaged before.
    if !root.join("guest/gateway/Cargo.toml").is_file() {
        embed(&manifest.join(PACKAGED));
        return Ok(());
    }
    for input in [
        "Cargo.toml",
        "Cargo.lock",
        "guest/core",
        "guest/filter",
        "guest/gateway",
        "wit",
        ".cargo/config.toml",
    ] {
        println!("cargo::rerun-if-changed={}", root.join(input).display());
    }
    require_target(root)?;
    let out = PathBuf::from(variable("OUT_DIR")?);
    // One place for all profiles of the host, so that the component is compiled once for each change.
    let target_dir = match out.ancestors().find(|path| path.join("CACHEDIR.TAG").is_file()) {
        Some(target) => target.join("component"),
        None => out.join("component"),
    };
    let mut cargo = Command::new(variable("CARGO")?);
    cargo.current_dir(root);
    cargo.args([
        "build",
        "--package",
        "anglerfish-gateway",
        "--target",
        TARGET,
        "--profile",
        "guest",
        "--target-dir",
    ]);
    cargo.arg(&target_dir);
    // What cargo sets for the host's compilation (flags, clippy's wrapper) is not for the guest's.
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
    let output = cargo.output()?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(format!("the gateway component does not build: {}", text.replace('\n', " | ")).into());
    }
    let module = std::fs::read(target_dir.join(TARGET).join("guest/anglerfish_gateway.wasm"))?;
    let component = wit_component::ComponentEncoder::default().module(&module)?.validate(true).encode()?;
    let path = out.join("gateway.wasm");
    write_if_changed(&path, &component)?;
    println!("cargo::rustc-env=ANGLERFISH_GATEWAY_COMPONENT={}", path.display());
    Ok(())
}

/// Takes a finished component.
fn embed(path: &Path) {
    println!("cargo::rerun-if-changed={}", path.display());
    println!("cargo::rustc-env=ANGLERFISH_GATEWAY_COMPONENT={}", path.display());
}

/// The standard library of the target has to be there; cargo's own error for it is long and does not say what to do.
fn require_target(root: &Path) -> Result<(), Box<dyn Error>> {
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let output = Command::new(rustc)
        .current_dir(root)
        .args(["--print", "target-libdir", "--target", TARGET])
        .output()?;
    let path = PathBuf::from(String::from_utf8(output.stdout)?.trim());
    if path.is_dir() {
        return Ok(());
    }
    Err(format!("the wasm target is missing; run: rustup target add {TARGET}").into())
}

fn write_if_changed(path: &Path, bytes: &[u8]) -> Result<(), Box<dyn Error>> {
    if std::fs::read(path).is_ok_and(|before| before == bytes) {
        return Ok(());
    }
    Ok(std::fs::write(path, bytes)?)
}

fn variable(name: &str) -> Result<String, Box<dyn Error>> {
    std::env::var(name).map_err(|error| format!("{name}: {error}").into())
}
