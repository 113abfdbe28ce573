//! A reader of an answer without end, over HTTP/1.1, line by line.

use crate::wait::PATIENCE;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

/// An answer that is being read.
pub struct Stream {
    reader: BufReader<TcpStream>,
    /// The status.
    pub status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    is_over: bool,
    /// The last id of its Server-Sent Events.
    id: String,
    /// What was said last of when to come again, in milliseconds.
    pub retry: Option<u64>,
}

/// One event of a stream of Server-Sent Events, as "HTML Standard", section 9.2.6, puts it together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SseEvent {
    /// The last id that was said.
    pub id: String,
    /// Its name; `message` where none is said.
    pub event: String,
    /// Its data.
    pub data: String,
}

impl Stream {
    /// Asks for an address with these header fields and reads the head of the answer.
    ///
    /// # Errors
    ///
    /// If the connection fails.
    pub fn open(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> io::Result<Self> {
        let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut head = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\n");
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        stream.write_all(format!("{head}\r\n").as_bytes())?;
        let mut reader = BufReader::new(stream);
        let line = crlf_line(&mut reader)?;
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| io::Error::other(format!("no status: {line:?}")))?;
        let mut headers = Vec::new();
        loop {
            let line = crlf_line(&mut reader)?;
            let Some((name, value)) = line.split_once(':') else { break };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        Ok(Self { reader, status, headers, body: Vec::new(), is_over: false, id: String::new(), retry: None })
    }

    /// A header field of the answer.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        crate::client::header(&self.headers, name)
    }

    /// Closes this side of the connection. What is answered is still read.
    ///
    /// # Errors
    ///
    /// If the connection is gone.
    pub fn say_no_more(&self) -> io::Result<()> {
        self.reader.get_ref().shutdown(Shutdown::Write)
    }

    /// The next line of the body; `None` at its end.
    ///
    /// # Errors
    ///
    /// If the connection breaks before the end.
    pub fn line(&mut self) -> io::Result<Option<String>> {
        loop {
            if let Some(end) = self.body.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.body.drain(..=end).collect();
                return Ok(Some(String::from_utf8_lossy(&line[..end]).into_owned()));
            }
            if self.is_over {
                return Ok(None);
            }
            let size = crlf_line(&mut self.reader)?;
            let size = usize::from_str_radix(size.trim(), 16).map_err(io::Error::other)?;
            let mut chunk = vec![0; size + 2];
            self.reader.read_exact(&mut chunk)?;
            self.is_over = size == 0;
            self.body.extend_from_slice(&chunk[..size]);
        }
    }

    /// The next event of a stream of Server-Sent Events; `None` at its end.
    ///
    /// # Errors
    ///
    /// If the connection breaks before the end.
    pub fn event(&mut self) -> io::Result<Option<SseEvent>> {
        let (mut name, mut data) = (String::new(), Vec::new());
        while let Some(line) = self.line()? {
            if line.is_empty() {
                if data.is_empty() {
                    name.clear();
                    continue;
                }
                let event = if name.is_empty() { "message".to_owned() } else { name };
                return Ok(Some(SseEvent { id: self.id.clone(), event, data: data.join("\n") }));
            }
            let (field, value) = line.split_once(':').unwrap_or((&line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "id" => value.clone_into(&mut self.id),
                "event" => value.clone_into(&mut name),
                "data" => data.push(value.to_owned()),
                "retry" => self.retry = value.parse().ok().or(self.retry),
                _ => {}
            }
        }
        Ok(None)
    }
}

/// A line of the head, or the size of a chunk.
fn crlf_line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut line = Vec::new();
    if reader.read_until(b'\n', &mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
}
