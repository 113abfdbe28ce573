//! Bytes that are read where they lie: what a table or a configuration is packed into, so that whoever starts anew reads the few
//! parts that it needs and not all of it.
//!
//! It is no format for exchange. What was packed is read by the code that packed it, or not at all: [`open`] looks at a name, in
//! which the version stands, and at a checksum. All numbers are in little-endian order, and a length stands before what is long.

use foldhash::fast::FixedState;
use std::hash::BuildHasher as _;
use std::ops::Range;
use std::sync::Arc;

/// Writes numbers and texts one after another.
#[derive(Debug, Default)]
pub struct Writer(Vec<u8>);

impl Writer {
    /// One byte.
    pub fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    /// Four bytes.
    pub fn u32(&mut self, value: u32) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    /// Eight bytes.
    pub fn u64(&mut self, value: u64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    /// A number of things. More than there can be are written so that nothing reads them.
    pub fn count(&mut self, count: usize) {
        self.u32(u32::try_from(count).unwrap_or(u32::MAX));
    }

    /// Bytes, with their length.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.0.extend_from_slice(bytes);
    }

    /// What another one has written, as it is.
    pub fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }

    /// How much was written, in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing was written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What was written.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// Reads what a [`Writer`] wrote; `None` where that is not there.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    all: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// Reads from the beginning.
    #[must_use]
    pub const fn new(all: &'a [u8]) -> Self {
        Self { all, at: 0 }
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let taken = self.all.get(self.at..)?.first_chunk::<N>()?;
        self.at += N;
        Some(*taken)
    }

    /// One byte.
    pub fn u8(&mut self) -> Option<u8> {
        self.take::<1>().map(|[byte]| byte)
    }

    /// Four bytes.
    pub fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    /// Eight bytes.
    pub fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }

    /// Where bytes with their length are; they are passed over.
    pub fn range(&mut self) -> Option<Range<usize>> {
        let length = self.u32()? as usize;
        let range = self.at..self.at.checked_add(length)?;
        self.all.get(range.clone())?;
        self.at = range.end;
        Some(range)
    }

    /// Bytes with their length.
    pub fn bytes(&mut self) -> Option<&'a [u8]> {
        let range = self.range()?;
        self.all.get(range)
    }

    /// A text with its length.
    pub fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.bytes()?).ok()
    }

    /// All that was not read yet.
    #[must_use]
    pub fn rest(&self) -> Range<usize> {
        self.at..self.all.len()
    }
}

/// A part of bytes that several share.
#[derive(Debug, Clone)]
pub struct Section {
    all: Arc<Vec<u8>>,
    range: Range<usize>,
}

impl Section {
    /// All of them.
    #[must_use]
    pub fn new(all: Vec<u8>) -> Self {
        let range = 0..all.len();
        Self { all: Arc::new(all), range }
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.all.get(self.range.clone()).unwrap_or_default()
    }

    /// A part of it.
    #[must_use]
    pub fn part(&self, range: Range<usize>) -> Option<Self> {
        let end = self.range.start.checked_add(range.end)?;
        let range = self.range.start + range.start..end;
        (end <= self.range.end).then(|| Self { all: Arc::clone(&self.all), range })
    }
}

/// Named things in the order of their names, each of which is found without a look at the others.
#[derive(Debug, Clone, Copy)]
pub struct Catalogue<'a> {
    /// Where each of them ends.
    ends: &'a [u8],
    items: &'a [u8],
}

impl<'a> Catalogue<'a> {
    /// Writes things, which come in the order of their names.
    pub fn write<'i>(items: impl Iterator<Item = (&'i str, &'i [u8])>) -> Vec<u8> {
        let (mut ends, mut written) = (Writer::default(), Writer::default());
        for (name, item) in items {
            written.bytes(name.as_bytes());
            written.0.extend_from_slice(item);
            ends.count(written.len());
        }
        let mut all = Writer::default();
        all.bytes(&ends.finish());
        all.0.append(&mut written.0);
        all.finish()
    }

    /// Reads what [`Catalogue::write`] wrote.
    #[must_use]
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let ends = reader.bytes()?;
        Some(Self { ends, items: bytes.get(reader.rest())? })
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.ends.len() / 4
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn end(&self, place: usize) -> Option<usize> {
        let end = self.ends.get(place * 4..)?.first_chunk::<4>()?;
        Some(u32::from_le_bytes(*end) as usize)
    }

    /// One of them by its place, with its name.
    #[must_use]
    pub fn get(&self, place: usize) -> Option<(&'a str, &'a [u8])> {
        let start = match place.checked_sub(1) {
            Some(before) => self.end(before)?,
            None => 0,
        };
        let item = self.items.get(start..self.end(place)?)?;
        let mut reader = Reader::new(item);
        Some((reader.text()?, item.get(reader.rest())?))
    }

    /// One of them by its name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&'a [u8]> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            let (known, item) = self.get(middle)?;
            match known.cmp(name) {
                std::cmp::Ordering::Equal => return Some(item),
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        None
    }
}

/// Closes what was packed: it is opened under the same name alone, and only as it is.
#[must_use]
pub fn seal(name: &str, content: &[u8]) -> Vec<u8> {
    let mut sealed = Writer(Vec::with_capacity(name.len() + content.len() + 12));
    sealed.bytes(name.as_bytes());
    sealed.u64(checksum(content));
    sealed.0.extend_from_slice(content);
    sealed.finish()
}

/// Where the content is in what was sealed.
///
/// # Errors
///
/// It was sealed under another name, or is not as it was.
pub fn open(name: &str, sealed: &[u8]) -> Result<Range<usize>, String> {
    let mut reader = Reader::new(sealed);
    match reader.text() {
        Some(known) if known == name => {}
        Some(known) if known.len() < 100 => return Err(format!("it is {known:?} and not {name:?}")),
        _ => return Err(format!("it is no {name:?}")),
    }
    let sum = reader.u64();
    let range = reader.rest();
    if sum != sealed.get(range.clone()).map(checksum) {
        return Err("it is damaged".to_owned());
    }
    Ok(range)
}

/// With the hash that packed tables are searched by, so that a build with another one opens nothing of them.
fn checksum(content: &[u8]) -> u64 {
    FixedState::with_seed(content.len() as u64).hash_one(content)
}

#[cfg(test)]
mod tests {
    use super::{Catalogue, Reader, Section, Writer, open, seal};

    #[test]
    fn what_was_written_is_read_and_nothing_behind_it() {
        let mut writer = Writer::default();
        writer.u8(7);
        writer.u32(u32::MAX);
        writer.u64(u64::MAX - 1);
        writer.bytes("ä".as_bytes());
        let bytes = writer.finish();
        let mut reader = Reader::new(&bytes);
        assert_eq!((reader.u8(), reader.u32(), reader.u64()), (Some(7), Some(u32::MAX), Some(u64::MAX - 1)));
        assert_eq!((reader.text(), reader.u8(), reader.bytes()), (Some("ä"), None, None));
        assert_eq!(Reader::new(&[5, 0, 0, 0, 1]).bytes(), None);
        assert_eq!(Reader::new(&[255, 255, 255, 255, 1]).bytes(), None);
        assert_eq!(Reader::new(&[1, 0, 0, 0, 255]).text(), None);
    }

    #[test]
    fn a_catalogue_finds_each_of_its_things() {
        for count in [0, 1, 2, 7, 100] {
            let names: Vec<String> = (0..count).map(|number| format!("n{number:03}")).collect();
            let items = names.iter().map(|name| (name.as_str(), &name.as_bytes()[1..]));
            let bytes = Catalogue::write(items);
            let catalogue = Catalogue::read(&bytes).unwrap();
            assert_eq!(catalogue.len(), count);
            for (place, name) in names.iter().enumerate() {
                assert_eq!(catalogue.find(name), Some(&name.as_bytes()[1..]));
                assert_eq!(catalogue.get(place).unwrap().0, name);
            }
            assert!(["", "n", "n0005", "z"].iter().all(|name| catalogue.find(name).is_none()));
            assert!(catalogue.get(count).is_none());
        }
        assert!(Catalogue::read(&[1]).is_none());
    }

    #[test]
    fn what_is_sealed_is_opened_by_its_name_and_only_as_it_was() {
        let sealed = seal("table 1", b"content of some length, longer than one block");
        let range = open("table 1", &sealed).unwrap();
        assert!(sealed[range.clone()].starts_with(b"content"));
        assert!(open("table 2", &sealed).unwrap_err().contains("table 1"));
        assert!(open("table 1", &[]).is_err());
        for place in 0..sealed.len() {
            let mut damaged = sealed.clone();
            damaged[place] ^= 1;
            assert!(open("table 1", &damaged).is_err(), "{place}");
            assert!(open("table 1", &sealed[..place]).is_err(), "{place}");
        }
        let section = Section::new(sealed).part(range).unwrap();
        assert_eq!(section.part(8..10).unwrap().bytes(), b"of");
        assert!(section.part(8..1000).is_none());
    }
}
