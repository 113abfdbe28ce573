//! The recorded cases of `tests/fixtures/verify`.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use anglerfish_core::decision::Answer;
use anglerfish_core::request::{Fetched, Header, Request, UnixMillis};
use anglerfish_core::verify::VerificationConfig;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// One scheme's cases, which share a request.
#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
pub(crate) struct Group {
    #[serde(default)]
    pub(crate) group: String,
    pub(crate) config: VerificationConfig,
    pub(crate) now: u64,
    pub(crate) request: Recorded,
    #[serde(default)]
    pub(crate) fetched: Vec<Document>,
    pub(crate) cases: Vec<Case>,
}

#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
pub(crate) struct Recorded {
    pub(crate) method: String,
    pub(crate) url: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
pub(crate) struct Document {
    pub(crate) url: String,
    pub(crate) status: Option<u16>,
    pub(crate) body: String,
}

/// One case: what differs from the group's request, and how it must end.
#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) config: Option<VerificationConfig>,
    pub(crate) now: Option<u64>,
    pub(crate) method: Option<String>,
    pub(crate) url: Option<String>,
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, Option<String>>,
    #[serde(default)]
    pub(crate) repeat: Vec<(String, String)>,
    pub(crate) body: Option<String>,
    pub(crate) fetched: Option<Vec<Document>>,
    pub(crate) expect: Expect,
}

#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expect {
    pub(crate) outcome: String,
    pub(crate) secret: Option<usize>,
    pub(crate) event: Option<ExpectedEvent>,
    pub(crate) answer: Option<ExpectedAnswer>,
    pub(crate) replay: Option<Vec<String>>,
    pub(crate) reason: Option<String>,
    pub(crate) status: Option<u16>,
    pub(crate) urls: Option<Vec<String>>,
    pub(crate) post: Option<serde_json::Value>,
}

#[derive(Deserialize, Clone, PartialEq, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExpectedEvent {
    pub(crate) id: Option<String>,
    pub(crate) r#type: Option<String>,
    pub(crate) subject: Option<String>,
    pub(crate) time: Option<u64>,
}

#[derive(Deserialize, Clone, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExpectedAnswer {
    pub(crate) status: u16,
    pub(crate) body: String,
    pub(crate) content_type: Option<String>,
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
}

impl ExpectedAnswer {
    pub(crate) fn matches(&self, answer: &Answer) -> bool {
        let headers: BTreeMap<String, String> = answer.headers.iter().cloned().collect();
        answer.status == self.status
            && answer.body == self.body.as_bytes()
            && headers == self.headers
            && self.content_type.as_ref().is_none_or(|expected| *expected == answer.content_type)
    }
}

/// A case with everything filled in.
pub(crate) struct Whole {
    pub(crate) config: VerificationConfig,
    pub(crate) now: u64,
    pub(crate) method: String,
    pub(crate) url: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
    pub(crate) fetched: Vec<Document>,
}

impl Whole {
    pub(crate) fn of(group: &Group, case: &Case) -> Self {
        let mut headers = group.request.headers.clone();
        for (name, value) in &case.headers {
            match value {
                Some(value) => headers.insert(name.clone(), value.clone()),
                None => headers.remove(name),
            };
        }
        Self {
            config: case.config.clone().unwrap_or_else(|| group.config.clone()),
            now: case.now.unwrap_or(group.now),
            method: case.method.clone().unwrap_or_else(|| group.request.method.clone()),
            url: case.url.clone().unwrap_or_else(|| group.request.url.clone()),
            headers: headers.into_iter().chain(case.repeat.iter().cloned()).collect(),
            body: case.body.clone().unwrap_or_else(|| group.request.body.clone()),
            fetched: case.fetched.clone().unwrap_or_else(|| group.fetched.clone()),
        }
    }

    pub(crate) fn request(&self) -> Request<'_> {
        Request {
            id: "r-1",
            source: "case",
            method: &self.method,
            url: &self.url,
            headers: self
                .headers
                .iter()
                .map(|(name, value)| Header { name, value: value.as_bytes() })
                .collect(),
            body: self.body.as_bytes(),
            received: UnixMillis::from_seconds(self.now),
            added_prefix: "",
            fetched: self
                .fetched
                .iter()
                .map(|document| Fetched {
                    url: &document.url,
                    status: document.status,
                    body: document.body.as_bytes(),
                })
                .collect(),
        }
    }
}

/// `tests/fixtures`, from whichever package these lines are compiled in.
fn fixtures() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = package.ancestors().map(|folder| folder.join("tests/fixtures"));
    folders.find(|folder| folder.is_dir()).expect("the recorded cases are in the repository")
}

/// All groups with the name of their file.
pub(crate) fn groups() -> Vec<(String, Group)> {
    let mut files: Vec<_> =
        std::fs::read_dir(fixtures().join("verify")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut all = Vec::new();
    for file in files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "json")) {
        let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
        let text = std::fs::read_to_string(file).unwrap();
        let groups: Vec<Group> =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        all.extend(groups.into_iter().map(|group| (name.clone(), group)));
    }
    all
}
