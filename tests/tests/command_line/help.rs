//! What a newcomer reads first.

use super::run;

/// The commands that a help text lists.
fn listed(help: &str) -> Vec<String> {
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    commands
        .take_while(|line| line.starts_with("  "))
        .filter(|line| !line.starts_with("    "))
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect()
}

/// Every command, each with the words that lead to it; the program itself first.
pub(crate) fn paths() -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let mut open = vec![Vec::new()];
    while let Some(path) = open.pop() {
        let arguments: Vec<&str> = path.iter().map(String::as_str).chain(["--help"]).collect();
        let help = run(&arguments).expect(0).stdout;
        let below = listed(&help).into_iter().filter(|name| name != "help").rev();
        open.extend(below.map(|name| path.iter().cloned().chain([name]).collect()));
        found.push(path);
    }
    found
}

#[test]
fn every_command_tells_of_itself_on_stdout_within_eighty_columns() {
    let seen = paths();
    for path in &seen {
        for flag in ["--help", "-h"] {
            let arguments: Vec<&str> = path.iter().map(String::as_str).chain([flag]).collect();
            let help = run(&arguments).expect(0).in_eighty_columns();
            assert!(help.stdout.contains("Usage: anglerfish"), "{arguments:?}: {}", help.stdout);
            assert_eq!(help.stderr, "", "{arguments:?}");
        }
    }
    for command in [
        "init",
        "serve",
        "check",
        "explain",
        "events list",
        "events show",
        "events explain",
        "events replay",
        "deliveries list",
        "deliveries show",
        "deliveries retry",
        "subscriptions list",
        "subscriptions show",
        "subscriptions put",
        "subscriptions delete",
        "subscriptions rotate-secret",
        "subscriptions rotate-token",
        "subscriptions test",
        "filter check",
        "filter test",
        "send",
        "sink",
        "completions",
        "manual",
    ] {
        assert!(seen.iter().any(|path| path.join(" ") == command), "{command} is not among {seen:?}");
    }
}

#[test]
fn the_version_is_on_stdout() {
    let version = run(&["--version"]).expect(0);
    assert!(version.stdout.starts_with("anglerfish "), "{}", version.stdout);
    assert_eq!(version.stderr, "");
    for arguments in [["--version", "--verbose"], ["--verbose", "--version"]] {
        let more = run(&arguments).expect(0).stdout;
        let hash = more.strip_prefix(&format!("{}gateway: sha256:", version.stdout));
        assert_eq!(hash.map(str::len), Some(65), "{more}");
    }
    assert!(run(&["--verbose", "providers"]).expect(2).stderr.contains("--version"));
}

#[test]
fn what_is_no_command_is_misuse_and_the_nearest_one_is_named() {
    for (arguments, words) in [
        (&[][..], "Usage: anglerfish"),
        (&["serv"], "'serve'"),
        (&["events"], "Usage: anglerfish events"),
        (&["events", "lst"], "'list'"),
        (&["check", "--confg", "x"], "'--config'"),
        (&["deliveries", "list", "--status", "lost"], "delivered"),
        (&["events", "list", "--limit", "0"], "at least 1"),
        (&["explain", "--source", "a"], "--request"),
        (&["check", "--format", "yaml"], "json"),
        (&["sink", "--status", "99"], "200"),
        (&["sink", "--listen", "here"], "--listen"),
    ] {
        let misuse = run(arguments).expect(2);
        assert_eq!(misuse.stdout, "", "{arguments:?}");
        assert!(misuse.stderr.contains(words), "{arguments:?}: {}", misuse.stderr);
    }
}
