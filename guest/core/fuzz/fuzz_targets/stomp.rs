//! Any bytes as STOMP, in any parts: no panic, nothing beyond the limits, and what was read is written as it was read.
#![no_main]

use anglerfish_core::stomp::{Decoder, Limits, Version};
use libfuzzer_sys::fuzz_target;

const LIMITS: Limits = Limits { headers: 16, header_bytes: 1024, body: 4096 };

fuzz_target!(|input: (u8, Vec<&[u8]>)| {
    let (version, parts) = input;
    let version = Version::ALL[usize::from(version) % Version::ALL.len()];
    let mut decoder = Decoder::new(LIMITS);
    decoder.set_version(version);
    for part in parts {
        decoder.push(part);
        while let Ok(Some(frame)) = decoder.next_frame() {
            assert!(frame.body.len() <= LIMITS.body && frame.headers.len() <= LIMITS.headers);
            if version == Version::V1_2 {
                let mut again = Decoder::new(Limits { header_bytes: 4096, ..LIMITS });
                again.set_version(version);
                again.push(&frame.encode(version));
                let mut read = again.next_frame().expect("it is a frame").expect("it is whole");
                read.headers.truncate(frame.headers.len());
                assert_eq!(read, frame);
            }
        }
    }
});
