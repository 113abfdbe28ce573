//! Third-party clients that the tests run: Python and Node packages, installed under `target/`.

use crate::command;
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The program and the package of Debian that it is in.
const BROWSER: &str = "chromium-headless-shell";

/// Where the clients are.
pub(crate) struct Clients {
    /// The interpreter of a virtual environment that has the packages of `tests/clients/requirements.txt`.
    pub(crate) python: PathBuf,
    /// A directory with the packages of `tests/clients/package.json` in `node_modules`.
    pub(crate) node: PathBuf,
    /// Chromium without a screen.
    pub(crate) browser: &'static str,
}

/// Installs the clients, unless they are there already.
pub(crate) fn install() -> Result<Clients> {
    let sources = command::root().join("tests/clients");
    let target = command::target_directory().join("clients");
    fs::create_dir_all(&target)?;
    require(BROWSER, &[BROWSER])?;
    Ok(Clients { python: python(&sources, &target)?, node: node(&sources, &target)?, browser: BROWSER })
}

fn python(sources: &Path, target: &Path) -> Result<PathBuf> {
    let requirements = sources.join("requirements.txt");
    let environment = target.join("python");
    let python = environment.join("bin/python");
    let stamp = target.join("python.installed");
    if is_current(&stamp, &requirements)? && python.exists() {
        return Ok(python);
    }
    require("python3", &["python3", "python3-venv"])?;
    let created = Command::new("python3").args(["-m", "venv"]).arg(&environment).output()?;
    if !created.status.success() {
        // Debian keeps the module apart.
        apt(&["python3-venv"])?;
        command::run(Command::new("python3").args(["-m", "venv"]).arg(&environment))?;
    }
    command::run(
        Command::new(&python)
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"])
            .arg(&requirements),
    )
    .context("the Python clients could not be installed")?;
    fs::copy(&requirements, stamp)?;
    Ok(python)
}

fn node(sources: &Path, target: &Path) -> Result<PathBuf> {
    let lock = sources.join("package-lock.json");
    let directory = target.join("node");
    let stamp = target.join("node.installed");
    if is_current(&stamp, &lock)? && directory.join("node_modules").is_dir() {
        return Ok(directory);
    }
    require("npm", &["nodejs", "npm"])?;
    fs::create_dir_all(&directory)?;
    for file in ["package.json", "package-lock.json"] {
        fs::copy(sources.join(file), directory.join(file))?;
    }
    command::run(Command::new("npm").current_dir(&directory).args([
        "ci",
        "--no-audit",
        "--no-fund",
        "--loglevel=error",
    ]))
    .context("the Node clients could not be installed")?;
    fs::copy(&lock, stamp)?;
    Ok(directory)
}

/// Whether what was installed is what is asked for now.
fn is_current(stamp: &Path, wanted: &Path) -> Result<bool> {
    let wanted = fs::read(wanted).with_context(|| format!("failed to read {}", wanted.display()))?;
    Ok(fs::read(stamp).is_ok_and(|installed| installed == wanted))
}

/// Makes sure that a program is there, with Debian's packages where that can be done.
pub(crate) fn require(program: &str, packages: &[&str]) -> Result<()> {
    if Command::new(program).arg("--version").output().is_ok() {
        return Ok(());
    }
    eprintln!("installing {}", packages.join(", "));
    apt(packages)?;
    Command::new(program).arg("--version").output().with_context(|| format!("{program} is needed"))?;
    Ok(())
}

fn apt(packages: &[&str]) -> Result<()> {
    let install = || {
        let mut command = Command::new("apt-get");
        command.args(["install", "--yes", "--quiet"]).args(packages).env("DEBIAN_FRONTEND", "noninteractive");
        command::run(&mut command)
    };
    if install().is_ok() {
        return Ok(());
    }
    command::run(Command::new("apt-get").args(["update", "--quiet"]))?;
    install().with_context(|| format!("these packages are needed: {}", packages.join(", ")))
}
