//! Real events: GitHub's own examples, from the npm package `@octokit/webhooks-examples` that the tests install.

use super::workload::{Sample, Workload};
use serde_json::Value as Json;
use std::path::{Path, PathBuf};

/// Where the tests' clients are: `ANGLERFISH_TEST_NODE`, else where `cargo xtask test` puts them.
fn examples() -> Option<Vec<Sample>> {
    let node = std::env::var_os("ANGLERFISH_TEST_NODE").map(PathBuf::from).or_else(|| {
        let mut folders = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
        Some(folders.find(|folder| folder.join("Cargo.lock").exists())?.join("target/clients/node"))
    })?;
    let file = node.join("node_modules/@octokit/webhooks-examples/api.github.com/index.json");
    let kinds: Vec<Json> = serde_json::from_slice(&std::fs::read(file).ok()?).ok()?;
    let mut events = Vec::new();
    for kind in &kinds {
        let name = kind.get("name")?.as_str()?;
        for body in kind.get("examples")?.as_array()? {
            let kind = match body.get("action").and_then(Json::as_str) {
                Some(action) => format!("{name}.{action}"),
                None => name.to_owned(),
            };
            events.push(Sample { kind, body: body.to_string() });
        }
    }
    Some(events)
}

/// Filters such as teams write for their repositories, bots and branches; `None` without the examples.
pub(crate) fn github(count: usize) -> Option<Workload> {
    const REPOSITORIES: [&str; 4] =
        ["Codertocat/Hello-World", "octo-org/octo-repo", "octo-org/hello-world", "octocoders/linter"];
    const ACTIONS: [&str; 6] = ["opened", "closed", "labeled", "created", "edited", "synchronize"];
    const BRANCHES: [&str; 4] = ["main", "master", "changes", "release/1.x"];
    const KINDS: [&str; 6] = ["issues", "pull_request", "check_run", "release", "issue_comment", "star"];
    let rule = |i: usize| {
        let pick = |list: &[&'static str]| list.get(i / 12 % list.len()).copied().unwrap_or_default();
        let (action, branch, kind) = (pick(&ACTIONS), pick(&BRANCHES), pick(&KINDS));
        // One team in ten has a repository that the examples know.
        let repository = if i.is_multiple_of(10) {
            pick(&REPOSITORIES).to_owned()
        } else {
            format!("team-{}/service-{i}", i % 97)
        };
        match i % 12 {
            0 => format!(
                r#"event.type == "{kind}.{action}" && message.repository.full_name == "{repository}""#
            ),
            1 => format!(
                r#"event.type == "push" && message.ref == "refs/heads/{branch}" && message.repository.full_name == "{repository}""#
            ),
            2 => format!(
                r#"event.type in ["pull_request.opened", "pull_request.synchronize", "pull_request.reopened"] && message.pull_request.base.ref == "{branch}" && !message.pull_request.draft && message.pull_request.additions > {}"#,
                i % 500
            ),
            3 => format!(
                r#"event.type == "issue_comment.created" && message.comment.body.startsWith("/deploy service-{i}")"#
            ),
            4 => format!(r#"message.issue.labels.exists(label, label.name in ["bug", "area-{i}"])"#),
            5 => format!(
                r#"event.type == "push" && message.commits.exists(commit, commit.modified.exists(file, file.startsWith("services/{i}/")))"#
            ),
            6 => format!("message.installation.id == {}", 1000 + i),
            7 => format!(r#"message.sender.type == "Bot" && message.sender.login == "renovate-{i}[bot]""#),
            8 => format!(
                r#"event.type.startsWith("workflow_run.") && message.workflow_run.conclusion != "success" && message.workflow_run.head_branch == "{branch}" && message.repository.id == {i}"#
            ),
            9 => format!(
                r#"(event.type == "release.published" || event.type == "create" && message.ref_type == "tag") && message.repository.owner.login == "team-{}""#,
                i % 97
            ),
            10 => format!(
                r#"message.?repository.?private.orValue(false) && message.repository.name.endsWith("-{i}")"#
            ),
            _ => format!(
                r#"event.type == "check_run.completed" && message.check_run.conclusion == "{}" && message.check_run.name.contains("service-{i}")"#,
                if i.is_multiple_of(2) { "failure" } else { "neutral" }
            ),
        }
    };
    let events = examples()?;
    Some(Workload { name: "github", rules: (0..count).map(rule).collect(), events, matches: 0 })
}
