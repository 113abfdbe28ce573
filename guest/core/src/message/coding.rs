//! `Content-Encoding` (RFC 9110, section 8.4): `gzip` and `deflate`.

use super::gzip;
use miniz_oxide::inflate::{DecompressError, TINFLStatus, decompress_to_vec_zlib_with_limit};
use std::borrow::Cow;

/// The longest body after unpacking, in bytes: eight times the longest that is usual before it, and little enough to be
/// read within the time that a decision has.
pub(super) const LONGEST: usize = 8 << 20;

/// The body with its content coding undone; what has none is as it is. An error says why it cannot be.
pub(crate) fn plain<'a>(body: &'a [u8], coding: Option<&[u8]>) -> Result<Cow<'a, [u8]>, String> {
    let Some(coding) = coding.map(<[u8]>::trim_ascii).filter(|coding| !coding.is_empty()) else {
        return Ok(Cow::Borrowed(body));
    };
    let is = |name: &[u8]| coding.eq_ignore_ascii_case(name);
    if is(b"identity") {
        Ok(Cow::Borrowed(body))
    } else if is(b"gzip") || is(b"x-gzip") {
        gzip::unpack(body).map(Cow::Owned)
    } else if is(b"deflate") {
        // It is the zlib format (RFC 1950), as section 8.4.1.2 has it.
        let unpacked = decompress_to_vec_zlib_with_limit(body, LONGEST);
        unpacked
            .map(Cow::Owned)
            .map_err(|error| too_much(&error).unwrap_or_else(|| "it is not whole zlib".to_owned()))
    } else {
        let coding = String::from_utf8_lossy(coding);
        Err(format!("its content coding `{coding}` is not known; gzip and deflate are"))
    }
}

/// What to say of a body that is longer than it may be.
pub(super) fn too_much(error: &DecompressError) -> Option<String> {
    matches!(error.status, TINFLStatus::HasMoreOutput)
        .then(|| format!("unpacked it has more than {LONGEST} bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use miniz_oxide::deflate::compress_to_vec_zlib;

    #[test]
    fn undoes_what_it_knows_within_bounds_and_says_what_it_does_not() {
        let text = b"{\"a\": [1, 2, 3]}".as_slice();
        let packed = compress_to_vec_zlib(text, 6);
        assert_eq!(plain(&packed, Some(b" Deflate ")).unwrap(), text);
        for coding in [None, Some(b"".as_slice()), Some(b"identity")] {
            assert!(matches!(plain(text, coding), Ok(Cow::Borrowed(_))), "{coding:?}");
        }
        for length in 0..packed.len() {
            assert!(plain(packed.get(..length).unwrap(), Some(b"deflate")).is_err(), "cut at {length}");
        }
        let bomb = compress_to_vec_zlib(&vec![0; LONGEST + 1], 6);
        assert!(plain(&bomb, Some(b"deflate")).unwrap_err().contains("more than 8388608 bytes"));
        assert!(plain(text, Some(b"br")).unwrap_err().contains("`br` is not known"));
        assert!(plain(text, Some(b"gzip, gzip")).is_err());
    }
}
