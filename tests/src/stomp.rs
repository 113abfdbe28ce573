//! A client of STOMP over TCP that says exactly what it is told to.

use crate::wait::PATIENCE;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};

/// A connection.
pub struct StompClient {
    stream: TcpStream,
    bytes: Vec<u8>,
}

/// A frame that came.
#[derive(Debug, Clone, Default)]
pub struct StompFrame {
    /// What it is for; nothing at the end of the connection.
    pub command: String,
    headers: Vec<(String, String)>,
    /// Its body, which has no NUL here.
    pub body: String,
}

impl StompFrame {
    /// What a header says.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

impl StompClient {
    /// Opens a connection.
    ///
    /// # Errors
    ///
    /// If that fails.
    pub fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { stream, bytes: Vec::new() })
    }

    /// Sends a frame, to which the NUL at its end is added.
    ///
    /// # Errors
    ///
    /// If the connection is gone.
    pub fn send(&mut self, frame: &str) -> io::Result<()> {
        self.stream.write_all(format!("{frame}\0").as_bytes())
    }

    /// The same where the connection has to be there.
    ///
    /// # Panics
    ///
    /// If it is not.
    pub fn say(&mut self, frame: &str) {
        self.send(frame).expect("the connection is there");
    }

    /// Takes some of what comes, as it is: how many bytes; none at the end of the connection.
    ///
    /// # Errors
    ///
    /// If nothing comes in time, or the connection breaks.
    pub fn take(&mut self, most: usize) -> io::Result<usize> {
        self.stream.read(&mut vec![0; most])
    }

    /// The next byte, whatever it is of.
    ///
    /// # Errors
    ///
    /// If none comes in time.
    pub fn byte(&mut self) -> io::Result<u8> {
        let mut byte = [0];
        self.stream.read_exact(&mut byte)?;
        Ok(byte[0])
    }

    /// The next frame; one of no command at the end of the connection.
    ///
    /// # Errors
    ///
    /// If nothing comes in time, or the connection breaks.
    pub fn frame(&mut self) -> io::Result<StompFrame> {
        // Up to here there is no end of a frame.
        let mut searched = 0;
        loop {
            let between = self.bytes.iter().take_while(|byte| **byte == b'\n').count();
            self.bytes.drain(..between);
            let end = self.bytes.iter().skip(searched).position(|byte| *byte == 0);
            if let Some(end) = end.map(|end| searched + end) {
                let bytes: Vec<u8> = self.bytes.drain(..=end).collect();
                let text = String::from_utf8_lossy(&bytes[..end]).into_owned();
                let (head, body) = text.split_once("\n\n").expect("headers end with an empty line");
                let mut lines = head.lines();
                let command = lines.next().unwrap_or_default().to_owned();
                let headers = lines.map(|line| {
                    let (name, value) = line.split_once(':').expect("a header has a colon");
                    (name.to_owned(), value.replace("\\c", ":"))
                });
                return Ok(StompFrame { command, headers: headers.collect(), body: body.to_owned() });
            }
            searched = self.bytes.len();
            let mut part = [0; 64 << 10];
            let length = self.stream.read(&mut part)?;
            if length == 0 {
                return Ok(StompFrame::default());
            }
            self.bytes.extend(&part[..length]);
        }
    }

    /// The same where something has to come.
    ///
    /// # Panics
    ///
    /// If it does not.
    pub fn read(&mut self) -> StompFrame {
        self.frame().expect("a frame in time")
    }

    /// The next so many frames, which have to be of one command.
    ///
    /// # Panics
    ///
    /// If they are not.
    pub fn frames(&mut self, command: &str, count: usize) -> Vec<StompFrame> {
        let frames: Vec<StompFrame> = (0..count).map(|_| self.read()).collect();
        assert!(frames.iter().all(|frame| frame.command == command), "{frames:?}");
        frames
    }

    /// The ERROR frame that ends the connection.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn error(&mut self) -> StompFrame {
        loop {
            let frame = self.read();
            match frame.command.as_str() {
                "ERROR" => {
                    assert_eq!(self.read().command, "", "the connection ends with it");
                    return frame;
                }
                "" => panic!("the connection ended without a word"),
                _ => {}
            }
        }
    }
}
