//! What an operator, or a scheduler, asks for. Nothing of it is open to who shows no token.

use crate::bucket::Bucket;
use crate::configuration::{self, Current, GATEWAY, NotTaken, RolledBack};
use crate::drain::drain;
use crate::ingress::read_body;
use crate::outbox::outbox;
use crate::setting::{Settings, settings};
use crate::table::{Table, build, expire, table};
use crate::{clock, diagnostic, resource};
use anglerfish_core::answer::{Fault, Reply};
use anglerfish_core::config::AccessToken;
use anglerfish_core::edge::{Deployment, split_delivery_id};
use anglerfish_core::exchange::RETRY_AFTER;
use anglerfish_core::problem::Problem;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use spin_sdk::http::{Method, Request};
use std::borrow::Cow;

/// The largest configuration, in bytes: tens of thousands of subscriptions.
const LARGEST: usize = 16 * 1024 * 1024;

/// What is asked for.
enum Ask {
    Drain,
    Status,
    Configuration,
    Deploy,
    RollBack,
    Delivery(String),
    Document(resource::Ask),
}

/// Answers a request to one of the operator's paths; `None` if it is none of them.
pub(crate) async fn handle(request: Request) -> Option<Reply> {
    let method = request.method();
    let path = request.uri().path();
    let (ask, methods) = match (path, method) {
        ("/drain", &Method::POST) => (Ok(Ask::Drain), "POST"),
        ("/drain", _) => (Err(()), "POST"),
        ("/status", &Method::GET) => (Ok(Ask::Status), "GET"),
        ("/status", _) => (Err(()), "GET"),
        ("/config", &Method::GET) => (Ok(Ask::Configuration), "GET, PUT"),
        ("/config", &Method::PUT) => (Ok(Ask::Deploy), "GET, PUT"),
        ("/config", _) => (Err(()), "GET, PUT"),
        ("/config/rollback", &Method::POST) => (Ok(Ask::RollBack), "POST"),
        ("/config/rollback", _) => (Err(()), "POST"),
        (path, method) => match resource::ask(path, method) {
            Some(ask) => (ask.map(Ask::Document), "GET, PUT, DELETE"),
            None => {
                let id = path.strip_prefix("/deliveries/")?;
                let id = percent_decode_str(id).decode_utf8_lossy().into_owned();
                (if *method == Method::GET { Ok(Ask::Delivery(id)) } else { Err(()) }, "GET")
            }
        },
    };
    let opener = match path {
        "/drain" => Opener::Drain,
        _ if resource::ask(path, method).is_some() => Opener::Documents,
        _ => Opener::Admin,
    };
    let settings = match settings().await {
        Ok(settings) => settings,
        Err(error) => {
            diagnostic::report(&error.to_string());
            return Some(Fault::Internal.reply());
        }
    };
    if let Err(refusal) = admit(&settings, request.headers(), opener) {
        return Some(refusal);
    }
    let Ok(ask) = ask else {
        let methods: Vec<String> = methods.split(", ").map(str::to_owned).collect();
        let reason = format!("this is asked for with {}", methods.join(" or "));
        return Some(Reply::rejected(405, "method-not-allowed", &reason, &methods));
    };
    Some(match answer(ask, request, &settings).await {
        Ok(reply) => reply,
        Err(error) => {
            diagnostic::report(&error);
            Fault::StateUnavailable { retry_after: RETRY_AFTER }.reply()
        }
    })
}

/// Which token opens something, beside the one that opens everything.
#[derive(Clone, Copy)]
enum Opener {
    Admin,
    Drain,
    Documents,
}

/// Whether the request shows a token that opens what it asks for. Where none is set nobody is let in.
fn admit(settings: &Settings, headers: &HeaderMap, opener: Opener) -> Result<(), Reply> {
    let (more, variables) = match opener {
        Opener::Admin => (&[][..], "\"admin_token\""),
        Opener::Drain => (settings.drain.as_slice(), "\"admin_token\" or \"drain_token\""),
        Opener::Documents => (settings.documents.as_slice(), "\"admin_token\" or \"documents_token\""),
    };
    let tokens = [settings.admin.as_slice(), more].concat();
    if tokens.is_empty() {
        let reason = format!("the variable {variables} is not set, so that nobody is let in");
        return Err(Reply::rejected(403, "forbidden", &reason, &[]));
    }
    let shown = headers.get(AUTHORIZATION).and_then(|value| {
        let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    if shown.is_some_and(|token| AccessToken::is_one_of(&tokens, token.as_bytes())) {
        return Ok(());
    }
    let mut reply = Reply::rejected(401, "unauthorized", "a bearer token is needed that is right", &[]);
    reply.headers.push((Cow::Borrowed("www-authenticate"), "Bearer".to_owned()));
    Err(reply)
}

async fn answer(ask: Ask, request: Request, settings: &Settings) -> Result<Reply, String> {
    match ask {
        Ask::Drain => match table().await {
            Ok(table) => Ok(ok(&json!(drain(&table).await?))),
            Err(error) => {
                diagnostic::report(&error.to_string());
                Ok(Reply::not_ready(&error.public()))
            }
        },
        Ask::Status => status().await,
        Ask::Configuration => {
            let current = configuration::current(&Bucket::open()?)?;
            Ok(current.map_or_else(
                || problem(404, "not-found", "no configuration was deployed"),
                |current| ok(&shown(&current)),
            ))
        }
        Ask::Deploy => deploy(request, settings).await,
        Ask::RollBack => {
            let rolled = configuration::roll_back(&Bucket::open()?)?;
            expire();
            Ok(match rolled {
                RolledBack::To(current) => ok(&shown(&current)),
                RolledBack::NoneBefore => {
                    problem(409, "conflict", "there is no configuration before this one")
                }
                RolledBack::HasDocuments => problem(
                    409,
                    "conflict",
                    "a configuration with resources is not gone back to, nor from: deploy the one before again",
                ),
            })
        }
        Ask::Delivery(id) => delivery(&id),
        Ask::Document(ask) => Ok(resource::answer(ask, request, settings).await),
    }
}

/// Takes a configuration if nothing is wrong with it.
async fn deploy(request: Request, settings: &Settings) -> Result<Reply, String> {
    let (_, body) = request.into_parts();
    let body = match read_body(body, LARGEST, settings.body_timeout).await {
        Ok(body) => body,
        Err(fault) => return Ok(fault.reply()),
    };
    let document: Value = match serde_json::from_slice(&body) {
        Ok(document) => document,
        Err(error) => return Ok(problem(400, "invalid-request", &format!("this is not JSON: {error}"))),
    };
    let deployment = match Deployment::read(&document) {
        Ok(deployment) => deployment,
        Err(problems) => return Ok(refused(&problems)),
    };
    // What only the component can say: whether schemes, secrets and filters are usable.
    if let Err(problems) = build(&deployment, None) {
        return Ok(refused(&problems));
    }
    let (current, is_new) = match configuration::take(&Bucket::open()?, &deployment) {
        Ok(taken) => taken,
        Err(NotTaken::Problems(problems)) => return Ok(refused(&problems)),
        Err(NotTaken::Store(reason)) => return Err(reason),
    };
    expire();
    let mut answer = shown(&current);
    if let Some(members) = answer.as_object_mut() {
        members.insert("changed".to_owned(), json!(is_new));
        members.insert("sources".to_owned(), json!(deployment.sources().count()));
        members.insert("subscriptions".to_owned(), json!(deployment.subscriptions().count()));
    }
    Ok(ok(&answer))
}

async fn status() -> Result<Reply, String> {
    let (configuration, horizon) = match table().await {
        Ok(table) => (in_use(&table), table.directory.horizon()),
        Err(error) => (json!({ "error": error.to_string() }), 0),
    };
    let (survey, errors) = outbox(|outbox| Ok((outbox.survey(horizon)?, outbox.errors()?)))?;
    Ok(ok(&json!({
        "version": env!("CARGO_PKG_VERSION"),
        "gateway": GATEWAY.map(|hash| format!("sha256:{hash}")),
        "time": clock::now(),
        "configuration": configuration,
        "outbox": survey,
        "errors": errors,
    })))
}

fn in_use(table: &Table) -> Value {
    let mut shown = match &table.current {
        Some(current) => shown(current),
        None => json!({ "version": null }),
    };
    if let Some(members) = shown.as_object_mut() {
        let from = if table.current.is_some() { "store" } else { "variable" };
        members.insert("from".to_owned(), json!(from));
        members.insert("sources".to_owned(), json!(table.directory.sources()));
        members.insert("subscriptions".to_owned(), json!(table.directory.subscriptions()));
    }
    shown
}

fn shown(Current { version, previous }: &Current) -> Value {
    json!({
        "version": version.version,
        "hash": version.hash,
        "deployed": version.deployed,
        "previous": previous.as_ref().map(|previous| previous.version),
    })
}

fn delivery(id: &str) -> Result<Reply, String> {
    let missing =
        || problem(404, "not-found", "there is no such delivery; an id is SUBSCRIPTION:SOURCE:EVENT");
    let Some((subscription, source, event)) = split_delivery_id(id) else { return Ok(missing()) };
    let Some((record, works)) = outbox(|outbox| outbox.find(source, event))? else { return Ok(missing()) };
    let found =
        works.iter().flat_map(|work| &work.deliveries).find(|delivery| delivery.subscription == subscription);
    Ok(found.map_or_else(missing, |delivery| {
        let mut answer = json!(delivery);
        if let Some(members) = answer.as_object_mut() {
            members.insert("id".to_owned(), json!(id));
            members.insert("event".to_owned(), json!(record.event));
            members.insert("received".to_owned(), json!(record.received));
        }
        ok(&answer)
    }))
}

fn ok(body: &Value) -> Reply {
    let headers = vec![(Cow::Borrowed("content-type"), "application/json".to_owned())];
    Reply { status: 200, headers, body: body.to_string().into_bytes() }
}

fn problem(status: u16, code: &str, detail: &str) -> Reply {
    Reply::rejected(status, code, detail, &[])
}

/// A configuration that is not taken, with every problem that it has.
fn refused(problems: &[Problem]) -> Reply {
    let mut reply =
        problem(422, "invalid-configuration", "the configuration has problems, and nothing was changed");
    if let Ok(Value::Object(mut members)) = serde_json::from_slice(&reply.body) {
        members.insert("problems".to_owned(), json!(problems));
        reply.body = Value::Object(members).to_string().into_bytes();
    }
    reply
}
