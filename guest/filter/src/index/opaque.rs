//! What only the evaluator can answer.

use super::gate::Opaque;
use super::graph::Run;
use super::moment::Moment;
use super::test::Tri;
use crate::eval::Evaluator;
use crate::failure::{EvalError, Failure};

/// Evaluates with the steps that are left, but no more than one expression's share.
fn test(opaque: &Opaque, moment: &Moment<'_>, run: &mut Run) -> Result<bool, EvalError> {
    let steps = run.left.min(run.share);
    let mut evaluator = Evaluator::new(&opaque.program, moment, steps);
    let answer = evaluator.test();
    run.left -= steps - evaluator.left().min(steps);
    answer
}

pub(super) fn answer(opaque: &Opaque, moment: &Moment<'_>, run: &mut Run) -> Tri {
    match test(opaque, moment, run) {
        Ok(answer) => answer.into(),
        Err(error) => {
            run.exhausted |= error.failure == Failure::Exhausted;
            Tri::Error
        }
    }
}

pub(super) fn reason(opaque: &Opaque, moment: &Moment<'_>, run: &mut Run) -> String {
    match test(opaque, moment, run) {
        Ok(_) => Failure::Exhausted.to_string(),
        Err(error) => error.to_string(),
    }
}
