//! From bytes to frames, however they come.

use super::{Command, Frame, FrameError, Version};

/// The longest command, in bytes: what is longer is none.
const LONGEST_COMMAND: usize = 32;

/// How much is shown of what cannot be read, in characters.
const SHOWN: usize = 60;

/// How large a frame may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Headers.
    pub headers: usize,
    /// Bytes of all headers together.
    pub header_bytes: usize,
    /// Bytes of a body.
    pub body: usize,
}

/// Reads frames from bytes that come in parts. It keeps no more than one frame may have, and what came behind it with the
/// same part.
#[derive(Debug)]
pub struct Decoder {
    limits: Limits,
    version: Option<Version>,
    bytes: Vec<u8>,
    /// Up to here the bytes have been read.
    read: usize,
    state: State,
    is_broken: bool,
}

#[derive(Debug)]
enum State {
    /// Between two frames.
    Between,
    /// Behind the command.
    Headers { frame: Frame, length: usize },
    /// Behind the empty line; how long the body is, if that was said, and up to where it was looked through for its end.
    Body { frame: Frame, length: Option<usize>, looked: usize },
}

impl Decoder {
    /// Reads frames of this size, of the version that the first one agrees on.
    #[must_use]
    pub const fn new(limits: Limits) -> Self {
        Self { limits, version: None, bytes: Vec::new(), read: 0, state: State::Between, is_broken: false }
    }

    /// From now on frames are of this version.
    pub fn set_version(&mut self, version: Version) {
        self.version = Some(version);
    }

    /// From now on bodies may have so many bytes.
    pub fn set_body_limit(&mut self, body: usize) {
        self.limits.body = body;
    }

    /// Takes bytes in.
    pub fn push(&mut self, bytes: &[u8]) {
        if !self.is_broken {
            self.bytes.drain(..self.read.min(self.bytes.len()));
            if let State::Body { looked, .. } = &mut self.state {
                *looked = looked.saturating_sub(self.read);
            }
            self.read = 0;
            self.bytes.extend_from_slice(bytes);
        }
    }

    /// The next frame; none if it is not whole yet.
    ///
    /// # Errors
    ///
    /// What comes is no frame, and from then on nothing is read any more.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, FrameError> {
        if self.is_broken {
            return Ok(None);
        }
        let next = self.advance();
        if next.is_err() {
            self.is_broken = true;
            self.bytes = Vec::new();
            self.read = 0;
        }
        next
    }

    fn advance(&mut self) -> Result<Option<Frame>, FrameError> {
        loop {
            match std::mem::replace(&mut self.state, State::Between) {
                State::Between => match self.command()? {
                    Some(command) => self.state = State::Headers { frame: Frame::new(command), length: 0 },
                    None => return Ok(None),
                },
                State::Headers { mut frame, length } => match self.header(&mut frame, length)? {
                    Header::Read(length) => self.state = State::Headers { frame, length },
                    Header::End => {
                        let length = self.length(&frame)?;
                        self.state = State::Body { frame, length, looked: self.read };
                    }
                    Header::Unfinished => {
                        self.state = State::Headers { frame, length };
                        return Ok(None);
                    }
                },
                State::Body { frame, length, looked } => match self.body(length, looked)? {
                    Some(body) if !body.is_empty() && !frame.command.has_body() => {
                        return Err(FrameError::NoBody(frame.command.name()));
                    }
                    Some(body) => return Ok(Some(Frame { body, ..frame })),
                    None => {
                        self.state = State::Body { frame, length, looked: self.bytes.len() };
                        return Ok(None);
                    }
                },
            }
        }
    }

    /// How many bytes it keeps that are no frame yet.
    #[cfg(test)]
    pub(super) fn kept(&self) -> usize {
        self.bytes.len() - self.read
    }

    fn rest(&self) -> &[u8] {
        self.bytes.get(self.read..).unwrap_or_default()
    }

    /// The command of the next frame. What ends lines before it says only that somebody is there.
    fn command(&mut self) -> Result<Option<Command>, FrameError> {
        let between = self.rest().iter().take_while(|byte| matches!(byte, b'\n' | b'\r')).count();
        self.read += between;
        let Some(line) = self.line(LONGEST_COMMAND) else {
            return match self.rest().len() > LONGEST_COMMAND {
                true => Err(FrameError::UnknownCommand(shown(self.rest()))),
                false => Ok(None),
            };
        };
        let command = Command::named(&line);
        command.map(Some).ok_or_else(|| FrameError::UnknownCommand(shown(&line)))
    }

    /// Takes a line without its end; none if there is no end yet, or not within so many bytes.
    fn line(&mut self, longest: usize) -> Option<Vec<u8>> {
        let rest = self.rest();
        let end = rest.iter().take(longest + 2).position(|byte| *byte == b'\n')?;
        let mut line = rest.get(..end)?.to_vec();
        // Before a version is agreed on any may be spoken.
        if self.version.is_none_or(|version| version >= Version::V1_2) && line.last() == Some(&b'\r') {
            line.pop();
        }
        self.read += end + 1;
        Some(line)
    }

    fn header(&mut self, frame: &mut Frame, length: usize) -> Result<Header, FrameError> {
        let left = self.limits.header_bytes.saturating_sub(length);
        let Some(line) = self.line(left) else {
            return match self.rest().len() > left {
                true => Err(FrameError::TooLongHeaders(self.limits.header_bytes)),
                false => Ok(Header::Unfinished),
            };
        };
        if line.is_empty() {
            return Ok(Header::End);
        }
        if line.len() > left {
            return Err(FrameError::TooLongHeaders(self.limits.header_bytes));
        }
        if frame.headers.len() >= self.limits.headers {
            return Err(FrameError::TooManyHeaders(self.limits.headers));
        }
        let colon = line.iter().position(|byte| *byte == b':');
        let Some((name, value)) = colon.and_then(|at| Some((line.get(..at)?, line.get(at + 1..)?))) else {
            return Err(FrameError::NoColon(shown(&line)));
        };
        let unescaped = |bytes: &[u8]| {
            let text = std::str::from_utf8(bytes).map_err(|_| FrameError::NotUtf8)?;
            self.unescape(frame.command, text)
                .ok_or_else(|| FrameError::UnknownEscape(shown(name).replace(char::is_control, "\u{fffd}")))
        };
        let (name, value) = (unescaped(name)?, unescaped(value)?);
        frame.headers.push((name, value));
        Ok(Header::Read(length + line.len()))
    }

    /// A name or a value as it is meant; none if it has an escape sequence that means nothing.
    fn unescape(&self, command: Command, text: &str) -> Option<String> {
        let version = self.version.unwrap_or(Version::V1_0);
        if version == Version::V1_0 || command.is_plain() || !text.contains('\\') {
            return Some(text.to_owned());
        }
        let (mut plain, mut characters) = (String::with_capacity(text.len()), text.chars());
        while let Some(character) = characters.next() {
            plain.push(match character {
                '\\' => match characters.next() {
                    Some('\\') => '\\',
                    Some('n') => '\n',
                    Some('c') => ':',
                    Some('r') if version >= Version::V1_2 => '\r',
                    _ => return None,
                },
                other => other,
            });
        }
        Some(plain)
    }

    fn length(&self, frame: &Frame) -> Result<Option<usize>, FrameError> {
        let Some(text) = frame.header("content-length") else { return Ok(None) };
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let length = text.parse::<usize>().ok().filter(|_| is_number);
        match length {
            Some(length) if length <= self.limits.body => Ok(Some(length)),
            Some(_) => Err(FrameError::TooLongBody(self.limits.body)),
            None => Err(FrameError::InvalidLength(shown(text.as_bytes()))),
        }
    }

    /// The body; none if it is not whole yet.
    fn body(&mut self, length: Option<usize>, looked: usize) -> Result<Option<Vec<u8>>, FrameError> {
        let end = match length {
            Some(length) => match self.rest().get(length) {
                Some(0) => length,
                Some(_) => return Err(FrameError::NoEnd(length)),
                None => return Ok(None),
            },
            None => {
                let new = self.bytes.get(looked..).unwrap_or_default();
                let found = new.iter().position(|byte| *byte == 0);
                match found.map(|at| (looked + at).saturating_sub(self.read)) {
                    Some(end) if end <= self.limits.body => end,
                    None if self.rest().len() <= self.limits.body => return Ok(None),
                    _ => return Err(FrameError::TooLongBody(self.limits.body)),
                }
            }
        };
        let body = self.rest().get(..end).unwrap_or_default().to_vec();
        self.read += end + 1;
        Ok(Some(body))
    }
}

enum Header {
    /// One was read, and they have so many bytes together.
    Read(usize),
    /// There are no more.
    End,
    /// The next one is not whole yet.
    Unfinished,
}

/// As much of it as a person needs.
fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).chars().take(SHOWN).collect()
}
