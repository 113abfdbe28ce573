//! Which offer of `permessage-deflate` is taken (RFC 7692, section 7.1).

use http::HeaderMap;
use http::header::SEC_WEBSOCKET_EXTENSIONS;
use std::ops::RangeInclusive;

/// The extension's name.
pub(super) const NAME: &str = "permessage-deflate";

/// The sizes that a window may have, as powers of two; the largest is what is meant where none is said.
const WINDOWS: RangeInclusive<u8> = 8..=15;

/// An offer that is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Deflate {
    /// How far back what is sent may look, as a power of two, if the client says that; the answer has to say it too.
    pub(super) window: Option<u8>,
}

impl Deflate {
    /// The first offer that can be taken; the others stand behind it for that.
    pub(super) fn choose(headers: &HeaderMap) -> Option<Self> {
        let values = headers.get_all(SEC_WEBSOCKET_EXTENSIONS).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).find_map(Self::read)
    }

    /// An offer with a parameter that is unknown, wrong, or there twice is declined.
    fn read(offer: &str) -> Option<Self> {
        let mut parts = offer.split(';').map(str::trim);
        parts.next().filter(|name| name.eq_ignore_ascii_case(NAME))?;
        let (mut seen, mut window) = (Vec::new(), None);
        for part in parts {
            let (name, value) = match part.split_once('=') {
                Some((name, value)) => (name.trim_end(), Some(value.trim_start())),
                None => (part, None),
            };
            if seen.contains(&name) {
                return None;
            }
            seen.push(name);
            match (name, value) {
                // Nothing is kept between two messages either way.
                ("client_no_context_takeover" | "server_no_context_takeover", None)
                | ("client_max_window_bits", None) => {}
                // What comes may look back as far as it can.
                ("client_max_window_bits", Some(value)) => {
                    bits(value)?;
                }
                ("server_max_window_bits", Some(value)) => window = Some(bits(value)?),
                _ => return None,
            }
        }
        Some(Self { window })
    }

    /// Whether what is sent may be compressed: the compressor looks back as far as there is anything.
    pub(super) fn compresses(self) -> bool {
        self.window.is_none_or(|window| window == *WINDOWS.end())
    }
}

fn bits(value: &str) -> Option<u8> {
    let digits = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value);
    let is_number = !digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|bits| is_number && WINDOWS.contains(bits))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn chosen(offers: &[&'static str]) -> Option<Option<u8>> {
        let fields = offers.iter().map(|offer| (SEC_WEBSOCKET_EXTENSIONS, HeaderValue::from_static(offer)));
        Deflate::choose(&fields.collect()).map(|chosen| chosen.window)
    }

    #[test]
    fn the_first_offer_that_can_be_kept_to_is_taken() {
        assert_eq!(chosen(&[]), None);
        assert_eq!(chosen(&["permessage-deflate"]), Some(None));
        assert_eq!(chosen(&["permessage-deflate; client_max_window_bits"]), Some(None));
        assert_eq!(
            chosen(&["Permessage-Deflate ;client_max_window_bits = 12; server_no_context_takeover"]),
            Some(None)
        );
        assert_eq!(chosen(&["permessage-deflate; server_max_window_bits=\"10\""]), Some(Some(10)));
        assert_eq!(chosen(&["x-deflate, permessage-deflate; unknown, permessage-deflate"]), Some(None));
        assert_eq!(chosen(&["x-deflate", "permessage-deflate"]), Some(None));
        let compresses = |window| Deflate { window }.compresses();
        assert!(compresses(None) && compresses(Some(15)) && !compresses(Some(14)));
    }

    #[test]
    fn an_offer_with_a_parameter_that_is_none_is_declined() {
        for offer in [
            "permessage-deflate; mystery",
            "permessage-deflate;",
            "permessage-deflate-2",
            "permessage-deflate; server_max_window_bits",
            "permessage-deflate; server_max_window_bits=7",
            "permessage-deflate; server_max_window_bits=16",
            "permessage-deflate; server_max_window_bits=010",
            "permessage-deflate; client_max_window_bits=x",
            "permessage-deflate; client_no_context_takeover=1",
            "permessage-deflate; client_max_window_bits; client_max_window_bits",
        ] {
            assert_eq!(chosen(&[offer]), None, "{offer}");
        }
    }
}
