//! A stretch of time, as options name it.

use crate::cli::clock;
use anglerfish_core::request::UnixMillis;
use clap::Args;
use serde_json::Value;
use std::time::Duration;

/// Which time a listing is of.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct PeriodArgs {
    /// Only from this time on: 2026-01-31T12:00:00Z, or how long ago: 2h, 3days
    #[arg(long, value_name = "TIME", value_parser = instant)]
    since: Option<UnixMillis>,
    /// Only before this time, written in the same way
    #[arg(long, value_name = "TIME", value_parser = instant)]
    until: Option<UnixMillis>,
}

/// From when on a listing is.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct SinceArgs {
    /// Only from this time on: 2026-01-31T12:00:00Z, or how long ago: 2h, 3days
    #[arg(long, value_name = "TIME", value_parser = instant)]
    since: Option<UnixMillis>,
}

impl SinceArgs {
    /// The beginning as the API takes it.
    pub(super) fn query(&self) -> Option<String> {
        self.since.and_then(UnixMillis::rfc3339)
    }
}

impl PeriodArgs {
    /// The two ends as the API takes them.
    pub(super) fn query(&self) -> [(&'static str, Option<String>); 2] {
        let written = |end: Option<UnixMillis>| end.and_then(UnixMillis::rfc3339);
        [("since", written(self.since)), ("until", written(self.until))]
    }

    /// Whether it is all of time.
    pub(super) const fn is_unbounded(&self) -> bool {
        self.since.is_none() && self.until.is_none()
    }
}

/// A place in the log, as the API takes it: a position, a word for one, or a time.
pub(super) fn place(text: &str) -> Result<Value, String> {
    match text {
        "earliest" => Ok(text.into()),
        _ if text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty() => {
            text.parse::<u64>().map(Value::from).map_err(|error| error.to_string())
        }
        _ => match instant(text)?.rfc3339() {
            Some(time) => Ok(time.into()),
            None => Err("a time that cannot be written".to_owned()),
        },
    }
}

fn instant(text: &str) -> Result<UnixMillis, String> {
    if let Some(instant) = UnixMillis::from_rfc3339(text) {
        return Ok(instant);
    }
    let ago: Duration = humantime::parse_duration(text)
        .map_err(|_| "neither a time such as 2026-01-31T12:00:00Z nor a duration such as 2h".to_owned())?;
    let ago = u64::try_from(ago.as_millis()).unwrap_or(u64::MAX);
    Ok(UnixMillis(clock::now().0.saturating_sub(ago)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_in_the_log_is_a_position_or_a_time() {
        assert_eq!(place("1200"), Ok(1200.into()));
        assert_eq!(place("earliest"), Ok("earliest".into()));
        assert_eq!(place("1970-01-01T00:00:01Z"), Ok("1970-01-01T00:00:01Z".into()));
        assert!(place("2h").unwrap().is_string());
        for wrong in ["", "later", "-1", "99999999999999999999999"] {
            assert!(place(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_time_is_an_instant_or_how_long_ago_it_was() {
        assert_eq!(instant("1970-01-01T00:00:01Z"), Ok(UnixMillis(1000)));
        let hour = clock::now().0 - instant("1h").unwrap().0;
        assert!((3_600_000..3_700_000).contains(&hour), "{hour}");
        assert_eq!(instant("1000000years"), Ok(UnixMillis(0)), "before all that is known");
        for wrong in ["", "yesterday", "12:00", "-1h"] {
            assert!(instant(wrong).is_err(), "{wrong}");
        }
    }
}
