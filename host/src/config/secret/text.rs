//! Texts that refer to secrets: `env:NAME`, `file:PATH`, and `${env:NAME}` within other text.

/// What stands in place of a secret.
pub const HIDDEN: &str = "…";

/// A piece of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// As it is written.
    Literal(&'a str),
    /// `env:NAME` or `file:PATH`.
    Reference(&'a str),
}

/// Why a text cannot be what its writer meant. It never quotes the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TextProblem {
    pub(super) message: &'static str,
    pub(super) hint: String,
}

/// Whether a text refers to a secret instead of being one.
pub(crate) fn is_reference(text: &str) -> bool {
    text.starts_with("env:") || text.starts_with("file:")
}

/// Whether a text refers to a secret, as a whole or in a part.
#[must_use]
pub fn has_reference(text: &str) -> bool {
    pieces(text).is_ok_and(|pieces| pieces.iter().any(|piece| matches!(piece, Piece::Reference(_))))
}

/// Takes a text apart.
///
/// A text is a reference as a whole, or has references in it as `${env:NAME}` or `${file:PATH}`, or is literal. What
/// looks like a reference in another notation is refused: it would be sent as it stands, and nobody would notice.
pub(super) fn pieces(text: &str) -> Result<Vec<Piece<'_>>, TextProblem> {
    if is_reference(text) {
        return Ok(vec![Piece::Reference(text)]);
    }
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let Some((inside, behind)) = after.split_once('}') else {
            return Err(TextProblem {
                message: "`${` has no `}` behind it",
                hint: "a secret that has these characters itself can be given by a variable or a file".into(),
            });
        };
        if !is_reference(inside) {
            let hint = if is_variable(inside) {
                format!("write \"${{env:{inside}}}\"")
            } else {
                "write \"${env:NAME}\" or \"${file:PATH}\"".into()
            };
            return Err(TextProblem { message: "what stands in `${…}` is no reference", hint });
        }
        pieces.extend((!before.is_empty()).then_some(Piece::Literal(before)));
        pieces.push(Piece::Reference(inside));
        rest = behind;
    }
    if let Some((_, last)) = rest.rsplit_once(' ')
        && is_reference(last)
        && let Some((_, name)) = last.split_once(':')
        && !name.is_empty()
    {
        return Err(TextProblem {
            message: "a reference within other text stands in `${…}`",
            hint: format!("write \"${{{last}}}\" there"),
        });
    }
    pieces.extend((!rest.is_empty()).then_some(Piece::Literal(rest)));
    Ok(pieces)
}

/// The variable of a shell that a text is written as, as a whole: `$NAME`.
pub(super) fn shell_variable(text: &str) -> Option<&str> {
    text.strip_prefix('$').filter(|name| is_variable(name))
}

fn is_variable(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_uppercase() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}

/// The text as it may be shown: references as they are written, and `…` for all else but the word of an authentication
/// scheme in front (`Bearer `).
#[must_use]
pub fn shown(text: &str) -> String {
    let pieces = pieces(text).unwrap_or_default();
    if let [Piece::Reference(reference)] = pieces.as_slice()
        && *reference == text
    {
        return text.to_owned();
    }
    if !pieces.iter().any(|piece| matches!(piece, Piece::Reference(_))) {
        return HIDDEN.to_owned();
    }
    let show = |(index, piece): (usize, &Piece<'_>)| match piece {
        Piece::Reference(reference) => format!("${{{reference}}}"),
        Piece::Literal(literal) if index == 0 && is_scheme(literal) => (*literal).to_owned(),
        Piece::Literal(_) => HIDDEN.to_owned(),
    };
    pieces.iter().enumerate().map(show).collect()
}

/// A word of letters and a space, as `Bearer ` is.
fn is_scheme(text: &str) -> bool {
    const LONGEST: usize = 16;
    let word = text.strip_suffix(' ');
    word.is_some_and(|word| {
        (1..=LONGEST).contains(&word.len())
            && word.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'-')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_references_out_of_texts() {
        use Piece::{Literal, Reference};
        for (text, expected) in [
            ("env:TOKEN", vec![Reference("env:TOKEN")]),
            ("file:a b/c", vec![Reference("file:a b/c")]),
            ("plain $5 {x} $", vec![Literal("plain $5 {x} $")]),
            ("Bearer ${env:TOKEN}", vec![Literal("Bearer "), Reference("env:TOKEN")]),
            (
                "${env:A}:${file:b}x",
                vec![Reference("env:A"), Literal(":"), Reference("file:b"), Literal("x")],
            ),
            ("", vec![]),
        ] {
            assert_eq!(pieces(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn refuses_other_notations_with_the_right_one() {
        for (text, hint) in [
            ("Bearer ${TOKEN}", "write \"${env:TOKEN}\""),
            ("${token}", "write \"${env:NAME}\" or \"${file:PATH}\""),
            ("Bearer env:TOKEN", "write \"${env:TOKEN}\" there"),
            ("a ${env:TOKEN", "variable or a file"),
        ] {
            let misread = pieces(text).unwrap_err();
            assert!(misread.hint.contains(hint), "{text}: {misread:?}");
        }
    }

    #[test]
    fn shows_references_and_nothing_else() {
        for (text, expected) in [
            ("env:TOKEN", "env:TOKEN"),
            ("hunter2", "…"),
            ("Bearer hunter2", "…"),
            ("Bearer ${env:TOKEN}", "Bearer ${env:TOKEN}"),
            ("hunter2:${env:TOKEN}", "…${env:TOKEN}"),
            ("${env:USER}:hunter2", "${env:USER}…"),
            ("hunter ${env:A}hunter ", "hunter ${env:A}…"),
            ("Bearer ${TOKEN}", "…"),
            ("", "…"),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
    }

    #[test]
    fn knows_variables_of_the_shell() {
        assert_eq!(shell_variable("$GITHUB_SECRET"), Some("GITHUB_SECRET"));
        for text in ["$", "$abc", "x$ABC", "$A B", "$1A", "$2b$10$xyz"] {
            assert_eq!(shell_variable(text), None, "{text}");
        }
    }
}
