//! Near names for a mistyped one.

/// The candidate nearest to what was written, if one is near enough to be meant.
pub fn nearest<'a>(written: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    /// Longer input than any name is noise, and the distance is quadratic.
    const LONGEST: usize = 64;
    // All names are ASCII, and the tables of Unicode's cases would be a fiftieth of the component.
    let plain = |text: &str| text.to_ascii_lowercase().replace(['-', ' ', '.'], "_");
    let written = plain(written);
    if written.is_empty() || written.len() > LONGEST {
        return None;
    }
    candidates
        .into_iter()
        .filter_map(|candidate| {
            let name = plain(candidate);
            let distance = strsim::osa_distance(&written, &name);
            let near = distance <= name.chars().count().max(3) / 3;
            let singular =
                written.strip_suffix('s') == Some(&name) || name.strip_suffix('s') == Some(&written);
            let begins = written.len() >= 3 && (name.starts_with(&written) || written.starts_with(&name));
            (near || singular || begins).then_some((distance, candidate))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn suggests_the_name_that_was_mistyped() {
        let names = ["success", "discard", "timeout", "concurrency", "retry"];
        assert_eq!(nearest("timout", names), Some("timeout"));
        assert_eq!(nearest("retries", names), None);
        assert_eq!(nearest("Con-currency", names), Some("concurrency"));
        assert_eq!(nearest("sucess", names), Some("success"));
        assert_eq!(nearest("colour", names), None);
        assert_eq!(nearest("", names), None);
        assert_eq!(nearest(&"x".repeat(10_000), names), None);
    }
}
