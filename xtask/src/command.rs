//! Running other programs.

use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(1).map(Path::to_path_buf).unwrap_or_default()
}

/// Cargo, in the repository's root, without what this process's own cargo has set.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    for name in ["CARGO_MANIFEST_DIR", "CARGO_PKG_NAME", "CARGO_PKG_VERSION"] {
        command.env_remove(name);
    }
    command
}

/// Where cargo puts what it builds.
pub(crate) fn target_directory() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |path| root().join(path))
}

/// A program of the registry, installed into the target directory unless it is there.
pub(crate) fn tool(name: &str, version: &str) -> Result<PathBuf> {
    let tools = target_directory().join("tools");
    let tool = tools.join("bin").join(name);
    if !tool.is_file() {
        eprintln!("installing {name}; the first time takes some minutes");
        let began = Instant::now();
        let mut install = cargo();
        // It runs for seconds: to optimise it takes minutes.
        install.args(["install", "--quiet", "--locked", "--debug", "--root"]).arg(tools);
        install.arg(format!("{name}@{version}")).env("CARGO_PROFILE_DEV_DEBUG", "false");
        run(&mut install).with_context(|| format!("{name} cannot be installed"))?;
        eprintln!("{name}: {} s", began.elapsed().as_secs());
    }
    Ok(tool)
}

/// Runs a command and fails if it does.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let status = command.status().with_context(|| format!("failed to run {name}"))?;
    if !status.success() {
        bail!("{name} failed: {status}");
    }
    Ok(())
}
