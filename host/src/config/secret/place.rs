//! The places of a whole configuration that can hold a secret.

use anglerfish_core::config::{
    API_SECRETS, CONFIGURATION_SECRETS, SOURCE_SECRETS, SUBSCRIPTION_SECRETS, TOPIC_SECRETS, for_each_secret,
    item_path,
};
use serde_json::Value;

/// Visits each of them with its path.
pub(super) fn for_each_in_configuration(document: &mut Value, visit: &mut dyn FnMut(&str, &mut Value)) {
    for_each_secret(document, "", CONFIGURATION_SECRETS, &mut |path, value, _| visit(path, value));
    let lists = [
        ("source", SOURCE_SECRETS),
        ("subscription", SUBSCRIPTION_SECRETS),
        ("api", API_SECRETS),
        ("topic", TOPIC_SECRETS),
    ];
    for (key, places) in lists {
        let items = document.get_mut(key).and_then(Value::as_array_mut);
        for (index, item) in items.into_iter().flatten().enumerate() {
            for_each_secret(item, &item_path(key, index), places, &mut |path, value, _| visit(path, value));
        }
    }
}
