//! The providers that are known by name.

use super::suggestion;

/// One provider: what a person needs to know, and its scheme as data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Definition {
    /// The name to write as `scheme`.
    pub name: &'static str,
    /// The provider's own name.
    pub title: &'static str,
    /// The provider's documentation of its signatures; empty if there is none.
    pub documentation: &'static str,
    /// What to configure: the kind of secret, and parameters if there are any.
    pub needs: &'static str,
    /// How to set it up on the provider's side.
    pub setup: &'static str,
    /// The scheme in the language that `scheme = "custom"` opens to everybody, as JSON.
    pub scheme: &'static str,
}

include!(concat!(env!("OUT_DIR"), "/catalogue.rs"));

/// Every provider, ordered by name.
#[must_use]
pub fn catalogue() -> &'static [Definition] {
    DEFINITIONS
}

/// The provider of this exact name.
pub(crate) fn find(name: &str) -> Result<&'static Definition, String> {
    if let Some(definition) = DEFINITIONS.iter().find(|definition| definition.name == name) {
        return Ok(definition);
    }
    let names = DEFINITIONS.iter().map(|definition| definition.name).chain(["custom"]);
    Err(match suggestion::nearest(name, names) {
        Some(near) => format!("there is no scheme `{name}`; did you mean `{near}`?"),
        None if name.is_empty() => "the scheme is empty; write `none` to accept unsigned requests".to_owned(),
        None => format!("there is no scheme `{name}`; `anglerfish providers` lists them"),
    })
}
