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
            } else if let Some((kind, name)) = mistyped(inside) {
                format!("write \"${{{kind}:{name}}}\"")
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

/// What a literal text looks like that its writer hardly means as it stands, with what would help. It quotes names alone.
pub(super) fn doubtful(text: &str) -> Option<(&'static str, String)> {
    const SHELL: &str = "looks like a variable of a shell, and is taken as it stands";
    let words = || text.split(|one: char| one.is_whitespace() || "/:?&=@,;\"'".contains(one));
    if let Some((kind, name)) = mistyped(text) {
        return Some((
            "looks like a reference, which begins in lower case, and is taken as it stands",
            format!("write \"{kind}:{name}\""),
        ));
    }
    if let Some((kind, name)) = text.split_whitespace().find_map(mistyped) {
        let message = "holds what looks like a reference, and is taken as it stands";
        return Some((message, format!("write \"${{{kind}:{name}}}\" there")));
    }
    if let Some(name) = shell_variable(text) {
        return Some((SHELL, format!("write \"env:{name}\"")));
    }
    if let Some(name) = words().find_map(shell_variable).filter(|name| name.len() > 1) {
        return Some((
            "holds what looks like a variable of a shell, and is taken as it stands",
            format!("write \"${{env:{name}}}\" there"),
        ));
    }
    if let Some(name) =
        text.strip_prefix('%').and_then(|rest| rest.strip_suffix('%')).filter(|name| is_variable(name))
    {
        return Some((SHELL, format!("write \"env:{name}\"")));
    }
    if text.starts_with("$(") && text.ends_with(')') || text.starts_with('`') && text.ends_with('`') {
        return Some((
            "looks like a command of a shell, which is not run",
            "write \"file:PATH\" or \"env:NAME\"".into(),
        ));
    }
    if text.contains("{{") && text.contains("}}") {
        return Some((
            "looks like a template that nothing fills",
            "write \"${env:NAME}\" or \"${file:PATH}\"".into(),
        ));
    }
    let placeholder = text.starts_with('<') && text.ends_with('>') || text == HIDDEN || text == "...";
    placeholder
        .then(|| ("looks like a placeholder", "write the value, or \"env:NAME\" or \"file:PATH\"".into()))
}

/// A reference whose kind is not in lower case, or stands behind a `$` as in PowerShell: its kind and name.
fn mistyped(text: &str) -> Option<(&'static str, &str)> {
    let (kind, name) = text.split_once(':')?;
    let kind = kind.strip_prefix('$').unwrap_or(kind);
    let kind = ["env", "file"].into_iter().find(|known| known.eq_ignore_ascii_case(kind))?;
    let is_name =
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_./-".contains(&byte));
    (is_name && !is_reference(text)).then_some((kind, name))
}

/// The variable of a shell that a text is written as, as a whole: `$NAME`.
fn shell_variable(text: &str) -> Option<&str> {
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
            ("Bearer ${ENV:TOKEN}", "write \"${env:TOKEN}\""),
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
    fn doubts_what_is_written_as_elsewhere_and_says_how_it_is_written_here() {
        for (text, hint) in [
            ("$GITHUB_SECRET", "write \"env:GITHUB_SECRET\""),
            ("%GITHUB_SECRET%", "write \"env:GITHUB_SECRET\""),
            ("ENV:GITHUB_SECRET", "write \"env:GITHUB_SECRET\""),
            ("$env:TOKEN", "write \"env:TOKEN\""),
            ("File:/run/key", "write \"file:/run/key\""),
            ("Bearer $TOKEN", "write \"${env:TOKEN}\" there"),
            ("Bearer ENV:TOKEN", "write \"${env:TOKEN}\" there"),
            ("$HOST_URL/hooks", "write \"${env:HOST_URL}\" there"),
            ("https://example.com/$TOKEN?x=1", "write \"${env:TOKEN}\" there"),
            ("https://example.com/?key=$TOKEN", "write \"${env:TOKEN}\" there"),
            ("$(cat key)", "file:PATH"),
            ("{{ .Values.secret }}", "${env:NAME}"),
            ("<your secret>", "write the value"),
            ("…", "write the value"),
        ] {
            let (_, told) = doubtful(text).unwrap_or_else(|| panic!("{text}"));
            assert!(told.contains(hint), "{text}: {told}");
        }
        for text in [
            "hunter2",
            "plain $5 {x} $",
            "$2b$10$xyz",
            "pa$$word",
            "a$B",
            "env",
            "https://example.com:80/a",
            "x:y",
            "Basic dXNlcjpwYXNz",
            "",
            "$",
            "whsec_aHVudGVy",
        ] {
            assert_eq!(doubtful(text), None, "{text}");
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
