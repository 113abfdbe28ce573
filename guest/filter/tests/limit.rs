//! Nothing that can be written makes the parser, the evaluator or their memory run away.

#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

mod support;

use anglerfish_filter::{Expression, Failure};
use serde_json::{Value as Json, json};
use std::time::{Duration, Instant};

/// A third of what WebAssembly gives by default, for unoptimised code at that.
const STACK: usize = 700 * 1024;

/// Compiles, and evaluates if that went well, on a small stack.
fn run(text: &str, body: Json) -> Option<Result<bool, Failure>> {
    let text = text.to_owned();
    let run = move || {
        let expression = Expression::compile(&text).ok()?;
        let facts = support::event(expression.paths(), &body);
        let _ = expression.explain(&facts);
        Some(expression.evaluate(&facts).map_err(|error| error.failure))
    };
    std::thread::Builder::new().stack_size(STACK).spawn(run).unwrap().join().unwrap()
}

fn refused(text: &str) -> String {
    Expression::compile(text).map(|_| ()).unwrap_err().to_string()
}

#[test]
fn refuses_what_is_nested_too_deeply_in_every_way_of_nesting() {
    let nest = |open: &str, middle: &str, close: &str, times: usize| {
        format!("{}{middle}{}", open.repeat(times), close.repeat(times))
    };
    let deep = [
        nest("(", "true", ")", 1500),
        nest("[", "true", "]", 1500),
        nest("!", "true", "", 3000),
        nest("-", "1", " == 1", 1) + &"-".repeat(3000) + "1",
        nest("true ? true : ", "true", "", 280),
        nest("true ? (", "true", ") : true", 200),
        nest("{1: ", "true", "}", 800),
        nest("message[", "0", "]", 400),
        nest("size(", "'x'", ")", 600),
        nest("", "message", ".b", 1900),
        nest("", "message", "[0]", 1300),
        nest("", "message", "[?0]", 1000),
        nest("", "message.a", ".trim()", 500),
        nest("", "1", " + 1", 900),
        nest("", "true", " == true", 400),
        nest("[1].map(x, ", "1", ")", 300),
        nest("cel.bind(x, 1, ", "true", ")", 250),
    ];
    for text in deep {
        assert!(text.len() <= 4096, "{}", text.len());
        let shown: String = text.chars().take(20).collect();
        let message = refused(&text);
        assert!(message.contains("levels deep"), "{shown}: {message}");
        assert!(message.len() < 500, "{message}");
        assert_eq!(run(&text, json!({})), None, "{shown}");
    }
}

#[test]
fn what_is_nested_as_deeply_as_allowed_runs_on_a_small_stack() {
    let nest = |open: &str, middle: &str, close: &str, times: usize| {
        format!("{}{middle}{}", open.repeat(times), close.repeat(times))
    };
    for times in [40, 60, 70, 76, 77, 78, 79] {
        for text in [
            nest("(", "true", ")", times),
            nest("!", "true", "", times),
            nest("size([", "1", "]) == 1 ? [1] : [2]", 1),
            nest("true ? true : ", "true", "", times),
            nest("(true ? ", "true", " : true)", times / 2),
            nest("!(false || message.x && ", "true", ")", times / 2),
            nest("[", "1", "]", times) + " == [1]",
            nest("", "message", ".b", times) + " == 1",
            nest("", "message", "[0]", times) + " == 1",
            nest("", "1", " + 1", times) + " == 1",
            nest("cel.bind(x, message.zero + 1, ", "true", ")", times),
            nest("{'a': message.zero, 'b': ", "message.zero", "}", times) + " == message",
        ] {
            let _ = run(&text, json!({"zero": 0, "x": true}));
        }
    }
    assert_eq!(run(&nest("!", "message.yes", "", 78), json!({"yes": true})), Some(Ok(true)));
}

#[test]
fn refuses_what_is_too_long_or_has_too_many_parts() {
    assert!(refused(&" ".repeat(4097)).contains("4097 bytes long, the limit is 4096"));
    assert!(refused(&format!("1 in [{}]", "1,".repeat(513))).contains("more than 512 elements"));
    let nested = "message.a.all(a, a.all(b, b.all(c, c.all(d, d.all(e, e)))))";
    assert!(refused(nested).contains("comprehensions are nested more than 4 levels deep"));
}

#[test]
fn a_comprehension_over_a_large_list_stops_at_its_budget() {
    let numbers: Vec<u32> = (0..2000).collect();
    let body = json!({"n": numbers});
    let start = Instant::now();
    for text in [
        "message.n.all(a, message.n.all(b, a + b >= 0))",
        "message.n.exists(a, message.n.exists(b, a + b < 0)) || message.n.exists(a, message.n.exists(b, a + b < 0))",
        "message.n.map(a, message.n.map(b, a)).size() > 0",
        "message.n.all(a, message.n.all(b, message.n.all(c, message.n.all(d, true))))",
        "message.n.filter(a, a in message.n).size() == 2000",
        "message.n.all(a, message.n == message.n)",
    ] {
        assert_eq!(run(text, body.clone()), Some(Err(Failure::Exhausted)), "{text}");
    }
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}

#[test]
fn running_out_of_steps_is_not_absorbed() {
    let numbers: Vec<u32> = (0..2000).collect();
    let text = "message.n.all(a, message.n.all(b, a + b >= 0)) || true";
    assert_eq!(run(text, json!({"n": numbers})), Some(Err(Failure::Exhausted)));
}

#[test]
fn doubling_texts_and_lists_stops_at_its_budget() {
    let mut text = String::from("message.s");
    for _ in 0..40 {
        text = format!("cel.bind(x, {text}, x + x)");
    }
    assert_eq!(run(&format!("{text} == ''"), json!({"s": "0123456789"})), Some(Err(Failure::Exhausted)));
    let mut text = String::from("message.s");
    for _ in 0..40 {
        text = format!("cel.bind(x, {text}, [x, x])");
    }
    let doubled = format!("cel.bind(y, {text}, y == y)");
    assert_eq!(run(&doubled, json!({"s": "0123456789"})), Some(Err(Failure::Exhausted)));
    let written = format!("cel.bind(y, {text}, '%s'.format([y]) == '')");
    assert_eq!(run(&written, json!({"s": "0123456789"})), Some(Err(Failure::Exhausted)));
}

#[test]
fn patterns_that_ruin_backtracking_engines_are_linear_here() {
    let start = Instant::now();
    let long = "a".repeat(20_000);
    let result = run("message.s.matches('^(a+)+$') && message.s.matches('(a|aa)*b')", json!({"s": long}));
    assert!(result.is_some());
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}
