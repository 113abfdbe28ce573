//! Forms of the type `multipart/form-data` (RFC 7578).

use super::form::{Field, MOST_FIELDS, Value, bounded};

/// A boundary is no longer than this (RFC 2046, section 5.1.1).
const LONGEST_BOUNDARY: usize = 70;

/// A part has a handful of header fields; this is plenty.
const LONGEST_HEADER: usize = 16 << 10;

/// The boundary that a media type names.
pub(super) fn boundary(content_type: &str) -> Option<String> {
    let parameters = content_type.split(';').skip(1);
    let value = parameters.filter_map(|parameter| parameter.split_once('=')).find_map(|(name, value)| {
        name.trim().eq_ignore_ascii_case("boundary").then(|| value.trim().trim_matches('"').to_owned())
    })?;
    (1..=LONGEST_BOUNDARY).contains(&value.len()).then_some(value)
}

/// The fields of a form, in order.
pub(super) fn fields(body: &[u8], boundary: &str) -> Result<Vec<Field>, String> {
    let delimiter = format!("\r\n--{boundary}").into_bytes();
    let first = delimiter.get(2..).unwrap_or_default();
    let mut rest = match find(body, first) {
        // What stands before the first boundary is a preamble.
        Some(at) if at == 0 || body.get(..at).is_some_and(|before| before.ends_with(b"\r\n")) => {
            body.get(at + first.len()..).unwrap_or_default()
        }
        _ => return Err("the form does not have the boundary that its media type names".to_owned()),
    };
    let mut fields = Vec::new();
    loop {
        if rest.starts_with(b"--") {
            return bounded(fields);
        }
        let Some(line) =
            find(rest, b"\r\n").filter(|line| rest.iter().take(*line).all(u8::is_ascii_whitespace))
        else {
            return Err("the form has a boundary that is not followed by a line break".to_owned());
        };
        rest = rest.get(line + 2..).unwrap_or_default();
        let Some(end) = find(rest, &delimiter) else {
            return Err("the form breaks off".to_owned());
        };
        let (part, after) = rest.split_at(end);
        fields.extend(field(part)?);
        if fields.len() > MOST_FIELDS {
            return bounded(fields);
        }
        rest = after.get(delimiter.len()..).unwrap_or_default();
    }
}

/// One part; one without a name is no field.
fn field(part: &[u8]) -> Result<Option<Field>, String> {
    let (header, value) = match find(part, b"\r\n\r\n") {
        Some(end) => (part.get(..end).unwrap_or_default(), part.get(end + 4..).unwrap_or_default()),
        // A part without header fields begins with the empty line.
        None => return Ok(None),
    };
    if header.len() > LONGEST_HEADER {
        return Err("the form has a part with too long a header".to_owned());
    }
    let header = String::from_utf8_lossy(header);
    let line = |name: &str| {
        header
            .split("\r\n")
            .filter_map(|line| line.split_once(':'))
            .find_map(|(key, value)| key.trim().eq_ignore_ascii_case(name).then(|| value.trim().to_owned()))
    };
    let Some(disposition) = line("content-disposition") else { return Ok(None) };
    let Some(name) = parameter(&disposition, "name") else { return Ok(None) };
    let value = match parameter(&disposition, "filename") {
        Some(file) => Value::File { name: file, content_type: line("content-type"), size: value.len() },
        None => Value::Text(value.to_vec()),
    };
    Ok(Some(Field { name: name.into_bytes(), value }))
}

/// A parameter of `Content-Disposition`, quoted or not.
fn parameter(disposition: &str, name: &str) -> Option<String> {
    let mut rest = disposition.split_once(';')?.1;
    loop {
        let (key, after) = rest.split_once('=')?;
        let (value, next) = match after.trim_start().strip_prefix('"') {
            Some(quoted) => unquote(quoted)?,
            None => match after.split_once(';') {
                Some((value, next)) => (value.trim().to_owned(), next),
                None => (after.trim().to_owned(), ""),
            },
        };
        if key.trim().trim_start_matches(';').trim().eq_ignore_ascii_case(name) {
            return Some(value);
        }
        rest = next;
    }
}

/// A quoted text up to its closing quote, and what follows.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, text.get(at + 1..)?)),
            // Only quotes are escaped so: a backslash can be part of a file's name.
            '\\' if text.get(at + 1..).is_some_and(|next| next.starts_with(['"', '\\'])) => {
                value.push(characters.next()?.1);
            }
            other => value.push(other),
        }
    }
    None
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    let first = *wanted.first()?;
    let mut from = 0;
    while let Some(at) = text.get(from..)?.iter().position(|byte| *byte == first) {
        let at = from + at;
        if text.get(at..)?.starts_with(wanted) {
            return Some(at);
        }
        from = at + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const TYPE: &str = "multipart/form-data; charset=utf-8; boundary=\"x-y\"";

    fn read(body: &str) -> Result<Vec<(String, Value)>, String> {
        let fields = fields(body.as_bytes(), &boundary(TYPE).unwrap())?;
        Ok(fields.into_iter().map(|field| (String::from_utf8(field.name).unwrap(), field.value)).collect())
    }

    #[test]
    fn reads_fields_and_says_what_files_there_are() {
        let body = "preamble\r\n--x-y\r\nContent-Disposition: form-data; name=\"token\"\r\n\r\nab\r\nc\r\n\
                    --x-y  \r\ncontent-type: text/plain\r\ncontent-disposition: form-data; name=\"a \\\"b\\\"\"; \
                    filename=\"c;=.txt\"\r\n\r\n12345\r\n--x-y\r\nContent-Disposition: form-data; name=plain\r\n\r\n\r\n--x-y--\r\n";
        let file = Value::File { name: "c;=.txt".into(), content_type: Some("text/plain".into()), size: 5 };
        assert_eq!(
            read(body).unwrap(),
            [
                ("token".to_owned(), Value::Text(b"ab\r\nc".to_vec())),
                ("a \"b\"".to_owned(), file),
                ("plain".to_owned(), Value::Text(Vec::new())),
            ]
        );
    }

    #[test]
    fn an_empty_form_has_no_fields() {
        assert_eq!(read("--x-y--\r\n").unwrap(), []);
    }

    #[test]
    fn refuses_what_breaks_off_or_has_another_boundary() {
        for body in [
            "",
            "--z\r\n",
            "a--x-y--",
            "--x-y",
            "--x-yz\r\n\r\n",
            "--x-y\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb",
            "--x-y\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb\r\n--x-y",
        ] {
            assert!(read(body).is_err(), "{body:?}");
        }
        assert_eq!(boundary("multipart/form-data"), None);
        assert_eq!(boundary(&format!("multipart/form-data; boundary={}", "x".repeat(71))), None);
    }
}
