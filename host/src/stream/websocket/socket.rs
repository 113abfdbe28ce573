//! One WebSocket: whole messages in and out, and whether the other side is still there.

use super::close::CloseReason;
use crate::server::ConnectionWatch;
use bytes::Bytes;
use futures_util::{FutureExt, SinkExt};
use std::io::ErrorKind;
use std::pin::pin;
use std::time::Duration;
use tokio::time::{Instant, sleep_until, timeout};
use yawc::{CompressionLevel, DeflatePool, Frame, HttpWebSocket, OpCode, Options, WebSocketError};

/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_secs(1);

/// What a connection keeps ready for reading and writing, in bytes; larger messages get room while they pass.
const BUFFER: usize = 1024;

/// From how many bytes on a message is worth compressing.
const WORTH_COMPRESSING: usize = 256;

/// How many states for compressing are kept for the next message: as many as there are messages at the same moment.
const COMPRESSORS: usize = 16;

/// What all WebSockets are held to. Cheap to clone.
#[derive(Debug, Clone)]
pub(in crate::stream) struct SocketOptions {
    /// The largest message that is taken, in bytes.
    pub(in crate::stream) largest: usize,
    /// After how long of silence the other side is asked whether it is there; after twice as long it is not.
    pub(in crate::stream) heartbeat: Duration,
    /// How long the other side may take nothing.
    pub(in crate::stream) stall: Duration,
    compressors: DeflatePool,
}

impl SocketOptions {
    pub(in crate::stream) fn new(heartbeat: Duration, stall: Duration) -> Self {
        Self { largest: 0, heartbeat, stall, compressors: DeflatePool::new(COMPRESSORS) }
    }

    /// The same with messages up to so many bytes.
    pub(in crate::stream) fn taking(&self, largest: usize) -> Self {
        Self { largest, ..self.clone() }
    }

    /// What the library is told, and whether it compresses what is sent.
    ///
    /// Nothing is kept from one message to the next, so that an idle connection holds no window: it would be a hundred
    /// times what the rest of it is.
    pub(super) fn options(&self, compresses: bool) -> Options {
        // The library's own limits are exclusive.
        let limit = self.largest.saturating_add(1);
        Options::default()
            .with_limits(limit, limit)
            .with_compression_level(CompressionLevel::fast())
            .server_no_context_takeover()
            .client_no_context_takeover()
            .with_deflate_pool(self.compressors.clone())
            // Beyond the threshold nothing is: what comes may be compressed all the same.
            .with_compression_threshold(if compresses { WORTH_COMPRESSING } else { usize::MAX })
            .with_utf8()
            .with_read_buffer_capacity(BUFFER)
            .with_write_buffer_capacity(BUFFER)
    }
}

/// What came.
#[derive(Debug)]
pub(in crate::stream) enum Heard {
    /// A text message. It is UTF-8.
    Text(Bytes),
    /// A binary message.
    Binary(Bytes),
    /// The other side has closed the connection, was cut off because it broke the protocol, or is gone.
    Closed,
    /// Nothing came for too long, not even an answer to a ping.
    Silent,
    /// Nothing was taken for too long, not even a ping.
    Stalled,
}

/// The other side is gone, or takes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::stream) enum Lost {
    /// It is gone.
    Gone,
    /// It took nothing for too long.
    Stalled,
    /// It said nothing for too long, not even an answer to a ping.
    Silent,
}

/// One WebSocket.
pub(in crate::stream) struct Socket {
    inner: HttpWebSocket,
    largest: usize,
    heartbeat: Duration,
    stall: Duration,
    watch: ConnectionWatch,
    /// When something came last.
    heard: Instant,
    is_asked: bool,
}

impl Socket {
    pub(super) fn new(inner: HttpWebSocket, options: &SocketOptions, watch: ConnectionWatch) -> Self {
        let SocketOptions { largest, heartbeat, stall, .. } = *options;
        Self { inner, largest, heartbeat, stall, watch, heard: Instant::now(), is_asked: false }
    }

    /// When the last bytes came of a message that is not whole yet, if there are such: it may take long, and nothing else can be
    /// said meanwhile, not even the answer to a ping.
    pub(in crate::stream) fn unfinished(&self) -> Option<Instant> {
        self.watch.heard().map(Instant::from_std).filter(|heard| *heard > self.heard)
    }

    /// When the other side is silent for too long.
    fn patience(&self) -> Instant {
        // Whoever takes what has waited for that is there, and comes to the ping behind it in time.
        let relieved = self.watch.relieved().map(Instant::from_std);
        let there = [relieved, self.unfinished()].into_iter().flatten().fold(self.heard, Instant::max);
        there + self.heartbeat * if self.is_asked { 2 } else { 1 }
    }

    /// What comes next. Pings are answered and sent meanwhile. Whoever drops this has missed nothing.
    pub(in crate::stream) async fn hear(&mut self) -> Heard {
        loop {
            let next = self.patience();
            let frame = tokio::select! {
                // What came while something was sent counts, however late that is read.
                biased;
                frame = self.inner.next_frame() => frame,
                () = sleep_until(next) => {
                    if self.patience() > Instant::now() {
                        continue;
                    }
                    if self.is_asked {
                        return Heard::Silent;
                    }
                    self.is_asked = true;
                    match self.send(Frame::ping("")).await {
                        Ok(()) => continue,
                        Err(Lost::Gone | Lost::Silent) => return Heard::Closed,
                        Err(Lost::Stalled) => return Heard::Stalled,
                    }
                }
            };
            self.heard = Instant::now();
            self.is_asked = false;
            match frame {
                Ok(frame) => match frame.opcode() {
                    OpCode::Text => return Heard::Text(frame.into_payload()),
                    OpCode::Binary => return Heard::Binary(frame.into_payload()),
                    OpCode::Close => {
                        // The library answers it with the next look.
                        let _ = timeout(GOODBYE, self.inner.next_frame()).await;
                        return Heard::Closed;
                    }
                    OpCode::Ping | OpCode::Pong | OpCode::Continuation => {}
                },
                // What cannot be unpacked is an error of the protocol, and the library says so with its next look.
                Err(WebSocketError::IoError(error)) if error.kind() != ErrorKind::InvalidInput => {
                    return Heard::Closed;
                }
                Err(WebSocketError::ConnectionClosed) => return Heard::Closed,
                Err(error) => {
                    self.refuse(error).await;
                    return Heard::Closed;
                }
            }
        }
    }

    /// Sends a text message.
    pub(in crate::stream) async fn text(&mut self, text: impl Into<Bytes>) -> Result<(), Lost> {
        self.send(Frame::text(text)).await
    }

    /// Sends a binary message.
    pub(in crate::stream) async fn binary(&mut self, data: impl Into<Bytes>) -> Result<(), Lost> {
        self.send(Frame::binary(data)).await
    }

    async fn send(&mut self, frame: Frame) -> Result<(), Lost> {
        let begun = Instant::now();
        let mut sending = pin!(self.inner.send(frame));
        loop {
            // A large message may take longer, as long as any of it is taken.
            let taken = self.watch.taken().map(Instant::from_std);
            let until = taken.map_or(begun, |taken| taken.max(begun)) + self.stall;
            tokio::select! {
                biased;
                sent = &mut sending => return sent.map_err(|_| Lost::Gone),
                () = sleep_until(until) => {}
            }
            if self.watch.taken().is_none_or(|taken| Instant::from_std(taken) + self.stall <= Instant::now())
            {
                return Err(Lost::Stalled);
            }
        }
    }

    /// Closes the connection with a reason, and waits a moment for the other side to do so.
    pub(in crate::stream) async fn close(mut self, reason: &CloseReason) {
        let frame = Frame::close(reason.code(), reason.text());
        if matches!(timeout(GOODBYE, self.inner.send(frame)).await, Ok(Ok(()))) {
            self.finish().await;
        }
    }

    /// Reads until the other side closes as well; what else comes is too late. Its close frame is the last one: the library
    /// would answer it with another look.
    async fn finish(&mut self) {
        let closed = async {
            while self.inner.next_frame().await.is_ok_and(|frame| frame.opcode() != OpCode::Close) {}
        };
        let _ = timeout(GOODBYE, closed).await;
    }

    /// The other side broke the protocol, and is told how.
    async fn refuse(&mut self, error: WebSocketError) {
        // The library itself answers what is wrong with a frame. What is wrong with a message is left to its user.
        let is_answered =
            matches!(self.inner.next_frame().now_or_never(), Some(Err(WebSocketError::ConnectionClosed)));
        if !is_answered {
            let reason = match error {
                WebSocketError::InvalidUTF8 => CloseReason::Text,
                WebSocketError::FrameTooLarge => CloseReason::Size(self.largest),
                other => CloseReason::Protocol(other.to_string()),
            };
            let _ = timeout(GOODBYE, self.inner.send(Frame::close(reason.code(), reason.text()))).await;
        }
        self.finish().await;
    }
}
