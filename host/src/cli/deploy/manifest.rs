//! What the app's manifest says of a configuration: whom the app may call, and the components of its plugins.

use super::super::Failure;
use anglerfish_core::edge::plugin_component;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

/// The table of the manifest that says what the app may do.
const COMPONENT: &str = "[component.anglerfish]";

/// The key that says whom it may call.
pub(super) const HOSTS: &str = "allowed_outbound_hosts";

/// What stands before and behind the plugins' components.
const BEGIN: &str = "# The plugins: written by `anglerfish deploy-config`, and written anew by the next one.";
const END: &str = "# The end of the plugins.";

/// The folder of the plugins' components, seen from the manifest.
pub(super) const PLUGINS: &str = "target/spin/plugins";

pub(super) fn hosts_line(hosts: &BTreeSet<String>) -> String {
    let hosts: Vec<String> = hosts.iter().map(|host| format!("{host:?}")).collect();
    format!("{HOSTS} = [{}]", hosts.join(", "))
}

/// Puts hosts and plugins into a manifest, and leaves all else in it as it is. Gives the plugins that were there before and are
/// not any more.
pub(super) fn write(
    manifest: &Path,
    hosts: &BTreeSet<String>,
    plugins: &[&str],
) -> Result<Vec<String>, Failure> {
    let shown = manifest.display();
    let text = std::fs::read_to_string(manifest)
        .map_err(|error| Failure::misuse(format_args!("failed to read {shown}: {error}")))?;
    let written = with_hosts(&text, &hosts_line(hosts)).ok_or_else(|| {
        Failure::misuse(format_args!("{shown} has no {HOSTS} in {COMPONENT}"))
            .with_hint("name the app's spin.toml, which has it")
    })?;
    let (written, before) = with_plugins(&written, plugins).ok_or_else(|| {
        Failure::misuse(format_args!("{shown} has `{BEGIN}` and not what ends it"))
            .with_hint(format!("write `{END}` behind the last component of a plugin"))
    })?;
    std::fs::write(manifest, written)
        .map_err(|error| Failure::failed(format_args!("failed to write {shown}: {error}")))?;
    Ok(before.into_iter().filter(|name| !plugins.contains(&name.as_str())).collect())
}

fn with_hosts(manifest: &str, line: &str) -> Option<String> {
    let (mut written, mut is_component, mut is_list, mut found) = (String::new(), false, false, false);
    for old in manifest.split_inclusive('\n') {
        let text = old.trim();
        if is_list {
            is_list = !text.ends_with(']');
            continue;
        }
        if text.starts_with('[') {
            is_component = text == COMPONENT;
        }
        if is_component && text.split(['=', ' ']).next() == Some(HOSTS) {
            is_list = !text.ends_with(']');
            found = true;
            written.push_str(line);
            written.push('\n');
        } else {
            written.push_str(old);
        }
    }
    found.then_some(written)
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

    #[test]
    fn the_hosts_of_a_manifest_are_replaced_and_nothing_else() {
        let manifest = "[component.other]\nallowed_outbound_hosts = []\n[component.anglerfish]\nsource = \"a\"\n\
                        allowed_outbound_hosts = [\n  \"https://*:443\",\n]\n# end\n";
        let written = with_hosts(manifest, "allowed_outbound_hosts = [\"https://h:443\"]").unwrap();
        let expected = "[component.other]\nallowed_outbound_hosts = []\n[component.anglerfish]\nsource = \"a\"\n\
                        allowed_outbound_hosts = [\"https://h:443\"]\n# end\n";
        assert_eq!(written, expected);
        assert_eq!(with_hosts(&written, "allowed_outbound_hosts = [\"https://h:443\"]").unwrap(), written);
        assert_eq!(with_hosts("[component.other]\nallowed_outbound_hosts = []\n", "x"), None);
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
