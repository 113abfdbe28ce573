//! An event's header fields as filters see them.

use crate::request::Header;
use std::borrow::Cow;

/// Header fields by lower-case name, in the order of the names; several of one name are joined as RFC 9110, section 5.2, has it. Values that are
/// not UTF-8 are not there.
pub(super) fn joined_headers<'a>(headers: &[Header<'a>]) -> Vec<(Cow<'a, str>, Cow<'a, str>)> {
    let mut fields: Vec<(Cow<'a, str>, Cow<'a, str>)> = Vec::with_capacity(headers.len());
    for header in headers {
        let Ok(value) = std::str::from_utf8(header.value) else { continue };
        let name = lower_case(header.name);
        match fields.binary_search_by(|(other, _)| other.cmp(&name)) {
            Err(place) => fields.insert(place, (name, Cow::Borrowed(value))),
            Ok(place) => {
                if let Some((_, joined)) = fields.get_mut(place) {
                    let joined = joined.to_mut();
                    joined.push_str(", ");
                    joined.push_str(value);
                }
            }
        }
    }
    fields
}

fn lower_case(name: &str) -> Cow<'_, str> {
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(name.to_ascii_lowercase())
    } else {
        Cow::Borrowed(name)
    }
}

#[cfg(test)]
mod tests {
    use super::joined_headers;
    use crate::request::Header;

    #[test]
    fn fields_of_one_name_are_joined_in_the_order_received_and_names_are_ordered_in_lower_case() {
        let received: [(&str, &[u8]); 6] = [
            ("X-Trace", b"2"),
            ("accept", b"text/html"),
            ("x-trace", b"1"),
            ("Binary", b"\xff"),
            ("X-TRACE", b"3"),
            ("Host", b"here"),
        ];
        let received: Vec<Header<'_>> = received.iter().map(|(name, value)| Header { name, value }).collect();
        let joined = joined_headers(&received);
        let joined: Vec<(&str, &str)> =
            joined.iter().map(|(name, value)| (name.as_ref(), value.as_ref())).collect();
        assert_eq!(joined, [("accept", "text/html"), ("host", "here"), ("x-trace", "2, 1, 3")]);
    }
}
