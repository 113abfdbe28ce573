//! One walk along the text.

use crate::json::error::{JsonError, JsonErrorKind};
use crate::json::scan::{byte, skip_space};
use crate::json::slot::{Raw, Slots};
use crate::json::text::unescape;
use crate::json::trie::{NodeId, Trie};
use crate::json::{number, scan};

/// How deep arrays and objects may nest.
pub const DEPTH_LIMIT: usize = 128;

#[derive(Debug, Clone, Copy)]
struct Frame {
    node: NodeId,
    object: bool,
}

/// What comes next in the text.
enum Expect {
    Value(NodeId),
    Key,
    Next,
}

/// Reads texts; keeps its stack from one to the next.
#[derive(Debug, Default)]
pub(crate) struct Extractor {
    frames: Vec<Frame>,
    key: String,
}

impl Extractor {
    /// Checks the whole of `body` and puts what it has at the paths below `root` (and at `root` itself) into `slots`.
    /// Gives back the body as text.
    ///
    /// # Errors
    ///
    /// When the body is not JSON; `slots` then holds a part, which the caller throws away.
    pub(crate) fn read<'b>(
        &mut self,
        body: &'b [u8],
        trie: &Trie,
        root: NodeId,
        slots: &mut Slots,
    ) -> Result<&'b str, JsonError> {
        if u32::try_from(body.len()).is_err() {
            return Err(JsonErrorKind::Size.at(0));
        }
        let text = simdutf8::basic::from_utf8(body).map_err(|_| encoding_error(body))?;
        let end = self.value(text, 0, trie, root, slots)?;
        let end = skip_space(text.as_bytes(), end);
        if end < text.len() {
            return Err(JsonErrorKind::Trailing.at(end));
        }
        Ok(text)
    }

    /// Reads the value that starts at `at` (or after white space there); its end.
    pub(crate) fn value(
        &mut self,
        text: &str,
        start: usize,
        trie: &Trie,
        root: NodeId,
        slots: &mut Slots,
    ) -> Result<usize, JsonError> {
        let bytes = text.as_bytes();
        let mut at = start;
        let mut frame = Frame { node: NodeId::NONE, object: false };
        let mut expect = Expect::Value(root);
        self.frames.clear();
        loop {
            at = skip_space(bytes, at);
            match expect {
                Expect::Value(node) => {
                    let first = byte(bytes, at);
                    match first {
                        b'"' => {
                            let string = scan::string(bytes, at + 1)?;
                            if node != NodeId::NONE {
                                let (raw, exact) = string_value(text, at + 1, string, slots);
                                if !exact {
                                    slots.doubt(node);
                                }
                                slots.set(node, raw, |other| trie.deeper(other, node));
                            }
                            at = string.end + 1;
                        }
                        b'{' | b'[' => {
                            if self.frames.len() >= DEPTH_LIMIT {
                                return Err(JsonErrorKind::Depth.at(at));
                            }
                            if node != NodeId::NONE {
                                slots.set(node, container(first, at, at), |other| trie.deeper(other, node));
                            }
                            self.frames.push(frame);
                            let object = first == b'{';
                            at = skip_space(bytes, at + 1);
                            if byte(bytes, at) == closing(object) {
                                at += 1;
                                close(node, at, slots);
                                frame = self.frames.pop().unwrap_or(frame);
                            } else {
                                frame = Frame { node, object };
                                expect = if object { Expect::Key } else { Expect::Value(NodeId::NONE) };
                                continue;
                            }
                        }
                        b'-' | b'0'..=b'9' => {
                            let (end, integral) = number::scan(bytes, at)?;
                            if node != NodeId::NONE {
                                let raw = number::value(text.get(at..end).unwrap_or_default(), integral);
                                slots.set(node, raw, |other| trie.deeper(other, node));
                            }
                            at = end;
                        }
                        _ => {
                            let (raw, length) = literal(bytes, at)?;
                            if node != NodeId::NONE {
                                slots.set(node, raw, |other| trie.deeper(other, node));
                            }
                            at += length;
                        }
                    }
                    if self.frames.is_empty() {
                        return Ok(at);
                    }
                    expect = Expect::Next;
                }
                Expect::Key => {
                    if byte(bytes, at) != b'"' {
                        return Err(unexpected(bytes, at));
                    }
                    let key = scan::string(bytes, at + 1)?;
                    let child = if frame.node == NodeId::NONE {
                        NodeId::NONE
                    } else {
                        self.child(text, at + 1, key, trie, frame.node)
                    };
                    at = skip_space(bytes, key.end + 1);
                    if byte(bytes, at) != b':' {
                        return Err(unexpected(bytes, at));
                    }
                    at += 1;
                    expect = Expect::Value(child);
                }
                Expect::Next => match byte(bytes, at) {
                    b',' => {
                        at += 1;
                        expect = if frame.object { Expect::Key } else { Expect::Value(NodeId::NONE) };
                    }
                    end if end == closing(frame.object) => {
                        at += 1;
                        close(frame.node, at, slots);
                        let Some(outer) = self.frames.pop() else { return Ok(at) };
                        frame = outer;
                        if self.frames.is_empty() {
                            return Ok(at);
                        }
                    }
                    _ => return Err(unexpected(bytes, at)),
                },
            }
        }
    }

    #[inline]
    fn child(&mut self, text: &str, start: usize, key: scan::Scanned, trie: &Trie, parent: NodeId) -> NodeId {
        let raw = text.get(start..key.end).unwrap_or_default();
        if !key.escaped {
            return trie.child(parent, raw);
        }
        self.key.clear();
        unescape(raw, &mut self.key);
        trie.child(parent, &self.key)
    }
}

/// Reads every element of the array that starts at `start`, one after the other: `each` is its path, and `visit` is called
/// after each with what it has. Strings decoded for one element stay.
///
/// # Errors
///
/// When there is no whole, valid array; there is one where a text that was read has one.
pub(crate) fn elements(
    extractor: &mut Extractor,
    text: &str,
    start: usize,
    trie: &Trie,
    each: NodeId,
    slots: &mut Slots,
    mut visit: impl FnMut(&Slots),
) -> Result<(), JsonError> {
    let bytes = text.as_bytes();
    let mut at = skip_space(bytes, start + 1);
    if byte(bytes, at) == b']' {
        return Ok(());
    }
    loop {
        slots.next(trie.capacity());
        at = extractor.value(text, at, trie, each, slots)?;
        visit(slots);
        at = skip_space(bytes, at);
        match byte(bytes, at) {
            b',' => at += 1,
            b']' => return Ok(()),
            _ => return Err(unexpected(bytes, at)),
        }
    }
}

/// A string, and whether all of it is text.
#[inline(always)]
fn string_value(text: &str, start: usize, string: scan::Scanned, slots: &mut Slots) -> (Raw, bool) {
    if string.escaped {
        let raw = text.get(start..string.end).unwrap_or_default();
        let mut exact = true;
        let raw = slots.keep(|out| exact = unescape(raw, out));
        return (raw, exact);
    }
    (Raw::Plain(start as u32, string.end as u32), true)
}

#[inline(always)]
fn container(first: u8, start: usize, end: usize) -> Raw {
    if first == b'{' { Raw::Object(start as u32, end as u32) } else { Raw::Array(start as u32, end as u32) }
}

/// Notes where the container at `node` ends.
#[inline(always)]
fn close(node: NodeId, end: usize, slots: &mut Slots) {
    if node == NodeId::NONE {
        return;
    }
    match slots.get(node) {
        Raw::Object(start, _) => slots.update(node, Raw::Object(start, end as u32)),
        Raw::Array(start, _) => slots.update(node, Raw::Array(start, end as u32)),
        _ => {}
    }
}

#[inline(always)]
fn literal(bytes: &[u8], at: usize) -> Result<(Raw, usize), JsonError> {
    let rest = bytes.get(at..).unwrap_or_default();
    if rest.starts_with(b"true") {
        Ok((Raw::Bool(true), 4))
    } else if rest.starts_with(b"false") {
        Ok((Raw::Bool(false), 5))
    } else if rest.starts_with(b"null") {
        Ok((Raw::Null, 4))
    } else {
        Err(unexpected(bytes, at))
    }
}

#[cold]
fn unexpected(bytes: &[u8], at: usize) -> JsonError {
    if at < bytes.len() { JsonErrorKind::Unexpected.at(at) } else { JsonErrorKind::End.at(at) }
}

#[cold]
fn encoding_error(body: &[u8]) -> JsonError {
    let valid = std::str::from_utf8(body).err().map_or(0, |error| error.valid_up_to());
    JsonErrorKind::Encoding.at(valid)
}

const fn closing(object: bool) -> u8 {
    if object { b'}' } else { b']' }
}
