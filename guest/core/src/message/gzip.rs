//! `Content-Encoding: gzip` (RFC 1952).

use super::coding::{LONGEST, too_much};
use crc::{CRC_32_ISO_HDLC, Crc};
use miniz_oxide::inflate::decompress_to_vec_with_limit;

static CRC_32: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

/// Marks of the header: what follows its ten bytes.
const CHECKSUM: u8 = 2;
const EXTRA: u8 = 4;
const NAME: u8 = 8;
const COMMENT: u8 = 16;

/// Unpacks one gzip member. An error says why it cannot be.
pub(super) fn unpack(packed: &[u8]) -> Result<Vec<u8>, String> {
    let damaged = || "it is not whole gzip".to_owned();
    let (header, mut rest) = packed.split_at_checked(10).ok_or_else(damaged)?;
    let [0x1f, 0x8b, 8, marks, ..] = *header else { return Err(damaged()) };
    if marks & EXTRA != 0 {
        let (length, after) = rest.split_at_checked(2).ok_or_else(damaged)?;
        let length = length.iter().rev().fold(0, |sum, byte| (sum << 8) | usize::from(*byte));
        rest = after.get(length..).ok_or_else(damaged)?;
    }
    for mark in [NAME, COMMENT] {
        if marks & mark != 0 {
            let end = rest.iter().position(|byte| *byte == 0).ok_or_else(damaged)?;
            rest = rest.get(end + 1..).ok_or_else(damaged)?;
        }
    }
    if marks & CHECKSUM != 0 {
        rest = rest.get(2..).ok_or_else(damaged)?;
    }
    let end = rest.len().checked_sub(8).ok_or_else(damaged)?;
    let (data, trailer) = rest.split_at_checked(end).ok_or_else(damaged)?;
    let unpacked = decompress_to_vec_with_limit(data, LONGEST)
        .map_err(|error| too_much(&error).unwrap_or_else(damaged))?;
    let number = |bytes: Option<&[u8]>| {
        bytes.and_then(|bytes| <[u8; 4]>::try_from(bytes).ok()).map(u32::from_le_bytes)
    };
    let length = u32::try_from(unpacked.len()).map_err(|_| damaged())?;
    if number(trailer.get(..4)) != Some(CRC_32.checksum(&unpacked))
        || number(trailer.get(4..)) != Some(length)
    {
        return Err(damaged());
    }
    Ok(unpacked)
}

#[cfg(test)]
mod tests {
    use super::*;
    use miniz_oxide::deflate::compress_to_vec;

    fn pack(text: &[u8], marks: u8, further: &[u8]) -> Vec<u8> {
        let mut packed = vec![0x1f, 0x8b, 8, marks, 0, 0, 0, 0, 0, 255];
        packed.extend_from_slice(further);
        packed.extend(compress_to_vec(text, 6));
        packed.extend(CRC_32.checksum(text).to_le_bytes());
        packed.extend(u32::try_from(text.len()).unwrap().to_le_bytes());
        packed
    }

    #[test]
    fn unpacks_with_and_without_the_optional_parts_of_the_header() {
        for text in [b"".as_slice(), b"{\"a\":1}"] {
            assert_eq!(unpack(&pack(text, 0, b"")).unwrap(), text);
            assert_eq!(unpack(&pack(text, 1 | 2 | 4 | 8 | 16, b"\x03\0abcname\0comment\0xx")).unwrap(), text);
        }
    }

    #[test]
    fn a_bomb_is_not_unpacked() {
        let most = vec![0; LONGEST];
        assert_eq!(unpack(&pack(&most, 0, b"")).unwrap().len(), LONGEST);
        let bomb = pack(&vec![0; LONGEST + 1], 0, b"");
        assert!(unpack(&bomb).unwrap_err().contains("more than 8388608 bytes"));
    }

    #[test]
    fn what_is_damaged_anywhere_is_not_believed() {
        let whole = pack(b"{\"a\":[1,2,3]}", 0, b"");
        for index in (0..4).chain(10..whole.len()) {
            let mut damaged = whole.clone();
            damaged[index] ^= 0x55;
            assert_ne!(unpack(&damaged).ok().as_deref(), Some(b"{\"a\":[9,2,3]}".as_slice()), "{index}");
            assert!(unpack(whole.get(..index).unwrap()).is_err(), "cut at {index}");
        }
    }
}
