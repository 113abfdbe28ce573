//! Nothing that a stranger could measure: secrets and signatures are compared by the crates that do it in constant time.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails loudly"
)]

use std::path::{Path, PathBuf};

/// Names of values that are secret, or that a secret went into.
const SENSITIVE: [&str; 12] = [
    "secret",
    "secrets",
    "signature",
    "signatures",
    "expected",
    "mac",
    "token",
    "digest",
    "computed",
    "passcode",
    "password",
    "credential",
];

/// What a secret begins with says what kind it is, which everybody knows; where a signature stands is public, too. How a secret
/// is written is judged when the configuration is read, of no request.
const PUBLIC: [&str; 4] = [
    "secret.text.starts_with()",
    "other.place == field.place",
    "secret.value.starts_with()",
    "secret.value.contains(':')",
];

/// What compares.
const COMPARES: [&str; 9] =
    [" == ", " != ", ".eq(", ".ne(", ".cmp(", ".contains(", ".starts_with(", ".ends_with(", "assert_eq!"];

/// The code of verification and signing without tests and comments, by file and line.
fn code() -> Vec<(PathBuf, usize, String)> {
    let mut lines = Vec::new();
    for folder in ["src/verify", "src/sign"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "rs") {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
            let code = code.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"));
            lines.extend(code.map(|(number, line)| (path.clone(), number + 1, line.to_owned())));
        }
    }
    assert!(lines.len() > 2000, "the sources are not where they were");
    lines
}

fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|letter: char| !letter.is_alphanumeric() && letter != '_')
}

#[test]
fn no_secret_and_no_signature_is_compared_by_hand() {
    let mut found = Vec::new();
    for (path, number, line) in code() {
        // What stands in quotes is text for people.
        let outside: String = line.split('"').step_by(2).collect();
        let sensitive = words(&outside).any(|word| SENSITIVE.contains(&word));
        let public = PUBLIC.iter().any(|public| outside.contains(public));
        if sensitive && !public && COMPARES.iter().any(|compares| outside.contains(compares)) {
            found.push(format!("{}:{number}: {}", path.display(), line.trim()));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn one_place_compares_texts_and_a_crate_does_it_in_constant_time() {
    let lines = code();
    let places = |part: &str| {
        let found = lines.iter().filter(|(_, _, line)| line.contains(part));
        found.map(|(path, _, _)| path.file_name().unwrap().to_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(places("ct_eq("), ["algorithm.rs"]);
    assert_eq!(places("use subtle::"), ["algorithm.rs"]);
    // HMAC's own check of a tag takes constant time, too: one for each hash.
    assert_eq!(places(".verify_slice("), ["algorithm.rs"; 3]);
    let manifest = include_str!("../Cargo.toml");
    assert!(manifest.contains("subtle") && manifest.contains("hmac"));
}
