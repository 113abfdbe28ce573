//! Places in a document, as text: `subscription[2].endpoint.url`.

/// The path of a key below `parent`; a key that is not a bare word is quoted.
#[must_use]
pub fn key_path(parent: &str, key: &str) -> String {
    let bare =
        !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    let dot = if parent.is_empty() { "" } else { "." };
    if bare { format!("{parent}{dot}{key}") } else { format!("{parent}{dot}{key:?}") }
}

/// The path of an element below `parent`.
#[must_use]
pub fn item_path(parent: &str, index: usize) -> String {
    format!("{parent}[{index}]")
}

/// Whether a text can be the name of a source or the id of a subscription: 1 to 64 of `a-z A-Z 0-9 . _ -`, not
/// beginning with a dot.
#[must_use]
pub fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && !text.starts_with('.')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

/// Whether a path is another one or leads through it.
#[must_use]
pub fn is_within(path: &str, outer: &str) -> bool {
    path.strip_prefix(outer)
        .is_some_and(|rest| outer.is_empty() || rest.is_empty() || rest.starts_with(['.', '[']))
}

/// Whether two paths are about the same value: one of them is the other or leads through it.
#[must_use]
pub fn overlap(one: &str, other: &str) -> bool {
    is_within(one, other) || is_within(other, one)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_only_keys_that_need_it() {
        assert_eq!(key_path("", "source"), "source");
        assert_eq!(key_path("a[1]", "x-key"), "a[1].x-key");
        assert_eq!(key_path("a", "b.c"), "a.\"b.c\"");
        assert_eq!(item_path("a.b", 3), "a.b[3]");
    }

    #[test]
    fn a_place_overlaps_those_around_it_and_within_it_and_no_other() {
        for (one, other) in [("a.b", "a.b"), ("a.b", "a"), ("a", "a[1].b"), ("", "a")] {
            assert!(overlap(one, other) && overlap(other, one), "{one} {other}");
        }
        for (one, other) in [("a.b", "a.bc"), ("a[1]", "a[11]"), ("a.b", "a.c")] {
            assert!(!overlap(one, other) && !overlap(other, one), "{one} {other}");
        }
    }

    #[test]
    fn names_are_safe_in_urls_files_and_logs() {
        for name in ["shop", "a", "big-orders_2.eu", &"x".repeat(64)] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", ".", "..", "a b", "a/b", "ü", "a\n", &"x".repeat(65)] {
            assert!(!is_name(name), "{name}");
        }
    }
}
