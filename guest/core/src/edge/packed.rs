//! A configuration as an instance loads it that has just started, in pieces beside the document that it was made of.

use anglerfish_filter::pack::{Reader, Writer};

/// What the shell looks up, and what the component decides by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackedConfiguration {
    /// What [`Directory::pack`](super::Directory::pack) gave.
    pub directory: Vec<u8>,
    /// What the component packed.
    pub routing: Vec<u8>,
}

impl PackedConfiguration {
    /// In pieces of so many bytes, for the component with this hash alone. The first one says how many there are.
    #[must_use]
    pub fn pieces(&self, gateway: &str, bytes: usize) -> Vec<Vec<u8>> {
        let mut all = Writer::default();
        all.bytes(gateway.as_bytes());
        all.bytes(&self.directory);
        all.bytes(&self.routing);
        let all = all.finish();
        let parts: Vec<&[u8]> = all.chunks(bytes.max(1)).collect();
        let count = u32::try_from(parts.len()).unwrap_or(u32::MAX).to_le_bytes();
        parts.into_iter().map(|part| [&count, part].concat()).collect()
    }

    /// How many pieces there are, by the first one.
    #[must_use]
    pub fn count(first: &[u8]) -> Option<usize> {
        Reader::new(first).u32().map(|count| count as usize)
    }

    /// Puts all pieces together, for the component with this hash. What is in them is looked at by those who read it.
    ///
    /// # Errors
    ///
    /// It is for another component, or not whole.
    pub fn join(gateway: &str, pieces: &[Vec<u8>]) -> Result<Self, String> {
        let parts: Vec<&[u8]> = pieces.iter().map(|piece| piece.get(4..).unwrap_or_default()).collect();
        let all = parts.concat();
        let mut reader = Reader::new(&all);
        let damaged = || "it is damaged".to_owned();
        if reader.text().ok_or_else(damaged)? != gateway {
            return Err("another gateway component packed it".to_owned());
        }
        let directory = reader.bytes().ok_or_else(damaged)?.to_vec();
        let routing = reader.bytes().ok_or_else(damaged)?.to_vec();
        Ok(Self { directory, routing })
    }
}

#[cfg(test)]
mod tests {
    use super::PackedConfiguration;

    #[test]
    fn pieces_are_put_together_by_the_component_that_packed_them() {
        let packed = PackedConfiguration { directory: vec![1; 700], routing: vec![2; 300] };
        for bytes in [1, 100, 1019, 5000] {
            let pieces = packed.pieces("abc", bytes);
            assert_eq!(PackedConfiguration::count(&pieces[0]), Some(pieces.len()));
            assert_eq!(PackedConfiguration::join("abc", &pieces).as_ref(), Ok(&packed));
            assert!(PackedConfiguration::join("abd", &pieces).unwrap_err().contains("another"));
            assert!(PackedConfiguration::join("abc", &pieces[..pieces.len() - 1]).is_err());
        }
        assert_eq!(PackedConfiguration::count(b"abc"), None);
        assert!(PackedConfiguration::join("abc", &[b"{}".to_vec()]).is_err());
    }
}
