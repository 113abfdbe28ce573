//! Reading what a source says of its events: where their attributes are, which are one, how they are answered.

use crate::node::Node;
use crate::verify::{AnswerConfig, DeduplicateConfig, EventConfig, SplitConfig, TimeConfig, place_problem};
use serde_json::Value;
use std::time::Duration;

/// How long repetitions can be told: longer than any provider tries.
const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);

/// The longest body of an answer, in bytes: providers read a word.
const LONGEST_BODY: usize = 4096;

/// `{ id = "header:x-id", type = "json:/type", subject = …, time = … }`.
pub(super) fn event(node: &Node<'_>) -> Option<EventConfig> {
    let table = node.table(&["id", "type", "subject", "time"])?;
    let text = |key| table.get(key).and_then(|node: Node<'_>| node.text().map(str::to_owned));
    Some(EventConfig {
        id: table.get("id").and_then(|node| id(&node)),
        kind: text("type"),
        subject: text("subject"),
        time: table.get("time").and_then(|node| time(&node)),
    })
}

/// One place, or a list of those that make up the identifier together; `"none"` is no place at all.
fn id(node: &Node<'_>) -> Option<Vec<String>> {
    if matches!(node.value(), Value::String(_)) {
        let text = node.text()?;
        return Some(if text == "none" { Vec::new() } else { vec![text.to_owned()] });
    }
    let parts = node.texts_in_place()?;
    if node.value().as_array().is_some_and(Vec::is_empty) {
        node.report_with_hint("names no place", "write \"none\" for events without an identifier");
    }
    if parts.iter().any(|part| part == "none") {
        node.report("\"none\" stands alone");
    }
    Some(parts)
}

/// `"json:/created"` of the form of RFC 3339, or `{ at = "json:/created", unit = "seconds" }`.
fn time(node: &Node<'_>) -> Option<TimeConfig> {
    if matches!(node.value(), Value::String(_)) {
        return Some(TimeConfig { at: node.text()?.to_owned(), unit: "rfc3339".to_owned() });
    }
    let table = node.table(&["at", "unit"])?;
    let at = table.require("at").and_then(|node| {
        let text = node.text()?;
        // Told here because here its place is known: the time can be written as this text alone.
        if let Some(problem) = place_problem(text) {
            node.report(problem);
        }
        Some(text.to_owned())
    });
    let unit = table.require("unit").and_then(|node| node.text().map(str::to_owned));
    Some(TimeConfig { at: at.unwrap_or_default(), unit: unit.unwrap_or_default() })
}

/// `false`, or `{ by = ["header:x", "json:/x", "body"], within = "10m" }`.
pub(super) fn deduplicate(node: &Node<'_>) -> Option<DeduplicateConfig> {
    match node.value() {
        Value::Bool(false) => return Some(DeduplicateConfig::Never),
        Value::Object(_) => {}
        Value::Bool(true) => {
            node.report_with_hint(
                "true does not say by what",
                "leave the key out for the provider's identifier, or write { by = [\"json:/id\"], within = \"10m\" }",
            );
            return None;
        }
        _ => {
            node.report_with_hint(
                "expected false or a table",
                "write { by = [\"header:x-id\"], within = \"10m\" }, or false so that each request is an event",
            );
            return None;
        }
    }
    let table = node.table(&["by", "within"])?;
    let places = table.require("by").and_then(|by| {
        if by.value().as_array().is_some_and(Vec::is_empty) {
            by.report("names no place");
        }
        by.texts_in_place()
    });
    let bounds = Duration::from_secs(1)..=LONGEST;
    let within = table.get("within").and_then(|node| {
        let within = node.duration(bounds)?;
        if within.subsec_nanos() != 0 {
            node.report("must be whole seconds");
        }
        Some(within.as_secs())
    });
    Some(DeduplicateConfig::By { places: places?, within_seconds: within })
}

/// `"json:/events"`, `true` for the array that the scheme knows, or `false` for none.
pub(super) fn split(node: &Node<'_>) -> Option<SplitConfig> {
    match node.value() {
        Value::Bool(false) => None,
        Value::Bool(true) => Some(SplitConfig::Documented),
        Value::String(_) => Some(SplitConfig::At(node.text()?.to_owned())),
        _ => {
            node.report_with_hint(
                "expected a place or true",
                "write \"json:/path/to/array\", \"json:\" for an array that is the whole body, or true for what the scheme knows",
            );
            None
        }
    }
}

/// `"receipt"`, or `{ status = 200, body = "ok", content_type = "text/plain" }`.
pub(super) fn answer(node: &Node<'_>) -> Option<AnswerConfig> {
    if let Value::String(text) = node.value() {
        if text == "receipt" {
            return Some(AnswerConfig::Receipt);
        }
        node.report_with_hint(
            format!("{text:?} is no answer"),
            "write \"receipt\" for 202 with the event's id, or { status = 200, body = \"\" }",
        );
        return None;
    }
    let table = node.table(&["status", "body", "content_type"])?;
    let status = match table.get("status") {
        // An event that was accepted is never answered as if it had not been.
        Some(node) => node.integer(200..=299).and_then(|status| u16::try_from(status).ok()),
        None => Some(200),
    };
    let mut body = String::new();
    if let Some(node) = table.get("body") {
        node.string().unwrap_or_default().clone_into(&mut body);
        if body.len() > LONGEST_BODY {
            node.report(format!("must have at most {LONGEST_BODY} bytes"));
        }
    }
    if let Some(status @ (204 | 205)) = status
        && !body.is_empty()
    {
        node.report(format!("an answer with status {status} has no body"));
    }
    let content_type = match table.get("content_type") {
        Some(node) => {
            let text = node.text()?;
            if !text.contains('/') || !text.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
                node.report("is no media type, such as text/plain");
            }
            text.to_owned()
        }
        None if body.is_empty() => String::new(),
        None => "text/plain; charset=utf-8".to_owned(),
    };
    Some(AnswerConfig::Fixed { status: status?, body, content_type })
}

#[cfg(test)]
mod tests {
    use crate::config::read_document;
    use crate::verify::{AnswerConfig, DeduplicateConfig, VerificationConfig};
    use serde_json::{Value, json};

    fn read(more: &Value) -> Result<VerificationConfig, Vec<String>> {
        let mut source = json!({"name": "a", "scheme": "github", "secrets": ["x"]});
        source.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        match read_document(&json!({ "source": [source] })) {
            Ok(document) => Ok(document.sources[0].1.verification.clone()),
            Err((_, problems)) => Err(problems.iter().map(ToString::to_string).collect()),
        }
    }

    #[test]
    fn reads_what_a_source_says_of_its_events() {
        let config = read(&json!({
            "event": {"id": "header:x-id", "type": "json:/type", "subject": "none", "time": "json:/at"},
            "deduplicate": {"by": ["header:x-a", "body"], "within": "10m"},
            "answer": {"body": "ok"},
            "methods": ["POST", "PUT"],
            "json_fields": ["data"],
        }))
        .unwrap();
        let event = config.event.unwrap();
        assert_eq!(event.id, Some(vec!["header:x-id".to_owned()]));
        assert_eq!(event.time.unwrap().unit, "rfc3339");
        let by = vec!["header:x-a".to_owned(), "body".to_owned()];
        assert_eq!(config.deduplicate, Some(DeduplicateConfig::By { places: by, within_seconds: Some(600) }));
        let content_type = "text/plain; charset=utf-8".to_owned();
        assert_eq!(config.answer, Some(AnswerConfig::Fixed { status: 200, body: "ok".into(), content_type }));
        assert_eq!(read(&json!({"event": {"id": "none"}})).unwrap().event.unwrap().id, Some(Vec::new()));
        assert_eq!(read(&json!({"deduplicate": false})).unwrap().deduplicate, Some(DeduplicateConfig::Never));
        assert_eq!(read(&json!({"answer": "receipt"})).unwrap().answer, Some(AnswerConfig::Receipt));
    }

    #[test]
    fn says_what_is_wrong_with_each() {
        for (more, path) in [
            (json!({"event": {"id": []}}), "event.id"),
            (json!({"event": {"id": ["none", "json:/id"]}}), "event.id"),
            (json!({"event": {"kind": "x"}}), "event.kind"),
            (json!({"event": {"time": {"at": "json:/x"}}}), "event.time.unit"),
            (json!({"deduplicate": "no"}), "deduplicate"),
            (json!({"deduplicate": true}), "deduplicate"),
            (json!({"split": 1}), "split"),
            (json!({"split": ["json:/a"]}), "split"),
            (json!({"deduplicate": {"by": []}}), "deduplicate.by"),
            (json!({"deduplicate": {"within": "1m"}}), "deduplicate.by"),
            (json!({"deduplicate": {"by": ["body"], "within": "31d"}}), "deduplicate.within"),
            (json!({"deduplicate": {"by": ["body"], "within": "1500ms"}}), "deduplicate.within"),
            (json!({"answer": "ok"}), "answer"),
            (json!({"answer": {"status": 400}}), "answer.status"),
            (json!({"answer": {"status": 204, "body": "x"}}), "answer"),
            (json!({"answer": {"content_type": "text"}}), "answer.content_type"),
            (json!({"methods": []}), "methods"),
            (json!({"event": {"time": {"at": "json:x", "unit": "seconds"}}}), "event.time.at"),
        ] {
            let problems = read(&more).unwrap_err();
            assert_eq!(problems.len(), 1, "{more}: {problems:?}");
            assert!(problems[0].starts_with(&format!("source[0].{path}: ")), "{more}: {problems:?}");
        }
    }
    #[test]
    fn says_everything_that_is_wrong_with_one_value() {
        for (more, paths) in [
            (
                json!({"deduplicate": {"by": 3, "within": "soon"}}),
                &["deduplicate.by", "deduplicate.within"][..],
            ),
            (json!({"deduplicate": {"within": "soon"}}), &["deduplicate.by", "deduplicate.within"]),
            (
                json!({"answer": {"status": 99, "body": 1, "content_type": "x"}}),
                &["answer.status", "answer.body"],
            ),
            (json!({"event": {"time": {"at": "json:x"}}}), &["event.time.at", "event.time.unit"]),
        ] {
            let problems = read(&more).unwrap_err();
            for path in paths {
                let begins = format!("source[0].{path}: ");
                assert!(problems.iter().any(|one| one.starts_with(&begins)), "{more}: {path}: {problems:?}");
            }
        }
    }
}
