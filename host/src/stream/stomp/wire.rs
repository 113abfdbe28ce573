//! What frames travel on.

use crate::stream::websocket::{CloseReason, Heard, Lost, Socket};
use bytes::Bytes;
use std::io::ErrorKind;
use std::time::Duration;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

/// How much is read at once, in bytes.
const PART: usize = 8 << 10;

/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_secs(1);

/// What frames travel on.
pub(in crate::stream) enum Wire {
    /// A connection of its own.
    Tcp {
        /// It.
        stream: TcpStream,
        /// How long the other side may take nothing.
        patience: Duration,
    },
    /// The messages of a WebSocket.
    WebSocket(Box<Socket>),
}

impl Wire {
    /// The next bytes. Whoever drops this has missed nothing.
    pub(super) async fn receive(&mut self) -> Result<Bytes, Lost> {
        match self {
            Self::Tcp { stream, .. } => receive(stream).await.ok_or(Lost::Gone),
            Self::WebSocket(socket) => match socket.hear().await {
                Heard::Text(bytes) | Heard::Binary(bytes) => Ok(bytes),
                Heard::Closed => Err(Lost::Gone),
                Heard::Silent => Err(Lost::Silent),
                Heard::Stalled => Err(Lost::Stalled),
            },
        }
    }

    /// When the last bytes came of something that is not whole yet, if there are such. Of a connection of its own all bytes are
    /// handed on as they come.
    pub(super) fn unfinished(&self) -> Option<Instant> {
        match self {
            Self::Tcp { .. } => None,
            Self::WebSocket(socket) => socket.unfinished(),
        }
    }

    /// Sends one frame, or what stands between two.
    pub(super) async fn send(&mut self, bytes: Vec<u8>) -> Result<(), Lost> {
        match self {
            Self::Tcp { stream, patience } => write(stream, &bytes, *patience).await,
            Self::WebSocket(socket) => match String::from_utf8(bytes) {
                Ok(text) => socket.text(text).await,
                Err(error) => socket.binary(error.into_bytes()).await,
            },
        }
    }

    /// Ends the connection, and gives the other side a moment to read what was said last.
    pub(super) async fn close(self, reason: &CloseReason) {
        match self {
            Self::Tcp { mut stream, .. } => {
                // Closing with bytes unread would take back what was just sent.
                let goodbye = async {
                    if stream.shutdown().await.is_ok() {
                        while receive(&mut stream).await.is_some() {}
                    }
                };
                let _ = timeout(GOODBYE, goodbye).await;
            }
            Self::WebSocket(socket) => socket.close(reason).await,
        }
    }
}

/// Writes all of it, as long as the other side takes any of it in time.
async fn write(
    stream: &mut (impl AsyncWrite + Unpin),
    mut bytes: &[u8],
    patience: Duration,
) -> Result<(), Lost> {
    while !bytes.is_empty() {
        match timeout(patience, stream.write(bytes)).await {
            Ok(Ok(0) | Err(_)) => return Err(Lost::Gone),
            Ok(Ok(written)) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(_) => return Err(Lost::Stalled),
        }
    }
    Ok(())
}

/// Memory is there for what came, not for what may come.
async fn receive(stream: &mut TcpStream) -> Option<Bytes> {
    loop {
        stream.readable().await.ok()?;
        let mut part = [0; PART];
        match stream.try_read(&mut part) {
            Ok(0) => return None,
            Ok(length) => return part.get(..length).map(Bytes::copy_from_slice),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;

    #[tokio::test]
    async fn a_reader_is_stalled_that_takes_nothing_for_too_long_and_not_one_that_takes_long() {
        let patience = Duration::from_millis(500);
        let (mut stream, mut peer) = tokio::io::duplex(1000);
        let reading = tokio::spawn(async move {
            let mut part = [0; 1000];
            for _ in 0..8 {
                tokio::time::sleep(patience / 5).await;
                peer.read_exact(&mut part).await.unwrap();
            }
            peer
        });
        let begun = Instant::now();
        assert_eq!(write(&mut stream, &[0; 9000], patience).await, Ok(()));
        assert!(begun.elapsed() > patience);
        let peer = reading.await.unwrap();
        assert_eq!(write(&mut stream, &[0; 1000], patience).await, Err(Lost::Stalled));
        drop(peer);
        assert_eq!(write(&mut stream, &[0; 1000], patience).await, Err(Lost::Gone));
    }
}
