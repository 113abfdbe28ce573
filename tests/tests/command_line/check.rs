//! `anglerfish check`.

use super::{SOURCES, run};
use anglerfish_tests::{Gateway, Ran};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Checks a text as `anglerfish.toml` in a directory of its own.
fn check(text: &str, arguments: &[&str]) -> Ran {
    let directory = TempDir::new().unwrap();
    std::fs::write(directory.path().join("anglerfish.toml"), text).unwrap();
    Ran::of(Gateway::command().arg("check").args(arguments).current_dir(directory.path()))
}

const WRONG: &str = r#"[server]
listen = "localhost"
body_limit = "lots"
lissten = "127.0.0.1:1"
[admin]
listen = "0.0.0.0:8081"
[store]
retention = "1s"
[log]
filter = "anglerfish=loudly"
[[source]]
name = "shop"
scheme = "githbu"
secrets = ["a-secret-that-is-not-shown"]
[[source]]
name = "shop"
scheme = "github"
[[source]]
name = "hooks"
scheme = "stripe"
secrets = ["env:NO_SUCH_VARIABLE", "file:no-such-file"]
[[subscription]]
id = "a b"
sources = ["shop", "shopp"]
filter = '''
event.type == "x" &&
  message.n >'''
fliter = "true"
[subscription.endpoint]
url = "ftp://example.com"
secret = "hunter2hunter2"
headers = { host = "x" }
[subscription.delivery]
success = ["2xx"]
discard = [204]
timeout = "15"
retry = { delays = ["5s", "soon"], jitter = 2, attempts = 3 }
[[subscription]]
id = "no-endpoint"
[subscriptions]
"#;

#[test]
fn every_problem_is_told_at_once_with_its_place_and_what_was_meant() {
    let told = check(WRONG, &[]).expect(2);
    assert_eq!(told.stdout, "", "problems are no data");
    for (place, words) in [
        ("anglerfish.toml:2:1: server.listen: ", "not an address"),
        ("anglerfish.toml:3:1: server.body_limit: ", "not a size"),
        ("anglerfish.toml:4:1: server.lissten: ", "unknown key"),
        ("anglerfish.toml:6:1: admin.listen: ", "token"),
        ("anglerfish.toml:8:1: store.retention: ", "1"),
        ("anglerfish.toml:10:1: log.filter: ", "not a log filter"),
        ("anglerfish.toml:13:1: source[0].scheme: ", "githbu"),
        ("anglerfish.toml:16:1: source[1].name: ", "shop"),
        ("anglerfish.toml:15:1: source[1].secrets: ", ""),
        ("anglerfish.toml:21:12: source[2].secrets[0]: ", "NO_SUCH_VARIABLE is not set"),
        ("anglerfish.toml:21:36: source[2].secrets[1]: ", "no-such-file"),
        ("anglerfish.toml:23:1: subscription[0].id: ", "a-z"),
        ("anglerfish.toml:24:20: subscription[0].sources[1]: ", "shopp"),
        ("anglerfish.toml:27:14: subscription[0].filter: ", ""),
        ("anglerfish.toml:28:1: subscription[0].fliter: ", "unknown key"),
        ("anglerfish.toml:30:1: subscription[0].endpoint.url: ", "http"),
        ("anglerfish.toml:31:1: subscription[0].endpoint.secret: ", "whsec_"),
        ("anglerfish.toml:32:13: subscription[0].endpoint.headers.host: ", "delivery itself"),
        ("anglerfish.toml:35:1: subscription[0].delivery.discard: ", "204"),
        ("anglerfish.toml:36:1: subscription[0].delivery.timeout: ", ""),
        ("anglerfish.toml:37:27: subscription[0].delivery.retry.delays[1]: ", ""),
        ("anglerfish.toml:37:36: subscription[0].delivery.retry.jitter: ", "1"),
        ("anglerfish.toml:37:48: subscription[0].delivery.retry.attempts: ", "unknown key"),
        ("anglerfish.toml:38:1: subscription[1].endpoint: ", "missing key"),
        ("anglerfish.toml:40:2: subscriptions: ", "unknown key"),
    ] {
        let line = told.stderr.lines().find(|line| line.starts_with(place));
        let line = line.unwrap_or_else(|| panic!("nothing at {place}:\n{}", told.stderr));
        assert!(line.contains(words), "{line}");
    }
    for hint in ["hint: did you mean \"listen\"?", "\"github\"", "\"shop\"", "\"filter\"", "\"subscription\""]
    {
        assert!(told.stderr.contains(hint), "{hint}:\n{}", told.stderr);
    }
    let places = told.stderr.lines().filter(|line| line.starts_with("anglerfish.toml:")).count();
    assert!(
        told.stderr.ends_with(&format!("error: {places} problems in the configuration\n")),
        "{}",
        told.stderr
    );
    for secret in ["a-secret-that-is-not-shown", "hunter2"] {
        assert!(!told.stderr.contains(secret), "{}", told.stderr);
    }
}

#[test]
fn what_only_a_program_with_functions_and_flows_can_take_is_refused() {
    let text =
        "[[subscription]]\nid = \"a\"\nflow = \"order\"\n[[subscription]]\nid = \"b\"\nmode = \"function\"\n";
    let told = check(text, &[]).expect(2);
    for line in [
        "anglerfish.toml:3:1: subscription[0].flow: there are no flows in this program",
        "anglerfish.toml:6:1: subscription[1].mode: there is no function for it in this program",
        "error: 2 problems in the configuration",
    ] {
        assert!(told.stderr.lines().any(|told| told == line), "{line}:\n{}", told.stderr);
    }
}

#[test]
fn programs_get_the_same_problems_as_json() {
    let told = check(WRONG, &["--format", "json"]).expect(2);
    let document = told.json();
    assert_eq!(document["ok"], false);
    let problems = document["problems"].as_array().unwrap();
    let lines = told.stderr.lines().filter(|line| line.starts_with("anglerfish.toml:")).count();
    assert_eq!(problems.len(), lines);
    let typo = problems.iter().find(|problem| problem["key"] == "subscription[0].fliter").unwrap();
    assert_eq!(
        *typo,
        json!({
            "file": "anglerfish.toml", "line": 28, "column": 1, "key": "subscription[0].fliter",
            "message": "unknown key", "hint": "did you mean \"filter\"?"
        })
    );
    assert!(!told.stdout.contains("hunter2"));
}

#[test]
fn a_configuration_without_problems_is_summed_up() {
    let text = format!(
        "{SOURCES}\n[[subscription]]\nid = \"orders\"\nsources = [\"shop\"]\nfilter = 'event.type == \"order.created\"'\n\
         endpoint = {{ url = \"https://example.com/orders\" }}\n"
    );
    let told = check(&text, &[]).expect(0).in_eighty_columns();
    assert_eq!(told.stderr, "");
    assert_eq!(
        told.stdout,
        "anglerfish.toml is fine\n3 sources\n  shop: standard-webhooks, 1 secret\n  hub: github, 1 secret\n  \
         team: slack, 1 secret\n1 subscription\n  orders: shop: event.type == \"order.created\"\n"
    );
    let document = check(&text, &["--format", "json"]).expect(0).json();
    assert_eq!((&document["ok"], &document["problems"]), (&json!(true), &json!([])));
    assert_eq!(document["sources"][1], json!({"name": "hub", "scheme": "github", "secrets": 1}));
    assert_eq!(document["subscriptions"][0]["id"], "orders");
    assert_eq!(document["subscriptions"][0]["signed"], false);
}

#[test]
fn what_is_no_toml_is_told_with_its_line_and_column() {
    for (text, place) in [
        ("[server]\nlisten = \n", "anglerfish.toml:2:10: "),
        ("[server\n", "anglerfish.toml:1:8: "),
        ("[server]\nlisten = \"a\"\nlisten = \"b\"\n", "anglerfish.toml:3:1: "),
        ("a = \"\u{1f600}\n", "anglerfish.toml:1:"),
    ] {
        let told = check(text, &[]).expect(2);
        assert!(told.stderr.starts_with(place), "{text:?}: {}", told.stderr);
    }
}

#[test]
fn a_file_that_cannot_be_read_is_misuse_that_names_it() {
    for file in ["/nonexistent/anglerfish.toml", "/"] {
        let told = run(&["check", "--config", file]).expect(2);
        assert!(told.stderr.starts_with(&format!("error: failed to read {file}: ")), "{}", told.stderr);
        assert!(told.stderr.contains("\nhint: "), "{}", told.stderr);
        assert_eq!(told.stdout, "");
    }
}

#[test]
fn variables_of_the_environment_count_and_are_named_when_they_are_wrong() {
    let directory = TempDir::new().unwrap();
    std::fs::write(directory.path().join("anglerfish.toml"), SOURCES).unwrap();
    let check = |name: &str, value: &str| {
        Ran::of(Gateway::command().args(["check"]).env(name, value).current_dir(directory.path()))
    };
    let _ = check("ANGLERFISH_SERVER_LISTEN", "127.0.0.1:1").expect(0);
    let told = check("ANGLERFISH_SERVER_LISTEN", "here").expect(2);
    assert!(told.stderr.starts_with("ANGLERFISH_SERVER_LISTEN: server.listen: "), "{}", told.stderr);
    let told = check("ANGLERFISH_SERVER_LISTN", "here").expect(2);
    assert!(told.stderr.contains("did you mean ANGLERFISH_SERVER_LISTEN?"), "{}", told.stderr);
}

#[test]
fn every_example_of_the_project_is_fine() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let example = root.join("examples/quickstart/anglerfish.toml");
    let told = run(&["check", "--config", example.to_str().unwrap(), "--format", "json"]).expect(0);
    let document: Value = told.json();
    assert!(!document["subscriptions"].as_array().unwrap().is_empty(), "{document}");
}

#[test]
fn no_problem_of_a_source_hides_another_and_no_problem_hides_a_warning() {
    let text = r#"[[source]]
name = "x y"
scheme = "github"
secrets = ["$GITHUB_SECRET", "env:NO_SUCH_VARIABLE"]
tolerance = "soon"
event = { id = ["json:id", "header:x"], kind = "x", time = { at = "json:at", unit = "weeks" } }
deduplicate = { by = ["json:id", "", "form:x", "secret"], within = "1" }
split = "json:events"
[[subscription]]
id = "a b"
filter = "message.n > 5 && message.n < 3"
endpoint = { url = "http://127.0.0.1:9000/" }
[[subscription]]
id = "b"
filter = "message.n >"
endpoint = { url = "http://127.0.0.1:9000/", method = "GET" }
"#;
    let told = check(text, &[]).expect(2);
    for line in [
        "anglerfish.toml:2:1: source[0].name: ",
        "anglerfish.toml:4:12: source[0].secrets[0]: warning: looks like a variable of a shell",
        "anglerfish.toml:4:30: source[0].secrets[1]: environment variable NO_SUCH_VARIABLE",
        "anglerfish.toml:5:1: source[0].tolerance: ",
        "anglerfish.toml:6:17: source[0].event.id[0]: `json:id` has no JSON pointer, which begins with `/`; write `json:/id`",
        "anglerfish.toml:6:41: source[0].event.kind: unknown key",
        "anglerfish.toml:6:62: source[0].event.time.at: ",
        "anglerfish.toml:6:78: source[0].event.time.unit: ",
        "anglerfish.toml:7:23: source[0].deduplicate.by[0]: ",
        "anglerfish.toml:7:34: source[0].deduplicate.by[1]: must not be empty",
        "anglerfish.toml:7:48: source[0].deduplicate.by[3]: the secret is of no use here",
        "anglerfish.toml:7:59: source[0].deduplicate.within: ",
        "anglerfish.toml:8:1: source[0].split: ",
        "hint: write \"json:/events\"",
        "anglerfish.toml:10:1: subscription[0].id: ",
        "anglerfish.toml:11:11: subscription[0].filter: warning: `message.n` is asked to be two things at once",
        "anglerfish.toml:12:14: subscription[0].endpoint.url: warning: every attempt would be refused",
        "anglerfish.toml:15:22: subscription[1].filter: ",
        "anglerfish.toml:16:46: subscription[1].endpoint.method: ",
    ] {
        let found = told.stderr.lines().filter(|one| one.starts_with(line)).count();
        assert_eq!(found, 1, "{line}\n{}", told.stderr);
    }
    let document = check(text, &["--format", "json"]).expect(2).json();
    let warnings = document["warnings"].as_array().unwrap();
    assert_eq!(warnings.len(), 3, "{warnings:?}");
    assert!(document["problems"].as_array().is_some_and(|problems| problems.len() >= 15), "{document}");
}

#[test]
fn a_window_that_is_longer_than_what_is_kept_is_told_where_one_of_the_two_is_written() {
    let source =
        "[[source]]\nname = \"s\"\nscheme = \"none\"\ndeduplicate = { by = [\"body\"], within = \"20d\" }\n";
    let told = check(source, &[]).expect(2);
    assert!(
        told.stderr
            .starts_with("anglerfish.toml:4:32: source[0].deduplicate.within: events are kept for 604800 s"),
        "{}",
        told.stderr
    );
    let told = check(&format!("[store]\nretention = \"10d\"\n{source}"), &[]).expect(2);
    assert!(
        told.stderr.starts_with("anglerfish.toml:2:1: store.retention: events are kept for 864000 s"),
        "{}",
        told.stderr
    );
    let text = "[[source]]\nname = \"s\"\nscheme = \"slack\"\nsecrets = [\"\"]\ntolerance = \"30d\"\n";
    let told = check(text, &[]).expect(2);
    for line in ["anglerfish.toml:4:12: source[0].secrets[0]: ", "anglerfish.toml:5:1: source[0].tolerance: "]
    {
        assert!(told.stderr.lines().any(|one| one.starts_with(line)), "{line}: {}", told.stderr);
    }
    let _ = check(&format!("[store]\nretention = \"21d\"\n{source}"), &[]).expect(0);
}

#[test]
fn a_bad_name_does_not_hide_an_unknown_scheme() {
    let told = check("[[source]]\nname = \"x y\"\nscheme = \"GitHub\"\nsecrets = [\"s\"]\n", &[]).expect(2);
    assert!(
        told.stderr.contains("source[0].name: ") && told.stderr.contains("source[0].scheme: "),
        "{}",
        told.stderr
    );
    assert!(told.stderr.contains("\"github\""), "{}", told.stderr);
}

#[test]
fn what_is_hardly_meant_is_a_warning_and_a_problem_if_asked_for() {
    let text = "[[source]]\nname = \"x\"\nscheme = \"github\"\nsecrets = [\"$GITHUB_SECRET\"]\n";
    let told = check(text, &[]).expect(0);
    assert!(told.stdout.starts_with("anglerfish.toml is fine, with 1 warning\n"), "{}", told.stdout);
    let warning = "anglerfish.toml:4:12: source[0].secrets[0]: warning: looks like a variable of a shell";
    assert!(told.stderr.starts_with(warning), "{}", told.stderr);
    assert!(told.stderr.contains("hint: write \"env:GITHUB_SECRET\""), "{}", told.stderr);
    let told = check(text, &["--strict"]).expect(2);
    assert!(told.stderr.ends_with("error: 1 problem in the configuration\n"), "{}", told.stderr);
    let document = check(text, &["--format", "json"]).expect(0).json();
    assert_eq!((&document["ok"], &document["problems"]), (&json!(true), &json!([])));
    assert_eq!(document["warnings"][0]["key"], "source[0].secrets[0]");

    let text = "[[source]]\nname = \"x\"\nscheme = \"github\"\nsecrets = [\"s\"]\n[[subscription]]\nid = \"a\"\n\
        filter = \"false && message.a == 1\"\nendpoint = { url = \"https://example.com/\" }\n";
    let told = check(text, &[]).expect(0);
    assert!(told.stderr.contains(": subscription[0].filter: warning: "), "{}", told.stderr);

    let told = check(&text.replace("false && message.a == 1", "source == 'y'"), &[]).expect(0);
    assert!(told.stderr.contains("warning: there is no source \"y\""), "{}", told.stderr);
    let told = check("[[source]]\nname = \"m\"\nscheme = \"meta\"\nsecrets = [\"s\"]\n", &[]).expect(0);
    assert!(
        told.stderr.contains("source[0].parameters.") && told.stderr.contains("warning: "),
        "{}",
        told.stderr
    );
}

#[test]
fn a_text_that_looks_like_a_reference_is_refused_with_the_right_form() {
    for (value, hint) in [
        ("Bearer ${HOOK_TOKEN}", "write \"${env:HOOK_TOKEN}\""),
        ("Bearer env:HOOK_TOKEN", "write \"${env:HOOK_TOKEN}\" there"),
    ] {
        let text = format!(
            "[[subscription]]\nid = \"a\"\n[subscription.endpoint]\nurl = \"https://example.com/\"\n\
             headers = {{ authorization = \"{value}\" }}\n"
        );
        let told = check(&text, &[]).expect(2);
        assert!(
            told.stderr.contains("endpoint.headers.authorization: ") && told.stderr.contains(hint),
            "{}",
            told.stderr
        );
    }
}

#[test]
fn a_mark_of_the_byte_order_in_front_of_a_file_is_no_part_of_it() {
    let directory = TempDir::new().unwrap();
    std::fs::write(directory.path().join("secret"), "\u{feff}s3cret\n").unwrap();
    let text = "\u{feff}[[source]]\nname = \"x\"\nscheme = \"github\"\nsecrets = [\"file:secret\"]\n";
    std::fs::write(directory.path().join("anglerfish.toml"), text).unwrap();
    let told = Ran::of(Gateway::command().arg("check").current_dir(directory.path())).expect(0);
    assert_eq!(told.stderr, "");
}
