//! Frames as they are written and read.

use super::{Command, Decoder, Frame, FrameError, HeartBeat, HeartBeats, Limits, UnknownVersion, Version};
use proptest::collection::vec;
use proptest::prelude::*;
use std::time::Duration;

const LIMITS: Limits = Limits { headers: 8, header_bytes: 400, body: 200 };

fn decoder(version: Version) -> Decoder {
    let mut decoder = Decoder::new(LIMITS);
    decoder.set_version(version);
    decoder
}

fn read_as(version: Version, bytes: &[u8]) -> Result<Vec<Frame>, FrameError> {
    let mut decoder = decoder(version);
    decoder.push(bytes);
    std::iter::from_fn(|| decoder.next_frame().transpose()).collect()
}

fn read(bytes: &[u8]) -> Result<Vec<Frame>, FrameError> {
    read_as(Version::V1_2, bytes)
}

#[test]
fn reads_a_frame_with_headers_and_a_body_up_to_nul() {
    let frames =
        read(b"SEND\ndestination:/topic/a\r\nx:1\nx:2\n\nhello\0\n\r\n\nDISCONNECT\nreceipt:77\n\n\0")
            .unwrap();
    let [send, disconnect] = &frames[..] else { panic!("{frames:?}") };
    assert_eq!((send.command, send.body.as_slice()), (Command::Send, &b"hello"[..]));
    assert_eq!((send.header("destination"), send.header("x")), (Some("/topic/a"), Some("1")));
    assert_eq!((disconnect.command, disconnect.header("receipt")), (Command::Disconnect, Some("77")));
}

#[test]
fn a_body_of_a_length_may_have_nul_in_it() {
    let frames = read(b"SEND\ncontent-length:3\n\na\0b\0").unwrap();
    assert_eq!(frames[0].body, b"a\0b");
    assert_eq!(read(b"SEND\ncontent-length:2\n\na\0b\0"), Err(FrameError::NoEnd(2)));
    for length in ["-1", "+1", "", "x", "99999999999999999999"] {
        let text = format!("SEND\ncontent-length:{length}\n\na\0");
        assert_eq!(read(text.as_bytes()), Err(FrameError::InvalidLength(length.to_owned())));
    }
}

#[test]
fn each_version_escapes_what_it_can_say() {
    let value = "a:b\\c\nd\re";
    let frame = Frame::new(Command::Send).with("k:\n", value);
    let written = |version| String::from_utf8(frame.encode(version)).unwrap();
    assert!(written(Version::V1_2).contains("k\\c\\n:a\\cb\\\\c\\nd\\re\n"));
    assert!(written(Version::V1_1).contains("k\\c\\n:a\\cb\\\\c\\nd e\n"));
    assert!(written(Version::V1_0).contains("k: :a:b\\c d e\n"));
    let plain = Frame::new(Command::Connected).with("server", "a:b\\\nc");
    assert!(String::from_utf8(plain.encode(Version::V1_2)).unwrap().contains("server:a:b\\ c\n"));
}

#[test]
fn an_escape_that_means_nothing_breaks_the_connection_off() {
    let broken = |version, text: &str| read_as(version, text.as_bytes()).unwrap_err();
    for text in ["a\\t", "a\\", "\\x"] {
        let frame = format!("SEND\nk:{text}\n\n\0");
        assert_eq!(broken(Version::V1_2, &frame), FrameError::UnknownEscape("k".to_owned()));
    }
    assert_eq!(broken(Version::V1_1, "SEND\nk:a\\r\n\n\0"), FrameError::UnknownEscape("k".to_owned()));
    let error = broken(Version::V1_2, "SEND\nk\\t\0:a\n\n\0");
    assert_eq!(error.to_string(), "the header \"k\\t\u{fffd}\" has an escape sequence that means nothing");
    // What connects is not escaped, and 1.0 knows no escapes.
    assert_eq!(read(b"CONNECT\npasscode:a\\t\n\n\0").unwrap()[0].header("passcode"), Some("a\\t"));
    assert_eq!(read_as(Version::V1_0, b"SEND\nk:a\\t\n\n\0").unwrap()[0].header("k"), Some("a\\t"));
}

#[test]
fn a_carriage_return_belongs_to_the_value_before_1_2() {
    assert_eq!(read_as(Version::V1_1, b"SEND\nk:v\r\n\n\0").unwrap()[0].header("k"), Some("v\r"));
    assert_eq!(read(b"SEND\r\nk:v\r\n\r\n\0").unwrap()[0].header("k"), Some("v"));
}

#[test]
fn what_is_no_frame_is_refused_and_nothing_is_read_behind_it() {
    assert_eq!(read(b"GET / HTTP/1.1\n\n"), Err(FrameError::UnknownCommand("GET / HTTP/1.1".to_owned())));
    assert_eq!(read(b"send\n\n\0"), Err(FrameError::UnknownCommand("send".to_owned())));
    assert_eq!(read(b"SEND\nno colon\n\n\0"), Err(FrameError::NoColon("no colon".to_owned())));
    assert_eq!(read(b"SEND\nk:\xff\n\n\0"), Err(FrameError::NotUtf8));
    assert_eq!(read(b"ACK\nid:1\n\nbody\0"), Err(FrameError::NoBody("ACK")));
    assert!(matches!(read(&[b'x'; 40]), Err(FrameError::UnknownCommand(_))));
    let mut decoder = decoder(Version::V1_2);
    decoder.push(b"nonsense\n");
    assert!(decoder.next_frame().is_err());
    decoder.push(b"SEND\n\n\0");
    assert_eq!(decoder.next_frame(), Ok(None));
}

#[test]
fn what_is_larger_than_it_may_be_is_refused_before_it_is_whole() {
    let long = |frame: &str, length: usize| [frame.as_bytes(), &vec![b'x'; length]].concat();
    assert_eq!(read(&long("SEND\nk:", 401)), Err(FrameError::TooLongHeaders(400)));
    assert_eq!(read(&long("SEND\n\n", 201)), Err(FrameError::TooLongBody(200)));
    assert_eq!(read(b"SEND\ncontent-length:201\n\n"), Err(FrameError::TooLongBody(200)));
    let many = format!("SEND\n{}\n\0", "a:b\n".repeat(9));
    assert_eq!(read(many.as_bytes()), Err(FrameError::TooManyHeaders(8)));
    let lines = format!("SEND\n{}", format!("a:{}\n", "x".repeat(100)).repeat(4));
    assert_eq!(read(lines.as_bytes()), Err(FrameError::TooLongHeaders(400)));
    let most = format!("SEND\n\n{}\0", "x".repeat(200));
    assert_eq!(read(most.as_bytes()).unwrap()[0].body.len(), 200);
}

#[test]
fn the_newest_version_that_both_know_is_spoken() {
    assert_eq!(Version::negotiate(None), Ok(Version::V1_0));
    assert_eq!(Version::negotiate(Some("1.0,1.1,1.2,1.3")), Ok(Version::V1_2));
    assert_eq!(Version::negotiate(Some(" 1.1 , 1.0")), Ok(Version::V1_1));
    assert_eq!(Version::negotiate(Some("2.0")), Err(UnknownVersion));
}

#[test]
fn of_both_wishes_the_longer_time_holds_and_zero_is_never() {
    let second = |count| Some(Duration::from_secs(count));
    let mine = HeartBeat { sends: second(15), wants: second(15) };
    let agreed = |text| mine.agree(HeartBeat::parse(text).unwrap());
    assert_eq!(agreed("5000,20000"), HeartBeats { send: second(20), expect: second(15) });
    assert_eq!(agreed("20000,5000"), HeartBeats { send: second(15), expect: second(20) });
    assert_eq!(agreed("0,0"), HeartBeats::default());
    assert_eq!(agreed("0,1000"), HeartBeats { send: second(15), expect: None });
    assert_eq!(mine.text(), "15000,15000");
    for text in ["", "1", "1,", "a,b", "-1,0", "1,2,3", "99999999999,0"] {
        assert_eq!(HeartBeat::parse(text), None, "{text}");
    }
}

fn any_frame() -> impl Strategy<Value = Frame> {
    let commands = Command::ALL.into_iter().filter(|command| !command.is_plain()).collect::<Vec<_>>();
    let headers = vec(("[a-z:\\\\\n\r]{1,5}", "[ -~é\\\\\n\r]{0,9}"), 0..6);
    let headers = headers.prop_filter("a length of its own", |headers| {
        headers.iter().all(|(name, _)| name != "content-length")
    });
    (prop::sample::select(commands), headers, vec(any::<u8>(), 0..150)).prop_map(
        |(command, headers, body)| Frame {
            command,
            headers,
            body: if command.has_body() { body } else { Vec::new() },
        },
    )
}

proptest! {
    #[test]
    fn frames_are_read_as_they_were_written_however_their_bytes_come(
        frames in vec(any_frame(), 1..4),
        parts in vec(1_usize..40, 1..20),
        gap in "[\r\n]{0,3}",
    ) {
        let mut bytes = Vec::new();
        for frame in &frames {
            bytes.extend_from_slice(gap.as_bytes());
            bytes.extend(frame.encode(Version::V1_2));
        }
        let (mut decoder, mut found, mut rest) = (decoder(Version::V1_2), Vec::new(), bytes.as_slice());
        for part in parts.iter().cycle() {
            let (now, later) = rest.split_at((*part).min(rest.len()));
            decoder.push(now);
            while let Some(frame) = decoder.next_frame().unwrap() {
                found.push(frame);
            }
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        for frame in &mut found {
            frame.headers.retain(|(name, _)| name != "content-length");
        }
        prop_assert_eq!(found, frames);
    }

    #[test]
    fn nothing_that_comes_is_kept_beyond_one_frame(
        parts in vec(prop::sample::select(vec![
            "SEND\n", "ACK\n", "k:v\n", "\n", "\0", "x", "\r\n", "content-length:5\n", "content-length:500\n", "\\", "é",
        ]), 0..200),
        version in prop::sample::select(Version::ALL.to_vec()),
    ) {
        let mut decoder = decoder(version);
        for part in parts {
            decoder.push(part.as_bytes());
            while let Ok(Some(frame)) = decoder.next_frame() {
                prop_assert!(frame.body.len() <= LIMITS.body && frame.headers.len() <= LIMITS.headers);
            }
            prop_assert!(decoder.kept() <= LIMITS.header_bytes + LIMITS.body + 64);
        }
    }
}
