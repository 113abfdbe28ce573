//! Near names for a mistyped one.

/// The candidate nearest to what was written, if any is near enough to be meant.
pub(crate) fn nearest<'a>(written: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |text: &str| text.to_lowercase().replace(['_', ' ', '.'], "-");
    let written = plain(written);
    // Longer input than any name is noise; the distance is quadratic.
    if written.is_empty() || written.len() > 64 {
        return None;
    }
    candidates
        .map(|candidate| (strsim::levenshtein(&written, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= candidate.len().max(3) / 3)
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_the_name_that_was_mistyped() {
        let names = ["github", "gitlab", "stripe", "standard-webhooks"];
        assert_eq!(nearest("gihtub", names.into_iter()), Some("github"));
        assert_eq!(nearest("Standard_Webhook", names.into_iter()), Some("standard-webhooks"));
        assert_eq!(nearest("paypal", names.into_iter()), None);
        assert_eq!(nearest("", names.into_iter()), None);
    }
}
