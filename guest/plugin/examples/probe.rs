//! Does what its configuration says, good or bad: what the gateway's tests run. Its bytes of each released version of the
//! contract are kept in `tests/fixtures/plugin`, and run with every later gateway.
//!
//! `cargo build -p anglerfish-plugin --example probe --features component --target wasm32-unknown-unknown --profile guest`

use anglerfish_plugin::{Body, Event, Filter, Verdict, filter, log, state};
use std::hint::black_box;

struct Probe;

impl Filter for Probe {
    fn judge(event: Event, config: String) -> Result<Verdict, String> {
        match config.trim_matches('"') {
            "deliver" | "null" => Ok(Verdict::Deliver),
            "drop" => Ok(Verdict::Drop(format!("{} of {} is not wanted", event.type_, event.source))),
            "replace" => Ok(Verdict::Replace(Body {
                datacontenttype: Some("text/plain".to_owned()),
                data: format!("{} bytes for {}", event.data.len(), event.subscription).into_bytes(),
            })),
            "error" => Err("cannot say".to_owned()),
            "count" => count(),
            "log" => {
                (0..100_000).for_each(|line| log(&format!("line {line}")));
                Ok(Verdict::Deliver)
            }
            "loop" => {
                let mut turns = 0_u64;
                loop {
                    turns = black_box(turns.wrapping_add(1));
                }
            }
            "memory" => {
                let mut held = Vec::new();
                loop {
                    held.push(black_box(vec![1_u8; 1 << 20]));
                }
            }
            "stack" => Ok(Verdict::Drop(deep(0).to_string())),
            "trap" => std::process::abort(),
            "giant" => Ok(Verdict::Replace(Body { datacontenttype: None, data: vec![b'x'; 8 << 20] })),
            "state" => {
                for number in 0..1_000_000_u32 {
                    state::set(&number.to_string(), &[0; 1024])?;
                }
                Ok(Verdict::Deliver)
            }
            other => Err(format!("does not know {other}")),
        }
    }
}

/// Counts its calls.
fn count() -> Result<Verdict, String> {
    let before = state::get("count").and_then(|value| value.try_into().ok()).map_or(0, u32::from_le_bytes);
    let now = before.wrapping_add(1);
    state::set("count", &now.to_le_bytes())?;
    Ok(Verdict::Drop(format!("call {now}")))
}

#[expect(unconditional_recursion, reason = "the stack is to run out")]
fn deep(depth: u64) -> u64 {
    black_box(deep(black_box(depth + 1))) + black_box(depth)
}

filter!(Probe);
