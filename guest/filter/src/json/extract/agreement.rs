//! The pass against `serde_json`, on random texts that are JSON or nearly so.

use super::tests::Reader;
use crate::json::Raw;
use proptest::prelude::*;

fn json() -> impl Strategy<Value = String> {
    let space = "[ \n\t]{0,2}";
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("false".to_owned()),
        "-?(0|[1-9][0-9]{0,25})([.][0-9]{1,4})?([eE][+-]?[0-9]{1,3})?",
        r#""([ -!#-\[\]-~]|é|😀|\\[nrtbf"/\\]|\\u00[0-9a-f]{2}){0,24}""#,
    ];
    let leaf = (space, leaf, space).prop_map(|(before, leaf, after)| format!("{before}{leaf}{after}"));
    leaf.prop_recursive(4, 40, 5, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(|items| format!("[{}]", items.join(","))),
            proptest::collection::vec(("[ab]|\\\\u0061", inner), 0..5).prop_map(|items| {
                let items: Vec<_> =
                    items.into_iter().map(|(key, value)| format!("\"{key}\" :{value}")).collect();
                format!("{{{}}}", items.join(","))
            }),
        ]
    })
}

fn expected(value: Option<&serde_json::Value>) -> Option<Raw> {
    Some(match value {
        None => Raw::Absent,
        Some(serde_json::Value::Null) => Raw::Null,
        Some(serde_json::Value::Bool(value)) => Raw::Bool(*value),
        Some(serde_json::Value::Number(number)) => number
            .as_i64()
            .map(Raw::Int)
            .or(number.as_u64().map(Raw::Uint))
            .or(number.as_f64().map(Raw::Double))?,
        Some(_) => return None,
    })
}

proptest! {
    #[test]
    fn agrees_with_serde_json(body in json(), cut in any::<prop::sample::Index>(), change in any::<Option<u8>>()) {
        let mut bytes = body.into_bytes();
        if let Some(change) = change && !bytes.is_empty() {
            let place = cut.index(bytes.len());
            bytes[place] = change;
        }
        let mut reader = Reader::new();
        let paths = [&["a"][..], &["b"], &["a", "a"], &["a", "b"], &["b", "b", "a"]];
        let nodes = paths.map(|path| reader.path(path));
        let ours = reader.read(&bytes);
        let theirs = serde_json::from_slice::<serde_json::Value>(&bytes);
        match (ours, theirs) {
            (Ok(()), Ok(value)) => {
                let text = std::str::from_utf8(&bytes).unwrap();
                for (path, node) in paths.iter().zip(nodes) {
                    let theirs = path.iter().try_fold(&value, |value, key| value.get(key));
                    let ours = reader.slots.get(node);
                    match theirs {
                        Some(value @ (serde_json::Value::Array(_) | serde_json::Value::Object(_))) => {
                            let text = reader.slots.text(ours, text).unwrap();
                            prop_assert_eq!(&serde_json::from_str::<serde_json::Value>(text).unwrap(), value);
                        }
                        Some(serde_json::Value::String(value)) => {
                            prop_assert_eq!(reader.slots.text(ours, text), Some(value.as_str()));
                        }
                        value if ours == Raw::Int(0) => {
                            prop_assert_eq!(value.and_then(|value| value.as_f64()), Some(0.0));
                        }
                        // Without its feature `float_roundtrip`, `serde_json` may miss the nearest double by a little.
                        value => match (ours, expected(value)) {
                            (Raw::Double(ours), Some(Raw::Double(theirs))) => prop_assert!(
                                (ours - theirs).abs() <= theirs.abs() * f64::EPSILON * 2.0,
                                "{ours} {theirs}"
                            ),
                            (ours, theirs) => prop_assert_eq!(Some(ours), theirs),
                        },
                    }
                }
            }
            (Err(_), Err(_)) => {}
            // Ours has a value for these, theirs refuses them.
            (Ok(()), Err(error)) => prop_assert!(
                error.to_string().contains("number out of range") || error.to_string().contains("surrogate")
                    || error.to_string().contains("hex escape"),
                "{error}"
            ),
            (Err(error), Ok(value)) => prop_assert!(false, "{error} for {value}"),
        }
    }
}
