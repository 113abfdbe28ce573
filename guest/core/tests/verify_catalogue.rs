//! Every definition of the catalogue is one that the interpreter understands.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails loudly"
)]

use anglerfish_core::verify::{SecretConfig, VerificationConfig, Verifier, catalogue};

#[test]
fn every_definition_is_understood_and_described() {
    for definition in catalogue() {
        let config = VerificationConfig {
            scheme: definition.name.to_owned(),
            secrets: vec![SecretConfig::new("\u{1}")],
            ..VerificationConfig::default()
        };
        let problems = Verifier::try_new("source", &config).err().unwrap_or_default();
        for problem in problems {
            // Whatever is wrong is wrong with the secret or with parameters, not with the definition.
            assert!(!problem.path.starts_with("source.scheme"), "{}: {problem}", definition.name);
        }
        for text in [definition.title, definition.needs, definition.setup] {
            assert!(!text.is_empty(), "{} is not described", definition.name);
        }
    }
}

#[test]
fn every_scheme_is_in_the_book() {
    let book = include_str!("../../../docs/providers.md");
    for definition in catalogue() {
        assert!(book.contains(&format!("| `{}` |", definition.name)), "{} is missing", definition.name);
    }
}
