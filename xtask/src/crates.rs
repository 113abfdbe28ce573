//! `cargo xtask crates`: the packages that a registry would get, in `target/crates/package`, with the gateway component
//! inside. A program outside of the workspace is built with them and run, without the component's source or its target. First it
//! counts the crates that each feature of the library brings along, and holds the lints over the library without them: what CI
//! compiles has all of them. With a revision to compare with, it says what has changed since for programs that use the library.

use crate::{command, spin, target};
use anyhow::{Context, Result, ensure};
use clap::Args;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

#[derive(Args)]
pub(crate) struct CratesArguments {
    /// Do not pack anything: tell what has changed in the library since this revision that breaks programs, and by which version that is allowed
    #[arg(long, value_name = "REVISION")]
    since: Option<String>,
}

/// What a program that embeds a gateway depends on, the library last.
const PACKAGES: [&str; 3] = ["anglerfish-filter", "anglerfish-core", "anglerfish"];

const MANIFEST: &str = r#"[package]
name = "outside"
version = "0.1.0"
edition = "2024"

[dependencies]
anglerfish = { path = "anglerfish-VERSION", default-features = false, features = ["sqlite", "tls"] }
serde_json = "1"
tokio = { version = "1", features = ["macros", "rt-multi-thread", "sync"] }

[patch.crates-io]
anglerfish-core = { path = "anglerfish-core-VERSION" }
anglerfish-filter = { path = "anglerfish-filter-VERSION" }

[workspace]
"#;

const PROGRAM: &str = r#"use anglerfish::{Anglerfish, Delivery, NewEvent, Subscription};

/// What is said where the API is asked for, which was not built in.
async fn refusal() -> String {
    let asking = Anglerfish::builder().data_dir("refused").listen_admin(([127, 0, 0, 1], 0).into());
    asking.build().await.err().map(|error| error.to_string()).unwrap_or_default()
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (arrived, mut arrivals) = tokio::sync::mpsc::channel(1);
    let function = move |delivery: Delivery| {
        let arrived = arrived.clone();
        async move { arrived.send(delivery.event.id).await }
    };
    let gateway = Anglerfish::builder()
        .data_dir("data")
        .subscription(Subscription::to_function("large", function).filter("message.total > 100"))
        .build()
        .await?
        .start();
    let order = serde_json::json!({"total": 120});
    gateway.publish(NewEvent::new("/orders", "order.created").json(&order)?).await?;
    println!("delivered {:?} by {}", arrivals.recv().await, anglerfish::gateway_hash());
    gateway.shutdown().await;
    let refusal = refusal().await;
    assert!(refusal.contains("admin.listen") && refusal.contains("feature `api`"), "{refusal}");
    Ok(())
}
"#;

/// The library's features, each with what it builds on.
const FEATURES: [(&str, &str); 4] = [("sqlite", ""), ("tls", ""), ("api", ""), ("cli", "api,sqlite,tls")];

pub(crate) fn run(arguments: &CratesArguments) -> Result<ExitCode> {
    target::install()?;
    if let Some(revision) = &arguments.since {
        return since(revision);
    }
    println!("{} crates without features", crates("")?.len());
    for (feature, beside) in FEATURES {
        let more = crates(feature)?.difference(&crates(beside)?).count();
        println!("{more} more with `{feature}`");
    }
    for features in ["", "sqlite,tls", "api,sqlite,tls"] {
        let mut lints = command::cargo();
        lints.args(["clippy", "--quiet", "--package", "anglerfish", "--lib", "--no-default-features"]);
        lints.args(["--features", features, "--", "--deny", "warnings"]);
        command::run(&mut lints)?;
    }
    let out = command::target_directory().join("crates");
    if out.exists() {
        fs::remove_dir_all(&out).with_context(|| format!("failed to clear {}", out.display()))?;
    }
    let inside = command::root().join("host/component");
    fs::create_dir_all(&inside)?;
    fs::copy(spin::build_spin()?.join("gateway.wasm"), inside.join("gateway.wasm"))?;
    let mut package = command::cargo();
    // The versions that a registry does not have yet cannot be looked up there.
    package.args([
        "package",
        "--quiet",
        "--allow-dirty",
        "--no-verify",
        "--exclude-lockfile",
        "--target-dir",
    ]);
    package.arg(&out);
    for name in PACKAGES {
        package.args(["--package", name]);
    }
    command::run(&mut package)?;
    outside(&out)?;
    Ok(ExitCode::SUCCESS)
}

/// What is compiled into a program with the library with this feature, the library among it.
fn crates(feature: &str) -> Result<BTreeSet<String>> {
    let mut tree = command::cargo();
    tree.args(["tree", "--package", "anglerfish", "--edges", "normal", "--prefix", "none"]);
    let output = tree.args(["--no-default-features", "--features", feature]).output()?;
    ensure!(output.status.success(), "cargo tree failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    let text = String::from_utf8(output.stdout)?;
    // What was listed before is marked.
    Ok(text.lines().map(|line| line.trim_end_matches(" (*)").to_owned()).collect())
}

/// Builds and runs a program that has nothing but the packages.
fn outside(out: &Path) -> Result<()> {
    let version = env!("CARGO_PKG_VERSION");
    let folder = out.join("outside");
    fs::create_dir_all(folder.join("src"))?;
    for name in PACKAGES {
        let package = out.join(format!("package/{name}-{version}.crate"));
        command::run(
            Command::new("tar").arg("--extract").arg("--directory").arg(&folder).arg("--file").arg(package),
        )?;
    }
    let component = folder.join(format!("anglerfish-{version}/component/gateway.wasm"));
    ensure!(component.is_file(), "the component is not inside");
    fs::write(folder.join("Cargo.toml"), MANIFEST.replace("VERSION", version))?;
    fs::write(folder.join("src/main.rs"), PROGRAM)?;
    // The same versions, so that what is compiled already is not compiled again.
    fs::copy(command::root().join("Cargo.lock"), folder.join("Cargo.lock"))?;
    let mut cargo = command::cargo();
    cargo.current_dir(&folder).args(["run", "--quiet", "--target-dir"]).arg(command::target_directory());
    command::run(&mut cargo)
}

/// Compares the library with what it was at a revision.
///
/// The tool is given what rustdoc says of both: left to itself it would compile each with the newest dependencies that there
/// are, and with the component, instead of those that are locked.
fn since(revision: &str) -> Result<ExitCode> {
    let tool = command::tool("cargo-semver-checks", "0.51.0")?;
    let mut named = Command::new("git");
    named.current_dir(command::root()).args(["rev-parse", "--verify", "--short=12"]);
    let output = named.arg(format!("{revision}^{{commit}}")).output().context("failed to run git")?;
    ensure!(output.status.success(), "there is no revision {revision:?} here");
    let hash = String::from_utf8(output.stdout)?.trim().to_owned();
    let out = command::target_directory().join("since");
    let source = out.join(&hash);
    if !source.is_dir() {
        fs::create_dir_all(&source)?;
        let archive = out.join("source.tar");
        let mut pack = Command::new("git");
        pack.current_dir(command::root()).args(["archive", "--format", "tar", "--output"]);
        command::run(pack.arg(&archive).arg(&hash))?;
        command::run(
            Command::new("tar").arg("--extract").arg("--directory").arg(&source).arg("--file").arg(&archive),
        )?;
    }
    let before = described(&source, &out, &format!("{hash}.json"))?;
    let now = described(&command::root(), &out, "now.json")?;
    let mut check = Command::new(tool);
    check.current_dir(command::root()).args(["semver-checks", "--baseline-rustdoc"]);
    let status = check.arg(before).arg("--current-rustdoc").arg(now).status()?;
    if status.success() {
        println!("nothing has changed since {hash} that breaks programs");
        return Ok(ExitCode::SUCCESS);
    }
    // Any other status is the tool's own trouble, which it has told.
    let broken = status.code() == Some(100);
    println!(
        "{}",
        match broken {
            true => format!("what has changed since {hash} breaks programs, as told above"),
            false => format!("what has changed since {hash} cannot be told: {status}"),
        }
    );
    Ok(ExitCode::FAILURE)
}

/// What rustdoc says of the library in this folder, as JSON.
fn described(root: &Path, out: &Path, name: &str) -> Result<PathBuf> {
    // Nobody decides anything here.
    let component = out.join("none.wasm");
    if !component.is_file() {
        fs::write(&component, [])?;
    }
    let (target, description) = (out.join("target"), out.join(name));
    let fresh = target.join("doc/anglerfish.json");
    if fresh.is_file() {
        fs::remove_file(&fresh)?;
    }
    let mut document = command::cargo();
    document.current_dir(root).env("ANGLERFISH_PREBUILT_COMPONENT", &component);
    // The form is not stable, and the tool is of the version that knows this compiler's.
    document.env("RUSTC_BOOTSTRAP", "1");
    document.args(["rustdoc", "--quiet", "--package", "anglerfish", "--lib", "--target-dir"]).arg(&target);
    document.args([
        "--",
        "-Zunstable-options",
        "--output-format=json",
        "--document-hidden-items",
        "--cap-lints=allow",
    ]);
    command::run(&mut document).with_context(|| format!("{} cannot be documented", root.display()))?;
    // Nothing is written where nothing has changed since the last time.
    if fresh.is_file() {
        fs::copy(&fresh, &description)?;
    }
    ensure!(description.is_file(), "rustdoc has written nothing about {}", root.display());
    Ok(description)
}
