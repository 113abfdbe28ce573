//! The Debian package: installed into a directory of its own, its unit's command line started, and removed again.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, also in what its functions share"
)]

use anglerfish_tests::{Ran, binary};
use std::path::Path;
use std::process::Command;

fn dpkg(root: &Path, arguments: &[&str], package: &Path) -> Ran {
    let mut command = Command::new("dpkg");
    // The scripts of the package make a user and call systemd: not on the machine that runs the tests.
    command.arg(format!("--root={}", root.display())).args(["--force-all", "--no-triggers"]);
    Ran::of(command.env("DPKG_MAINTSCRIPT_DEBUG", "0").args(arguments).arg(package))
}

#[test]
fn the_package_brings_a_binary_that_its_unit_starts_and_goes_away_again() {
    if Command::new("dpkg-deb").arg("--version").output().is_err() {
        eprintln!("skipped: this is no Debian");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("package");
    let mut package = Command::new(env!("CARGO"));
    package.args(["run", "--quiet", "--package", "xtask", "--", "package", "--binary"]).arg(binary());
    let told = Ran::of(package.arg("--out").arg(&out)).expect(0);
    assert!(told.stdout.contains(".tar.gz") && told.stdout.contains(".deb"), "{}", told.stdout);
    let steps =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/Containerfile"))
            .unwrap();
    let copied = steps.lines().filter_map(|line| line.strip_prefix("COPY "));
    let copied: Vec<&str> =
        copied.filter_map(|line| line.split(' ').find(|word| !word.starts_with("--"))).collect();
    assert!(copied.len() >= 3, "{steps}");
    for file in copied {
        assert!(out.join(file).exists(), "the image's {file} was not made");
    }
    let package = std::fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().path());
    let package =
        package.into_iter().find(|path| path.extension().is_some_and(|kind| kind == "deb")).unwrap();

    let contents = Ran::of(Command::new("dpkg-deb").arg("--contents").arg(&package)).expect(0).stdout;
    for file in
        ["./usr/bin/anglerfish", "./usr/share/man/man1/anglerfish-serve.1", "./usr/lib/systemd/system/"]
    {
        assert!(contents.contains(file), "{file}:\n{contents}");
    }
    assert!(!contents.contains("target"), "{contents}");

    let root = directory.path().join("root");
    for folder in ["var/lib/dpkg/info", "var/lib/dpkg/updates"] {
        std::fs::create_dir_all(root.join(folder)).unwrap();
    }
    std::fs::write(root.join("var/lib/dpkg/status"), "").unwrap();
    let _ = dpkg(&root, &["--unpack"], &package).expect(0);
    let unit = std::fs::read_to_string(root.join("usr/lib/systemd/system/anglerfish.service")).unwrap();
    let start = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
    // What is only unpacked has its configuration beside the place that configuring puts it into.
    let placed = |path: &str| {
        let suffix = if path.ends_with(".toml") { ".dpkg-new" } else { "" };
        format!("{}{suffix}", root.join(path).display())
    };
    let mut words = start.split_whitespace().map(|word| match word.strip_prefix('/') {
        Some(path) => placed(path),
        None => word.to_owned(),
    });
    let program = words.next().unwrap();
    let arguments: Vec<String> =
        words.map(|word| if word == "serve" { "check".to_owned() } else { word }).collect();
    let _ = Ran::of(Command::new(program).args(arguments)).expect(0);

    let _ = Ran::of(Command::new("dpkg").arg(format!("--root={}", root.display())).args([
        "--force-all",
        "--no-triggers",
        "--purge",
        "anglerfish",
    ]));
    assert!(!root.join("usr/bin/anglerfish").exists(), "the binary is still there");
}
