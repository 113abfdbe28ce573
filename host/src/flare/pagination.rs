//! Pages of listings: `?limit=…&offset=…`.

use super::fault::Fault;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

const DEFAULT: i64 = 30;

/// Which part of a listing is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pagination {
    limit: i64,
    offset: i64,
}

impl Pagination {
    /// Reads a query. An empty value is none.
    pub(super) fn read(query: Option<&str>) -> Result<Self, Fault> {
        let limit = number(query, "limit", DEFAULT)?;
        let offset = number(query, "offset", 0)?;
        for (name, value) in [("offset", offset), ("limit", limit)] {
            if value < 0 {
                return Err(Fault::bad("invalid pagination", format!("invalid {name} '{value}'")));
            }
        }
        Ok(Self { limit, offset })
    }

    /// How many items there are in the page at most.
    pub(super) fn limit(self) -> usize {
        usize::try_from(self.limit).unwrap_or_default()
    }

    /// How many items come before the page; behind the end of a listing there is nothing.
    pub(super) fn offset(self) -> usize {
        usize::try_from(self.offset).unwrap_or_default()
    }

    /// What is said of it.
    pub(super) fn shown(&self, total: usize) -> Value {
        json!({"limit": self.limit, "offset": self.offset, "total": total})
    }
}

fn number(query: Option<&str>, name: &str, default: i64) -> Result<i64, Fault> {
    let Some(text) = parameter(query, name).filter(|text| !text.is_empty()) else { return Ok(default) };
    text.parse().map_err(|_| {
        let digits = text.strip_prefix(['-', '+']).unwrap_or(&text);
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let reason = if is_number { "value out of range" } else { "invalid syntax" };
        let detail = format!(
            "error during parameter '{name}' parse with value '{text}': strconv.Atoi: parsing {text:?}: {reason}"
        );
        Fault::bad("error during pagination parse", detail)
    })
}

/// The first value of a parameter, with escapes undone.
pub(super) fn parameter(query: Option<&str>, name: &str) -> Option<String> {
    let decoded = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    let mut pairs = query?.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs.find(|(key, _)| decoded(key) == name).map(|(_, value)| decoded(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_is_asked_for() {
        let read = |query: &str| Pagination::read(Some(query)).unwrap();
        assert_eq!(Pagination::read(None).unwrap(), Pagination { limit: 30, offset: 0 });
        assert_eq!(read("limit=&offset=2"), Pagination { limit: 30, offset: 2 });
        assert_eq!(read("limit=0"), Pagination { limit: 0, offset: 0 });
        for query in ["limit=sample", "limit=-1", "offset=-1", "offset=1.5", "limit=99999999999999999999"] {
            assert!(Pagination::read(Some(query)).is_err(), "{query}");
        }
    }
}
