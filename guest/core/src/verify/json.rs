//! Reads from a JSON body only what a definition names.
//!
//! The body can be a megabyte and the definition wants three strings of it: everything else is checked for syntax and
//! skipped, without allocating. Depth is bounded by `serde_json`, so that a nested bomb is an error.

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::collections::BTreeMap;
use std::fmt;

/// The set of places that are wanted, as a tree of steps; the step `*` stands for every element of an array.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Wanted(BTreeMap<String, Wanted>);

impl Wanted {
    /// Adds a JSON pointer.
    pub(crate) fn insert(&mut self, pointer: &str) {
        let mut node = self;
        for step in pointer.split('/').skip(1) {
            node = node.0.entry(step.replace("~1", "/").replace("~0", "~")).or_default();
        }
    }

    /// Lets elements that are wanted by their index be wanted as any other, where any is wanted.
    pub(crate) fn settle(&mut self) {
        if self.0.contains_key("*") {
            let (steps, mut names): (BTreeMap<_, _>, BTreeMap<_, _>) = std::mem::take(&mut self.0)
                .into_iter()
                .partition(|(step, _)| step.bytes().all(|byte| byte.is_ascii_digit()));
            let any: &mut Self = names.entry("*".to_owned()).or_default();
            steps.into_values().for_each(|step| any.merge(step));
            self.0 = names;
        }
        self.0.values_mut().for_each(Self::settle);
    }

    fn merge(&mut self, other: Self) {
        for (step, wanted) in other.0 {
            self.0.entry(step).or_default().merge(wanted);
        }
    }

    /// Whether nothing is wanted.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The wanted parts of a JSON document, in the document's own shape; containers that are wanted for themselves
    /// are there but empty. `None` if the text is not one JSON document.
    pub(crate) fn extract(&self, text: &[u8]) -> Option<Value> {
        let mut deserializer = serde_json::Deserializer::from_slice(text);
        let value = Part(self).deserialize(&mut deserializer).ok()?;
        deserializer.end().ok()?;
        Some(value)
    }

    fn element(&self, index: usize) -> Option<&Self> {
        // Formatting an index for each element of a long array is worth avoiding.
        self.0
            .get("*")
            .or_else(|| if self.0.is_empty() { None } else { self.0.get(index.to_string().as_str()) })
    }
}

struct Part<'w>(&'w Wanted);

impl<'de> DeserializeSeed<'de> for Part<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Part<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        for index in 0_usize.. {
            // Elements keep their position, so that a pointer finds them.
            let more = match self.0.element(index) {
                Some(wanted) => {
                    let item = access.next_element_seed(Part(wanted))?;
                    let more = item.is_some();
                    items.extend(item);
                    more
                }
                None if self.0.is_empty() => access.next_element::<IgnoredAny>()?.is_some(),
                None => {
                    let more = access.next_element::<IgnoredAny>()?.is_some();
                    if more && items.len() < LARGEST_INDEX {
                        items.push(Value::Null);
                    }
                    more
                }
            };
            if !more {
                return Ok(Value::Array(items));
            }
        }
        Err(A::Error::custom("too many elements"))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(key) = access.next_key::<std::borrow::Cow<'de, str>>()? {
            match self.0.0.get(key.as_ref()) {
                Some(wanted) => {
                    let value = access.next_value_seed(Part(wanted))?;
                    // Two members of one name mean different things to different readers.
                    if members.insert(key.into_owned(), value).is_some() {
                        return Err(A::Error::custom("a repeated member"));
                    }
                }
                None => {
                    access.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(Value::Object(members))
    }
}

/// Definitions name elements by small indexes; what lies beyond is not kept.
const LARGEST_INDEX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn wanted(pointers: &[&str]) -> Wanted {
        let mut wanted = Wanted::default();
        pointers.iter().for_each(|pointer| wanted.insert(pointer));
        wanted
    }

    #[test]
    fn keeps_only_what_is_wanted() {
        let wanted = wanted(&["/id", "/data/object/kind", "/list/1", "/items/*/name", "/a~1b"]);
        let body = br#"{"id":7,"x":[1,[2]],"data":{"object":{"kind":"k","more":{}},"y":1},"list":[1,2,3],
            "items":[{"name":"a","z":0},{"name":"b"}],"a/b":true}"#;
        assert_eq!(
            wanted.extract(body),
            Some(json!({"id":7,"data":{"object":{"kind":"k"}},"list":[null,2,null],
                "items":[{"name":"a"},{"name":"b"}],"a/b":true}))
        );
    }

    #[test]
    fn refuses_what_is_not_one_document() {
        let wanted = wanted(&["/id"]);
        for body in ["", "{", "{\"id\":1}x", "{\"id\":1,\"id\":2}", "\u{feff}{}"] {
            assert_eq!(wanted.extract(body.as_bytes()), None, "{body}");
        }
    }

    #[test]
    fn survives_a_nested_bomb() {
        let wanted = wanted(&["/id"]);
        let bomb = "[".repeat(1_000_000);
        assert_eq!(wanted.extract(bomb.as_bytes()), None);
        let bomb = format!("{{\"id\":{}", "{\"id\":".repeat(200_000));
        assert_eq!(wanted.extract(bomb.as_bytes()), None);
    }
}
