//! Why a connection ends with an ERROR frame.

use crate::stream::place::TooManyReaders;
use crate::stream::session::Refused;
use anglerfish_core::stomp::{Command, Frame};

/// Why a connection ends with an ERROR frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    code: &'static str,
    /// What is wrong, in one line.
    message: String,
    oldest: Option<String>,
    /// Where the reader it is about is in the log.
    position: Option<String>,
    /// What the frame that caused it wanted to have confirmed.
    receipt: Option<String>,
}

impl Failure {
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), oldest: None, position: None, receipt: None }
    }

    /// A header that is not there.
    pub(super) fn missing(frame: &Frame, header: &str) -> Self {
        let command = frame.command.name();
        Self::new("missing-header", format!("a {command} frame needs the header \"{header}\""))
            .for_frame(frame)
    }

    /// A header that says something wrong.
    pub(super) fn header(frame: &Frame, header: &str, what: &str) -> Self {
        let command = frame.command.name();
        Self::new("invalid-header", format!("the header \"{header}\" of a {command} frame {what}"))
            .for_frame(frame)
    }

    /// The frame that caused it.
    pub(super) fn for_frame(mut self, frame: &Frame) -> Self {
        self.receipt = frame.header("receipt").map(str::to_owned);
        self
    }

    /// Somebody may not have what a frame asks for. The header that asks for it is named.
    pub(super) fn refused(frame: &Frame, refused: Refused) -> Self {
        let command = frame.command.name();
        let said = |header: &str| frame.header(header).is_some_and(|text| !text.is_empty());
        let start = ["after", "last-event-id", "from"].into_iter().find(|header| said(header));
        let detail = &refused.detail;
        let message = match (refused.code, start) {
            ("unauthorized", _) => format!(
                "the header \"destination\" of a {command} frame names what the token that is shown does not open: {detail}"
            ),
            ("position-expired" | "position-unknown" | "invalid-query", Some(header)) => {
                format!("the header \"{header}\" of a {command} frame: {detail}")
            }
            ("not-passive", _) => {
                let header = if frame.header("mode") == Some("passive") { "mode" } else { "lease" };
                format!("the header \"{header}\" of a {command} frame: {detail}")
            }
            _ => detail.clone(),
        };
        Self { message, ..Self::from(refused) }.for_frame(frame)
    }

    /// Whether it is the gateway that ends the connection, and not something that the client did.
    pub(super) fn is_ours(&self) -> bool {
        matches!(self.code, "changed" | "unavailable")
    }

    /// Where to go on.
    pub(super) fn at(self, position: Option<String>) -> Self {
        Self { position, ..self }
    }

    pub(super) fn frame(self) -> Frame {
        let Self { code, message, oldest, position, receipt } = self;
        Frame::new(Command::Error)
            .with("message", message.replace(['\r', '\n'], " "))
            .with("code", code)
            .with_some("oldest", oldest)
            .with_some("position", position)
            .with_some("receipt-id", receipt)
            .with("content-type", "text/plain")
            .with_body(message)
    }
}

impl From<TooManyReaders> for Failure {
    fn from(refused: TooManyReaders) -> Self {
        Self::new(TooManyReaders::CODE, refused.to_string())
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        let Refused { code, detail, oldest, .. } = refused;
        Self { code, message: detail, oldest, position: None, receipt: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_names_the_header_that_asked_for_it() {
        let frame =
            Frame::new(Command::Subscribe).with("receipt", "r").with("after", "x").with("destination", "y");
        for (code, header) in [("unauthorized", "\"destination\""), ("position-unknown", "\"after\"")] {
            let error = Failure::refused(&frame, Refused::new(code, "no")).frame();
            assert!(error.header("message").unwrap().contains(header), "{error:?}");
            assert_eq!((error.header("code"), error.header("receipt-id")), (Some(code), Some("r")));
        }
        let error = Failure::refused(&frame, Refused::new("too-many-readers", "no")).frame();
        assert_eq!(error.header("message"), Some("no"));
    }
}
