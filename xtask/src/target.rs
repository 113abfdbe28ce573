//! The wasm targets.

use crate::command;
use anyhow::{Context, Result, bail};
use std::path::PathBuf;
use std::process::Command;

/// The target of the gateway component, and that of the Spin app.
const TARGETS: [&str; 2] = ["wasm32-unknown-unknown", "wasm32-wasip2"];

/// Adds the targets that are missing.
pub(crate) fn install() -> Result<()> {
    TARGETS.into_iter().try_for_each(add)
}

/// Adds a target, unless it is there.
pub(crate) fn add(target: &str) -> Result<()> {
    if is_installed(target)? {
        return Ok(());
    }
    eprintln!("adding the target {target}");
    let mut rustup = Command::new("rustup");
    rustup.current_dir(command::root()).args(["target", "add", target]);
    command::run(&mut rustup).with_context(|| format!("the target {target} is needed"))?;
    if !is_installed(target)? {
        bail!("the target {target} was added but this toolchain does not have it");
    }
    Ok(())
}

fn is_installed(target: &str) -> Result<bool> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc)
        .current_dir(command::root())
        .args(["--print", "target-libdir", "--target", target])
        .output()
        .context("failed to run rustc")?;
    Ok(PathBuf::from(String::from_utf8(output.stdout)?.trim()).is_dir())
}
