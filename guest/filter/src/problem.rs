//! What is wrong with an expression, and where.

use crate::ir::Span;
use std::fmt;

/// One reason why an expression was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong, as a lower-case fragment.
    pub message: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The part of the text that is meant, in bytes.
    pub span: Span,
}

/// An expression was refused. Displays every problem with its line and a caret under the place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct CompileError {
    /// What is wrong; never empty.
    pub problems: Vec<Problem>,
    source_text: Box<str>,
}

/// A problem before its line is known.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) span: Span,
    pub(crate) message: String,
}

impl Fault {
    pub(crate) fn new(span: Span, message: impl Into<String>) -> Self {
        Self { span, message: message.into() }
    }
}

/// Of a long line so many characters are shown on either side of the place.
const CONTEXT: usize = 60;

impl CompileError {
    pub(crate) fn new(source: &str, faults: Vec<Fault>) -> Self {
        let problems = faults.into_iter().map(|fault| locate(source, fault)).collect();
        Self { problems, source_text: source.into() }
    }
}

fn locate(source: &str, fault: Fault) -> Problem {
    let before = source.get(..usize::from(fault.span.start)).unwrap_or(source);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    Problem { message: fault.message, line, column, span: fault.span }
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, problem) in self.problems.iter().enumerate() {
            if number > 0 {
                writeln!(f)?;
            }
            writeln!(f, "{}:{}: {}", problem.line, problem.column, problem.message)?;
            let line = self.source_text.lines().nth(problem.line - 1).unwrap_or_default();
            let skip = problem.column.saturating_sub(CONTEXT + 1);
            let shown: String = line.chars().skip(skip).take(2 * CONTEXT).collect();
            let shown = shown.replace('\t', " ");
            let width = problem.span.of(&self.source_text).lines().next().unwrap_or_default().chars().count();
            let indent = problem.column - 1 - skip;
            let room = shown.chars().count().saturating_sub(indent).max(1);
            writeln!(f, "  {shown}")?;
            write!(f, "  {}{}", " ".repeat(indent), "^".repeat(width.clamp(1, room)))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{CompileError, Fault};
    use crate::ir::Span;

    #[test]
    fn points_at_the_place_in_its_line_counting_characters() {
        let source = "true &&\n  'é' == nope";
        let start = u16::try_from(source.find("nope").unwrap()).unwrap();
        let error = CompileError::new(
            source,
            vec![Fault::new(Span { start, end: start + 4 }, "unknown variable nope")],
        );
        assert_eq!(error.to_string(), "2:10: unknown variable nope\n    'é' == nope\n           ^^^^");
    }

    #[test]
    fn a_place_at_the_end_of_the_text_gets_one_caret() {
        let error =
            CompileError::new("1 +", vec![Fault::new(Span { start: 3, end: 3 }, "expected an operand")]);
        assert!(error.to_string().ends_with("  1 +\n     ^"), "{error}");
    }
}
