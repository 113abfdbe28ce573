//! An event's header fields as filters see them.

use crate::request::Header;
use std::borrow::Cow;

/// Header fields by lower-case name; several of one name are joined as RFC 9110, section 5.2, has it. Values that are
/// not UTF-8 are not there.
pub(super) fn joined_headers<'a>(headers: &[Header<'a>]) -> Vec<(Cow<'a, str>, Cow<'a, str>)> {
    let mut fields: Vec<(Cow<'a, str>, Cow<'a, str>)> = headers
        .iter()
        .filter_map(|header| {
            Some((lower_case(header.name), Cow::Borrowed(std::str::from_utf8(header.value).ok()?)))
        })
        .collect();
    // Stable, so that values of one name stay in the order received.
    fields.sort_by(|left, right| left.0.cmp(&right.0));
    fields.dedup_by(|next, before| {
        let same = next.0 == before.0;
        if same {
            let value = before.1.to_mut();
            value.push_str(", ");
            value.push_str(&next.1);
        }
        same
    });
    fields
}

fn lower_case(name: &str) -> Cow<'_, str> {
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(name.to_ascii_lowercase())
    } else {
        Cow::Borrowed(name)
    }
}
