//! From a frame to bytes.

use super::{Frame, Version};

impl Frame {
    /// Its bytes. Whoever has a body gets `content-length` with it, since a body may have a NUL.
    #[must_use]
    pub fn encode(&self, version: Version) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(128 + self.body.len());
        bytes.extend_from_slice(self.command.name().as_bytes());
        bytes.push(b'\n');
        for (name, value) in &self.headers {
            self.escape(&mut bytes, name, version);
            bytes.push(b':');
            self.escape(&mut bytes, value, version);
            bytes.push(b'\n');
        }
        if self.command.has_body() && self.header("content-length").is_none() {
            bytes.extend_from_slice(format!("content-length:{}\n", self.body.len()).as_bytes());
        }
        bytes.push(b'\n');
        bytes.extend_from_slice(&self.body);
        bytes.push(0);
        bytes
    }

    /// What cannot be said in a version is a space there: a line break must not become a header of its own.
    fn escape(&self, bytes: &mut Vec<u8>, text: &str, version: Version) {
        let is_escaped = version >= Version::V1_1 && !self.command.is_plain();
        for byte in text.bytes() {
            match byte {
                b'\\' if is_escaped => bytes.extend_from_slice(br"\\"),
                b'\n' if is_escaped => bytes.extend_from_slice(br"\n"),
                b':' if is_escaped => bytes.extend_from_slice(br"\c"),
                b'\r' if is_escaped && version >= Version::V1_2 => bytes.extend_from_slice(br"\r"),
                b'\n' | b'\r' | 0 => bytes.push(b' '),
                other => bytes.push(other),
            }
        }
    }
}
