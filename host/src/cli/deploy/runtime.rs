//! What Spin's runtime configuration says of a configuration: the networks that are kept from the app, its memory, its connections,
//! and whether its store keeps anything.

use super::super::Failure;
use super::edit::{Edit, Place, texts};
use crate::outbound::special_networks;
use anglerfish_core::edge::{OpenedNetworks, blocked_networks};
use ipnet::IpNet;
use std::path::{Component, Path, PathBuf};
use toml_edit::{Item, Value};

/// What a file begins with that is made here.
const NEW: &str = "# For `spin up --runtime-config-file`: what `anglerfish deploy-config` writes here is as tight as the configuration allows.\n";

/// What a manifest has, or a configuration of the gateway, and no runtime configuration.
const FOREIGN: [&str; 6] =
    ["application", "component", "source", "spin_manifest_version", "subscription", "trigger"];

/// Spin's word for what is not global by the registries of IANA.
const PRIVATE: &str = "private";

/// What that word leaves open and the native gateway does not call: a cloud platform's own service, relays, multicast, translation
/// within a network, protocol assignments, 6to4 and documentation.
const BEYOND_PRIVATE: [&str; 8] = [
    "168.63.129.16/32",
    "192.88.99.0/24",
    "224.0.0.0/4",
    "64:ff9b:1::/48",
    "2001::/23",
    "2002::/16",
    "3fff::/20",
    "ff00::/8",
];

/// What a configuration needs of a runtime configuration.
pub(super) struct Limits {
    /// The private networks that it opens.
    pub(super) opened: OpenedNetworks,
    /// How large a memory may have to become, in bytes.
    pub(super) memory: u64,
    /// How many connections may go out, where it says so.
    pub(super) connections: Option<u64>,
    /// The file of Spin's own store, where it is known. A file that is made here names it: one without another's path would have the
    /// app find another store than it does without the file.
    pub(super) store: Option<PathBuf>,
}

/// A runtime configuration as these limits need it.
pub(super) fn runtime(file: &Path, limits: &Limits) -> Result<Edit, Failure> {
    let mut edit = Edit::of_or(file, NEW)?;
    if let Some(key) = FOREIGN.iter().find(|key| edit.document.contains_key(key)) {
        return Err(Failure::misuse(format_args!(
            "{} is no runtime configuration of Spin's: it has `{key}`",
            edit.shown()
        ))
        .with_hint("name another file; it is made if it is not there"));
    }
    check_store(&edit)?;
    let (blocked, is_new) = (blocked(&limits.opened), edit.is_new());
    let wrong = |key: &str| Failure::misuse(format_args!("{}: {key} is not what Spin takes", file.display()));
    let mut root = Place::root(&mut edit);
    // A limit by hand that is large enough stays: how tight it can be is for whoever measures it to say.
    let memory = root.get("max_instance_memory").map(|item| item.as_integer().map(u64::try_from));
    match memory {
        Some(Some(Ok(memory))) if memory >= limits.memory => {}
        Some(None | Some(Err(_))) => return Err(wrong("max_instance_memory")),
        _ => root.set("max_instance_memory", integer(limits.memory)),
    }
    if let (true, Some(store)) = (is_new, &limits.store) {
        let store = seen_from(file.parent().unwrap_or(Path::new("")), store)?;
        let mut stores = root.made_table("key_value_store").ok_or_else(|| wrong("key_value_store"))?;
        let mut default = stores.made_table("default").ok_or_else(|| wrong("key_value_store.default"))?;
        default.set("type", Value::from("spin"));
        default.set("path", Value::from(store));
    }
    {
        let mut networking =
            root.made_table("outbound_networking").ok_or_else(|| wrong("outbound_networking"))?;
        let own = own_blocks(networking.get("block_networks")).map_err(|network| {
            Failure::misuse(format_args!(
                "{}: block_networks has `{network}`, which is no network",
                file.display()
            ))
        })?;
        networking.list("block_networks", &[blocked, own].concat());
    }
    match limits.connections {
        Some(most) => {
            let mut http = root.made_table("outbound_http").ok_or_else(|| wrong("outbound_http"))?;
            http.set("max_connections", integer(most));
            // A table of this name without it has each request make a connection of its own.
            http.set("connection_pooling", Value::from(true));
        }
        None => {
            if let Some(mut http) = root.table("outbound_http")
                && http.get("connection_pooling").is_none()
            {
                http.set("connection_pooling", Value::from(true));
            }
        }
    }
    Ok(edit)
}

/// The store that the file names: its own file, or none where it is another type of store. `None` if it names no store.
pub(super) fn named_store(edit: &Edit, file: &Path) -> Option<Option<PathBuf>> {
    let store = edit.document.get("key_value_store")?.get("default")?;
    let text = |key: &str| store.get(key).and_then(Item::as_str);
    let path = text("path").filter(|_| text("type") == Some("spin"));
    Some(path.map(|path| file.parent().unwrap_or(Path::new("")).join(path)))
}

/// A file's path as Spin takes it from a file in this folder.
fn seen_from(folder: &Path, file: &Path) -> Result<String, Failure> {
    let absolute = |path: &Path| {
        // The folder of a file that is named without one.
        std::path::absolute(Path::new(".").join(path))
            .map_err(|error| Failure::failed(format_args!("failed to find {}: {error}", path.display())))
    };
    let (folder, file) = (absolute(folder)?, absolute(file)?);
    let shared = folder.components().zip(file.components()).take_while(|(one, other)| one == other).count();
    let up = folder.components().skip(shared).map(|_| Component::ParentDir);
    let path: PathBuf = up.chain(file.components().skip(shared)).collect();
    let text = path.to_str().map(str::to_owned);
    text.ok_or_else(|| Failure::misuse(format_args!("{} is not UTF-8, as TOML is", path.display())))
}

fn integer(number: u64) -> Value {
    Value::from(i64::try_from(number).unwrap_or(i64::MAX))
}

/// The networks that are kept from the app.
pub(super) fn blocked(opened: &OpenedNetworks) -> Vec<String> {
    let special = blocked_networks(&special_networks(), &[]);
    let left = blocked_networks(&special, &opened.networks);
    if left == special {
        return std::iter::once(PRIVATE).chain(BEYOND_PRIVATE).map(str::to_owned).collect();
    }
    left.iter().map(ToString::to_string).collect()
}

/// Public networks that somebody keeps from the app, too: those of a list that are not among the private ones. Gives back what is no network.
fn own_blocks(list: Option<&Item>) -> Result<Vec<String>, String> {
    let Some(list) = list else { return Ok(Vec::new()) };
    let list = list.as_array().ok_or_else(|| list.to_string().trim().to_owned())?;
    let special = blocked_networks(&special_networks(), &[]);
    let mut own = Vec::new();
    for text in texts(list).into_iter().filter(|text| text != PRIVATE) {
        let network: IpNet = text
            .parse::<IpNet>()
            .or_else(|_| text.parse().map(|address: std::net::IpAddr| address.into()))
            .map_err(|_| text.clone())?;
        if !special.iter().any(|special| special.contains(&network)) {
            own.push(text);
        }
    }
    Ok(own)
}

/// Refuses a store in which nothing stays, or whose keys cannot be what the app's are.
fn check_store(edit: &Edit) -> Result<(), Failure> {
    let shown = edit.shown();
    let store = edit.document.get("key_value_store").and_then(|stores| stores.get("default"));
    let text = |item: &Item, key: &str| item.get(key).and_then(Item::as_str).map(str::to_owned);
    match store {
        Some(store) => match text(store, "type").as_deref() {
            Some("azure_cosmos") => Err(Failure::misuse(format_args!(
                "{shown}: the store is Azure Cosmos DB, which refuses `/` in keys"
            ))
            .with_hint("take another type: spin, redis, aws_dynamo")),
            Some("spin") if text(store, "path").is_none() => Err(Failure::misuse(format_args!(
                "{shown}: the store has no path, so that it is in memory and what was accepted is lost when Spin ends"
            ))
            .with_hint("name a file: path = \"anglerfish.db\" in [key_value_store.default]")),
            _ => Ok(()),
        },
        None if edit.document.get("state_dir").and_then(Item::as_str) == Some("") => {
            Err(Failure::misuse(format_args!(
                "{shown}: without a state_dir the store is in memory, and what was accepted is lost when Spin ends"
            ))
            .with_hint("leave state_dir out, or name a store in [key_value_store.default]"))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::IpAddr;

    fn limits(networks: &[&str]) -> Limits {
        let networks = networks.iter().map(|text| text.parse().unwrap()).collect();
        let opened = OpenedNetworks { networks, whole: Vec::new() };
        Limits { opened, memory: 1 << 27, connections: None, store: None }
    }

    fn written(text: &str, limits: &Limits) -> Result<(String, Vec<String>), Failure> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let edit = runtime(file.path(), limits)?;
        Ok((edit.document.to_string(), edit.changes))
    }

    #[test]
    fn private_networks_are_kept_from_the_app_unless_the_configuration_opens_some() {
        assert_eq!(blocked(&limits(&[]).opened)[0], "private");
        // What is public anyway opens nothing.
        assert_eq!(blocked(&limits(&["93.184.216.0/24"]).opened)[0], "private");
        let list = blocked(&limits(&["10.1.0.0/16"]).opened);
        let blocks = |address: &str| {
            let address: IpAddr = address.parse().unwrap();
            list.iter().any(|network| network.parse::<IpNet>().unwrap().contains(&address))
        };
        for address in
            ["10.0.0.1", "10.2.0.1", "127.0.0.1", "169.254.169.254", "192.168.1.1", "::1", "fd00::1"]
        {
            assert!(blocks(address), "{address}");
        }
        for address in ["10.1.0.1", "10.1.255.255", "93.184.216.34", "2606:4700::1111"] {
            assert!(!blocks(address), "{address}");
        }
        assert_eq!(blocked(&limits(&["0.0.0.0/0", "::/0"]).opened), Vec::<String>::new());
    }

    #[test]
    fn what_spin_calls_private_and_what_is_beyond_it_is_all_that_the_gateway_does_not_call() {
        let beyond: Vec<IpNet> = BEYOND_PRIVATE.iter().map(|text| text.parse().unwrap()).collect();
        // What Spin's word means, by its library.
        let private = [
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",
            "127.0.0.0/8",
            "169.254.0.0/16",
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.168.0.0/16",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "240.0.0.0/4",
            "::/128",
            "::1/128",
            "2001:db8::/32",
            "fc00::/7",
            "fe80::/10",
            "fec0::/10",
        ];
        let all = [private.map(|text| text.parse().unwrap()).to_vec(), beyond].concat();
        assert_eq!(blocked_networks(&all, &[]), blocked_networks(&special_networks(), &[]));
    }

    #[test]
    fn a_file_gets_what_is_missing_and_keeps_what_is_the_users() {
        let mine = "# mine\n[outbound_networking]\n# why\nblock_networks = [\"10.0.0.0/8\", \"93.184.216.0/24\"] # so\n\n\
                    [outbound_http]\nmax_connections = 5\n";
        let (text, changes) = written(mine, &limits(&[])).unwrap();
        let read: toml::Table = text.parse().unwrap();
        assert_eq!(read["max_instance_memory"].as_integer(), Some(1 << 27));
        let list = read["outbound_networking"]["block_networks"].as_array().unwrap();
        let list: Vec<&str> = list.iter().map(|item| item.as_str().unwrap()).collect();
        assert_eq!((list[0], list.last()), ("private", Some(&"93.184.216.0/24")));
        assert!(!list.contains(&"10.0.0.0/8"));
        assert_eq!(read["outbound_http"]["max_connections"].as_integer(), Some(5));
        assert_eq!(read["outbound_http"]["connection_pooling"].as_bool(), Some(true));
        for comment in ["# mine", "# why", "# so"] {
            assert!(text.contains(comment), "{text}");
        }
        assert_eq!(changes.len(), 3, "{changes:?}");
        assert_eq!(written(&text, &limits(&[])).unwrap(), (text, Vec::new()));
    }

    #[test]
    fn memory_is_raised_to_what_is_needed_and_not_lowered() {
        let memory = |text: &str| {
            let (text, _) = written(text, &limits(&[])).unwrap();
            text.parse::<toml::Table>().unwrap()["max_instance_memory"].as_integer().unwrap()
        };
        assert_eq!(memory("max_instance_memory = 1000\n"), 1 << 27);
        assert_eq!(memory("max_instance_memory = 999999999\n"), 999_999_999);
        assert!(written("max_instance_memory = \"1MiB\"\n", &limits(&[])).is_err());
    }

    #[test]
    fn a_file_that_is_made_names_the_store_that_the_app_has_without_it() {
        let folder = tempfile::tempdir().unwrap();
        let store = Some(folder.path().join(".spin/kv.db"));
        let limits = Limits { store, ..limits(&[]) };
        let path = |file: &str| {
            let edit = runtime(&folder.path().join(file), &limits).unwrap();
            let read: toml::Table = edit.text().unwrap().parse().unwrap();
            read.get("key_value_store").map(|stores| stores["default"]["path"].as_str().unwrap().to_owned())
        };
        assert_eq!(path("runtime-config.toml").as_deref(), Some(".spin/kv.db"));
        assert_eq!(path("deploy/edge/runtime-config.toml").as_deref(), Some("../../.spin/kv.db"));
        // Where there is one already, it says itself which store it means.
        std::fs::write(folder.path().join("mine.toml"), "").unwrap();
        assert_eq!(path("mine.toml"), None);
    }

    #[test]
    fn connections_are_those_of_the_configuration() {
        let (text, _) = written("", &Limits { connections: Some(64), ..limits(&[]) }).unwrap();
        let read: toml::Table = text.parse().unwrap();
        assert_eq!(read["outbound_http"]["max_connections"].as_integer(), Some(64));
        assert_eq!(read["outbound_http"]["connection_pooling"].as_bool(), Some(true));
    }

    #[test]
    fn a_store_in_which_nothing_stays_is_refused() {
        for text in [
            "[key_value_store.default]\ntype = \"spin\"\n",
            "[key_value_store.default]\ntype = \"azure_cosmos\"\n",
            "state_dir = \"\"\n",
            "[outbound_networking]\nblock_networks = [\"everything\"]\n",
            "[outbound_networking]\nblock_networks = \"private\"\n",
            "outbound_networking = 1\n",
            "[[source]]\nname = \"shop\"\n",
            "spin_manifest_version = 2\n",
        ] {
            assert_eq!(written(text, &limits(&[])).err().map(|failure| failure.code()), Some(2), "{text}");
        }
        for text in [
            "[key_value_store.default]\ntype = \"spin\"\npath = \"a.db\"\n",
            "[key_value_store.default]\ntype = \"redis\"\nurl = \"redis://h\"\n",
            "state_dir = \"\"\n[key_value_store.default]\ntype = \"redis\"\nurl = \"redis://h\"\n",
        ] {
            assert!(written(text, &limits(&[])).is_ok(), "{text}");
        }
    }
}
