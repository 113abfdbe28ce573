//! Rules and events to measure with. Everything is made from numbers, so that every run has the same.

/// A set of rules and an event for it.
pub(crate) struct Workload {
    /// Its name.
    pub(crate) name: &'static str,
    /// The expressions.
    pub(crate) rules: Vec<String>,
    /// The events, to be matched one after the other.
    pub(crate) events: Vec<Sample>,
    /// How many rules all events together make true.
    pub(crate) matches: usize,
}

/// An event.
pub(crate) struct Sample {
    /// Its type.
    pub(crate) kind: String,
    /// Its body.
    pub(crate) body: String,
}

/// The numbers of rules to measure with.
pub(crate) const COUNTS: [usize; 4] = [1, 100, 10_000, 100_000];

/// The names of all workloads.
pub(crate) const NAMES: &[&str] = &[
    "one_match",
    "no_match",
    "one_percent",
    "unindexable_fifth",
    "unindexable",
    "five_clauses",
    "six_clauses_ten_matches",
    "thresholds",
    "intervals",
    "prefixes",
    "contains",
    "in_lists",
    "disjunctions",
    "elements",
    "fields",
];

/// A sale of about 1 KiB.
fn body(kind: &str, customer: usize, path: &str) -> String {
    format!(
        r#"{{"id":"evt_01J9ZC8X2V7Q","type":"{kind}","created":1766000000,"livemode":true,"quantity":7,"total":129.95,"currency":"EUR","customer":{{"id":"c{customer}","name":"Ada \"Countess\" Lovelace","email":"ada@example.com","vip":true,"country":"GB","tags":["early","beta"]}},"items":[{{"sku":"S17","name":"Difference Engine, spare wheel","price":64.5,"quantity":1}},{{"sku":"S99","name":"Punched cards, box of 500","price":65.45,"quantity":6}}],"shipping":{{"method":"express","address":{{"line1":"12 St James's Square","city":"London","postcode":"SW1Y 4JH","country":"GB"}}}},"request":{{"method":"POST","path":"{path}","agent":"orders/2.7 (linux; x86_64)"}},"region":"eu-west-1","environment":"production","priority":55,"note":"Leave with the porter if nobody answers; needle{customer}x in the haystack. The parcel is heavy, so please do not leave it on the stairs. Second attempt in the afternoon only, and never on a Sunday, as the building is closed then.","metadata":{{"a":1,"b":2.5,"c":null,"d":false,"e":"x"}},"pad":"0123456789"}}"#
    )
}

/// The workload with so many rules.
pub(crate) fn workload(name: &'static str, count: usize) -> Workload {
    let hit = count / 2;
    let type_hit = format!("T{hit}");
    let event = body(&type_hit, hit, &format!("/api/v2/resource{hit}/items"));
    let make = |rule: &dyn Fn(usize) -> String| (0..count).map(rule).collect::<Vec<_>>();
    let (rules, body, matches) = match name {
        "one_match" => {
            (make(&|i| format!(r#"message.type == "T{i}" && message.quantity > {}"#, i % 7)), event, 1)
        }
        "no_match" => (
            make(&|i| format!(r#"message.type == "T{i}" && message.quantity > {}"#, i % 7)),
            body("nobody wants this", hit, "/"),
            0,
        ),
        "one_percent" => (
            make(&|i| format!(r#"message.type == "T{}" && message.quantity > {}"#, i % 100, i / 100 % 7)),
            body("T7", hit, "/"),
            count / 100,
        ),
        "unindexable_fifth" => (
            make(&|i| match i % 5 {
                0 => format!("message.quantity * {} + 3 == {}", i + 2, i),
                _ => format!(r#"message.type == "T{i}" && message.quantity > {}"#, i % 7),
            }),
            body(&format!("T{}", hit / 5 * 5 + 1), hit, "/"),
            usize::from(count > 1),
        ),
        "unindexable" => {
            (make(&|i| format!("message.quantity * {} + 3 == {}", i + 2, 7 * (hit + 2) + 3)), event, 1)
        }
        "five_clauses" => (
            make(&|i| {
                format!(
                    r#"message.type == "T{}" && message.customer.country in ["GB", "FR", "DE"] && message.total >= {}.5 && (message.customer.vip || message.priority > 80) && message.request.path.startsWith("/api/v{}/")"#,
                    i / 4,
                    i % 50,
                    i % 3
                )
            }),
            body(&format!("T{}", hit / 4), hit, "/api/v2/x"),
            five_clause_matches(hit / 4, count),
        ),
        "six_clauses_ten_matches" => (
            make(&|i| {
                let group = i / 10;
                format!(
                    r#"message.type == "T{group}" && message.region == "eu-west-1" && message.environment == "production" && message.priority >= {} && message.customer.email.endsWith("@example.com") && message.quantity != {}"#,
                    i % 10,
                    100 + i % 10
                )
            }),
            body(&format!("T{}", hit / 10), hit, "/"),
            10.min(count),
        ),
        "thresholds" => (
            make(&|i| {
                format!(r#"message.type == "T{}" && message.priority > {}"#, i % 100, threshold(i, count))
            }),
            body("T7", hit, "/"),
            (0..count).filter(|i| i % 100 == 7 && threshold(*i, count) < 55.0).count(),
        ),
        "intervals" => (
            make(&|i| {
                format!(
                    "message.created >= {} && message.created < {}",
                    1_766_000_000 - 10 * i,
                    1_766_000_010 - 10 * i
                )
            }),
            event,
            1,
        ),
        "prefixes" => {
            (make(&|i| format!(r#"message.request.path.startsWith("/api/v2/resource{i}/")"#)), event, 1)
        }
        "contains" => (make(&|i| format!(r#"message.note.contains("needle{i}x")"#)), event, 1),
        "in_lists" => (
            make(&|i| {
                let id = i * 3;
                format!(
                    r#"message.customer.id in ["c{id}", "c{}", "c{}"] && message.quantity > 2"#,
                    id + 1,
                    id + 2
                )
            }),
            body("T1", hit * 3 + 1, "/"),
            1,
        ),
        "disjunctions" => (
            make(&|i| {
                format!(
                    r#"message.type == "T{i}" || (message.customer.id == "c{i}" && message.quantity > 3)"#
                )
            }),
            body(&type_hit, (hit + 1) % count.max(1), "/"),
            2.min(count),
        ),
        "elements" => (
            make(&|i| format!(r#"message.items.exists(item, item.sku == "S{i}" && item.quantity > 2)"#)),
            event,
            usize::from(count > 99),
        ),
        // Every rule has a field of its own.
        _ => (make(&|i| format!("message.metadata.field{i} == {i}")), event, 0),
    };
    let events = vec![Sample { kind: "sale".to_owned(), body }];
    Workload { name, rules, events, matches }
}

/// Distinct numbers of which very few are below 55.
fn threshold(i: usize, count: usize) -> f64 {
    (i as f64) * 1000.0 / (count as f64) + 0.25 + 45.0
}

fn five_clause_matches(group: usize, count: usize) -> usize {
    (group * 4..count.min(group * 4 + 4)).filter(|i| i % 3 == 2 && (i % 50) as f64 + 0.5 <= 129.95).count()
}
