//! The versions of the protocol.

/// A version of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// 1.0: nothing is escaped, and nothing beats.
    V1_0,
    /// 1.1: line feeds, colons and backslashes are escaped; lines end with a line feed.
    V1_1,
    /// 1.2: carriage returns are escaped too, and may stand before a line feed.
    V1_2,
}

/// None of the versions that the other side names is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the versions are 1.2, 1.1 and 1.0")]
pub struct UnknownVersion;

impl Version {
    /// All of them, the newest first.
    pub const ALL: [Self; 3] = [Self::V1_2, Self::V1_1, Self::V1_0];

    /// As the headers `version` and `accept-version` have it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::V1_0 => "1.0",
            Self::V1_1 => "1.1",
            Self::V1_2 => "1.2",
        }
    }

    /// The newest of those that `accept-version` names; 1.0 if a client sends no such header.
    ///
    /// # Errors
    ///
    /// It names none that is known.
    pub fn negotiate(accepted: Option<&str>) -> Result<Self, UnknownVersion> {
        let Some(accepted) = accepted else { return Ok(Self::V1_0) };
        let named = |version: &Self| accepted.split(',').any(|name| name.trim() == version.name());
        Self::ALL.into_iter().find(named).ok_or(UnknownVersion)
    }
}
