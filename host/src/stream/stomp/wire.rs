//! What frames travel on.

use crate::stream::websocket::{CloseReason, Heard, Lost, Socket};
use bytes::Bytes;
use std::io::ErrorKind;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

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
    /// The next bytes; none at the end. Whoever drops this has missed nothing.
    pub(super) async fn receive(&mut self) -> Option<Bytes> {
        match self {
            Self::Tcp { stream, .. } => receive(stream).await,
            Self::WebSocket(socket) => match socket.hear().await {
                Heard::Text(bytes) | Heard::Binary(bytes) => Some(bytes),
                Heard::Closed | Heard::Silent => None,
            },
        }
    }

    /// Sends one frame, or what stands between two.
    pub(super) async fn send(&mut self, bytes: Vec<u8>) -> Result<(), Lost> {
        match self {
            Self::Tcp { stream, patience } => match timeout(*patience, stream.write_all(&bytes)).await {
                Ok(Ok(())) => Ok(()),
                Ok(Err(_)) => Err(Lost::Gone),
                Err(_) => Err(Lost::Stalled),
            },
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
