//! Which references to secrets may be written at run time.

use super::secret::is_reference;
use anglerfish_core::config::Node;

/// The references that `admin.references` names: `env:NAME`, `file:PATH`, or the beginning of one with `*` behind it.
///
/// Whoever may write a subscription chooses where its header fields are sent. With any reference at hand they could
/// have every variable and file of the gateway sent to them, so that only named ones are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReferenceList(Vec<String>);

impl<T: Into<String>> FromIterator<T> for ReferenceList {
    /// These, as a file would name them. Whether they are references is said when the gateway is built.
    fn from_iter<I: IntoIterator<Item = T>>(patterns: I) -> Self {
        Self(patterns.into_iter().map(Into::into).collect())
    }
}

impl ReferenceList {
    /// Reads the list.
    pub(crate) fn read(node: &Node<'_>) -> Option<Self> {
        let mut patterns = Vec::new();
        for item in node.items()? {
            let Some(text) = item.text() else { continue };
            let stem = text.strip_suffix('*').unwrap_or(text);
            if !is_reference(stem) {
                item.report_with_hint(
                    "not a reference",
                    "write \"env:NAME\", \"file:PATH\" or \"env:ORDERS_*\"",
                );
            } else if stem.contains('*') {
                item.report("`*` can only be the last character");
            } else {
                patterns.push(text.to_owned());
            }
        }
        Some(Self(patterns))
    }

    /// As they are written.
    pub(crate) fn patterns(&self) -> &[String] {
        &self.0
    }

    /// Whether a reference is named. A `*` does not reach into other directories.
    pub(crate) fn permits(&self, reference: &str) -> bool {
        self.0.iter().any(|pattern| match pattern.strip_suffix('*') {
            Some(stem) => reference.strip_prefix(stem).is_some_and(|rest| !rest.contains(['/', '\\'])),
            None => reference == pattern,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anglerfish_core::config::Problems;
    use serde_json::json;

    fn read(value: &serde_json::Value) -> Result<ReferenceList, Vec<String>> {
        let problems = Problems::default();
        let list = ReferenceList::read(&Node::root(value, "admin.references", &problems));
        let problems: Vec<String> = problems.into_vec().iter().map(ToString::to_string).collect();
        list.filter(|_| problems.is_empty()).ok_or(problems)
    }

    #[test]
    fn permits_what_is_named_and_nothing_else() {
        let list = read(&json!(["env:TOKEN", "env:ORDERS_*", "file:secrets/*", "file:/run/key"])).unwrap();
        for reference in ["env:TOKEN", "env:ORDERS_A", "env:ORDERS_", "file:secrets/a", "file:/run/key"] {
            assert!(list.permits(reference), "{reference}");
        }
        for reference in [
            "env:TOKENS",
            "env:token",
            "env:HOME",
            "env:",
            "file:TOKEN",
            "file:secrets/../anglerfish.toml",
            "file:secrets/a/b",
            "file:/run/key2",
            "",
        ] {
            assert!(!list.permits(reference), "{reference}");
        }
        assert!(!ReferenceList::default().permits("env:TOKEN"));
    }

    #[test]
    fn refuses_what_is_no_reference() {
        for (value, word) in [
            (json!(["TOKEN"]), "not a reference"),
            (json!(["*"]), "not a reference"),
            (json!(["env:A*B*"]), "last character"),
            (json!("env:A"), "expected"),
            (json!([""]), "empty"),
        ] {
            let problems = read(&value).unwrap_err();
            assert!(problems[0].contains(word), "{value}: {problems:?}");
        }
    }
}
