//! `anglerfish providers`: the catalogue of verification schemes.

use super::table::{Table, wrapped};
use super::{Failure, Format, Outcome, Output};
use anglerfish_core::config::nearest;
use anglerfish_core::verify::{Definition, catalogue};
use clap::Args;
use serde_json::{Value, json};

/// The arguments of `providers`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  anglerfish providers
  anglerfish providers stripe
  anglerfish providers github --format json | jq .scheme")]
pub(super) struct ProvidersArgs {
    /// Show what this one needs and how to set it up; without it, list them all
    name: Option<String>,
}

/// Runs the command.
pub(super) fn run(args: &ProvidersArgs, output: &mut Output) -> Result<Outcome, Failure> {
    let Some(name) = &args.name else {
        list(output)?;
        return Ok(Outcome::Fine);
    };
    let Some(definition) = catalogue().iter().find(|definition| definition.name == name) else {
        let failure = Failure::misuse(format_args!("there is no provider `{name}`"));
        return Err(match nearest(name, catalogue().iter().map(|definition| definition.name)) {
            Some(near) => failure.with_hint(format_args!("did you mean `{near}`?")),
            None => failure.with_hint("`anglerfish providers` lists them; others take `scheme = \"custom\"`"),
        });
    };
    match output.format() {
        Format::Json => output.json(&document(definition)?)?,
        Format::Text => show(definition, output)?,
    }
    Ok(Outcome::Fine)
}

fn list(output: &mut Output) -> Result<(), Failure> {
    if output.format() == Format::Json {
        for definition in catalogue() {
            output.json(&document(definition)?)?;
        }
        return Ok(());
    }
    let mut table = Table::new(["NAME", "PROVIDER"]);
    for definition in catalogue() {
        table.row([definition.name, definition.title].map(str::to_owned));
    }
    table.write(output)
}

fn show(definition: &Definition, output: &mut Output) -> Result<(), Failure> {
    output.line(definition.title)?;
    let width = output.width().min(80);
    for (name, text) in [
        ("  needs     ", definition.needs),
        ("  set up    ", definition.setup),
        ("  event id  ", definition.identified),
        ("  answers   ", definition.statuses),
        ("  manual    ", definition.documentation),
    ] {
        if !text.is_empty() {
            let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
            let lines = wrapped(&text, name, "            ", width);
            lines.iter().try_for_each(|line| output.line(line))?;
        }
    }
    output.line("")?;
    output.line("[[source]]")?;
    output.line(format_args!("name = {:?}", definition.name))?;
    output.line(format_args!("scheme = {:?}", definition.name))?;
    if definition.name != "none" {
        let variable =
            definition.name.to_ascii_uppercase().replace(|letter: char| !letter.is_alphanumeric(), "_");
        output.line(format_args!("secrets = [\"env:{variable}_SECRET\"]"))?;
    }
    for name in needed_parameters(definition)? {
        output.line(format_args!("parameters.{name} = \"…\""))?;
    }
    Ok(())
}

/// The parameters that a source must give, or the provider's handshake is refused.
fn needed_parameters(definition: &Definition) -> Result<Vec<String>, Failure> {
    let scheme = scheme(definition)?;
    let parameters = scheme.get("parameter").and_then(Value::as_object).into_iter().flatten();
    let needed = parameters.filter(|(_, about)| {
        ["required", "handshake"].iter().any(|key| about.get(*key) == Some(&Value::Bool(true)))
    });
    Ok(needed.map(|(name, _)| name.clone()).collect())
}

fn scheme(definition: &Definition) -> Result<Value, Failure> {
    serde_json::from_str(definition.scheme).map_err(|error| {
        Failure::failed(format_args!("the catalogue's {} is no JSON: {error}", definition.name))
    })
}

fn document(definition: &Definition) -> Result<Value, Failure> {
    Ok(json!({
        "name": definition.name,
        "title": definition.title,
        "documentation": definition.documentation,
        "needs": definition.needs,
        "setup": definition.setup,
        "identified": definition.identified,
        "statuses": definition.statuses,
        "scheme": scheme(definition)?,
    }))
}
