//! A stretch of time, as options name it.

use crate::clock;
use anglerfish_core::request::UnixMillis;
use clap::Args;
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
