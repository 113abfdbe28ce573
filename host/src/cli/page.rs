//! Listings that come in pages.

use super::client::Client;
use super::table::plain;
use super::{Failure, Format, Output};
use anstream::eprintln;
use clap::Args;
use serde::Deserialize;
use serde_json::Value;

/// How many items the API gives at once.
const PAGE: usize = 500;

/// How much of a listing to read.
#[derive(Debug, Args)]
pub(super) struct PageArgs {
    /// How many to list at most
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = at_least_one)]
    limit: usize,
    /// Where to go on, as an earlier listing said
    #[arg(long)]
    cursor: Option<String>,
}

/// One page of a listing.
#[derive(Debug, Deserialize)]
pub(super) struct Page {
    pub(super) items: Vec<Value>,
    /// The cursor of the next page.
    pub(super) next: Option<String>,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("must be at least 1".into()),
        Ok(number) => Ok(number),
        Err(error) => Err(format!("{error}")),
    }
}

impl PageArgs {
    /// Reads the listing, page by page; says on stderr where to go on if there is more.
    pub(super) async fn read(
        &self,
        client: &Client,
        name: &str,
        query: &[(&str, Option<&str>)],
    ) -> Result<Vec<Value>, Failure> {
        self.read_at(client, &[name], name, query).await
    }

    /// The same of a listing that stands somewhere below.
    pub(super) async fn read_at(
        &self,
        client: &Client,
        segments: &[&str],
        name: &str,
        query: &[(&str, Option<&str>)],
    ) -> Result<Vec<Value>, Failure> {
        let mut items = Vec::new();
        let mut cursor = self.cursor.clone();
        loop {
            let limit = (self.limit - items.len()).min(PAGE).to_string();
            let mut query = query.to_vec();
            query.push(("limit", Some(&limit)));
            query.push(("cursor", cursor.as_deref()));
            let page: Page = client.get(segments, &query).await?;
            items.extend(page.items);
            cursor = page.next;
            if cursor.is_none() || items.len() >= self.limit {
                break;
            }
        }
        if items.is_empty() {
            eprintln!("no {name}");
        } else if let Some(cursor) = cursor {
            eprintln!("there are more: --cursor {cursor}");
        }
        Ok(items)
    }
}

/// Writes a listing as JSON, one item a line, or hands it on for a table.
pub(super) fn write(
    items: &[Value],
    output: &mut Output,
    table: impl FnOnce(&[Value], &mut Output) -> Result<(), Failure>,
) -> Result<(), Failure> {
    match output.format() {
        Format::Json => items.iter().try_for_each(|item| output.json(item)),
        Format::Text if items.is_empty() => Ok(()),
        Format::Text => table(items, output),
    }
}

/// A member of a document as text; empty if it is not there or `null`.
pub(super) fn text(document: &Value, pointer: &str) -> String {
    match document.pointer(pointer) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// Writes members of a document, each with its title before it; what is not there is left out.
pub(super) fn members(
    document: &Value,
    members: &[(&str, &str)],
    output: &mut Output,
) -> Result<(), Failure> {
    for (title, pointer) in members {
        let value = text(document, pointer);
        if !value.is_empty() {
            member(title, &value, output)?;
        }
    }
    Ok(())
}

/// Writes one value with its title before it.
pub(super) fn member(title: &str, value: &str, output: &mut Output) -> Result<(), Failure> {
    const WIDTH: usize = 14;
    output.paragraph(&format!("{title:WIDTH$}"), &" ".repeat(WIDTH), value)
}

/// Writes what is wrong with a document, and what is odd about it.
pub(super) fn problems(document: &Value, output: &mut Output) -> Result<(), Failure> {
    for (title, key) in [("problem", "problems"), ("warning", "warnings")] {
        for problem in document.get(key).and_then(Value::as_array).into_iter().flatten() {
            let told = format!("{}: {}", text(problem, "/path"), text(problem, "/message"));
            member(title, &told, output)?;
        }
    }
    Ok(())
}

/// Tells what is odd about a document that was written, with what would help, beside the output.
pub(super) fn warn(document: &Value) {
    for warning in document.get("warnings").and_then(Value::as_array).into_iter().flatten() {
        let [path, message] = ["/path", "/message"].map(|cell| plain(&text(warning, cell)));
        eprintln!("warning: {path}: {message}");
        let hint = text(warning, "/hint");
        if !hint.is_empty() {
            eprintln!("hint: {}", plain(&hint));
        }
    }
}
