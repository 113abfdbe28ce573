//! Changes to a TOML file of the user's: what is not changed stays as it is, comments included, and what is changed is told.

use super::super::Failure;
use std::path::Path;
use toml_edit::{Array, DocumentMut, Item, RawString, TableLike, Value};

/// What may stand in front of UTF-8.
const MARK: &str = "\u{feff}";

/// A file that is being changed.
pub(super) struct Edit {
    /// What it is called in messages.
    shown: String,
    /// What is in it.
    pub(super) document: DocumentMut,
    before: String,
    /// What a file begins with that is not there yet.
    header: &'static str,
    /// What was changed, a line for each.
    pub(super) changes: Vec<String>,
    /// What is there by hand and more than what the app needs: it is told and left alone.
    pub(super) excess: Vec<String>,
}

impl Edit {
    /// Reads a file.
    pub(super) fn of(file: &Path) -> Result<Self, Failure> {
        let shown = file.display();
        let text = std::fs::read_to_string(file)
            .map_err(|error| Failure::misuse(format_args!("failed to read {shown}: {error}")))?;
        Self::of_text(shown.to_string(), text)
    }

    /// Reads a file, or begins one with this header if there is none.
    pub(super) fn of_or(file: &Path, header: &'static str) -> Result<Self, Failure> {
        let shown = file.display();
        match std::fs::read_to_string(file) {
            Ok(text) => Self::of_text(shown.to_string(), text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Ok(Self { header, ..Self::of_text(shown.to_string(), String::new())? })
            }
            Err(error) => Err(Failure::misuse(format_args!("failed to read {shown}: {error}"))),
        }
    }

    fn of_text(shown: String, text: String) -> Result<Self, Failure> {
        let document = text.parse::<DocumentMut>().map_err(|error| {
            Failure::misuse(format_args!("{shown} is not TOML: {}", error.to_string().trim_end()))
        })?;
        Ok(Self { shown, document, before: text, header: "", changes: Vec::new(), excess: Vec::new() })
    }

    /// What the file is called.
    pub(super) fn shown(&self) -> &str {
        &self.shown
    }

    /// Whether the file is not there yet.
    pub(super) fn is_new(&self) -> bool {
        !self.header.is_empty()
    }

    /// What is to stand in the file; `None` if it stands there already.
    pub(super) fn text(&self) -> Option<String> {
        if self.changes.is_empty() {
            return None;
        }
        Some(self.as_before(&self.document.to_string()))
    }

    /// This text with what the parser does not keep of the file: what says that it is UTF-8, and the line ends of Windows.
    pub(super) fn as_before(&self, text: &str) -> String {
        let mark = self.before.strip_prefix(MARK).map_or("", |_| MARK);
        let text = match self.before.contains("\r\n") {
            true => text.replace("\r\n", "\n").replace('\n', "\r\n"),
            false => text.to_owned(),
        };
        format!("{mark}{}{text}", self.header)
    }
}

/// A table of a file that is being changed.
pub(super) struct Place<'a> {
    table: &'a mut dyn TableLike,
    /// Its name in the file.
    path: String,
    changes: &'a mut Vec<String>,
    pub(super) excess: &'a mut Vec<String>,
}

impl<'a> Place<'a> {
    pub(super) fn root(edit: &'a mut Edit) -> Self {
        let Edit { document, changes, excess, .. } = edit;
        Self { table: document.as_table_mut(), path: String::new(), changes, excess }
    }

    fn named(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// A table in it, if it is there.
    pub(super) fn table(&mut self, key: &str) -> Option<Place<'_>> {
        let path = self.named(key);
        let table = self.table.get_mut(key)?.as_table_like_mut()?;
        Some(Place { table, path, changes: &mut *self.changes, excess: &mut *self.excess })
    }

    /// A table in it, which is made if it is not there; `None` if something else has its name.
    pub(super) fn made_table(&mut self, key: &str) -> Option<Place<'_>> {
        if !self.table.contains_key(key) {
            self.table.insert(key, toml_edit::table());
        }
        self.table(key)
    }

    pub(super) fn get(&self, key: &str) -> Option<&Item> {
        self.table.get(key)
    }

    pub(super) fn keys(&self) -> Vec<String> {
        self.table.iter().map(|(key, _)| key.to_owned()).collect()
    }

    /// Tells of a key that is more than what is needed.
    pub(super) fn tell_excess(&mut self, key: &str) {
        self.excess.push(self.named(key));
    }

    /// Has a list hold these texts and no others. Comments between them stay.
    pub(super) fn list(&mut self, key: &str, wanted: &[String]) {
        let path = self.named(key);
        let old = self.table.get(key).and_then(Item::as_array).map(texts);
        if old.as_ref().is_some_and(|old| same(old, wanted)) {
            return;
        }
        let was = old.map_or_else(String::new, |old| format!(", was {}", line(&old)));
        match self.table.get_mut(key).and_then(Item::as_array_mut) {
            Some(list) if has_comments(list) => amend(list, wanted),
            Some(list) => {
                let decor = list.decor().clone();
                *list = wanted.iter().collect();
                *list.decor_mut() = decor;
            }
            None => {
                self.table.insert(key, toml_edit::value(wanted.iter().collect::<Array>()));
            }
        }
        self.changes.push(format!("{path} = {}{was}", line(wanted)));
    }

    /// Sets a value, unless it is that already.
    pub(super) fn set(&mut self, key: &str, value: Value) {
        let text = |value: &Value| value.clone().decorated("", "").to_string();
        let (path, new) = (self.named(key), text(&value));
        let old = self.table.get_mut(key).and_then(Item::as_value_mut);
        let was = match old {
            Some(old) if text(old) == new => return,
            Some(old) => {
                let was = format!(", was {}", text(old));
                let decor = old.decor().clone();
                *old = value;
                *old.decor_mut() = decor;
                was
            }
            None => {
                self.table.insert(key, Item::Value(value));
                String::new()
            }
        };
        self.changes.push(format!("{path} = {new}{was}"));
    }

    /// Takes a key out, if it is there.
    pub(super) fn remove(&mut self, key: &str) {
        if self.table.remove(key).is_some() {
            self.changes.push(format!("no {}", self.named(key)));
        }
    }
}

/// The texts of a list; anything else in it as it is written, so that it equals no text that is wanted.
pub(super) fn texts(list: &Array) -> Vec<String> {
    list.iter().map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned)).collect()
}

/// A list as it is written in TOML.
pub(super) fn line(texts: &[String]) -> String {
    texts.iter().collect::<Array>().to_string()
}

fn same(old: &[String], wanted: &[String]) -> bool {
    let sorted = |texts: &[String]| {
        let mut texts = texts.to_vec();
        texts.sort();
        texts
    };
    sorted(old) == sorted(wanted)
}

/// Whether there are comments between the values of a list.
fn has_comments(list: &Array) -> bool {
    let is_comment =
        |text: Option<&RawString>| text.and_then(RawString::as_str).is_some_and(|text| text.contains('#'));
    let has = |value: &Value| is_comment(value.decor().prefix()) || is_comment(value.decor().suffix());
    is_comment(Some(list.trailing())) || list.iter().any(has)
}

/// Takes out what is not wanted and puts what is missing behind the rest. A comment behind a value goes and stays with it, and so do
/// the lines of comments above it.
fn amend(list: &mut Array, wanted: &[String]) {
    let mut entries: Vec<Entry> = Vec::new();
    let mut head = String::new();
    for value in list.iter() {
        let (behind, above) = split(value.decor().prefix());
        entries.last_mut().map_or(&mut head, |last| &mut last.behind).push_str(behind);
        entries.push(Entry { above: above.to_owned(), value: value.clone(), behind: String::new() });
    }
    let (behind, tail) = split(Some(list.trailing()));
    entries.last_mut().map_or(&mut head, |last| &mut last.behind).push_str(behind);
    let tail = tail.to_owned();
    // As the last of them is indented.
    let indent = entries
        .last()
        .map_or("", |last| last.above.rsplit_once('\n').map_or(&*last.above, |(_, indent)| indent));
    let above = match entries.last() {
        Some(last) if last.above.contains('\n') => format!("\n{indent}"),
        _ => indent.to_owned(),
    };
    entries
        .retain(|entry| entry.value.as_str().is_some_and(|text| wanted.iter().any(|wanted| wanted == text)));
    let there: Vec<String> =
        entries.iter().filter_map(|entry| entry.value.as_str().map(str::to_owned)).collect();
    entries.extend(wanted.iter().filter(|text| !there.contains(text)).map(|text| Entry {
        above: above.clone(),
        value: Value::from(text.as_str()),
        behind: String::new(),
    }));
    list.clear();
    let mut before = head;
    for Entry { above, mut value, behind } in entries {
        value.decor_mut().set_prefix(format!("{before}{above}"));
        list.push_formatted(value);
        before = behind;
    }
    list.set_trailing(format!("{before}{tail}"));
}

/// A value of a list, with what stands above it and what stands behind it in its line.
struct Entry {
    above: String,
    value: Value,
    behind: String,
}

/// What is between two values: what belongs to the line of the first one, and the rest.
fn split(between: Option<&RawString>) -> (&str, &str) {
    let text = between.and_then(RawString::as_str).unwrap_or_default();
    match text.find('\n') {
        Some(end) if text[..end].contains('#') => text.split_at(end),
        _ => ("", text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edited(text: &str, change: impl FnOnce(&mut Place<'_>)) -> (String, Vec<String>) {
        let mut edit = Edit::of_text("file".to_owned(), text.to_owned()).unwrap();
        change(&mut Place::root(&mut edit));
        (edit.document.to_string(), edit.changes)
    }

    fn wanted(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn a_list_that_says_it_already_is_left_as_it_is_written() {
        let text = "a = [\n  \"y\", # why\n  \"x\",\n] # all\n";
        let (written, changes) = edited(text, |root| root.list("a", &wanted(&["x", "y"])));
        assert_eq!((written.as_str(), changes.len()), (text, 0));
    }

    #[test]
    fn what_a_list_has_too_much_or_not_is_changed_and_comments_stay() {
        let text = "# first\na = [ \"old\" ] # all\n# last\n";
        let (written, changes) = edited(text, |root| root.list("a", &wanted(&["x", "y"])));
        assert_eq!(written, "# first\na = [\"x\", \"y\"] # all\n# last\n");
        assert_eq!(changes, ["a = [\"x\", \"y\"], was [\"old\"]"]);
        let text = "a = [\n  # the shop\n  \"x\",\n  \"old\",\n]\n";
        let (written, _) = edited(text, |root| root.list("a", &wanted(&["x", "y"])));
        assert_eq!(written, "a = [\n  # the shop\n  \"x\",\n  \"y\",\n]\n");
        let (again, changes) = edited(&written, |root| root.list("a", &wanted(&["x", "y"])));
        assert_eq!((again, changes), (written, Vec::<String>::new()));
        let text = "a = [ # all\n  \"old\", # the old one\n  # new\n  \"x\", # the shop\n  # no more\n]\n";
        let (written, _) = edited(text, |root| root.list("a", &wanted(&["x", "y"])));
        assert_eq!(written, "a = [ # all\n  # new\n  \"x\", # the shop\n  \"y\",\n  # no more\n]\n");
    }

    #[test]
    fn a_file_keeps_its_line_ends_and_its_mark_of_utf_8() {
        let mut edit =
            Edit::of_text("file".to_owned(), "\u{feff}# mine\r\na = 1\r\nb = 2\r\n".to_owned()).unwrap();
        Place::root(&mut edit).set("a", Value::from(3));
        assert_eq!(edit.text().as_deref(), Some("\u{feff}# mine\r\na = 3\r\nb = 2\r\n"));
        let mut same = Edit::of_text("file".to_owned(), "\u{feff}a = 1\r\n".to_owned()).unwrap();
        Place::root(&mut same).set("a", Value::from(1));
        assert_eq!(same.text(), None);
    }

    #[test]
    fn a_value_is_set_once_and_a_key_taken_out_once() {
        let (written, changes) = edited("a = 1 # one\nb = 2\n", |root| {
            root.set("a", Value::from(1));
            root.set("b", Value::from(3));
            root.set("c", Value::from(true));
            root.remove("d");
        });
        assert_eq!(written, "a = 1 # one\nb = 3\nc = true\n");
        assert_eq!(changes, ["b = 3, was 2", "c = true"]);
        let (written, changes) = edited("a = 1\nb = 2\n", |root| root.remove("a"));
        assert_eq!((written.as_str(), changes), ("b = 2\n", vec!["no a".to_owned()]));
    }

    #[test]
    fn what_is_not_toml_is_said() {
        let failure = Edit::of_text("spin.toml".to_owned(), "a = \n".to_owned()).err().unwrap();
        assert_eq!(failure.code(), 2);
    }
}
