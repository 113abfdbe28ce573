//! What the app's manifest says of a configuration: what the app is granted, and the components of its plugins.

use super::super::Failure;
use super::edit::{Edit, Place};
use anglerfish_core::edge::plugin_component;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;
use toml_edit::{InlineTable, Item, Value};

/// The key that says whom the app may call.
pub(super) const HOSTS: &str = "allowed_outbound_hosts";

/// The one store that the app and the gateway component use.
const STORE: &str = "default";

/// What composes the gateway component in.
const ROUTER: &str = "anglerfish:gateway/router";

/// The variables that the app reads whatever its configuration is.
const VARIABLES: [&str; 6] =
    ["configuration", "admin_token", "drain_token", "max_body_bytes", "body_timeout_ms", "retention_hours"];

/// The variable that opens documents, and nothing else.
const DOCUMENTS: &str = "documents_token";

/// The variable that says whom the app may call as long as the manifest does not.
const OUTBOUND: &str = "outbound_host";

/// What a manifest can grant and the app does not use.
const UNUSED: [&str; 6] = [
    "sqlite_databases",
    "ai_models",
    "files",
    "environment",
    "allowed_http_hosts",
    "dependencies_inherit_configuration",
];

/// What stands before and behind the plugins' components.
const BEGIN: &str = "# The plugins: written by `anglerfish deploy-config`, and written anew by the next one.";
const END: &str = "# The end of the plugins.";

/// The folder of the plugins' components, seen from the manifest.
pub(super) const PLUGINS: &str = "target/spin/plugins";

pub(super) fn hosts_line(hosts: &BTreeSet<String>) -> String {
    let hosts: Vec<String> = hosts.iter().cloned().collect();
    format!("{HOSTS} = {}", super::edit::line(&hosts))
}

/// What a configuration needs of a manifest.
pub(super) struct Needs<'a> {
    /// Whom the app calls.
    pub(super) hosts: &'a BTreeSet<String>,
    /// The plugins, by name.
    pub(super) plugins: &'a [&'a str],
    /// Whether there are documents.
    pub(super) has_documents: bool,
}

/// A manifest as a configuration needs it.
pub(super) struct Manifest {
    /// What was changed, and what is there by hand.
    pub(super) edit: Edit,
    /// What is to stand in the file; `None` if it stands there already.
    pub(super) text: Option<String>,
    /// Plugins that it had and has no more.
    pub(super) gone: Vec<String>,
}

impl Manifest {
    /// Puts into a manifest what a configuration needs, and leaves all else in it as it is.
    pub(super) fn of(file: &Path, needs: &Needs<'_>) -> Result<Self, Failure> {
        let mut edit = Edit::of(file)?;
        grant(&mut edit, needs)?;
        let text = edit.document.to_string();
        let (written, before) = with_plugins(&text, needs.plugins).ok_or_else(|| {
            Failure::misuse(format_args!("{} has `{BEGIN}` and not what ends it", edit.shown()))
                .with_hint(format!("write `{END}` behind the last component of a plugin"))
        })?;
        let is_there = |name: &str| before.iter().any(|known| known == name);
        let new = needs.plugins.iter().filter(|name| !is_there(name));
        edit.changes.extend(new.map(|name| format!("component.{} is there", plugin_component(name))));
        let gone: Vec<String> =
            before.iter().filter(|name| !needs.plugins.contains(&name.as_str())).cloned().collect();
        edit.changes.extend(gone.iter().map(|name| format!("no component.{}", plugin_component(name))));
        let text = if written == text { edit.text() } else { Some(edit.as_before(&written)) };
        Ok(Self { edit, text, gone })
    }

    /// The largest body that the app takes, as the manifest says it; `None` if it does not.
    pub(super) fn largest_body(&self) -> Option<u64> {
        let variable = self.edit.document.get("variables")?.get("max_body_bytes")?;
        variable.get("default")?.as_str()?.parse().ok()
    }
}

/// Grants the app what it needs and nothing else.
fn grant(edit: &mut Edit, needs: &Needs<'_>) -> Result<(), Failure> {
    let missing = Failure::misuse(format_args!("{} has no component `anglerfish`", edit.shown()))
        .with_hint("name the app's spin.toml, which has it");
    let mut root = Place::root(edit);
    let mut components = root.table("component");
    let Some(mut app) = components.as_mut().and_then(|components| components.table("anglerfish")) else {
        return Err(missing);
    };
    let hosts: Vec<String> = needs.hosts.iter().cloned().collect();
    app.list(HOSTS, &hosts);
    app.list("key_value_stores", &[STORE.to_owned()]);
    for key in UNUSED {
        if app.get(key).is_some_and(|item| !is_nothing(item)) {
            app.tell_excess(key);
        }
    }
    if let Some(mut router) = app.table("dependencies").as_mut().and_then(|all| all.table(ROUTER)) {
        // `true` here is everything that the app has: its variables and the hosts that it may call.
        router.list("inherit_configuration", &["key_value_stores".to_owned()]);
    }
    let variables = match needs.has_documents {
        true => app.made_table("variables"),
        false => app.table("variables"),
    };
    if let Some(mut variables) = variables {
        match needs.has_documents {
            true if variables.get(DOCUMENTS).is_none() => {
                variables.set(DOCUMENTS, Value::from(format!("{{{{ {DOCUMENTS} }}}}")));
            }
            true => {}
            false => variables.remove(DOCUMENTS),
        }
        for key in variables.keys() {
            if key != DOCUMENTS && !VARIABLES.contains(&key.as_str()) {
                variables.tell_excess(&key);
            }
        }
    }
    declare(edit, needs.has_documents);
    Ok(())
}

/// Declares the app's variables that are used, and takes those out that were the app's and are used by nobody any more.
fn declare(edit: &mut Edit, has_documents: bool) {
    let text = edit.document.to_string();
    let is_used = |name: &str| {
        let mut uses = text.split("{{").skip(1).filter_map(|rest| rest.split("}}").next());
        uses.any(|used| used.trim() == name)
    };
    let mut root = Place::root(edit);
    let variables = if has_documents { root.made_table("variables") } else { root.table("variables") };
    let Some(mut variables) = variables else { return };
    if has_documents && is_used(DOCUMENTS) && variables.get(DOCUMENTS).is_none() {
        let secret = [("default", Value::from("")), ("secret", Value::from(true))];
        variables.set(DOCUMENTS, Value::InlineTable(secret.into_iter().collect::<InlineTable>()));
    }
    for name in [OUTBOUND, DOCUMENTS] {
        if !is_used(name) {
            variables.remove(name);
        }
    }
}

/// Whether a key grants nothing.
fn is_nothing(item: &Item) -> bool {
    item.as_bool() == Some(false)
        || item.as_array().is_some_and(toml_edit::Array::is_empty)
        || item.as_table_like().is_some_and(|table| table.is_empty())
}

/// The manifest with these plugins and no others, and those that it had; `None` if it is not seen where they end.
fn with_plugins(manifest: &str, plugins: &[&str]) -> Option<(String, Vec<String>)> {
    let (mut written, mut before, mut is_inside) = (String::new(), Vec::new(), false);
    for line in manifest.split_inclusive('\n') {
        match line.trim() {
            BEGIN => is_inside = true,
            END if is_inside => is_inside = false,
            text if is_inside => {
                let name = text.strip_prefix("[component.plugin-").and_then(|rest| rest.strip_suffix(']'));
                let is_ours =
                    |name: &&str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
                before.extend(name.filter(is_ours).map(str::to_owned));
            }
            _ => written.push_str(line),
        }
    }
    if is_inside {
        return None;
    }
    if plugins.is_empty() {
        if !before.is_empty() {
            written.truncate(written.trim_end().len());
            written.push('\n');
        }
        return Some((written, before));
    }
    written.truncate(written.trim_end().len());
    let _ = write!(written, "\n\n{BEGIN}\n");
    for name in plugins {
        let id = plugin_component(name);
        let _ = write!(
            written,
            "[[trigger.http]]\nroute = {{ private = true }}\ncomponent = \"{id}\"\n\n\
             [component.{id}]\nsource = \"{PLUGINS}/{name}.wasm\"\n\n"
        );
    }
    let _ = writeln!(written, "{END}");
    Some((written, before))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The manifest after it, what was changed, and what is more than what is needed.
    fn granted(manifest: &str, hosts: &[&str], has_documents: bool) -> (String, Vec<String>, Vec<String>) {
        let hosts: BTreeSet<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), manifest).unwrap();
        let needs = Needs { hosts: &hosts, plugins: &[], has_documents };
        let manifest = Manifest::of(file.path(), &needs).unwrap();
        let text = manifest.text.unwrap_or_else(|| manifest.edit.document.to_string());
        (text, manifest.edit.changes, manifest.edit.excess)
    }

    #[test]
    fn what_a_manifest_grants_is_written_and_nothing_else() {
        let manifest = "[variables]\noutbound_host = { default = \"x\" }\nadmin_token = { default = \"\" }\n\
                        [component.other]\nallowed_outbound_hosts = []\n[component.anglerfish]\nsource = \"a\"\n\
                        # whom it calls\nallowed_outbound_hosts = [\n  \"{{ outbound_host }}\",\n] # them\n\
                        key_value_stores = [\"default\", \"cache\"]\n[component.anglerfish.variables]\n\
                        admin_token = \"{{ admin_token }}\"\n[component.anglerfish.dependencies]\n\
                        \"anglerfish:gateway/router\" = { path = \"g\", inherit_configuration = true }\n# end\n";
        let (written, changes, excess) = granted(manifest, &["https://h:443"], false);
        let expected = "[variables]\nadmin_token = { default = \"\" }\n\
                        [component.other]\nallowed_outbound_hosts = []\n[component.anglerfish]\nsource = \"a\"\n\
                        # whom it calls\nallowed_outbound_hosts = [\"https://h:443\"] # them\n\
                        key_value_stores = [\"default\"]\n[component.anglerfish.variables]\n\
                        admin_token = \"{{ admin_token }}\"\n[component.anglerfish.dependencies]\n\
                        \"anglerfish:gateway/router\" = { path = \"g\", inherit_configuration = [\"key_value_stores\"] }\n# end\n";
        assert_eq!(written, expected);
        assert_eq!((changes.len(), excess.len()), (4, 0), "{changes:?}");
        assert_eq!(granted(&written, &["https://h:443"], false).1, Vec::<String>::new());
    }

    #[test]
    fn the_token_of_documents_is_there_as_long_as_there_are_documents() {
        let manifest = "[variables]\nadmin_token = { default = \"\" }\n[component.anglerfish]\n\
                        allowed_outbound_hosts = []\nkey_value_stores = [\"default\"]\n\
                        [component.anglerfish.variables]\nadmin_token = \"{{ admin_token }}\"\n";
        let (with, changes, _) = granted(manifest, &[], true);
        assert_eq!(changes.len(), 2, "{changes:?}");
        let read: toml::Table = with.parse().unwrap();
        assert_eq!(read["variables"]["documents_token"]["secret"].as_bool(), Some(true));
        assert_eq!(
            read["component"]["anglerfish"]["variables"]["documents_token"].as_str(),
            Some("{{ documents_token }}")
        );
        assert_eq!(granted(&with, &[], true).1, Vec::<String>::new());
        assert_eq!(granted(&with, &[], false).0, manifest);
    }

    #[test]
    fn what_is_granted_by_hand_and_not_used_is_told_and_left() {
        let manifest = "[variables]\nmine = { default = \"\" }\n[component.anglerfish]\nallowed_outbound_hosts = []\n\
                        key_value_stores = [\"default\"]\nsqlite_databases = [\"default\"]\nfiles = []\n\
                        allowed_http_hosts = [\"insecure:allow-all\"]\n[component.anglerfish.variables]\n\
                        mine = \"{{ mine }}\"\n";
        let (written, changes, excess) = granted(manifest, &[], false);
        assert_eq!((written.as_str(), changes), (manifest, Vec::new()));
        let expected = ["sqlite_databases", "allowed_http_hosts", "variables.mine"];
        assert_eq!(excess, expected.map(|key| format!("component.anglerfish.{key}")));
    }

    #[test]
    fn another_manifest_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "[component.other]\nallowed_outbound_hosts = []\n").unwrap();
        let needs = Needs { hosts: &BTreeSet::new(), plugins: &[], has_documents: false };
        assert_eq!(Manifest::of(file.path(), &needs).err().map(|failure| failure.code()), Some(2));
    }

    #[test]
    fn plugins_come_and_go_and_leave_the_manifest_as_it_was() {
        let manifest =
            "[[trigger.http]]\nroute = \"/x\"\ncomponent = \"x\"\n\n[component.x]\nsource = \"x.wasm\"\n";
        assert_eq!(with_plugins(manifest, &[]), Some((manifest.to_owned(), Vec::new())));
        let (two, before) = with_plugins(manifest, &["geo", "by-size"]).unwrap();
        assert_eq!(before, Vec::<String>::new());
        let read: toml::Table = two.parse().unwrap();
        assert_eq!(read["component"]["plugin-geo"]["source"].as_str(), Some("target/spin/plugins/geo.wasm"));
        assert_eq!(read["component"]["plugin-geo"].as_table().unwrap().len(), 1, "it may do nothing else");
        let triggers = read["trigger"]["http"].as_array().unwrap();
        assert_eq!(triggers.len(), 3);
        assert_eq!(triggers[2]["component"].as_str(), Some("plugin-by-size"));
        assert_eq!(triggers[2]["route"]["private"].as_bool(), Some(true));
        let known = vec!["geo".to_owned(), "by-size".to_owned()];
        assert_eq!(with_plugins(&two, &["geo", "by-size"]), Some((two.clone(), known.clone())));
        let (one, before) = with_plugins(&two, &["geo"]).unwrap();
        assert!(!one.contains("by-size") && one.contains("plugin-geo"), "{one}");
        assert_eq!(before, known);
        assert_eq!(with_plugins(&two, &[]), Some((manifest.to_owned(), known)));
        // What somebody has added behind them stays.
        let more = format!("{two}[component.more]\n");
        assert!(with_plugins(&more, &[]).unwrap().0.ends_with("x.wasm\"\n\n[component.more]\n"));
        assert_eq!(with_plugins(&two.replace(END, ""), &[]), None);
    }
}
