//! A client of WebSockets that says exactly what it is told to, also what no client may.

use crate::wait::PATIENCE;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};

/// The first byte of a whole text message.
pub const TEXT: u8 = 0x81;
/// The first byte of a whole binary message.
pub const BINARY: u8 = 0x82;
/// The first byte of a close frame.
pub const CLOSE: u8 = 0x88;
/// The first byte of a ping.
pub const PING: u8 = 0x89;
/// The first byte of a pong.
pub const PONG: u8 = 0x8a;

/// A connection.
pub struct WebSocket {
    stream: TcpStream,
    /// The status of the handshake's answer: 101 if it is a WebSocket.
    pub status: u16,
    headers: Vec<(String, String)>,
    /// What was answered instead.
    pub body: Vec<u8>,
}

impl WebSocket {
    /// Asks for a WebSocket, with these header fields beside those of the handshake.
    ///
    /// # Errors
    ///
    /// If the connection fails.
    pub fn open(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> io::Result<Self> {
        let key = STANDARD.encode([7; 16]);
        let mut fields = vec![
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", &key),
        ];
        fields.retain(|(name, _)| headers.iter().all(|(given, _)| given != name));
        fields.extend(headers);
        Self::ask(address, path, &fields)
    }

    /// The same with these header fields and no others.
    ///
    /// # Errors
    ///
    /// If the connection fails.
    pub fn ask(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> io::Result<Self> {
        let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        let fields: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: {address}\r\n{fields}\r\n").as_bytes())?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte)?;
            head.extend(byte);
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
        let headers: Vec<(String, String)> = head
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let length = crate::client::header(&headers, "content-length").and_then(|length| length.parse().ok());
        let mut body = vec![0; if status == 101 { 0 } else { length.unwrap_or_default() }];
        stream.read_exact(&mut body)?;
        Ok(Self { stream, status, headers, body })
    }

    /// A header field of the handshake's answer.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        crate::client::header(&self.headers, name)
    }

    /// The code of the problem that was answered instead of a WebSocket.
    #[must_use]
    pub fn problem(&self) -> String {
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        body["code"].as_str().unwrap_or_default().to_owned()
    }

    /// Writes bytes as they are.
    ///
    /// # Panics
    ///
    /// If the connection is gone.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the connection is there");
    }

    /// Sends a frame, masked as a client's is.
    pub fn frame(&mut self, first: u8, payload: &[u8]) {
        let mut bytes = vec![first];
        match payload.len() {
            length @ 0..=125 => bytes.push(0x80 | u8::try_from(length).unwrap_or_default()),
            length @ 126..=0xffff => {
                bytes.push(0x80 | 126);
                bytes.extend(u16::try_from(length).unwrap_or_default().to_be_bytes());
            }
            length => {
                bytes.push(0x80 | 127);
                bytes.extend((length as u64).to_be_bytes());
            }
        }
        let mask = [0x12, 0x34, 0x56, 0x78];
        bytes.extend(mask);
        bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        self.raw(&bytes);
    }

    /// Sends a text message.
    pub fn text(&mut self, text: &str) {
        self.frame(TEXT, text.as_bytes());
    }

    /// Sends a JSON message.
    pub fn say(&mut self, message: &Value) {
        self.text(&message.to_string());
    }

    /// Takes some of what comes, as it is: how many bytes; none at the end of the connection.
    ///
    /// # Errors
    ///
    /// If nothing comes in time, or the connection breaks.
    pub fn take(&mut self, most: usize) -> io::Result<usize> {
        self.stream.read(&mut vec![0; most])
    }

    /// The next frame: its first byte and its payload; `None` at the end of the connection.
    ///
    /// # Errors
    ///
    /// If nothing comes in time.
    ///
    /// # Panics
    ///
    /// If the frame is masked, which a server's is not.
    pub fn read(&mut self) -> io::Result<Option<(u8, Vec<u8>)>> {
        let mut head = [0; 2];
        match self.stream.read_exact(&mut head) {
            Ok(()) => {}
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
                ) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(error),
        }
        assert_eq!(head[1] & 0x80, 0, "a server's frame is not masked");
        let length = match head[1] {
            126 => {
                let mut length = [0; 2];
                self.stream.read_exact(&mut length)?;
                u64::from(u16::from_be_bytes(length))
            }
            127 => {
                let mut length = [0; 8];
                self.stream.read_exact(&mut length)?;
                u64::from_be_bytes(length)
            }
            short => u64::from(short),
        };
        let mut payload = vec![0; usize::try_from(length).map_err(io::Error::other)?];
        self.stream.read_exact(&mut payload)?;
        Ok(Some((head[0], payload)))
    }

    /// The next JSON message; pings are left aside.
    ///
    /// # Panics
    ///
    /// If something else comes.
    pub fn json(&mut self) -> Value {
        loop {
            match self.read().expect("a frame in time") {
                Some((PING | PONG, _)) => {}
                Some((TEXT, payload)) => return serde_json::from_slice(&payload).expect("it is JSON"),
                other => panic!("no text message: {other:?}"),
            }
        }
    }

    /// The next JSON message of a kind; others are left aside.
    pub fn next(&mut self, kind: &str) -> Value {
        loop {
            let message = self.json();
            if message["type"] == kind {
                return message;
            }
        }
    }

    /// The code and the reason that the other side closes the connection with; what comes before is left aside.
    ///
    /// # Panics
    ///
    /// If it does not.
    pub fn closed(&mut self) -> (u16, String) {
        loop {
            match self.read().expect("a frame in time") {
                Some((CLOSE, payload)) => {
                    let code = payload.get(..2).map_or(1005, |code| u16::from_be_bytes([code[0], code[1]]));
                    let reason = payload.get(2..).unwrap_or_default();
                    return (code, String::from_utf8_lossy(reason).into_owned());
                }
                Some(_) => {}
                None => panic!("the connection ended without a word"),
            }
        }
    }
}
