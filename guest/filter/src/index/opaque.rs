//! What only the evaluator can answer.

use super::event_view::EventView;
use super::gate::Opaque;
use super::test::Truth;
use crate::eval::EvalError;
use crate::eval::Evaluator;
use crate::failure::Failure;

fn test(opaque: &Opaque, view: &EventView<'_>, steps: u32) -> (Result<bool, EvalError>, u32) {
    let mut evaluator = Evaluator::new(&opaque.program, view, steps);
    let answer = evaluator.test();
    (answer, evaluator.left().min(steps))
}

/// The answer, `None` if it takes more than so many steps, and how many are left.
pub(super) fn answer(opaque: &Opaque, view: &EventView<'_>, steps: u32) -> (Option<Truth>, u32) {
    match test(opaque, view, steps) {
        (Ok(answer), left) => (Some(answer.into()), left),
        (Err(error), left) => ((error.failure != Failure::Exhausted).then_some(Truth::Error), left),
    }
}

/// Why there is no answer, in words.
pub(super) fn reason(opaque: &Opaque, view: &EventView<'_>, steps: u32) -> String {
    match test(opaque, view, steps) {
        (Ok(_), _) => Failure::Exhausted.to_string(),
        (Err(error), _) => error.to_string(),
    }
}
