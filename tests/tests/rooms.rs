//! Rooms know the rooms below them and no room above: between the top-level modules of a crate there is no circle. And
//! every file belongs to one.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, also in what its functions share"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Which rooms a room names, each with a file that does.
type Edges = BTreeMap<String, BTreeMap<String, String>>;

/// What tests alone name is no circle: they put rooms together that know nothing of each other.
const TESTS: [&str; 7] =
    ["test", "tests", "test.rs", "tests.rs", "documentation.rs", "simulation", "conformance"];

fn read(source: &Path, within: &Path, edges: &mut Edges) {
    for entry in std::fs::read_dir(within).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if TESTS.contains(&name) {
            continue;
        }
        if path.is_dir() {
            read(source, &path, edges);
        } else if name.ends_with(".rs") {
            let inside = path.strip_prefix(source).unwrap().to_str().unwrap();
            let room = inside.split('/').next().unwrap().trim_end_matches(".rs");
            // The crate's root only says which rooms there are, and the binary starts one of them.
            if ["lib", "main"].contains(&room) {
                continue;
            }
            for other in named(&std::fs::read_to_string(&path).unwrap()) {
                if other != room {
                    let rooms = edges.entry(room.to_owned()).or_default();
                    rooms.entry(other).or_insert_with(|| inside.to_owned());
                }
            }
        }
    }
}

/// The modules that follow `crate::` in a text, without its comments and its tests.
fn named(text: &str) -> BTreeSet<String> {
    let code = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    let code = lines.collect::<Vec<_>>().join("\n");
    let word = |text: &str| -> String {
        text.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect()
    };
    let mut rooms = BTreeSet::new();
    for rest in code.split("crate::").skip(1) {
        match rest.strip_prefix('{') {
            Some(list) => {
                let list = list.split('}').next().unwrap();
                rooms.extend(list.split(',').map(|item| word(item.trim())));
            }
            None => {
                rooms.insert(word(rest));
            }
        }
    }
    rooms
}

/// A way from a room back to itself, with the files on it.
fn circle(edges: &Edges) -> Option<String> {
    edges.keys().find_map(|start| {
        let (mut seen, mut ways) = (BTreeSet::new(), vec![(start, start.clone())]);
        while let Some((room, way)) = ways.pop() {
            for (next, file) in edges.get(room).into_iter().flatten() {
                let way = format!("{way} -> {next} ({file})");
                if next == start {
                    return Some(way);
                }
                if seen.insert(next) {
                    ways.push((next, way));
                }
            }
        }
        None
    })
}

#[test]
fn no_room_is_reached_from_a_room_below_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    for (source, rooms) in [("guest/core/src", 12), ("guest/filter/src", 14), ("host/src", 15)] {
        let source = root.join(source);
        let mut edges = Edges::new();
        read(&source, &source, &mut edges);
        assert!(edges.len() >= rooms, "{}: {} rooms", source.display(), edges.len());
        assert_eq!(circle(&edges), None, "{}", source.display());
    }
}

/// Files that no module names: the compiler never sees them, so nothing of what they say holds.
fn orphans(within: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(within).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            orphans(&path, found);
            continue;
        }
        let name = path.file_name().unwrap().to_str().unwrap();
        let Some(module) = name.strip_suffix(".rs").filter(|name| !["lib", "main"].contains(name)) else {
            continue;
        };
        let (module, room) = match (module, path.parent().unwrap()) {
            ("mod", room) => (room.file_name().unwrap().to_str().unwrap(), room.parent().unwrap()),
            (module, room) => (module, room),
        };
        let namers = ["mod.rs", "lib.rs", "main.rs"].map(|name| room.join(name));
        let is_named = namers.into_iter().chain([room.with_extension("rs")]).any(|namer| {
            let text = std::fs::read_to_string(namer).unwrap_or_default();
            text.lines().any(|line| line.trim_end().ends_with(&format!("mod {module};")))
        });
        if !is_named {
            found.push(path.display().to_string());
        }
    }
}

#[test]
fn every_file_is_part_of_its_crate() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let crates = [
        "guest/core",
        "guest/filter",
        "guest/gateway",
        "guest/plugin",
        "guest/spin",
        "host",
        "tests",
        "xtask",
    ];
    let mut found = Vec::new();
    for part in crates {
        orphans(&root.join(part).join("src"), &mut found);
    }
    // What `plugin new` writes is compiled where it is written.
    found.retain(|file| !file.contains("cli/plugin/template/"));
    assert_eq!(found, [""; 0]);
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in [("lib.rs", "mod known;\n"), ("known.rs", ""), ("forgotten.rs", "")] {
        std::fs::write(directory.path().join(name), text).unwrap();
    }
    orphans(directory.path(), &mut found);
    assert_eq!(found, [directory.path().join("forgotten.rs").display().to_string()]);
}

#[test]
fn a_circle_is_seen() {
    let mut edges = Edges::new();
    for (room, text) in [
        ("store", "use crate::{clock, log::Log};"),
        ("log", "//! Beside [`crate::api`].\nuse crate::engine::Engine;"),
        ("engine", "fn now() { crate::store::now() }"),
        ("api", "use crate::log::Log;"),
    ] {
        let names = named(text).into_iter().map(|name| (name, format!("{room}.rs")));
        edges.insert(room.to_owned(), names.collect());
    }
    let found = circle(&edges).unwrap();
    assert_eq!(found, "engine -> store (engine.rs) -> log (store.rs) -> engine (log.rs)");
    edges.remove("engine");
    assert_eq!(circle(&edges), None);
}
