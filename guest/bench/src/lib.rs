//! A module for benchmarks: it holds a table of filters and events in its memory, and matches them as often as it is told.
//!
//! `host/benches/matching.rs` builds and drives it. Texts go through one buffer, see [`reserve`].

#![expect(unsafe_code, reason = "functions are exported under their own names")]

use anglerfish_filter::Expression;
use anglerfish_filter::table::{EventInput, Matches, RuleKey, Table};
use std::cell::RefCell;

#[derive(Default)]
struct State {
    buffer: Vec<u8>,
    table: Table,
    rules: u32,
    events: Vec<(String, Vec<u8>)>,
    matches: Matches,
}

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

fn with<R>(run: impl FnOnce(&mut State) -> R) -> R {
    STATE.with_borrow_mut(run)
}

/// Makes the buffer so long; its address.
#[unsafe(no_mangle)]
pub extern "C" fn reserve(length: usize) -> *mut u8 {
    with(|state| {
        state.buffer.clear();
        state.buffer.resize(length, 0);
        state.buffer.as_mut_ptr()
    })
}

/// Adds the expressions in the buffer, one a line; how many of them compile.
#[unsafe(no_mangle)]
pub extern "C" fn add_rules() -> u32 {
    with(|state| {
        let text = std::mem::take(&mut state.buffer);
        let text = String::from_utf8_lossy(&text);
        let before = state.rules;
        for expression in text.lines().filter_map(|line| Expression::compile(line).ok()) {
            state.table.insert(RuleKey(state.rules), &expression, None);
            state.rules += 1;
        }
        state.rules - before
    })
}

/// Removes an expression and adds the one in the buffer in its place, so often; whether there was one.
#[unsafe(no_mangle)]
pub extern "C" fn replace(key: u32, times: u32) -> u32 {
    with(|state| {
        let text = String::from_utf8_lossy(&state.buffer);
        let mut removed = true;
        for _ in 0..times {
            removed &= state.table.remove(RuleKey(key));
            match Expression::compile(&text) {
                Ok(expression) => state.table.insert(RuleKey(key), &expression, None),
                Err(_) => return 0,
            }
        }
        u32::from(removed)
    })
}

/// Adds the event in the buffer: its type, so many bytes long, and its body.
#[unsafe(no_mangle)]
pub extern "C" fn add_event(kind: usize) {
    with(|state| {
        let mut kind_and_body = std::mem::take(&mut state.buffer);
        let body = kind_and_body.split_off(kind.min(kind_and_body.len()));
        state.events.push((String::from_utf8_lossy(&kind_and_body).into_owned(), body));
    });
}

/// Matches the events one after the other, so many in all; how many filters they made true.
#[unsafe(no_mangle)]
pub extern "C" fn run(times: u32) -> u64 {
    with(|state| {
        let mut matched = 0;
        for (kind, body) in state.events.iter().cycle().take(times as usize) {
            let input =
                EventInput { id: "1", source: "shop", kind, time: 1, now: 1, ..EventInput::default() };
            state.table.evaluate(&input, Some(body), &mut state.matches);
            matched += state.matches.matched.len() as u64;
        }
        matched
    })
}

/// Bytes that the table takes.
#[unsafe(no_mangle)]
pub extern "C" fn size() -> usize {
    with(|state| state.table.heap_size())
}
