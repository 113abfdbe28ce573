//! What a filter means, as its author sees it.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test may fail loudly")]

mod support;

use anglerfish_filter::{Expression, Failure};
use serde_json::{Value as Json, json};

fn body() -> Json {
    json!({
        "quantity": 3,
        "price": 2.5,
        "big": 9_007_199_254_740_993_u64,
        "huge": 18_446_744_073_709_551_615_u64,
        "zero": 0,
        "nothing": null,
        "name": "Grüße",
        "tags": ["a", "b"],
        "items": [{"sku": "x", "count": 1}, {"sku": "y"}],
        "customer": {"id": 7, "vip": true},
        "odd key": {"in side": 1},
    })
}

/// True, false, or why there is no value.
fn run(text: &str) -> Result<bool, Failure> {
    let expression = Expression::compile(text).unwrap_or_else(|error| panic!("{text}\n{error}"));
    let facts = support::event(expression.paths(), &body());
    expression.evaluate(&facts).map_err(|error| error.failure)
}

fn refused(text: &str) -> String {
    Expression::compile(text).map(|_| ()).unwrap_err().to_string()
}

#[test]
fn what_cannot_be_a_key_is_just_not_among_the_keys_of_a_map() {
    for absent in ["null", "dyn([1])", "dyn({'a': 1})", "dyn(0.5)"] {
        assert_eq!(run(&format!("{absent} in {{'': 0}}")), Ok(false), "{absent}");
        assert_eq!(run(&format!("{absent} in [{absent}]")), Ok(true), "{absent}");
    }
}

#[test]
fn integral_json_numbers_are_ints_that_calculate() {
    assert_eq!(run("message.quantity + 1 == 4"), Ok(true));
    assert_eq!(run("message.quantity % 2 == 1"), Ok(true));
    assert_eq!(run("message.price * 2.0 == 5"), Ok(true));
    assert_eq!(run("message.quantity + 1.5 == 4.5"), Err(Failure::NoOverload));
    assert_eq!(run("message.big == 9007199254740993"), Ok(true));
    assert_eq!(run("message.big == 9007199254740992.0"), Ok(false));
    assert_eq!(run("message.huge == 18446744073709551615u"), Ok(true));
    assert_eq!(run("type(message.huge) == uint && type(message.quantity) == int"), Ok(true));
}

#[test]
fn a_missing_field_is_an_error_and_has_sees_it() {
    assert_eq!(run("message.missing > 0"), Err(Failure::NoSuchKey));
    assert_eq!(run("has(message.missing)"), Ok(false));
    assert_eq!(run("has(message.nothing)"), Ok(true));
    assert_eq!(run("has(message.missing.deeper)"), Err(Failure::NoSuchKey));
    assert_eq!(run("has(message.quantity.deeper)"), Err(Failure::NotMap));
    assert_eq!(run("message.quantity.deeper == 1"), Err(Failure::NotMap));
    assert_eq!(run("message.missing == null"), Err(Failure::NoSuchKey));
    assert_eq!(run("has(message['odd key'].x)"), Ok(false));
    assert_eq!(run("message['odd key']['in side'] == 1"), Ok(true));
    assert_eq!(run("message.`odd key`.`in side` == 1"), Ok(true));
}

#[test]
fn errors_are_absorbed_in_either_order() {
    assert_eq!(run("message.missing > 0 || event.type == 'order.created'"), Ok(true));
    assert_eq!(run("event.type == 'order.created' || message.missing > 0"), Ok(true));
    assert_eq!(run("message.missing > 0 && event.type == 'other'"), Ok(false));
    assert_eq!(run("event.type == 'other' && message.missing > 0"), Ok(false));
    assert_eq!(run("message.missing > 0 && event.type == 'order.created'"), Err(Failure::NoSuchKey));
    assert_eq!(run("!(message.missing > 0) || 1 / message.zero == 1 || source == 'shop'"), Ok(true));
    assert_eq!(run("message.items.exists(i, i.count == 1)"), Ok(true));
    assert_eq!(run("message.items.exists(i, i.count == 2)"), Err(Failure::NoSuchKey));
    assert_eq!(run("message.items.all(i, i.count == 2)"), Ok(false));
}

#[test]
fn values_of_different_types_are_unequal_but_have_no_order() {
    assert_eq!(run("message.quantity == 'x'"), Ok(false));
    assert_eq!(run("message.quantity != 'x'"), Ok(true));
    assert_eq!(run("message.quantity < 'x'"), Err(Failure::NoOverload));
    assert_eq!(run("message.quantity == 3.0 && message.quantity == 3u"), Ok(true));
    assert_eq!(run("message.quantity in [1, 3.0]"), Ok(true));
    assert_eq!(run("message.nothing == null && message.quantity != null"), Ok(true));
}

#[test]
fn optionals_read_what_may_be_absent() {
    assert_eq!(run("message.?customer.?vip.orValue(false)"), Ok(true));
    assert_eq!(run("message.?nobody.?vip.orValue(false)"), Ok(false));
    assert_eq!(run("message.?nobody.vip.orValue(false)"), Ok(false));
    assert_eq!(run("message.?nobody.hasValue()"), Ok(false));
    assert_eq!(run("message.nobody.?vip.orValue(false)"), Err(Failure::NoSuchKey));
    assert_eq!(run("message.?quantity.?vip.orValue(false)"), Err(Failure::NotMap));
    assert_eq!(run("message[?'customer'].?id.optMap(i, i + 1).orValue(0) == 8"), Ok(true));
    assert_eq!(run("has(message.?customer.id)"), Ok(true));
    assert_eq!(run("has(message.?nobody.id)"), Ok(false));
}

#[test]
fn sees_headers_attributes_source_and_time() {
    assert_eq!(run("headers['x-shop'] == '7' && !has(headers.authorization)"), Ok(true));
    assert_eq!(run("event.source == source && event.id == 'e1'"), Ok(true));
    assert_eq!(run("now - event.time < duration('1m') && now.getFullYear() == 2026"), Ok(true));
    assert_eq!(run("event.time.getHours('Asia/Kathmandu') == 8"), Ok(true));
}

#[test]
fn text_functions_count_characters() {
    assert_eq!(run("message.name.size() == 5 && message.name.startsWith('Grü')"), Ok(true));
    assert_eq!(run("message.name.matches('^G.+e$') && event.type.glob('order.*')"), Ok(true));
    assert_eq!(run("message.name.substring(2, 4) == 'üß'"), Ok(true));
    assert_eq!(run("message.tags.join('-').split('-').size() == 2"), Ok(true));
}

#[test]
fn a_filter_that_is_no_bool_is_no_match() {
    assert_eq!(run("message.quantity"), Err(Failure::NotBool));
    assert_eq!(run("message.quantity && true"), Err(Failure::NotBool));
    assert_eq!(run("message.quantity && false"), Ok(false));
}

#[test]
fn refuses_what_cannot_be_meant_and_points_at_it() {
    assert_eq!(
        refused("message.quantity > 0 && evnt.type == 'x'"),
        "1:25: unknown variable evnt; there are message, event, headers, source, now, and a text is in quotes: \"evnt\"\n  \
         message.quantity > 0 && evnt.type == 'x'\n                          ^^^^"
    );
    assert_eq!(refused("1 + 'a' == 2"), "1:3: int + string is not possible\n  1 + 'a' == 2\n    ^");
    assert!(
        refused("event.type.startswith('x')")
            .contains("unknown function startswith; there is x.startsWith(…)")
    );
    assert!(refused("event.type.startsWith()").contains("startsWith takes 1 arguments, not 0"));
    assert!(refused("event.type.startsWith(1)").contains("string has no method startsWith(int)"));
    assert!(refused("event.type == 1").contains("string == int is not possible"));
    assert!(refused("event.type < 1").contains("string < int is not possible"));
    assert!(refused("event.type").contains("a filter must be a bool, this is string"));
    assert!(refused("size(message.tags)").contains("a filter must be a bool, this is int"));
    assert!(refused("!event.type").contains("! needs a bool, this is string"));
    assert!(refused("event.type.x == 1").contains("string has no fields"));
    assert!(refused("[1].all(x, x)").contains("all needs a bool, this is int"));
    assert!(refused("message.name.matches('(')").contains("the regular expression is not valid"));
    assert!(refused("now - duration('1x') < now").contains("is not a duration"));
    assert!(refused("true = true").contains("equality is written '=='"));
    assert!(refused("message.a == ").contains("the expression ends where an operand should follow"));
    assert!(refused("").contains("the expression ends where"));
    assert!(refused("'abc").contains("this string has no end"));
}

#[test]
fn refuses_attributes_that_no_event_has_however_they_are_asked_for() {
    assert_eq!(
        refused("event.typ == 'x'"),
        "1:7: event never has \"typ\"; there are id, source, type, subject, time, datacontenttype, extensions\n  \
         event.typ == 'x'\n        ^^^"
    );
    assert_eq!(
        refused("message.a == 1 || event['typ'] == 'x'").lines().last(),
        Some("                         ^^^^^^^")
    );
    for text in [
        "has(event.typ)",
        "event.?typ.hasValue()",
        "event[?'typ'].hasValue()",
        "event.`typ` == 1",
        "event.typ.x == 1",
        "cel.bind(e, event.typ, e == 1)",
    ] {
        assert!(refused(text).contains("event never has \"typ\""), "{text}");
    }
    for text in [
        "has(event.subject)",
        "event['subject'] == 'x'",
        "event.?subject.orValue('') == 'x'",
        "message.list.exists(event, event.typ == 1)",
        "'typ' in event",
        "has(headers.typ) && message.event.typ == 1",
    ] {
        assert!(Expression::compile(text).is_ok(), "{text}");
    }
}

#[test]
fn reports_every_impossible_type_at_once() {
    let error = Expression::compile("event.type == 1 && nope && 1 + 'a' == 2").map(|_| ()).unwrap_err();
    assert_eq!(error.problems.len(), 3);
    assert_eq!(error.problems.iter().map(|problem| problem.column).collect::<Vec<_>>(), [12, 20, 30]);
}

#[test]
fn reads_a_path_as_one_whatever_its_spelling() {
    let expression = Expression::compile(
        "message.a.b == 1 && message['a'].b == 2 && has(message.a.b) && message.?a.b.hasValue()",
    );
    let paths: Vec<String> = expression.unwrap().paths().iter().map(ToString::to_string).collect();
    assert_eq!(paths, ["message.a.b"]);
}

#[test]
fn names_of_header_fields_may_be_written_in_any_case() {
    for text in [
        "headers['X-Shop'] == '7'",
        "headers[\"x-SHOP\"] == '7'",
        "'X-Shop' in headers",
        "headers.?`Content-Type`.orValue('') == 'application/json'",
        "headers[?'X-Shop'].hasValue()",
        "cel.bind(h, headers, h['X-Shop'] == '7')",
        "has(headers.`X-Shop`)",
    ] {
        assert_eq!(run(text), Ok(true), "{text}");
    }
    // In the body names have case.
    assert_eq!(run("message.Quantity == 3"), Err(Failure::NoSuchKey));
    assert_eq!(run("'Quantity' in message"), Ok(false));
}

#[test]
fn an_attribute_that_events_never_have_is_refused_by_any_name_of_the_event() {
    for text in
        ["event.typ == 'x'", "cel.bind(e, event, e.typ == 'x')", "cel.bind(e, event, e['typ'] == 'x')"]
    {
        assert!(refused(text).contains("event never has \"typ\""), "{text}");
    }
    assert_eq!(run("cel.bind(e, event, e.type == 'order.created' && has(e.time))"), Ok(true));
    assert_eq!(run("cel.bind(m, message, m.quantity == 3)"), Ok(true));
}

#[test]
fn tells_those_who_know_other_languages_what_it_is_here() {
    for (text, hint) in [
        ("message.action in ('opened', 'closed')", "a list is written in brackets"),
        ("message.action = 'opened'", "equality is written '=='"),
        ("message.action == 'opened' and message.n > 1", "'and' is written '&&'"),
        ("message.action == 'opened' OR message.n > 1", "'or' is written '||'"),
        ("not message.draft", "'not' is written '!'"),
        ("not (message.a == 1)", "there is !x"),
        ("message.a not in ['b']", "!(x in y)"),
        ("message.a & message.b", "conjunction is written '&&'"),
        ("message.a | message.b", "disjunction is written '||'"),
        ("message.a <> 1", "inequality is written '!='"),
        ("message.title contains 'x'", "x.contains('y')"),
        ("if message.a then true", "a choice is written"),
        ("body.action == 'opened'", "the body is message"),
        ("payload.action == 'opened'", "the body is message"),
        ("Message.action == 'opened'", "there is message"),
        ("type == 'push'", "the event's is event.type"),
        ("subject == 'push'", "it is an attribute of event"),
        ("message.action == opened", "a text is in quotes: \"opened\""),
        ("message.a == None", "null is written null"),
        ("message.a == True", "it is written true"),
        ("message.action.toLowerCase() == 'opened'", "there is x.lowerAscii()"),
        ("message.list.length() > 1", "there is size(x)"),
        ("len(message.list) > 1", "there is size(x)"),
        ("message.list.includes('a')", "there is x.contains(y) for texts, and y in x for lists"),
        ("exists(message.a)", "there is has(message.field)"),
        ("message.list.some(x, x == 1)", "there is x.exists(e, …)"),
    ] {
        assert!(refused(text).contains(hint), "{text}\n{}", refused(text));
    }
}

#[test]
fn tells_what_is_written_instead_of_what_people_try() {
    for (text, hint) in [
        ("has(\"message.a\")", "has(message.customer), without quotes"),
        ("has(message[\"a\"])", "\"a name\" in message"),
        ("has(message.a == 1)", "has(message.a) && message.a == 1"),
        ("message.a == 1, message.b == 2", "conditions are joined with '&&'"),
        ("message.a == 1 message.b == 2", "conditions are joined with '&&' or '||'"),
        ("message.a == 'x' 'y'", "conditions are joined with '&&' or '||'"),
        ("is_null(message.a)", "x == null"),
        ("message.a is null", "has(message.field)"),
        ("message.a exists", "has(message.field)"),
        ("message.a between 1 and 2", "x >= 1 && x <= 2"),
        ("message.a =~ 'x'", "x.matches('pattern')"),
        ("message.a !~ 'x'", "!x.matches('pattern')"),
        ("message.a.matches(/x/)", "a regular expression is a text"),
        ("message.list.exists(x => x == 1)", "list.exists(e, e > 0)"),
        ("message.list[*].a == 1", "list.exists(e, e > 0)"),
        ("message.list[].a == 1", "list.exists(e, e > 0)"),
        ("message.a ?? 'x' == 'y'", "orValue("),
        ("message?.a == 1", "message.?field"),
        ("$.a == 1", "the body is message"),
        ("# why\nmessage.a == 1", "a comment begins with '//'"),
        ("event == 'push'", "the event's type is event.type"),
        ("headers == 'push'", "headers[\"name\"]"),
        ("headers.x-github-event == 'push'", "stands in brackets, as in headers[\"x-event\"]"),
        ("message.order-id == 1", "stands in brackets"),
        ("event.time > '2026-01-01T00:00:00Z'", "timestamp(\"2026-01-31T12:00:00Z\")"),
        ("starts_with(message.a, 'x')", "there is x.startsWith(…)"),
        ("to_lower(message.a) == 'x'", "there is x.lowerAscii()"),
    ] {
        let told = refused(text);
        assert!(told.contains(hint), "{text}: {told}");
    }
    for text in ["headers.x-github-event == 'push'", "headers.x-github-delivery-id == 'push'"] {
        let told = refused(text);
        assert_eq!(told.lines().filter(|line| line.starts_with("1:")).count(), 1, "told twice: {told}");
    }
}

#[test]
fn a_time_zone_that_there_is_not_is_refused_when_it_is_written() {
    assert!(
        refused("event.time.getHours('Mars/Olympus') == 1").contains("\"Mars/Olympus\" is not a time zone")
    );
    assert_eq!(run("event.time.getHours('Africa/Casablanca') == 4"), Ok(true));
    assert_eq!(run("event.time.getHours('+01:00') == 4"), Ok(true));
}

#[test]
fn a_list_that_is_searched_like_a_text_gets_the_right_operator_told() {
    let expression = Expression::compile("message.tags.contains('a')").unwrap();
    let body = body();
    let reason = expression.explain(&support::event(expression.paths(), &body)).reason;
    assert!(reason.contains("`x in list`"), "{reason}");
}
