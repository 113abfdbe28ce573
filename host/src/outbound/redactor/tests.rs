use super::*;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode, utf8_percent_encode};
use proptest::prelude::*;

const SECRET: &str = "Bearer tok/en+with=\"all\" & ünï";

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

fn redact(text: &str) -> String {
    Redactor::new([SECRET, "s3cret"]).redact(text).into_owned()
}

fn html(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;").replace('\'', "&#39;")
}

/// Each character by itself: as `escape` says if it is no letter or digit, else as it is.
fn escaped(text: &str, escape: impl Fn(char) -> String) -> String {
    text.chars()
        .map(|char| if char.is_ascii_alphanumeric() { char.to_string() } else { escape(char) })
        .collect()
}

type Coding = fn(&str) -> String;

/// Codings that endpoints give a text back in.
const CODINGS: [(&str, Coding); 19] = [
    ("itself", str::to_owned),
    ("upper case", str::to_ascii_uppercase),
    ("JSON", |text| {
        let quoted = serde_json::to_string(text).unwrap();
        quoted[1..quoted.len() - 1].to_owned()
    }),
    ("JSON twice", |text| {
        let once = serde_json::to_string(text).unwrap();
        serde_json::to_string(&once).unwrap()
    }),
    ("\\u", |text| {
        escaped(text, |char| {
            char.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04X}")).collect()
        })
    }),
    ("\\x", |text| {
        escaped(text, |char| char.to_string().bytes().map(|byte| format!("\\x{byte:02x}")).collect())
    }),
    ("percent", |text| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()),
    ("percent twice", |text| {
        let once = utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        utf8_percent_encode(&once, NON_ALPHANUMERIC).to_string()
    }),
    ("percent of all", |text| text.bytes().map(|byte| format!("%{byte:02X}")).collect()),
    ("component", |text| utf8_percent_encode(text, COMPONENT).to_string().to_lowercase()),
    ("form", |text| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string().replace("%20", "+")),
    ("HTML", html),
    ("HTML numbers", |text| escaped(text, |char| format!("&#{};", u32::from(char)))),
    ("HTML hexadecimal numbers", |text| escaped(text, |char| format!("&#x{:X};", u32::from(char)))),
    ("JSON on a page", |text| html(&serde_json::to_string(text).unwrap())),
    ("base64", |text| STANDARD_NO_PAD.encode(text)),
    ("base64 behind one", |text| STANDARD_NO_PAD.encode(format!("x{text} more"))),
    ("base64 behind two", |text| URL_SAFE_NO_PAD.encode(format!("us{text}"))),
    ("hexadecimal", |text| hex::encode(text).to_uppercase()),
];

/// How much of a text stands before and after what is hidden, which there has to be once.
fn left(shown: &str) -> Option<usize> {
    let inner = shown.strip_prefix("before ")?.strip_suffix(" after")?;
    let (before, after) = inner.split_once(HIDDEN)?;
    (!after.contains(HIDDEN)).then_some(before.len() + after.len())
}

proptest! {
    #[test]
    fn no_coding_shows_eight_characters_of_a_secret(secret in "[!-~]{8,60}|[ -~ü€]{10,40}") {
        let secret = secret.trim();
        prop_assume!(secret.len() >= 8);
        let redactor = Redactor::new([secret]);
        for (name, coding) in CODINGS {
            let shown = redactor.redact(&format!("before {} after", coding(secret))).into_owned();
            // Quotes, and what base64 makes of the neighbours: three characters on each side at most, less than three bytes.
            let least = if name.contains("behind") || name.starts_with("JSON") { 16 } else { 2 };
            prop_assert!(left(&shown).is_some_and(|left| left <= least), "{name}: {shown}");
        }
    }

    #[test]
    fn a_percent_encoded_secret_is_hidden_decoded_and_in_every_coding_of_that(secret in "[!-~]{10,60}") {
        let configured = utf8_percent_encode(&secret, NON_ALPHANUMERIC).to_string();
        let redactor = Redactor::new([configured.as_str()]);
        for (name, coding) in CODINGS {
            let shown = redactor.redact(&format!("before {} after", coding(&secret))).into_owned();
            let least = if name.contains("behind") || name.starts_with("JSON") { 16 } else { 2 };
            prop_assert!(left(&shown).is_some_and(|left| left <= least), "{name}: {shown}");
        }
    }

    #[test]
    fn the_bytes_of_a_key_are_hidden_however_they_are_written(
        key in proptest::collection::vec(any::<u8>(), 24..64), before in 0..4usize
    ) {
        let configured = base64::engine::general_purpose::STANDARD.encode(&key);
        let redactor = Redactor::new([configured.as_str()]);
        let mut padded = vec![b'w'; before];
        padded.extend_from_slice(&key);
        let percent: String = percent_encode(&key, NON_ALPHANUMERIC).collect();
        let python: String = key.iter().map(|byte| format!("\\x{byte:02x}")).collect();
        let latin: String = key.iter().map(|byte| char::from(*byte)).collect();
        for form in [STANDARD_NO_PAD.encode(&padded), URL_SAFE_NO_PAD.encode(&padded), hex::encode(&key), percent, python, latin] {
            let shown = redactor.redact(&format!("before {form} after")).into_owned();
            prop_assert!(left(&shown).is_some_and(|left| left <= 8), "{form}: {shown}");
        }
    }
}

#[test]
fn finds_a_secret_in_every_form_that_endpoints_give_back() {
    for (name, coding) in CODINGS {
        let shown = redact(&format!("before {} after", coding(SECRET)));
        for part in ["tok", "with", "all", "n\u{ef}"] {
            assert!(!shown.contains(part), "{name}: {shown}");
        }
        assert!(shown.starts_with("before ") && shown.ends_with(" after"), "{name}: {shown}");
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
    let text = "https://example.com/ says: 503 Bearer of bad news, 100% &amp; \\u0041";
    assert_eq!(redact(text), text);
    assert_eq!(Redactor::default().redact(text), text);
}

#[test]
fn what_is_beyond_ascii_is_never_cut_in_the_middle() {
    let redactor = Redactor::new(["ééééééééé"]);
    assert_eq!(redactor.redact("ü éééééééé ü"), "ü … ü");
}
