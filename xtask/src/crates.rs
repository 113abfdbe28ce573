//! `cargo xtask crates`: the packages that a registry would get, in `target/crates/package`, with the gateway component
//! inside. A program outside of the workspace is built with them and run, without the component's source or its target. First it
//! counts the crates that each feature of the library brings along, and holds the lints over the library without them: what CI
//! compiles has all of them.

use crate::{command, spin, target};
use anyhow::{Context, Result, ensure};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

/// What a program that embeds a gateway depends on, the library last.
const PACKAGES: [&str; 3] = ["anglerfish-filter", "anglerfish-core", "anglerfish"];

const MANIFEST: &str = r#"[package]
name = "outside"
version = "0.1.0"
edition = "2024"

[dependencies]
anglerfish = { path = "anglerfish-VERSION", default-features = false, features = ["sqlite"] }
serde_json = "1"
tokio = { version = "1", features = ["macros", "rt-multi-thread", "sync"] }

[patch.crates-io]
anglerfish-core = { path = "anglerfish-core-VERSION" }
anglerfish-filter = { path = "anglerfish-filter-VERSION" }

[workspace]
"#;

const PROGRAM: &str = r#"use anglerfish::{Anglerfish, Delivery, NewEvent, Subscription};

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
    Ok(())
}
"#;

/// The library's features, each with what it builds on.
const FEATURES: [(&str, &str); 2] = [("sqlite", ""), ("cli", "sqlite")];

pub(crate) fn run() -> Result<ExitCode> {
    target::install()?;
    println!("{} crates without features", crates("")?.len());
    for (feature, beside) in FEATURES {
        let more = crates(feature)?.difference(&crates(beside)?).count();
        println!("{more} more with `{feature}`");
    }
    for features in ["", "sqlite"] {
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
