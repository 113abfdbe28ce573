//! The providers that are known by name.

use crate::node::nearest;
use crate::problem::Problem;

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
    /// What tells its events apart, and where that is documented.
    pub identified: &'static str,
    /// Which statuses it takes for success, how it tries again, and what makes it stop.
    pub statuses: &'static str,
    /// The scheme in the language that `scheme = "custom"` opens to everybody, as JSON.
    pub scheme: &'static str,
}

/// What verification needs of a provider; the component holds no more than this.
pub(crate) struct ProviderEntry {
    pub(crate) name: &'static str,
    pub(crate) needs: &'static str,
    pub(crate) scheme: &'static str,
}

include!(concat!(env!("OUT_DIR"), "/catalogue.rs"));

/// Every provider, ordered by name.
#[must_use]
pub fn catalogue() -> &'static [Definition] {
    DEFINITIONS
}

/// The provider of this exact name.
pub(crate) fn find(path: &str, name: &str) -> Result<&'static ProviderEntry, Problem> {
    if let Some(known) = PROVIDERS.iter().find(|known| known.name == name) {
        return Ok(known);
    }
    let names = PROVIDERS.iter().map(|known| known.name).chain(["custom"]);
    let problem = Problem::new(path, format!("there is no scheme {name:?}"));
    Err(problem.with_hint(match nearest(name, names) {
        Some(near) => format!("did you mean {near:?}?"),
        None if name.is_empty() => "write \"none\" to accept unsigned requests".to_owned(),
        None => "`anglerfish providers` lists them".to_owned(),
    }))
}
