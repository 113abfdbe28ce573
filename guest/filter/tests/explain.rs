//! Why an event did not match.

#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

mod support;

use anglerfish_filter::Expression;
use anglerfish_filter::explain::Verdict;
use serde_json::json;

fn explain(text: &str) -> String {
    let body = json!({"quantity": -3, "name": "x".repeat(5000), "tags": ["a", "b"], "customer": {"id": 1}});
    let expression = Expression::compile(text).unwrap();
    let facts = support::event(expression.paths(), &body);
    let explanation = expression.explain(&facts);
    assert_eq!(explanation.verdict == Verdict::Matched, expression.evaluate(&facts) == Ok(true));
    explanation.to_string()
}

#[test]
fn names_the_first_part_that_is_false_with_its_value() {
    assert_eq!(
        explain("event.type == 'order.created' && message.quantity > 0 && source == 'x'"),
        "message.quantity > 0 is false: message.quantity is -3"
    );
    assert_eq!(explain("message.quantity < 0"), "matched");
    assert_eq!(
        explain("event.type in ['a', 'b']"),
        "event.type in ['a', 'b'] is false: event.type is \"order.created\""
    );
}

#[test]
fn says_what_is_missing_where() {
    assert_eq!(
        explain("source == 'shop' && message.customer.vip"),
        "message.customer.vip failed: message.customer.vip is missing"
    );
    assert_eq!(
        explain("message.address.city == 'Bremen'"),
        "message.address.city == 'Bremen' failed: message.address is missing"
    );
    assert_eq!(
        explain("message.address != 'x'"),
        "message.address != 'x' failed: message.address is missing; with !has(message.address) || before it, events without it match, too"
    );
    assert_eq!(
        explain("headers['x-none'] == null"),
        "headers['x-none'] == null failed: headers[\"x-none\"] is missing; of an event without it !(\"x-none\" in headers) is true"
    );
    assert_eq!(
        explain("message['address.city'] == 'x'"),
        "message['address.city'] == 'x' failed: message[\"address.city\"] is missing, which is one name; a field within a field is written message.address.city"
    );
    assert_eq!(explain("has(message.address)"), "has(message.address) is false: message.address is missing");
}

#[test]
fn goes_into_each_alternative() {
    assert_eq!(
        explain("source == 'a' || message.quantity > 0"),
        "source == 'a' is false: source is \"shop\"; message.quantity > 0 is false: message.quantity is -3"
    );
    assert_eq!(
        explain("!(source == 'shop' || message.quantity > 0)"),
        "source == 'shop' is true: source is \"shop\""
    );
}

#[test]
fn what_an_error_hides_is_not_blamed_for_it() {
    assert_eq!(explain("message.missing > 0 && source == 'a'"), "source == 'a' is false: source is \"shop\"");
}

#[test]
fn stays_short_and_keeps_credentials_to_itself() {
    let long = explain("message.name == 'y' && true");
    assert!(long.chars().count() < 200, "{long}");
    let many: Vec<String> = (0..100).map(|at| format!("message.name == '{at}'")).collect();
    assert!(explain(&many.join(" || ")).chars().count() <= 401);
    assert_eq!(
        explain("headers['x-signature'] == 'guess'"),
        "headers[\"x-signature\"] == 'guess' is false: headers[\"x-signature\"] is there, but not shown"
            .replace("headers[\"x-signature\"] == ", "headers['x-signature'] == ")
    );
}
