//! Keeping secrets out of what endpoints say: an endpoint that echoes its request, or a page that quotes it, brings
//! header values and tokens into answers, errors and redirects.
//!
//! A secret is looked for in every form in which it usually comes back, and any ten bytes in a row of it count: so it
//! does not matter where somebody else cut it off.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use std::borrow::Cow;

/// What stands in place of a secret.
const HIDDEN: &str = "…";
/// So many bytes in a row give a secret away. `https://` is shorter.
const RUN: usize = 10;
/// A shorter text is no secret: it stands everywhere.
const SHORTEST: usize = 4;
/// A shorter encoded form would be found by chance.
const SHORTEST_FORM: usize = 6;
/// Two hidden parts that are so close become one: what is between them is an escape.
const GAP: usize = 4;
/// What JavaScript's `encodeURIComponent` leaves alone.
const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'!')
    .remove(b'~')
    .remove(b'*')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')');

/// Finds secrets in texts from outside. Its `Debug` form shows none.
#[derive(Default)]
pub(crate) struct Redactor {
    /// Every run of [`RUN`] bytes, in lower case, sorted.
    runs: Vec<u128>,
    /// Forms that are shorter than a run.
    short: Vec<Box<[u8]>>,
    /// The beginnings of forms, to find one that a text breaks off in.
    heads: Vec<[u8; RUN - 1]>,
    longest: usize,
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Redactor").finish_non_exhaustive()
    }
}

impl Redactor {
    /// Looks for these from now on.
    pub(crate) fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        let mut redactor = Self::default();
        for secret in secrets.into_iter().filter(|secret| secret.len() >= SHORTEST) {
            redactor.add(secret.as_bytes().to_vec());
            for form in forms(secret).into_iter().filter(|form| form.len() >= SHORTEST_FORM) {
                redactor.add(form);
            }
        }
        redactor.runs.sort_unstable();
        redactor.runs.dedup();
        redactor.short.sort_unstable();
        redactor.short.dedup();
        redactor.heads.sort_unstable();
        redactor.heads.dedup();
        redactor
    }

    fn add(&mut self, mut form: Vec<u8>) {
        form.make_ascii_lowercase();
        self.longest = self.longest.max(form.len());
        match form.first_chunk() {
            Some(head) if form.len() >= RUN => {
                self.heads.push(*head);
                self.runs.extend(runs(&form).skip(RUN - 1));
            }
            _ => self.short.push(form.into()),
        }
    }

    /// How much has to be read behind a place where a text will be cut, so that no secret that begins before it is cut.
    pub(crate) fn margin(&self) -> usize {
        self.longest
    }

    /// The text without secrets.
    pub(crate) fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if self.longest == 0 || text.is_empty() {
            return text.into();
        }
        let bytes = text.as_bytes().to_ascii_lowercase();
        let mut hidden = vec![false; bytes.len()];
        let mut hide = |from: usize, to: usize| {
            hidden.get_mut(from..to).into_iter().flatten().for_each(|byte| *byte = true);
        };
        for (end, run) in runs(&bytes).enumerate().skip(RUN - 1) {
            if self.runs.binary_search(&run).is_ok() {
                hide(end + 1 - RUN, end + 1);
            }
        }
        for form in &self.short {
            for (start, window) in bytes.windows(form.len()).enumerate() {
                if window == &**form {
                    hide(start, start + form.len());
                }
            }
        }
        for length in (SHORTEST..RUN).rev() {
            let start = bytes.len().saturating_sub(length);
            let tail = bytes.get(start..).unwrap_or_default();
            if tail.len() == length && self.heads.iter().any(|head| head.starts_with(tail)) {
                hide(start, bytes.len());
                break;
            }
        }
        if hidden.contains(&true) { without(text, &mut hidden).into() } else { text.into() }
    }
}

/// The text with its hidden bytes replaced.
fn without(text: &str, hidden: &mut [bool]) -> String {
    let mut last = None;
    for place in 0..hidden.len() {
        if hidden.get(place) == Some(&true) {
            if let Some(last) = last.filter(|last| place - last <= GAP + 1) {
                hidden.get_mut(last..place).into_iter().flatten().for_each(|byte| *byte = true);
            }
            last = Some(place);
        }
    }
    let mut shown = String::with_capacity(text.len());
    let mut within = false;
    for (place, char) in text.char_indices() {
        let part = hidden.get(place..place + char.len_utf8()).unwrap_or_default().contains(&true);
        match (part, within) {
            (true, false) => shown.push_str(HIDDEN),
            (true, true) => {}
            (false, _) => shown.push(char),
        }
        within = part;
    }
    shown
}

/// For each byte the run that ends with it; the first ones are not whole.
fn runs(bytes: &[u8]) -> impl Iterator<Item = u128> + '_ {
    const MASK: u128 = (1 << (8 * RUN)) - 1;
    bytes.iter().scan(0u128, |run, byte| {
        *run = (*run << 8 | u128::from(*byte)) & MASK;
        Some(*run)
    })
}

/// Other forms of a text.
fn forms(text: &str) -> Vec<Vec<u8>> {
    let bytes = text.as_bytes();
    let mut forms = vec![
        utf8_percent_encode(text, NON_ALPHANUMERIC).to_string().into_bytes(),
        utf8_percent_encode(text, COMPONENT).to_string().into_bytes(),
        percent_decode_str(text).collect(),
        json(text, false).into_bytes(),
        json(text, true).into_bytes(),
        html(text).into_bytes(),
        hex::encode(bytes).into_bytes(),
        text.replace(' ', "+").into_bytes(),
    ];
    for before in 0..3usize {
        // The same bytes look different behind one or two others; what depends on the neighbours is left out.
        let mut padded = vec![0; before];
        padded.extend_from_slice(bytes);
        for encoded in [STANDARD_NO_PAD.encode(&padded), URL_SAFE_NO_PAD.encode(&padded)] {
            let first = if before == 0 { 0 } else { before + 1 };
            let end = encoded.len() - usize::from(padded.len() % 3 != 0);
            forms.push(encoded.as_bytes().get(first..end).unwrap_or_default().to_vec());
        }
    }
    // `Basic` credentials come back decoded.
    forms.extend(STANDARD.decode(text).ok());
    forms.retain(|form| form != bytes);
    forms
}

/// As JSON writers escape it: some escape slashes, signs of HTML and everything beyond ASCII.
fn json(text: &str, all: bool) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '"' | '\\' => escaped.extend(['\\', char]),
            '/' if all => escaped.push_str("\\/"),
            '<' | '>' | '&' | '\'' | '+' if all => escaped.push_str(&format!("\\u{:04x}", u32::from(char))),
            char if u32::from(char) < 0x20 || all && !char.is_ascii() => {
                for unit in char.encode_utf16(&mut [0; 2]) {
                    escaped.push_str(&format!("\\u{unit:04x}"));
                }
            }
            char => escaped.push(char),
        }
    }
    escaped
}

fn html(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;").replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "Bearer tok/en+with=\"all\" & ünï";

    fn redact(text: &str) -> String {
        Redactor::new([SECRET, "s3cret"]).redact(text).into_owned()
    }

    #[test]
    fn finds_a_secret_in_every_form_that_endpoints_give_back() {
        for form in [
            SECRET.to_owned(),
            SECRET.to_ascii_uppercase(),
            serde_json::to_string(SECRET).unwrap(),
            "Bearer tok\\/en\\u002bwith=\\\"all\\\" \\u0026 \\u00fcn\\u00ef".to_owned(),
            utf8_percent_encode(SECRET, NON_ALPHANUMERIC).to_string(),
            utf8_percent_encode(SECRET, COMPONENT).to_string().to_lowercase(),
            STANDARD.encode(SECRET),
            STANDARD.encode(format!("x:{SECRET}")),
            STANDARD.encode(format!("user {SECRET} more")),
            URL_SAFE_NO_PAD.encode(format!("us{SECRET}")),
            hex::encode(SECRET),
            html(SECRET),
        ] {
            let shown = redact(&format!("before {form} after"));
            for part in ["tok", "with", "all", "n\u{ef}"] {
                assert!(!shown.contains(part), "{form}: {shown}");
            }
            assert!(shown.starts_with("before ") && shown.ends_with(" after"), "{form}: {shown}");
            let encoded = form
                .as_bytes()
                .windows(RUN + 4)
                .filter(|part| shown.contains(&*String::from_utf8_lossy(part)));
            assert_eq!(encoded.count(), 0, "{form}: {shown}");
        }
    }

    #[test]
    fn finds_a_short_secret_whole_and_leaves_shorter_texts_alone() {
        assert_eq!(redact("a S3CRET"), "a …");
        assert_eq!(Redactor::new(["1", "abc"]).redact("1 abc"), "1 abc");
    }

    #[test]
    fn a_part_of_a_secret_is_enough_wherever_it_was_cut() {
        let redactor = Redactor::new(["0123456789abcdefghij"]);
        assert_eq!(redactor.redact("x 56789abcdef y"), "x … y");
        assert_eq!(redactor.redact("x 0123456789ab"), "x …");
        assert_eq!(redactor.redact("x 0123456"), "x …", "broken off at the end");
        assert_eq!(redactor.redact("x 012"), "x 012");
    }

    #[test]
    fn a_text_without_secrets_is_left_as_it_is() {
        let text = "https://example.com/ says: 503 Bearer of bad news";
        assert_eq!(redact(text), text);
        assert_eq!(Redactor::default().redact(text), text);
    }

    #[test]
    fn what_is_beyond_ascii_is_never_cut_in_the_middle() {
        let redactor = Redactor::new(["ééééééééé"]);
        assert_eq!(redactor.redact("ü éééééééé ü"), "ü … ü");
    }
}
