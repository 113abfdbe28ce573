//! Keeping secrets out of what endpoints say: an endpoint that echoes its request, or a page that quotes it, brings
//! header values and tokens into answers, errors and redirects.
//!
//! A secret stands for several texts: as it is configured, and what that says when its own coding is undone. Each of them is
//! looked for as it is and in the codings that leave no character as it was, and the text is read both as it stands and
//! with its escapes undone. Any ten bytes in a row count: so it does not matter where somebody else cut a secret off.

use super::escape::{Notation, Said, plain, undo};
use base64::Engine;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{
    GeneralPurpose, GeneralPurposeConfig, STANDARD_NO_PAD, URL_SAFE_NO_PAD,
};
use percent_encoding::percent_decode_str;
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
/// How often escapes within escapes are undone: JSON within JSON, on a page.
const LAYERS: usize = 3;
/// How much longer a character is than an escape of it, at most.
const LONGEST_ESCAPE: usize = 8;

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
            for meaning in meanings(secret) {
                forms(&meaning).into_iter().filter(|form| form.len() >= SHORTEST_FORM).for_each(|form| {
                    redactor.add(form);
                });
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
                self.runs.extend(runs(form.iter().copied()).skip(RUN - 1));
            }
            _ => self.short.push(form.into()),
        }
    }

    /// How much has to be read behind a place where a text will be cut, so that no secret that begins before it is cut.
    pub(crate) fn margin(&self) -> usize {
        self.longest.saturating_mul(LONGEST_ESCAPE)
    }

    /// The text without secrets.
    pub(crate) fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if self.longest == 0 || text.is_empty() {
            return text.into();
        }
        let mut hidden = vec![false; text.len()];
        let mut readings = vec![plain(text)];
        for layer in 0..=LAYERS {
            for said in std::mem::take(&mut readings) {
                self.hide(&said, &mut hidden);
                if layer < LAYERS {
                    readings.extend(Notation::ALL.iter().filter_map(|notation| undo(&said, *notation)));
                }
            }
        }
        if hidden.contains(&true) { without(text, &mut hidden).into() } else { text.into() }
    }

    /// Marks what of the text is a secret in this reading of it.
    fn hide(&self, said: &[Said], hidden: &mut [bool]) {
        let mut hide = |part: Option<&[Said]>| {
            let part = part.unwrap_or_default();
            if let (Some(first), Some(last)) = (part.first(), part.last()) {
                hidden.get_mut(first.start..last.end).into_iter().flatten().for_each(|byte| *byte = true);
            }
        };
        for (end, run) in runs(said.iter().map(|said| said.byte)).enumerate().skip(RUN - 1) {
            if self.runs.binary_search(&run).is_ok() {
                hide(said.get(end + 1 - RUN..=end));
            }
        }
        for form in &self.short {
            for window in said.windows(form.len()) {
                if window.iter().map(|said| &said.byte).eq(form.iter()) {
                    hide(Some(window));
                }
            }
        }
        for length in (SHORTEST..RUN).rev() {
            let tail = said.len().checked_sub(length).and_then(|start| said.get(start..));
            let Some(tail) = tail else { continue };
            let begins = |head: &[u8; RUN - 1]| head.iter().zip(tail).all(|(byte, said)| *byte == said.byte);
            if self.heads.iter().any(begins) {
                hide(Some(tail));
                break;
            }
        }
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
fn runs(bytes: impl Iterator<Item = u8>) -> impl Iterator<Item = u128> {
    const MASK: u128 = (1 << (8 * RUN)) - 1;
    bytes.scan(0u128, |run, byte| {
        *run = (*run << 8 | u128::from(byte)) & MASK;
        Some(*run)
    })
}

/// Whoever pads, and whoever does not.
const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);

/// What a secret says: itself, and what it is a coding of. A key is configured in base64, a value of a query
/// percent-encoded, and both are used decoded.
fn meanings(text: &str) -> Vec<Vec<u8>> {
    let mut meanings = vec![text.as_bytes().to_vec()];
    // Forms write a space as a plus sign.
    for text in [text, &text.replace('+', " ")] {
        let decoded: Vec<u8> = percent_decode_str(text).collect();
        let with_plus = |byte: u8| if byte == b' ' { b'+' } else { byte };
        meanings.push(decoded.iter().copied().map(with_plus).collect());
        meanings.push(decoded);
    }
    for alphabet in [STANDARD, URL_SAFE] {
        meanings.extend(GeneralPurpose::new(&alphabet, LENIENT).decode(text).ok());
    }
    meanings.extend(hex::decode(text).ok());
    meanings.sort_unstable();
    meanings.dedup();
    meanings
}

/// Ways to write some bytes. What escapes some of them is undone in the text instead.
fn forms(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = vec![bytes.to_vec(), hex::encode(bytes).into_bytes()];
    if !bytes.is_ascii() {
        // As whoever takes each byte for a character shows it.
        forms.push(bytes.iter().map(|byte| char::from(*byte)).collect::<String>().into_bytes());
    }
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
    forms
}

#[cfg(test)]
mod tests;
