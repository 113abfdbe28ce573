//! `cargo xtask package`: what is installed elsewhere, in `target/package`: an archive with the binary, a Debian package
//! and what the `Containerfile` copies.

use crate::{client, command, target};
use anyhow::{Context, Result, ensure};
use clap::Args;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// Linked with musl, so that the binary needs nothing of the machine that it runs on.
const TARGET: &str = "x86_64-unknown-linux-musl";

#[derive(Args)]
pub(crate) struct PackageArguments {
    /// Pack this binary instead of building one
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// Where to write
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(crate) fn run(arguments: &PackageArguments) -> Result<ExitCode> {
    let out = arguments.out.clone().unwrap_or_else(|| command::target_directory().join("package"));
    if out.exists() {
        fs::remove_dir_all(&out).with_context(|| format!("failed to clear {}", out.display()))?;
    }
    fs::create_dir_all(out.join("empty"))?;
    let built = match &arguments.binary {
        Some(binary) => binary.clone(),
        None => build()?,
    };
    let binary = out.join("anglerfish");
    strip(&built, &binary, &out.join("anglerfish.debug"))?;
    fs::copy(command::root().join("packaging/anglerfish.toml"), out.join("anglerfish.toml"))?;
    let archive = archive(&out)?;
    let package = debian(&out, &binary)?;
    for file in [&binary, &archive, &package] {
        let size = fs::metadata(file)?.len();
        println!("{:>6.1} MiB  {}", size as f64 / f64::from(1 << 20), file.display());
    }
    Ok(ExitCode::SUCCESS)
}

/// Builds the binary for any Linux.
fn build() -> Result<PathBuf> {
    target::install()?;
    target::add(TARGET)?;
    client::require("musl-gcc", &["musl-tools"])?;
    let mut cargo = command::cargo();
    // As a release is, with the symbols that are then kept apart.
    cargo.args(["build", "--profile", "profiling", "--package", "anglerfish", "--bin", "anglerfish"]);
    cargo.args(["--target", TARGET]);
    command::run(&mut cargo)?;
    Ok(command::target_directory().join(TARGET).join("profiling/anglerfish"))
}

/// Takes the symbols out of a binary and keeps them in a file of their own, for those who profile.
fn strip(from: &Path, to: &Path, symbols: &Path) -> Result<()> {
    client::require("objcopy", &["binutils"])?;
    command::run(Command::new("objcopy").arg("--only-keep-debug").arg(from).arg(symbols))?;
    let mut link = std::ffi::OsString::from("--add-gnu-debuglink=");
    link.push(symbols);
    command::run(Command::new("objcopy").arg("--strip-all").arg(link).arg(from).arg(to))
}

/// The binary with what its readers look for.
fn archive(out: &Path) -> Result<PathBuf> {
    let name = format!("anglerfish-{}-{}-linux", env!("CARGO_PKG_VERSION"), std::env::consts::ARCH);
    let folder = out.join(&name);
    fs::create_dir(&folder)?;
    fs::copy(out.join("anglerfish"), folder.join("anglerfish"))?;
    for file in ["README.md", "CHANGELOG.md", "LICENSE-APACHE", "LICENSE-MIT"] {
        fs::copy(command::root().join(file), folder.join(file))?;
    }
    fs::copy(command::root().join("packaging/anglerfish.service"), folder.join("anglerfish.service"))?;
    let archive = out.join(format!("{name}.tar.gz"));
    command::run(
        Command::new("tar")
            .args(["--create", "--gzip", "--owner=0", "--group=0", "--file"])
            .arg(&archive)
            .arg("--directory")
            .arg(out)
            .arg(&name),
    )?;
    fs::remove_dir_all(folder)?;
    Ok(archive)
}

/// A Debian package: the binary, its man pages and completions, a configuration, a unit, and a user.
fn debian(out: &Path, binary: &Path) -> Result<PathBuf> {
    let sources = command::root().join("packaging");
    let tree = out.join("debian");
    for folder in [
        "DEBIAN",
        "etc/anglerfish",
        "usr/bin",
        "usr/lib/systemd/system",
        "usr/share/bash-completion/completions",
        "usr/share/doc/anglerfish",
        "usr/share/man/man1",
    ] {
        fs::create_dir_all(tree.join(folder))?;
    }
    fs::copy(binary, tree.join("usr/bin/anglerfish"))?;
    fs::copy(sources.join("anglerfish.toml"), tree.join("etc/anglerfish/anglerfish.toml"))?;
    fs::copy(sources.join("anglerfish.service"), tree.join("usr/lib/systemd/system/anglerfish.service"))?;
    fs::copy(command::root().join("LICENSE-MIT"), tree.join("usr/share/doc/anglerfish/copyright"))?;
    let completions = Command::new(binary).args(["completions", "bash"]).output()?;
    ensure!(completions.status.success(), "the binary does not run here");
    fs::write(tree.join("usr/share/bash-completion/completions/anglerfish"), completions.stdout)?;
    command::run(Command::new(binary).args(["manual", "--dir"]).arg(tree.join("usr/share/man/man1")))?;
    let architecture = Command::new("dpkg").arg("--print-architecture").output().context("dpkg is needed")?;
    let architecture = String::from_utf8(architecture.stdout)?;
    let control = format!(
        "Package: anglerfish\nVersion: {}\nArchitecture: {}\nMaintainer: Anglerfish\nSection: net\nPriority: optional\n\
         Depends: ca-certificates, passwd\nDescription: event gateway for webhooks\n Verifies what comes in, decides who \
         wants it, delivers it durably.\n",
        env!("CARGO_PKG_VERSION"),
        architecture.trim()
    );
    fs::write(tree.join("DEBIAN/control"), control)?;
    fs::write(tree.join("DEBIAN/conffiles"), "/etc/anglerfish/anglerfish.toml\n")?;
    for script in ["postinst", "prerm", "postrm"] {
        let to = tree.join("DEBIAN").join(script);
        fs::copy(sources.join("debian").join(script), &to)?;
        fs::set_permissions(&to, fs::Permissions::from_mode(0o755))?;
    }
    let package = out.join(format!("anglerfish_{}_{}.deb", env!("CARGO_PKG_VERSION"), architecture.trim()));
    command::run(Command::new("dpkg-deb").args(["--root-owner-group", "--build"]).arg(&tree).arg(&package))?;
    fs::remove_dir_all(tree)?;
    Ok(package)
}
