//! Header fields as one block of bytes, so that they cross the component's boundary in one copy: a list of records takes
//! two allocations in the component for each field, and each of them is a call.

use super::Header;

/// Writes header fields as one block: for each the length of its name and of its value, each as four bytes, least
/// significant first, then the name and the value.
#[must_use]
pub fn header_block<'a>(headers: impl Iterator<Item = Header<'a>>) -> Vec<u8> {
    // A guess that is right for most requests: a field is some fifty bytes long with its lengths.
    let mut block = Vec::with_capacity(headers.size_hint().0.saturating_mul(64));
    for header in headers {
        for part in [header.name.len(), header.value.len()] {
            // No list of fields gets that long; if one did, its block would be malformed and be refused.
            block.extend_from_slice(&u32::try_from(part).unwrap_or(u32::MAX).to_le_bytes());
        }
        block.extend_from_slice(header.name.as_bytes());
        block.extend_from_slice(header.value);
    }
    block
}

/// Reads what [`header_block`] wrote; `None` if the block is malformed.
#[must_use]
pub fn read_header_block(mut block: &[u8]) -> Option<Vec<Header<'_>>> {
    // Most requests have a dozen fields of some thirty bytes each: one allocation for all of them.
    let mut headers = Vec::with_capacity(block.len() / 32);
    while !block.is_empty() {
        let (name, after) = block.split_first_chunk()?;
        let (value, after) = after.split_first_chunk()?;
        let (name, after) = after.split_at_checked(length(*name)?)?;
        let (value, after) = after.split_at_checked(length(*value)?)?;
        headers.push(Header { name: std::str::from_utf8(name).ok()?, value });
        block = after;
    }
    Some(headers)
}

fn length(bytes: [u8; 4]) -> Option<usize> {
    usize::try_from(u32::from_le_bytes(bytes)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_list_of_fields_is_read_as_it_was_written(
            fields in prop::collection::vec((".{0,20}", prop::collection::vec(any::<u8>(), 0..40)), 0..20),
        ) {
            let headers: Vec<Header<'_>> =
                fields.iter().map(|(name, value)| Header { name, value }).collect();
            let block = header_block(headers.iter().copied());
            prop_assert_eq!(read_header_block(&block), Some(headers));
        }

        #[test]
        fn a_block_that_ends_early_is_malformed(name in ".{1,20}", cut in 1usize..8) {
            let block = header_block(std::iter::once(Header { name: &name, value: b"value" }));
            prop_assert_eq!(read_header_block(&block[..block.len() - cut]), None);
        }

        #[test]
        fn reading_any_bytes_ends(block in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read_header_block(&block);
        }
    }

    #[test]
    fn a_name_that_is_not_utf8_is_malformed() {
        assert_eq!(read_header_block(&[1, 0, 0, 0, 0, 0, 0, 0, 0xff]), None);
    }
}
