//! Patterns with `*` and `?`.

use crate::failure::Failure;
use crate::value::Budget;

/// Whether the whole text matches a pattern in which `*` stands for any run of characters, `?` for one character, and `\` takes the next
/// character as it is.
///
/// # Errors
/// The budget does not suffice: at worst every `*` is tried at every position.
pub(super) fn glob(text: &str, pattern: &str, budget: &mut Budget) -> Result<bool, Failure> {
    let mut rest = text.chars();
    let mut pattern = pattern.chars();
    // Where to go on if what follows the last '*' does not fit: its run takes one character more.
    let mut retry: Option<(std::str::Chars<'_>, std::str::Chars<'_>)> = None;
    let mut work = 0_usize;
    loop {
        work += 1;
        if work.is_multiple_of(64) {
            budget.spend(1)?;
        }
        let before = rest.clone();
        let fits = match pattern.next() {
            Some('*') => {
                retry = Some((pattern.clone(), before));
                continue;
            }
            None if rest.as_str().is_empty() => return Ok(true),
            None => false,
            Some('?') => rest.next().is_some(),
            Some('\\') => {
                let literal = pattern.next().unwrap_or('\\');
                rest.next() == Some(literal)
            }
            Some(literal) => rest.next() == Some(literal),
        };
        if !fits {
            let Some((after, from)) = &mut retry else { return Ok(false) };
            if from.next().is_none() {
                return Ok(false);
            }
            pattern = after.clone();
            rest = from.clone();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::glob;
    use crate::value::Budget;

    fn matches(text: &str, pattern: &str) -> bool {
        glob(text, pattern, &mut Budget::new(1000)).unwrap()
    }

    #[test]
    fn a_star_is_any_run_and_a_question_mark_one_character() {
        assert!(matches("order.created", "order.*"));
        assert!(matches("order.", "order.*"));
        assert!(!matches("reorder.created", "order.*"));
        assert!(matches("grün", "gr?n"));
        assert!(!matches("gn", "g?n"));
        assert!(matches("a.b.c.d", "*.c.*"));
        assert!(matches("mississippi", "m*iss*pi"));
        assert!(!matches("mississippi", "m*iss*pa"));
        assert!(matches("", "*"));
        assert!(!matches("x", ""));
    }

    #[test]
    fn a_backslash_takes_the_next_character_as_it_is() {
        assert!(matches("a*b", r"a\*b"));
        assert!(!matches("axb", r"a\*b"));
    }

    #[test]
    fn a_long_search_runs_out_of_budget_instead_of_time() {
        let text = "a".repeat(20_000);
        let pattern = format!("*{}b", "a".repeat(2000));
        assert!(glob(&text, &pattern, &mut Budget::new(1000)).is_err());
    }
}
