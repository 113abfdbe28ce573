//! The engines.

use crate::workload::Workload;
use anglerfish_filter::Expression;
use anglerfish_filter::table::{EventInput, Matches, RuleKey, Table};
use std::error::Error;
use std::sync::Arc;

/// An engine.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Engine {
    Anglerfish,
    /// The `cel` crate, one filter after the other.
    Cel,
    /// It is given the two values that the filters name.
    ATree,
    Quamina,
    /// In its patterns and in its event the number is called `units` instead of `quantity`, so that its path comes after the
    /// other one.
    QuaminaSorted,
}

/// Matches an event once; how many filters are true.
pub(crate) type Run = Box<dyn FnMut(&str) -> usize>;

impl Engine {
    pub(crate) const ALL: [Self; 5] =
        [Self::Anglerfish, Self::Cel, Self::ATree, Self::Quamina, Self::QuaminaSorted];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Anglerfish => "anglerfish",
            Self::Cel => "cel",
            Self::ATree => "a-tree",
            Self::Quamina => "quamina",
            Self::QuaminaSorted => "quamina-sorted",
        }
    }

    /// What the engine calls the number.
    pub(crate) const fn quantity(self) -> &'static str {
        if matches!(self, Self::QuaminaSorted) { "units" } else { "quantity" }
    }

    /// Loads the filters.
    pub(crate) fn load(self, workload: &Workload) -> Result<Run, Box<dyn Error>> {
        match self {
            Self::Anglerfish => anglerfish(workload),
            Self::Cel => cel(workload),
            Self::ATree => a_tree(workload),
            Self::Quamina | Self::QuaminaSorted => quamina(workload, self.quantity()),
        }
    }
}

/// The filter's type and number, for engines with a language of their own.
fn parts(number: usize) -> (String, usize) {
    (format!("T{number}"), number % 7)
}

fn anglerfish(workload: &Workload) -> Result<Run, Box<dyn Error>> {
    let mut table = Table::new();
    for (key, rule) in (0..).map(RuleKey).zip(&workload.rules) {
        table.insert(key, &Expression::compile(rule)?, None);
    }
    let mut matches = Matches::default();
    Ok(Box::new(move |body| {
        let input =
            EventInput { id: "1", source: "shop", kind: "sale", time: 1, now: 1, ..EventInput::default() };
        table.evaluate(&input, Some(body.as_bytes()), &mut matches);
        matches.matched.len()
    }))
}

fn cel(workload: &Workload) -> Result<Run, Box<dyn Error>> {
    let environment = Arc::new(cel::Env::stdlib());
    let mut programs = Vec::new();
    for rule in &workload.rules {
        programs.push(environment.compile(rule).map_err(|error| format!("{error:?}"))?);
    }
    Ok(Box::new(move |body| {
        let message: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
        let mut context = cel::Context::with_env(Arc::clone(&environment));
        match cel::to_value(message) {
            Ok(message) => context.add_variable_from_value("message", message),
            Err(_) => return 0,
        }
        let is_true =
            |program: &&cel::Program| matches!(program.execute(&context), Ok(cel::Value::Bool(true)));
        programs.iter().filter(is_true).count()
    }))
}

fn a_tree(workload: &Workload) -> Result<Run, Box<dyn Error>> {
    use a_tree::{ATree, AttributeDefinition};
    let attributes = [AttributeDefinition::string("type"), AttributeDefinition::integer("quantity")];
    let mut tree = ATree::<usize>::new(&attributes).map_err(|error| format!("{error:?}"))?;
    for number in 0..workload.rules.len() {
        let (kind, least) = parts(number);
        tree.insert(&number, &format!(r#"type = "{kind}" and quantity > {least}"#))
            .map_err(|error| format!("{error:?}"))?;
    }
    Ok(Box::new(move |body| {
        let message: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
        let mut event = tree.make_event();
        let put = event
            .with_string("type", message["type"].as_str().unwrap_or_default())
            .and_then(|()| event.with_integer("quantity", message["quantity"].as_i64().unwrap_or_default()));
        let Ok(event) = put.and_then(|()| event.build()) else { return 0 };
        tree.search(&event).map_or(0, |report| report.matches().len())
    }))
}

fn quamina(workload: &Workload, quantity: &'static str) -> Result<Run, Box<dyn Error>> {
    let mut engine = quamina::QuaminaBuilder::<usize>::new()
        .with_arena_byte_budget(4 << 30)
        .build()
        .map_err(|error| format!("{error:?}"))?;
    for number in 0..workload.rules.len() {
        let (kind, least) = parts(number);
        let pattern = format!(r#"{{"type": ["{kind}"], "{quantity}": [{{"numeric": [">", {least}]}}]}}"#);
        engine.add_pattern(number, &pattern).map_err(|error| format!("{error:?}"))?;
    }
    Ok(Box::new(move |body| engine.matches_for_event(body.as_bytes()).map_or(0, |matches| matches.len())))
}
