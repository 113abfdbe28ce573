//! The keys of a provider's definition and their documentation agree.

use super::builder::{SCHEME, SIGNATURE, TIMESTAMP, VARIANT};

const DOCUMENTATION: &str = include_str!("../../../../docs/providers.md");

fn chapter() -> &'static str {
    let (_, text) = DOCUMENTATION.split_once("## A scheme of one's own").unwrap();
    text.split("\n## ").next().unwrap()
}

#[test]
fn the_documentation_has_every_key_of_a_variant_and_no_other() {
    let rows = chapter().lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
    let mut documented: Vec<&str> = rows.flat_map(|(keys, _)| keys.split("`, `")).collect();
    let mut known = VARIANT.to_vec();
    documented.sort_unstable();
    known.sort_unstable();
    assert_eq!(documented, known);
}

#[test]
fn every_other_key_of_a_definition_is_described() {
    for key in SCHEME.iter().chain(SIGNATURE).chain(TIMESTAMP) {
        // In the example, or in the text: `unpack = true`.
        let described = [format!("`{key}`"), format!("`{key} ="), format!("definition.{key}")];
        assert!(described.iter().any(|form| chapter().contains(form.as_str())), "{key}");
    }
}
