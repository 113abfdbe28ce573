//! What a subscription's filter says that cannot be so, of the sources that there are.

use super::RoutingSubscription;
use super::filters::{Filters, filter_problems};
use crate::config::{is_built_in, nearest};
use crate::problem::Problem;
use crate::verify::BodyForm;
use anglerfish_filter::Expression;
use anglerfish_filter::fact::Fact;
use anglerfish_filter::ir::{Path, PathId, Root, Span};
use anglerfish_filter::table::{Class, EventInput, ExpressionView, RuleKey, Table};

/// The field of a form that holds JSON whatever the scheme says.
const PAYLOAD: &str = "payload";

/// What is known of a source's events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFacts<'a> {
    /// The source's name.
    pub name: &'a str,
    /// What its bodies are.
    pub body: BodyForm,
    /// Fields of its forms that hold JSON, besides `payload`.
    pub json_fields: Vec<String>,
}

/// Checks a filter without a table.
///
/// # Errors
///
/// Every problem of the expression, at the path `filter`.
pub fn check_filter(filter: &str) -> Result<(), Vec<Problem>> {
    Filters::default().put("", &[], Some(filter)).map_err(|error| filter_problems(error, ""))
}

/// Checks the filter of a resource's subscriber.
///
/// # Errors
///
/// Every problem of the expression, at the path `filter`.
pub fn check_document_filter(filter: &str) -> Result<(), Vec<Problem>> {
    Expression::compile_for_documents(filter).map(drop).map_err(|error| filter_problems(error, ""))
}

/// What is worth a second look in a filter that compiles, at the path `filter`: it may be true of no event. Nothing is said of a
/// filter that does not compile. Without sources it is not known which there are, and nothing is said of them.
#[must_use]
pub fn review_filter(subscription: &RoutingSubscription, sources: &[SourceFacts<'_>]) -> Vec<Problem> {
    let Some(filter) = subscription.filter.as_deref() else { return Vec::new() };
    let Ok(expression) = Expression::compile(filter) else { return Vec::new() };
    let listens = |name: &str| {
        subscription.sources.is_empty() || subscription.sources.iter().any(|source| source == name)
    };
    let mut problems = Vec::new();
    for compared in expression.compared_sources().into_iter().filter(|_| !sources.is_empty()) {
        let name = &compared.text;
        let message = if !is_built_in(name) && !sources.iter().any(|source| source.name == name) {
            format!("there is no source {name:?}")
        } else if !listens(name) {
            format!("the subscription does not listen to source {name:?}")
        } else {
            continue;
        };
        let mut problem = at(filter, compared.span, message);
        problem.hint = nearest(name, sources.iter().map(|source| source.name).filter(|name| listens(name)))
            .map(|near| format!("did you mean {near:?}?"));
        problems.push(problem);
    }
    let heard: Vec<&SourceFacts<'_>> = sources.iter().filter(|source| listens(source.name)).collect();
    let mut table = Table::new();
    table.insert(RuleKey(0), &expression, None);
    let without_message = !heard.is_empty() && heard.iter().all(|source| source.body == BodyForm::Other);
    if without_message && table.needs_message(RuleKey(0)) {
        let names: Vec<&str> = heard.iter().map(|source| source.name).collect();
        let message = format!("it needs `message`, which no event of its sources has: {}", names.join(", "));
        problems.push(Problem::new("filter", message));
    }
    if !heard.is_empty() && heard.iter().all(|source| source.body == BodyForm::Form) {
        let holds_json = |field: &str| {
            field == PAYLOAD || heard.iter().any(|source| source.json_fields.iter().any(|name| name == field))
        };
        for path in expression.paths() {
            if path.root == Root::MESSAGE
                && path.fields.len() > 1
                && path.fields.iter().next().is_some_and(|field| !holds_json(field))
            {
                let message = format!("`{path}` is within a field of a form, which is a text");
                let hint = "name the field in `json_fields` of the source if it holds JSON";
                problems.push(Problem::new("filter", message).with_hint(hint));
            }
        }
    }
    let mut never = false;
    for (path, span) in expression.contradictions() {
        let message = format!("`{path}` is asked to be two things at once, so this is never true");
        problems.push(at(filter, span, message));
        never = true;
    }
    for (path, span) in expression.never_null() {
        let message = format!("`{path}` is never null, so this is never true");
        let optional = path.root == Root::HEADERS
            || path
                .fields
                .iter()
                .next()
                .is_some_and(|name| ["subject", "datacontenttype", "extensions"].contains(&name));
        let hint = match optional && !path.fields.is_empty() {
            true => format!("where there is none it is absent: write {}", path.absence()),
            false => "every event has it; leave the comparison out".to_owned(),
        };
        problems.push(at(filter, span, message).with_hint(hint));
        never = true;
    }
    for (name, span) in expression.capital_header_names() {
        let message = format!("names of header fields are in lower case here, so none is {name:?}");
        let hint = format!("write {:?}", name.to_ascii_lowercase());
        problems.push(at(filter, span, message).with_hint(hint));
        never = true;
    }
    if !never && matches!(table.class(RuleKey(0)), Some(Class::Never)) {
        problems.push(Problem::new("filter", "no event can make it true"));
    }
    for path in expression.paths().iter().filter(|path| path.root == Root::HEADERS) {
        let Some(name) = path.fields.iter().next() else { continue };
        if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)) {
            let message = format!("{name:?} is no name of a header field, so no request has it");
            problems.push(Problem::new("filter", message));
        }
    }
    for path in expression.length_fields() {
        let mut problem = Problem::new("filter", format!("`{path}` is a field named `length` of the body"));
        problem.hint = Some("the number of characters or elements is size(…)".to_owned());
        problems.push(problem);
    }
    problems
}

/// The fields of the body that a filter reads and that none of these events has, each as the filter names it; nothing without
/// events or for a filter that does not compile.
#[must_use]
pub fn missing_fields<'b>(filter: &str, bodies: impl IntoIterator<Item = &'b [u8]>) -> Vec<String> {
    let Ok(expression) = Expression::compile(filter) else { return Vec::new() };
    let mut missing: Vec<(PathId, &Path)> = (0..)
        .map(PathId)
        .zip(expression.paths())
        .filter(|(_, path)| path.root == Root::MESSAGE && !path.fields.is_empty())
        .collect();
    let mut events = 0_usize;
    for body in bodies {
        events += 1;
        let input = EventInput::default();
        let view = ExpressionView::new(&expression, &input, Some(body));
        view.with(|facts| missing.retain(|(id, _)| !matches!(facts.presence(*id), Fact::Value(_))));
    }
    if events == 0 { Vec::new() } else { missing.iter().map(|(_, path)| path.to_string()).collect() }
}

fn at(filter: &str, span: Span, message: String) -> Problem {
    let before = filter.get(..usize::from(span.start)).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    Problem {
        line: u32::try_from(line).ok(),
        column: u32::try_from(column).ok(),
        ..Problem::new("filter", message)
    }
}

#[cfg(test)]
mod tests {
    use super::{BodyForm, SourceFacts, missing_fields, review_filter};
    use crate::config::OrderingConfig;
    use crate::router::{RenderConfig, RoutingSubscription};

    fn facts() -> [SourceFacts<'static>; 3] {
        [("github", BodyForm::Any), ("calls", BodyForm::Other), ("mail", BodyForm::Form)]
            .map(|(name, body)| SourceFacts { name, body, json_fields: vec!["events".to_owned()] })
    }

    fn review(filter: &str, sources: &[&str]) -> Vec<(String, Option<String>)> {
        let subscription = RoutingSubscription {
            id: "a".to_owned(),
            sources: sources.iter().map(|name| (*name).to_owned()).collect(),
            filter: Some(filter.to_owned()),
            ordering: OrderingConfig::None,
            render: RenderConfig::default(),
            interest: None,
        };
        let problems = review_filter(&subscription, &facts());
        problems.into_iter().map(|problem| (problem.message, problem.hint)).collect()
    }

    #[test]
    fn a_source_that_there_is_not_is_told_with_the_one_that_was_meant() {
        let said = review("message.x == 1 && source == \"gitbub\"", &[]);
        let hint = Some("did you mean \"github\"?".to_owned());
        assert_eq!(said, [("there is no source \"gitbub\"".to_owned(), hint)]);
        let said = review("source in ['github', 'calls']", &["github"]);
        assert_eq!(said, [("the subscription does not listen to source \"calls\"".to_owned(), None)]);
        assert!(review("source == 'github'", &[]).is_empty());
    }

    #[test]
    fn a_message_that_no_event_has_is_told_unless_the_filter_can_do_without() {
        let said = review("message.x == 1", &["calls"]);
        assert_eq!(said[0].0, "it needs `message`, which no event of its sources has: calls");
        assert!(review("message.x == 1", &[]).is_empty());
        assert!(review("message.x == 1 || headers['x'] == 'y'", &["calls"]).is_empty());
    }

    #[test]
    fn what_can_never_be_true_is_told_with_its_place() {
        let said = review("source == 'github' &&\n (message.a == 1 && message.a == 2)", &[]);
        assert_eq!(said[0].0, "`message.a` is asked to be two things at once, so this is never true");
        let said = review("headers['x event'] == 'a' && headers['x-event'] == 'a'", &[]);
        assert_eq!(
            said,
            [("\"x event\" is no name of a header field, so no request has it".to_owned(), None)]
        );
    }

    #[test]
    fn each_way_to_be_never_true_is_told_once_with_what_was_meant() {
        for (filter, message, hint) in [
            (
                "message.n > 5 && message.n < 3",
                "`message.n` is asked to be two things at once, so this is never true",
                None,
            ),
            (
                "event.id == null",
                "`event.id` is never null, so this is never true",
                Some("every event has it"),
            ),
            (
                "event.subject == null",
                "`event.subject` is never null, so this is never true",
                Some("write !has(event.subject)"),
            ),
            (
                "headers.exists(n, n == 'X-A')",
                "names of header fields are in lower case here, so none is \"X-A\"",
                Some("write \"x-a\""),
            ),
            ("false && message.a == 1", "no event can make it true", None),
        ] {
            let said = review(filter, &["github"]);
            assert_eq!(said.len(), 1, "{filter}: {said:?}");
            assert_eq!(said[0].0, message);
            let told = said[0].1.as_deref();
            assert!(
                hint.is_none_or(|hint| told.is_some_and(|told| told.contains(hint))),
                "{filter}: {told:?}"
            );
        }
        assert_eq!(review("event.source == 'github' && source == 'mail'", &[]).len(), 1);
    }

    #[test]
    fn what_is_within_a_text_of_a_form_is_told() {
        let said = review("message.order.id == '1' && message.events[0].x == 1", &["mail"]);
        assert_eq!(said[0].0, "`message.order.id` is within a field of a form, which is a text");
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(review("message.order.id == '1'", &[]).is_empty());
    }

    #[test]
    fn a_field_named_length_may_be_meant_otherwise() {
        assert!(review("message.list.length > 1", &[])[0].1.as_deref().unwrap().contains("size("));
    }

    #[test]
    fn fields_that_no_event_has_are_told_apart_from_those_that_some_have() {
        let bodies: [&[u8]; 3] = [br#"{"a": {"b": null}}"#, br#"{"a": 1}"#, b"no json"];
        let filter = "message.a.b == 1 || message.a.c == 2 || has(message.d) || headers.x == 'y'";
        assert_eq!(missing_fields(filter, bodies), ["message.a.c", "message.d"]);
        assert!(missing_fields(filter, []).is_empty());
    }
}
