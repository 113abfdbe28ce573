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

/// The book's second table says of each scheme what the definition says.
#[test]
fn what_is_one_event_and_what_is_answered_is_in_the_book() {
    let book = include_str!("../../../docs/providers.md");
    for definition in catalogue() {
        let scheme: serde_json::Value = serde_json::from_str(definition.scheme).unwrap();
        let identity = scheme["event"]["identity"].as_str().unwrap_or_default();
        let answers = scheme["answer"].as_array().cloned().unwrap_or_default();
        let answer = match answers.as_slice() {
            [] => "202, receipt".to_owned(),
            [only]
                if only["text"].as_str().unwrap_or_default().is_empty()
                    && only["when"].is_null()
                    && only["json"].is_null() =>
            {
                format!("{}, empty", only["status"].as_u64().unwrap_or(200))
            }
            _ => "the provider's own".to_owned(),
        };
        let (name, identified, statuses) = (definition.name, definition.identified, definition.statuses);
        let row = format!("| `{name}` | {identity} | {identified} | {answer} | {statuses} |");
        assert!(book.lines().any(|line| line == row), "docs/providers.md lacks the row\n{row}");
    }
}
