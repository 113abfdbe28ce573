//! Why a connection is closed, as the other side is told.

use yawc::close::CloseCode;

/// The most that fits behind the code of a close frame, in bytes (RFC 6455, section 5.5).
const LONGEST: usize = 123;

/// Why a connection is closed from this side. The codes up to 2999 are those of the protocol's registry; the others are
/// this gateway's own, and are as HTTP's where there is a status that says the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::stream) enum CloseReason {
    /// 1000: it was asked for.
    Done,
    /// 1002: the protocol was broken.
    Protocol(String),
    /// 1003: a kind of message that is not understood.
    Unsupported(&'static str),
    /// 1007: text that is none.
    Text,
    /// 1008: more was wrong than is borne.
    Policy(&'static str),
    /// 1009: a message was too large.
    Size(usize),
    /// 1012: the gateway stops; where to go on, if that is one place.
    Restart(String),
    /// 4401: no token was shown that opens anything.
    Unauthorized(&'static str),
    /// 4408: nothing came from the other side for too long, not even an answer to a ping.
    Silent,
}

impl CloseReason {
    pub(super) fn code(&self) -> CloseCode {
        CloseCode::from(match self {
            Self::Done => 1000,
            Self::Protocol(_) => 1002,
            Self::Unsupported(_) => 1003,
            Self::Text => 1007,
            Self::Policy(_) => 1008,
            Self::Size(_) => 1009,
            Self::Restart(_) => 1012,
            Self::Unauthorized(_) => 4401,
            Self::Silent => 4408,
        })
    }

    /// The reason in words, as long as it may be.
    pub(super) fn text(&self) -> String {
        let mut text = match self {
            Self::Done => String::new(),
            Self::Protocol(what) => what.clone(),
            Self::Unsupported(what) | Self::Policy(what) | Self::Unauthorized(what) => (*what).to_owned(),
            Self::Text => "a text message is not UTF-8".to_owned(),
            Self::Size(most) => format!("a message has more than {most} bytes"),
            Self::Restart(what) => what.clone(),
            Self::Silent => "nothing came for too long, and no answer to a ping".to_owned(),
        };
        while text.len() > LONGEST {
            text.pop();
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_fits_into_a_close_frame() {
        assert_eq!(CloseReason::Protocol("é".repeat(100)).text(), "é".repeat(61));
        assert_eq!(u16::from(CloseReason::Unauthorized("").code()), 4401);
        assert_eq!(u16::from(CloseReason::Restart(String::new()).code()), 1012);
    }
}
