//! Streams in the gzip format (RFC 1952): each part by itself, so that a reader keeps no window and all readers share what
//! was packed once.
//!
//! A window is 300 KiB for each connection that has one, a hundred times the rest of it. So every part is deflated without
//! looking back and ends at a byte's end (a "sync flush", RFC 1951); one behind the other they are one stream, whose checksum is
//! put together from theirs. Browsers ask for gzip with each `EventSource`.

use bytes::{BufMut, Bytes, BytesMut};
use flate2::{Compress, Compression, Crc, FlushCompress};
use http::HeaderMap;
use http::header::ACCEPT_ENCODING;
use std::sync::{Mutex, PoisonError};

/// Below so many bytes a part is left as it is: it would come out longer.
const WORTH_PACKING: usize = 128;

/// The longest part that is left as it is: what a block that is not packed holds.
const LONGEST_STORED: usize = 0xffff;

/// How many compressors are kept for the next part: as many as there are parts at the same moment.
const COMPRESSORS: usize = 16;

/// Magic number, deflate, no flags, no time, no level, no operating system (RFC 1952, section 2.3).
const HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

/// An empty last block (RFC 1951, section 3.2.6).
const LAST: [u8; 2] = [3, 0];

/// Compressors for the next part.
static POOL: Mutex<Vec<Compress>> = Mutex::new(Vec::new());

/// A part that is packed.
#[derive(Debug)]
pub(super) struct Packed {
    bytes: Bytes,
    crc: Crc,
}

impl Packed {
    /// Packs a part.
    pub(super) fn new(text: &[u8]) -> Self {
        let mut crc = Crc::new();
        crc.update(text);
        let bytes = match text.len() {
            0..WORTH_PACKING => stored(text),
            _ => deflated(text).unwrap_or_else(|| stored(text)),
        };
        Self { bytes, crc }
    }
}

/// Blocks that are not packed.
fn stored(text: &[u8]) -> Bytes {
    let mut bytes = BytesMut::with_capacity(text.len() + 5 * text.len().div_ceil(LONGEST_STORED));
    for part in text.chunks(LONGEST_STORED) {
        let length = u16::try_from(part.len()).unwrap_or(u16::MAX);
        bytes.put_u8(0);
        bytes.put_u16_le(length);
        bytes.put_u16_le(!length);
        bytes.extend_from_slice(part);
    }
    bytes.freeze()
}

fn deflated(text: &[u8]) -> Option<Bytes> {
    let kept = POOL.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let mut compress = kept.unwrap_or_else(|| Compress::new(Compression::fast(), false));
    let mut bytes = Vec::with_capacity(text.len() / 4 + 64);
    loop {
        let taken = usize::try_from(compress.total_in()).ok()?;
        let rest = text.get(taken..)?;
        compress.compress_vec(rest, &mut bytes, FlushCompress::Sync).ok()?;
        // With room left behind the last byte everything has come out.
        if usize::try_from(compress.total_in()).ok()? == text.len() && bytes.len() < bytes.capacity() {
            break;
        }
        bytes.reserve(bytes.capacity().max(64));
    }
    compress.reset();
    let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
    if pool.len() < COMPRESSORS {
        pool.push(compress);
    }
    drop(pool);
    Some(bytes.into())
}

/// One stream.
#[derive(Debug, Default)]
pub(super) struct Gzip {
    crc: Crc,
    has_begun: bool,
}

impl Gzip {
    /// Puts parts one behind the other.
    pub(super) fn add<'a>(&mut self, parts: impl IntoIterator<Item = &'a Packed>) -> Bytes {
        let mut bytes = BytesMut::new();
        if !self.has_begun {
            self.has_begun = true;
            bytes.extend_from_slice(&HEAD);
        }
        for part in parts {
            self.crc.combine(&part.crc);
            bytes.extend_from_slice(&part.bytes);
        }
        bytes.freeze()
    }

    /// Packs one part.
    pub(super) fn text(&mut self, text: &[u8]) -> Bytes {
        self.add([&Packed::new(text)])
    }

    /// The end: the checksum and the length.
    pub(super) fn end(&self) -> Bytes {
        let mut bytes = BytesMut::with_capacity(HEAD.len() + LAST.len() + 8);
        if !self.has_begun {
            bytes.extend_from_slice(&HEAD);
        }
        bytes.extend_from_slice(&LAST);
        bytes.put_u32_le(self.crc.sum());
        bytes.put_u32_le(self.crc.amount());
        bytes.freeze()
    }
}

/// Whether a client takes gzip (RFC 9110, section 12.5.3): it names it or a star, and not with a weight of zero.
pub(super) fn is_accepted(headers: &HeaderMap) -> bool {
    let (mut named, mut any) = (None, None);
    for value in headers.get_all(ACCEPT_ENCODING) {
        for range in value.to_str().unwrap_or_default().split(',') {
            let mut parts = range.split(';').map(str::trim);
            let coding = parts.next().unwrap_or_default();
            let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
            let is_taken = weight.is_none_or(|weight| weight.parse::<f32>().is_ok_and(|weight| weight > 0.0));
            if coding.eq_ignore_ascii_case("gzip") || coding.eq_ignore_ascii_case("x-gzip") {
                named = Some(is_taken);
            } else if coding == "*" {
                any = Some(is_taken);
            }
        }
    }
    named.or(any).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::read::GzDecoder;
    use http::HeaderValue;
    use std::io::Read;

    /// What a reader makes of the bytes that have come so far, and whether the stream has ended well.
    fn unpack(bytes: &[u8]) -> (Vec<u8>, bool) {
        let (mut text, mut decoder) = (Vec::new(), GzDecoder::new(bytes));
        let mut part = [0; 4096];
        loop {
            match decoder.read(&mut part) {
                Ok(0) => return (text, true),
                Ok(length) => text.extend_from_slice(&part[..length]),
                Err(_) => return (text, false),
            }
        }
    }

    #[test]
    fn each_part_can_be_read_as_soon_as_it_has_come_and_the_checksum_is_right_in_the_end() {
        let long: Vec<u8> =
            (0..200_000_u32).flat_map(|number| number.wrapping_mul(0x9e37_79b9).to_be_bytes()).collect();
        let texts: Vec<Vec<u8>> = vec![
            b":\n\n".to_vec(),
            "data: {\"n\":1}\n\n".repeat(100).into_bytes(),
            Vec::new(),
            long,
            b"x".repeat(WORTH_PACKING),
            b"id: 1\n\n".to_vec(),
        ];
        let (mut gzip, mut sent, mut said) = (Gzip::default(), Vec::new(), Vec::new());
        for text in &texts {
            sent.extend_from_slice(&gzip.text(text));
            said.extend_from_slice(text);
            let (read, has_ended) = unpack(&sent);
            assert!(read == said && !has_ended, "{} of {}", read.len(), said.len());
        }
        sent.extend_from_slice(&gzip.end());
        assert!(unpack(&sent) == (said, true));
        assert!(sent.len() < 900_000);
        assert_eq!(unpack(&Gzip::default().end()), (Vec::new(), true));
    }

    #[test]
    fn what_was_packed_once_is_of_use_to_all() {
        let part = Packed::new(&"data: hello\n\n".repeat(50).into_bytes());
        for before in ["", "a", &"b".repeat(1000)] {
            let mut gzip = Gzip::default();
            let mut sent = gzip.text(before.as_bytes()).to_vec();
            sent.extend_from_slice(&gzip.add([&part, &part]));
            sent.extend_from_slice(&gzip.end());
            let expected = format!("{before}{}", "data: hello\n\n".repeat(100)).into_bytes();
            assert!(unpack(&sent) == (expected, true), "{before:?}");
        }
    }

    #[test]
    fn whoever_does_not_say_so_is_sent_nothing_packed() {
        let accepted = |values: &[&'static str]| {
            let headers = values.iter().map(|value| (ACCEPT_ENCODING, HeaderValue::from_static(value)));
            is_accepted(&headers.collect())
        };
        for values in [&["gzip"][..], &["br, gzip;q=0.5"], &["identity", "GZIP"], &["*"], &["deflate;q=0, *"]]
        {
            assert!(accepted(values), "{values:?}");
        }
        for values in [&[][..], &["br, deflate"], &["gzip;q=0"], &["gzip; q=0.0, *"], &["*;q=0"], &[""]] {
            assert!(!accepted(values), "{values:?}");
        }
    }
}
