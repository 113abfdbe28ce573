//! Which resource a document's URL belongs to, found part by part.

use super::document_url::DocumentUrl;
use super::pattern::{ResourcePattern, Segment};
use std::collections::HashMap;

/// All patterns, by host and then by the parts of their paths. A look-up visits the parts that the URL has, and where a
/// wildcard stands beside a literal, both; it does not visit what other patterns have.
#[derive(Debug, Clone, Default)]
pub struct ResourceTree {
    origins: HashMap<String, Branch>,
}

#[derive(Debug, Clone, Default)]
struct Branch {
    literals: HashMap<String, Branch>,
    wildcard: Option<Box<Branch>>,
    /// The resource whose path ends here.
    id: Option<String>,
}

impl Branch {
    fn is_empty(&self) -> bool {
        self.literals.is_empty() && self.wildcard.is_none() && self.id.is_none()
    }

    /// Ids from the most specific on: a literal goes before a wildcard, in the first place in which they differ.
    fn find<'t>(&'t self, segments: &[&str], found: &mut Vec<&'t str>, visited: &mut usize) {
        *visited += 1;
        let Some((first, rest)) = segments.split_first() else {
            found.extend(self.id.as_deref());
            return;
        };
        if let Some(branch) = self.literals.get(*first) {
            branch.find(rest, found, visited);
        }
        // Nothing is no value of a wildcard.
        if let Some(branch) = self.wildcard.as_ref().filter(|_| !first.is_empty()) {
            branch.find(rest, found, visited);
        }
    }

    fn remove(&mut self, segments: &[Segment], id: &str) {
        let Some((first, rest)) = segments.split_first() else {
            self.id.take_if(|known| known == id);
            return;
        };
        match first {
            Segment::Literal(text) => {
                if let Some(branch) = self.literals.get_mut(text) {
                    branch.remove(rest, id);
                    if branch.is_empty() {
                        self.literals.remove(text);
                    }
                }
            }
            Segment::Wildcard(_) => {
                if let Some(branch) = &mut self.wildcard {
                    branch.remove(rest, id);
                    if branch.is_empty() {
                        self.wildcard = None;
                    }
                }
            }
        }
    }
}

impl ResourceTree {
    /// Adds a resource.
    ///
    /// # Errors
    ///
    /// The id of another one of the same shape; nothing was added.
    pub fn insert(&mut self, pattern: &ResourcePattern, id: &str) -> Result<(), String> {
        if let Some(other) = self.of_shape(pattern).filter(|other| *other != id) {
            return Err(other.to_owned());
        }
        let mut branch = self.origins.entry(pattern.origin().to_owned()).or_default();
        for segment in pattern.segments() {
            branch = match segment {
                Segment::Literal(text) => branch.literals.entry(text.clone()).or_default(),
                Segment::Wildcard(_) => branch.wildcard.get_or_insert_default(),
            };
        }
        branch.id = Some(id.to_owned());
        Ok(())
    }

    /// Removes a resource that was added with this pattern.
    pub fn remove(&mut self, pattern: &ResourcePattern, id: &str) {
        let Some(branch) = self.origins.get_mut(pattern.origin()) else { return };
        branch.remove(pattern.segments(), id);
        if branch.is_empty() {
            self.origins.remove(pattern.origin());
        }
    }

    /// The resources that a URL can belong to, the most specific first.
    #[must_use]
    pub fn find(&self, url: &DocumentUrl) -> Vec<&str> {
        self.find_counting(url).0
    }

    /// The same, and how many places it visited.
    fn find_counting(&self, url: &DocumentUrl) -> (Vec<&str>, usize) {
        let (mut found, mut visited) = (Vec::new(), 0);
        if let Some(branch) = self.origins.get(url.origin()) {
            let segments: Vec<&str> = url.segments().collect();
            branch.find(&segments, &mut found, &mut visited);
        }
        (found, visited)
    }

    /// The resource that has just the documents of this pattern.
    #[must_use]
    pub fn of_shape(&self, pattern: &ResourcePattern) -> Option<&str> {
        let mut branch = self.origins.get(pattern.origin())?;
        for segment in pattern.segments() {
            branch = match segment {
                Segment::Literal(text) => branch.literals.get(text)?,
                Segment::Wildcard(_) => branch.wildcard.as_deref()?,
            };
        }
        branch.id.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pattern(text: &str) -> ResourcePattern {
        ResourcePattern::parse(text).unwrap()
    }

    fn tree(patterns: &[&str]) -> ResourceTree {
        let mut tree = ResourceTree::default();
        for text in patterns {
            tree.insert(&pattern(text), text).unwrap();
        }
        tree
    }

    #[test]
    fn a_literal_goes_before_a_wildcard_from_left_to_right() {
        let tree = tree(&[
            "http://h/product/{*}/stock/{*2}",
            "http://h/product/123/stock/{*}",
            "http://h/{a}/123/stock/{b}",
            "https://h/product/{*}/stock/{*2}",
            "http://i/product/{*}",
        ]);
        let find = |url: &str| tree.find(&DocumentUrl::parse(url).unwrap());
        assert_eq!(
            find("http://h/product/123/stock/1"),
            [
                "http://h/product/123/stock/{*}",
                "http://h/product/{*}/stock/{*2}",
                "http://h/{a}/123/stock/{b}"
            ]
        );
        assert_eq!(find("http://h/product/9/stock/1"), ["http://h/product/{*}/stock/{*2}"]);
        assert_eq!(find("https://h/product/123/stock/1"), ["https://h/product/{*}/stock/{*2}"]);
        assert_eq!(find("http://i/product/1"), ["http://i/product/{*}"]);
        for url in ["http://i/product/1/2", "http://i/product", "http://i:80/product/1", "http://i/product//"]
        {
            assert!(find(url).is_empty(), "{url}");
        }
    }

    #[test]
    fn the_same_shape_is_told_from_another_and_what_is_removed_is_not_found() {
        let mut tree = tree(&["http://h/u/{a}"]);
        assert_eq!(tree.insert(&pattern("http://h/u/{b}"), "other"), Err("http://h/u/{a}".to_owned()));
        tree.remove(&pattern("http://h/u/{a}"), "http://h/u/{a}");
        assert!(tree.origins.is_empty());
        tree.insert(&pattern("http://h/u/{b}"), "other").unwrap();
        assert_eq!(tree.find(&DocumentUrl::parse("http://h/u/1").unwrap()), ["other"]);
    }

    #[test]
    fn a_look_up_visits_the_parts_of_the_url_however_many_resources_there_are() {
        let visited = |resources: usize| {
            let mut tree = ResourceTree::default();
            for number in 0..resources {
                // Many hosts, many first parts, and a wildcard beside literals.
                let text = match number % 3 {
                    0 => format!("http://h{number}/items/{{id}}"),
                    1 => format!("http://h/kind{number}/{{id}}/parts/{{part}}"),
                    _ => format!("http://h/{{kind}}/only{number}/parts/{{part}}"),
                };
                tree.insert(&pattern(&text), &text).unwrap();
            }
            let counted = |url: &str| {
                let (found, visited) = tree.find_counting(&DocumentUrl::parse(url).unwrap());
                assert_eq!(found.is_empty(), url.contains("nothing"), "{url}");
                visited
            };
            [
                "http://h0/items/7",
                "http://h/kind1/7/parts/8",
                "http://h/kind1/only2/parts/8",
                "http://h/nothing/x",
            ]
            .map(counted)
        };
        assert_eq!(visited(100_000), visited(10));
        // Four parts, each with a literal and a wildcard at most.
        assert!(visited(100_000).iter().all(|visited| *visited <= 10), "{:?}", visited(100_000));
    }

    fn paths() -> impl Strategy<Value = Vec<Vec<bool>>> {
        prop::collection::vec(prop::collection::vec(any::<bool>(), 3), 1..8)
    }

    proptest! {
        /// The first one that is found is the one that comparing all patterns finds, by the same rule.
        #[test]
        fn finds_what_a_comparison_with_every_pattern_finds(shapes in paths(), url in "[ab]/[ab]/[ab]") {
            let text = |shape: &Vec<bool>| {
                let parts: Vec<String> = shape.iter().enumerate().map(|(at, literal)| {
                    if *literal { "a".to_owned() } else { format!("{{w{at}}}") }
                }).collect();
                format!("http://h/{}", parts.join("/"))
            };
            let mut tree = ResourceTree::default();
            let mut all: Vec<(Vec<bool>, String)> = Vec::new();
            for shape in shapes.iter().filter(|shape| shape.contains(&false)) {
                if tree.insert(&pattern(&text(shape)), &text(shape)).is_ok() {
                    all.push((shape.iter().map(|literal| !literal).collect(), text(shape)));
                }
            }
            let url = DocumentUrl::parse(&format!("http://h/{url}")).unwrap();
            all.sort();
            all.dedup();
            let slow: Vec<&str> = all.iter()
                .filter(|(_, text)| pattern(text).values(&url).is_some())
                .map(|(_, text)| text.as_str()).collect();
            prop_assert_eq!(tree.find(&url), slow);
        }
    }
}
