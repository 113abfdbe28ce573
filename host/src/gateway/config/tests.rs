use super::Config;
use super::review::filter_problems;
use crate::config::{ConfigError, Environment};
use anglerfish_core::config::{AccessToken, Secret};
use anglerfish_core::problem::Problem;
use serde_json::json;
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

fn environment(variables: &[(&str, &str)]) -> Environment {
    variables.iter().map(|(name, value)| ((*name).to_owned(), OsString::from(value))).collect()
}

fn parse(text: &str, variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    Config::parse("anglerfish.toml", text, Path::new("/etc/anglerfish"), &environment(variables))
}

/// What a user sees: each problem's line, and its hint below it.
fn report(text: &str, variables: &[(&str, &str)]) -> String {
    let ConfigError::Invalid(problems) = parse(text, variables).unwrap_err() else { panic!("it was read") };
    let mut lines = Vec::new();
    for problem in problems {
        lines.push(problem.to_string());
        lines.extend(problem.hint.map(|hint| format!("hint: {hint}")));
    }
    lines.join("\n")
}

#[test]
fn an_empty_file_has_the_documented_defaults() {
    let config = parse("", &[]).unwrap();
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.server.body_limit, 1 << 20);
    assert_eq!(config.admin.listen.to_string(), "127.0.0.1:8081");
    assert_eq!(config.store.retention, Duration::from_secs(7 * 24 * 3600));
    assert!(config.document.sources.is_empty() && config.document.subscriptions.is_empty());
}

#[test]
fn reads_the_model_configuration() {
    let text = r#"
        [server]
        listen = "127.0.0.1:8080"
        data_dir = "data"
        body_limit = "2MiB"
        [admin]
        listen = "127.0.0.1:8081"
        [[source]]
        name = "shop"
        scheme = "standard-webhooks"
        secrets = ["env:SHOP_SECRET", "whsec_aHVudGVyMi1pbi1kaXNndWlzZS1odW50ZXIy"]
        [[subscription]]
        id = "big-orders"
        sources = ["shop"]
        filter = 'event.type == "order.created" && message.quantity > 0'
        [subscription.endpoint]
        url = "http://127.0.0.1:9000/orders"
        method = "POST"
        headers = { authorization = "env:ORDERS_TOKEN" }
        secret = "env:ORDERS_SECRET"
        allow_private = true
        [subscription.delivery]
        success = ["2xx"]
        discard = [400, 404]
        timeout = "15s"
        concurrency = 10
        retry = { delays = ["5s", "5m", "30m"], jitter = 0.2 }
    "#;
    let secret = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    let variables = [("SHOP_SECRET", secret), ("ORDERS_TOKEN", "Bearer hunter2"), ("ORDERS_SECRET", secret)];
    let config = parse(text, &variables).unwrap();
    assert_eq!(config.server.data_dir, Path::new("/etc/anglerfish/data"));
    assert_eq!(config.server.body_limit, 2 << 20);
    let (_, source) = &config.document.sources[0];
    assert_eq!(source.verification.secrets[0].value, secret);
    let (_, subscription) = &config.document.subscriptions[0];
    assert_eq!(
        subscription.endpoint.as_ref().unwrap().headers,
        [("authorization".into(), Secret::new("Bearer hunter2"))]
    );
    assert!(
        matches!(&subscription.delivery.retry.schedule, anglerfish_core::config::Schedule::Delays(delays) if delays.len() == 3)
    );
    assert_eq!(config.written[0]["endpoint"]["headers"]["authorization"], "env:ORDERS_TOKEN");
    assert_eq!(config.written[0]["endpoint"]["secret"], "env:ORDERS_SECRET");
    let shown = format!("{config:?}");
    for secret in ["hunter2", "aHVudGVyMi1pbi1kaXNndWlzZS1odW50ZXIy", secret] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[test]
fn reports_every_problem_with_file_line_and_key() {
    let text = r#"[server]
listen = "localhost:8080"
body_limit = "1 hand"
[admin]
listen = "0.0.0.0:8081"
[sorce]
[[source]]
name = "shop"
scheme = "github"
secrets = ["env:NOBODY"]
[[subscription]]
id = "a"
sources = ["shpo"]
retries = 3
[subscription.endpoint]
url = "http://127.0.0.1:9000"
headers = { host = "x", x-token = "file:missing" }
[subscription.delivery]
timeout = 15
"#;
    assert_eq!(
        report(text, &[]),
        r#"anglerfish.toml:2:1: server.listen: not an address
hint: write an IP address and a port, such as "127.0.0.1:8080"
anglerfish.toml:3:1: server.body_limit: not a size
hint: write bytes, or a number with a unit such as "1MiB"
anglerfish.toml:5:1: admin.listen: another address than loopback needs "token" beside it
hint: give a token, or listen on a loopback address
anglerfish.toml:6:2: sorce: unknown key
hint: did you mean "source"?
anglerfish.toml:10:12: source[0].secrets[0]: environment variable NOBODY is not set
anglerfish.toml:13:12: subscription[0].sources[0]: there is no source "shpo"
hint: did you mean "shop"?
anglerfish.toml:14:1: subscription[0].retries: unknown key
hint: the keys here are id, sources, filter, resource, revisions, backfill, notification, plugins, mode, flow, tokens, endpoint, delivery, start, when_removed
anglerfish.toml:17:13: subscription[0].endpoint.headers.host: this header field is written by the delivery itself
anglerfish.toml:17:25: subscription[0].endpoint.headers.x-token: failed to read /etc/anglerfish/missing: No such file or directory (os error 2)
anglerfish.toml:19:1: subscription[0].delivery.timeout: a duration needs a unit
hint: write "15s" for seconds"#
    );
}

#[test]
fn reports_errors_of_syntax_with_their_lines() {
    let text = "[server\nlisten = \"127.0.0.1:8080\"\nlisten = 3\n";
    let report = report(text, &[]);
    assert!(report.contains("anglerfish.toml:1:"), "{report}");
}

#[test]
fn variables_override_the_file() {
    let text = "[server]\nlisten = \"127.0.0.1:1\"\n";
    let variables = [
        ("ANGLERFISH_SERVER_LISTEN", "127.0.0.1:2"),
        ("ANGLERFISH_SERVER_MAX_REQUESTS", "7"),
        ("ANGLERFISH_SERVER_DATA_DIR", "elsewhere"),
        ("ANGLERFISH_SERVER_TRUSTED_PROXIES", "10.0.0.0/8, ::1/128"),
        ("ANGLERFISH_ADMIN_TOKEN", "0123456789abcdef"),
        ("ANGLERFISH_STORE_RETENTION", "1h"),
        ("ANGLERFISH_API", "http://127.0.0.1:9"),
        ("ANGLERFISH_OUT_TOKEN", "what `listen` shows"),
    ];
    let config = parse(text, &variables).unwrap();
    assert_eq!(config.server.listen.port(), 2);
    assert_eq!(config.server.max_requests, 7);
    assert_eq!(config.server.data_dir, Path::new("elsewhere"));
    assert_eq!(config.server.trusted_proxies.len(), 2);
    assert_eq!(config.admin.token, Some(Secret::new("0123456789abcdef")));
    assert_eq!(config.store.retention, Duration::from_secs(3600));
}

#[test]
fn a_variable_that_is_wrong_is_named() {
    let variables = [("ANGLERFISH_SERVER_LISTN", "x"), ("ANGLERFISH_SERVER_WORKERS", "many")];
    assert_eq!(
        report("", &variables),
        "ANGLERFISH_SERVER_LISTN: server.listn: unknown key\n\
         hint: did you mean ANGLERFISH_SERVER_LISTEN?\n\
         ANGLERFISH_SERVER_WORKERS: server.workers: expected an integer, found a string"
    );
}

#[test]
fn secrets_come_from_files_beside_the_configuration() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("secret"), "s3cret\r\n").unwrap();
    std::fs::write(directory.path().join("empty"), "\n").unwrap();
    std::fs::write(directory.path().join("long"), vec![b'x'; 65 * 1024]).unwrap();
    let read = |file: &str| {
        let text = format!(
            "[[source]]\nname = \"a\"\nscheme = \"github\"\nsecrets = [{{ value = \"file:{file}\" }}]\n"
        );
        Config::parse("f.toml", &text, directory.path(), &Environment::default())
    };
    let config = read("secret").unwrap();
    assert_eq!(config.document.sources[0].1.verification.secrets[0].value, "s3cret");
    for (file, word) in
        [("empty", "is empty"), ("long", "longer"), ("missing", "failed to read"), ("", "failed")]
    {
        let ConfigError::Invalid(problems) = read(file).unwrap_err() else { panic!() };
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert_eq!(problems[0].path, "source[0].secrets[0].value");
        assert!(problems[0].message.contains(word), "{problems:?}");
    }
}

#[test]
fn an_open_management_api_needs_a_token_that_cannot_be_guessed() {
    let open = "[admin]\nlisten = \"0.0.0.0:8081\"\n";
    assert!(parse(open, &[]).is_err());
    assert!(parse(&format!("{open}token = \"0123456789abcdef\"\n"), &[]).is_ok());
    for token in ["", "short", "0123456789abcdef with spaces"] {
        assert!(parse(&format!("{open}token = \"{token}\"\n"), &[]).is_err(), "{token}");
    }
    let unset = report(&format!("{open}token = \"env:TOKEN\"\n"), &[]);
    assert_eq!(unset, "anglerfish.toml:3:1: admin.token: environment variable TOKEN is not set");
}

#[test]
fn networks_of_the_server_are_allowed_to_every_subscription() {
    let text = "[server]\nallow_networks = [\"10.0.0.0/8\"]\n[[subscription]]\nid = \"a\"\n\
                [subscription.endpoint]\nurl = \"http://10.0.0.1\"\nallow_networks = [\"192.168.0.0/16\"]\n";
    let config = parse(text, &[]).unwrap();
    let expected = ["192.168.0.0/16", "10.0.0.0/8"];
    assert_eq!(config.document.subscriptions[0].1.endpoint.as_ref().unwrap().allow_networks, expected);
    let document = json!({"id": "b", "endpoint": {"url": "http://10.0.0.2"}});
    let subscription = config.subscription_reader().read(document.to_string().as_bytes()).unwrap();
    assert_eq!(subscription.endpoint.as_ref().unwrap().allow_networks, ["10.0.0.0/8"]);
}

#[test]
fn a_subscription_written_at_run_time_may_use_only_the_references_that_are_named() {
    let document = json!({"id": "b", "endpoint": {
        "url": "https://example.com", "secret": "env:OTHER", "headers": {"x": "env:X", "y": "env:NONE"}
    }});
    let bytes = document.to_string();
    let variables = [("X", "value"), ("OTHER", "hunter2")];
    let read = |text: &str| parse(text, &variables).unwrap().subscription_reader().read(bytes.as_bytes());

    let token = "[admin]\ntoken = \"0123456789abcdef\"\n";
    for text in ["", token] {
        let problems = read(text).unwrap_err();
        let mut paths: Vec<_> = problems.iter().map(|problem| problem.path.as_str()).collect();
        paths.sort_unstable();
        assert_eq!(paths, ["endpoint.headers.x", "endpoint.headers.y", "endpoint.secret"]);
        for problem in problems {
            // Not even whether there is such a variable is told.
            assert_eq!(problem.message, "this reference may not be used at run time");
        }
    }
    let problems = read(&format!("{token}references = [\"env:X\", \"env:N*\"]\n")).unwrap_err();
    let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(
        said.iter().any(|one| one == "endpoint.headers.y: environment variable NONE is not set"),
        "{said:?}"
    );
    assert!(said.iter().any(|one| one.starts_with("endpoint.secret: this reference may not")), "{said:?}");

    let named = format!("{token}references = [\"env:X\"]\n");
    let document = json!({"id": "b", "endpoint": {"url": "https://example.com", "headers": {"x": "env:X"}}});
    let reader = parse(&named, &variables).unwrap().subscription_reader();
    let subscription = reader.read(document.to_string().as_bytes()).unwrap();
    assert_eq!(subscription.endpoint.as_ref().unwrap().headers[0].1.reveal(), "value");
}

#[test]
fn references_for_the_management_api_need_a_token() {
    let said = report("[admin]\nreferences = [\"env:X\"]\n", &[]);
    assert!(said.starts_with("anglerfish.toml:2:1: admin.references: needs \"token\" beside it"), "{said}");
}

#[test]
fn problems_found_later_point_into_the_file() {
    let text =
        "[[subscription]]\nid = \"a\"\nfilter = 'event.type =='\nendpoint = { url = \"http://10.0.0.1\" }\n";
    let config = parse(text, &[]).unwrap();
    let problem = Problem {
        line: Some(1),
        column: Some(14),
        ..Problem::new("subscription[0].filter", "unexpected end")
    };
    let ConfigError::Invalid(problems) = config.locate(vec![problem]) else { panic!() };
    assert_eq!(problems[0].to_string(), "anglerfish.toml:3:24: subscription[0].filter: unexpected end");
}

#[test]
fn filters_are_checked_beside_everything_else() {
    let text = "[[subscription]]\nid = \"a\"\ntypo = 1\nfilter = '''\nevent.type ==\n'''\n\
                [subscription.endpoint]\nurl = \"nowhere\"\n";
    let report = report(text, &[]);
    for place in
        ["anglerfish.toml:3:1: subscription[0].typo", "subscription[0].filter: ", "anglerfish.toml:8:1: "]
    {
        assert!(report.contains(place), "{report}");
    }
    let sound =
        parse("[[subscription]]\nid = \"a\"\nfilter = 'nope'\nendpoint = { url = \"http://h\" }\n", &[])
            .unwrap();
    let ConfigError::Invalid(problems) = sound.locate(filter_problems(&sound.written)) else { panic!() };
    assert!(
        problems[0].to_string().starts_with("anglerfish.toml:3:11: subscription[0].filter: "),
        "{problems:?}"
    );
}

#[test]
fn a_url_from_a_reference_is_a_secret_and_one_that_would_be_refused_is_a_warning() {
    let text = "[[subscription]]\nid = \"a\"\nendpoint = { url = \"env:URL\" }\n\
                [[subscription]]\nid = \"b\"\nendpoint = { url = \"http://127.1:9000/\" }\n\
                [[subscription]]\nid = \"c\"\nendpoint = { url = \"http://127.0.0.1/\", allow_private = true }\n";
    let config = parse(text, &[("URL", "https://10.0.0.1/hunter2")]).unwrap();
    let [(_, a), (_, b), _] = config.document.subscriptions.as_slice() else { panic!() };
    assert!(a.endpoint.as_ref().unwrap().url.is_secret() && !b.endpoint.as_ref().unwrap().url.is_secret());
    let warnings: Vec<String> = config.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(
        warnings[0].contains("subscription[0].endpoint.url: ") && warnings[0].contains("a private address")
    );
    assert!(
        warnings[1].contains("subscription[1].endpoint.url: ") && warnings[1].contains("a loopback address")
    );
    assert!(!format!("{config:?}{warnings:?}").contains("hunter2"));
    let document = json!({"id": "d", "endpoint": {"url": "https://example.com/${env:URL}"}});
    assert!(
        config.subscription_reader().read(document.to_string().as_bytes()).is_err(),
        "not named in references"
    );
}

#[test]
fn tokens_of_a_passive_subscription_are_resolved_and_without_a_listener_they_are_a_warning() {
    let text = "[[subscription]]\nid = \"a\"\nmode = \"passive\"\ntokens = [\"env:TOKEN\"]\n";
    let variables = [("TOKEN", "0123456789abcdef")];
    let config = parse(text, &variables).unwrap();
    let (_, subscription) = &config.document.subscriptions[0];
    assert!(AccessToken::is_one_of(&subscription.tokens, b"0123456789abcdef"));
    assert!(!format!("{config:?}").contains("0123456789abcdef"));
    let warnings: Vec<String> = config.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        [
            "anglerfish.toml:4:1: subscription[0].tokens: nobody can lease or read with them: there is no `out.listen`"
        ]
    );
    let config = parse(&format!("[out]\nlisten = \"127.0.0.1:0\"\n{text}"), &variables).unwrap();
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
}

#[test]
fn topics_that_an_earlier_pattern_takes_are_warned_of() {
    let topics = |names: &[&str]| -> String {
        let topic = |name: &&str| format!("[[topic]]\nname = \"{name}\"\ntokens = [\"0123456789abcdef\"]\n");
        format!("[out]\nlisten = \"127.0.0.1:0\"\n{}", names.iter().map(topic).collect::<String>())
    };
    let warned = |names: &[&str]| -> Vec<String> {
        parse(&topics(names), &[]).unwrap().warnings.iter().map(ToString::to_string).collect()
    };
    for names in [&["chat.vip", "chat.*", "**"][..], &["chat.*", "news.*"], &["chat", "chat.*"]] {
        assert_eq!(warned(names), [""; 0], "{names:?}");
    }
    for (names, words) in [
        (["chat.*", "chat.vip"], "is of no use: all its topics are topics of \"chat.*\" (topic[0])"),
        (["chat.*", "*.vip"], "some of its topics are topics of \"chat.*\""),
    ] {
        let warnings = warned(&names);
        assert!(
            warnings.len() == 1 && warnings[0].contains("topic[1].name: ") && warnings[0].contains(words),
            "{warnings:?}"
        );
    }
}

#[test]
fn a_topic_is_not_kept_for_longer_than_events_are() {
    let text = |history: &str| {
        format!(
            "[store]\nretention = \"2d\"\n[out]\nlisten = \"127.0.0.1:0\"\n\
             [[topic]]\nname = \"chat\"\ntokens = [\"0123456789abcdef\"]\nhistory = \"{history}\"\n"
        )
    };
    assert!(parse(&text("2d"), &[]).is_ok());
    assert_eq!(
        report(&text("3d"), &[]),
        "anglerfish.toml:8:1: topic[0].history: 3days is longer than events are kept, which is 2days (`store.retention`)\n\
         hint: leave it out to read as far back as events are kept, or raise `store.retention`"
    );
}
