//! Filters and events that make each other as slow as can be.

/// Filters, and the body of an event for them.
pub(crate) struct Worst {
    pub(crate) name: &'static str,
    pub(crate) rules: Vec<String>,
    pub(crate) body: String,
}

const RULES: usize = 100_000;

/// The length of a body at most.
const BODY: usize = 1 << 20;

fn worst(name: &'static str, rule: impl Fn(usize) -> String, body: String) -> Worst {
    assert!(body.len() <= BODY, "{name}");
    Worst { name, rules: (0..RULES).map(rule).collect(), body }
}

/// An array of as many elements as fit.
fn many(element: impl Fn(usize) -> String) -> String {
    let mut list = String::from(r#"{"n":[0"#);
    for number in 0.. {
        let next = element(number);
        if list.len() + next.len() + 100 > BODY {
            break;
        }
        list.push(',');
        list.push_str(&next);
    }
    list + r#"],"type":"T","a":"text","b":7}"#
}

/// All of them.
pub(crate) fn pairs() -> Vec<Worst> {
    let digits = || many(|i| (i % 10).to_string());
    let text = || {
        let words: String = (0..).map(|i| format!("k{i:05}")).take(140_000).collect();
        format!(r#"{{"t":"{words}","u":1}}"#)
    };
    vec![
        worst(
            "nested comprehensions",
            |i| format!("message.n.all(x, message.n.all(y, x + y != {i} - 1000000))"),
            digits(),
        ),
        worst(
            "elements above thresholds",
            |i| format!("message.n.exists(x, x > {i}.5)"),
            many(|i| (i * 7).to_string()),
        ),
        worst("elements among many", |i| format!("message.n.exists(x, x == {i})"), many(|i| i.to_string())),
        worst(
            "elements under each of many keys",
            |i| {
                format!("message.n.exists(x, x == {}) && message.n.exists(x, x == {})", i % 3000, i + 200_000)
            },
            many(|i| i.to_string()),
        ),
        worst("parts of a long text", |i| format!(r#"message.t.contains("k{i:05}k")"#), text()),
        worst(
            "parts under each of many parts",
            |i| format!(r#"message.t.contains("k{:05}") && message.t.contains("y{i:05}")"#, i % 3000),
            text(),
        ),
        worst("patterns over a long text", |i| format!(r#"message.t.matches("(k|0)*{i}$")"#), text()),
        worst("long texts in lists", |i| format!(r#"message.t + "{i}" == message.t"#), text()),
        worst("errors everywhere", |i| format!("message.a > {i} || message.a.b.c == {i}"), digits()),
        worst("arithmetic on a text", |i| format!("message.a * {i} == 3"), digits()),
        worst("whole arrays", |i| format!("message.n == [{i}] || {i} in message.n"), digits()),
        worst("large values made", |i| format!("message.n.map(x, x + {i}).size() == 3"), digits()),
        worst("everything matches", |i| format!("message.b < {i} + 8"), digits()),
    ]
}
