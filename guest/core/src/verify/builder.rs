//! From a definition as it is written to a scheme that can be interpreted, with all problems at once.

use super::algorithm::{Algorithm, Encoding};
use super::field::{Field, Position};
use super::freshness::{Timestamp, Unit, Window};
use super::identity::{Identifier, IdentityKind};
use super::jwt::Jwt;
use super::key::KeyForm;
use super::pin::{Pattern, Pin};
use super::place::Place;
use super::reply::{conditions, reply};
use super::scheme::{BodyForm, Condition, EventAnswer, Handshake, Parameter, Scheme, Test, Variant};
use super::split;
use super::template::{Body, JsonPart, Template};
use crate::node::{Node, Problems, Table, nearest};
use crate::problem::Problem;
use serde_json::Value;

pub(super) const SCHEME: &[&str] = &[
    "status",
    "unsigned",
    "variant",
    "handshake",
    "answer",
    "event",
    "replay",
    "parameter",
    "methods",
    "unpack",
    "json-fields",
    "body",
    "batch",
];

/// The methods that an event can come with.
pub(crate) const METHODS: [(&str, &str); 5] =
    [("POST", "POST"), ("GET", "GET"), ("PUT", "PUT"), ("PATCH", "PATCH"), ("DELETE", "DELETE")];
pub(super) const VARIANT: &[&str] = &[
    "name",
    "opt-in",
    "when",
    "algorithm",
    "key",
    "encoding",
    "signature",
    "signed",
    "id",
    "timestamp",
    "window",
    "each",
    "requires",
    "url-ports",
    "url-escapes",
    "certificate",
    "jwt",
];
pub(super) const SIGNATURE: &[&str] = &["at", "separator", "prefix", "position", "from-position"];
pub(super) const TIMESTAMP: &[&str] = &["at", "separator", "prefix", "position", "unit"];

/// The widest window, in seconds: a month.
const WIDEST: u64 = 30 * 24 * 3600;

/// Reads a definition.
pub(crate) fn scheme(path: &str, definition: &Value) -> Result<Scheme, Vec<Problem>> {
    let problems = Problems::default();
    let scheme = read(&Node::root(definition, path, &problems));
    let problems = problems.into_vec();
    match scheme {
        Some(scheme) if problems.is_empty() => Ok(scheme),
        _ => Err(problems),
    }
}

fn read(node: &Node<'_>) -> Option<Scheme> {
    let table = node.table(SCHEME)?;
    let mut scheme = Scheme::default();
    if let Some(status) = table.get("status").and_then(|node| node.integer(400..=599)) {
        scheme.status = u16::try_from(status).ok()?;
    }
    if let Some(node) = table.get("parameter")
        && let Some(members) = node.members()
    {
        scheme.parameters = members.filter_map(|(name, node)| parameter(name, &node)).collect();
    }
    let mut listed = 0;
    if let Some(node) = table.get("variant")
        && let Some(items) = node.items()
    {
        listed = items.len();
        for item in items {
            if let Some(variant) = variant(&item) {
                check_variant(&item, &variant, &scheme.variants);
                scheme.variants.push(variant);
            }
        }
    }
    let unsigned = table.get("unsigned").and_then(|node| node.boolean()).unwrap_or(false);
    if unsigned != (listed == 0) {
        node.report("a scheme has a `variant`, or says `unsigned = true` and has none");
    }
    if let Some(node) = table.get("handshake")
        && let Some(items) = node.items()
    {
        scheme.handshakes = items.filter_map(|item| handshake(&item)).collect();
    }
    if let Some(node) = table.get("answer")
        && let Some(items) = node.items()
    {
        scheme.answers = items.filter_map(|item| answering(&item)).collect();
    }
    if let Some(node) = table.get("event") {
        event(&node, &mut scheme);
    }
    if let Some(node) = table.get("methods") {
        scheme.methods = methods(&node);
    }
    scheme.unpack = table.get("unpack").and_then(|node| node.boolean()).unwrap_or(false);
    scheme.json_fields = table.get("json-fields").and_then(|node| node.texts()).unwrap_or_default();
    scheme.replay = templates(&table, "replay");
    scheme.body = table.get("body").and_then(|node| named(&node, &BodyForm::NAMES)).unwrap_or_default();
    scheme.batch = table.get("batch").and_then(|node| split::batch(&node));
    for place in scheme.places() {
        if let Place::Parameter(name) = place
            && !scheme.parameters.iter().any(|parameter| parameter.name == *name)
        {
            node.report(format!("parameter `{name}` is used but not declared"));
        }
    }
    Some(scheme)
}

/// Methods of events.
pub(super) fn methods(node: &Node<'_>) -> Vec<String> {
    let Some(items) = node.items() else { return Vec::new() };
    let methods: Vec<String> = items.filter_map(|item| named(&item, &METHODS).map(str::to_owned)).collect();
    if node.value().as_array().is_some_and(Vec::is_empty) {
        node.report("names no method; leave the key out for POST");
    }
    methods
}

fn parameter(name: &str, node: &Node<'_>) -> Option<Parameter> {
    let table = node.table(&["about", "required", "default", "handshake"])?;
    let about = table.require("about").and_then(|node| node.text().map(str::to_owned));
    let required = table.get("required").and_then(|node| node.boolean()).unwrap_or(false);
    let default = table.get("default").and_then(|node| node.text().map(str::to_owned));
    let handshake = table.get("handshake").and_then(|node| node.boolean()).unwrap_or(false);
    Some(Parameter { name: name.to_owned(), about: about?, required, handshake, default })
}

fn handshake(node: &Node<'_>) -> Option<Handshake> {
    let (table, answer) = reply(node, &["when", "requires", "copy", "signed", "fetch"])?;
    let when = table.require("when").map(|node| conditions(&node)).unwrap_or_default();
    if when.is_empty() {
        node.report("`when` has no condition, so that every request would be answered");
    }
    let signed = table.require("signed").and_then(|node| node.boolean());
    let fetch = table.get("fetch").and_then(|node| pin(&node));
    if fetch.is_some() && signed == Some(false) {
        node.report("`fetch` needs `signed = true`: a stranger must not choose what is fetched");
    }
    let requires = table.get("requires").map(|node| conditions(&node)).unwrap_or_default();
    let mut copy = Vec::new();
    if let Some(node) = table.get("copy")
        && let Some(members) = node.members()
    {
        copy.extend(
            members.filter_map(|(name, node)| Some((name.to_owned(), parsed(&node, Template::parse)?))),
        );
    }
    Some(Handshake { when, requires, copy, signed: signed?, fetch, answer: answer? })
}

fn answering(node: &Node<'_>) -> Option<EventAnswer> {
    let (table, answer) = reply(node, &["when"])?;
    let when = table.get("when").map(|node| conditions(&node)).unwrap_or_default();
    Some(EventAnswer { when, answer: answer? })
}

pub(super) fn event(node: &Node<'_>, scheme: &mut Scheme) {
    let Some(table) = node.table(&["identity", "lifetime", "id", "type", "subject", "time"]) else { return };
    if let Some(node) = table.get("id")
        && let Some(items) = node.items()
    {
        scheme.id = items.filter_map(|item| identifier(&item)).collect();
    }
    // An identifier that nobody says more of is the event's: that is what the key is for.
    let usual = if scheme.id.is_empty() { IdentityKind::None } else { IdentityKind::Event };
    scheme.identity =
        table.get("identity").and_then(|node| named(&node, &IdentityKind::NAMES)).unwrap_or(usual);
    if (scheme.identity == IdentityKind::None) != scheme.id.is_empty() {
        node.report("`identity` says that there is an `id`, or is \"none\" and there is none");
    }
    scheme.lifetime = table.get("lifetime").and_then(|node| node.integer(1..=WIDEST));
    scheme.kind = templates(&table, "type");
    scheme.subject = templates(&table, "subject");
    if let Some(node) = table.get("time")
        && let Some(items) = node.items()
    {
        for item in items {
            let Some(table) = item.table(&["at", "unit"]) else { continue };
            let place = table.require("at").and_then(|node| parsed(&node, Place::parse));
            let unit = table.require("unit").and_then(|node| named(&node, &Unit::NAMES));
            scheme.time.extend(place.zip(unit));
        }
    }
}

/// `"{header:x}"`, `["{header:x}", "{header:y}"]` for both together, or `{ when = […], all = […] }`.
fn identifier(node: &Node<'_>) -> Option<Identifier> {
    let parts = |node: &Node<'_>| {
        let parts: Vec<Template> =
            node.items()?.filter_map(|item| parsed(&item, Template::parse_distinct)).collect();
        if parts.is_empty() {
            node.report("names no place");
        }
        Some(parts)
    };
    match node.value() {
        Value::String(_) => parsed(node, Template::parse_distinct).map(Identifier::of),
        Value::Array(_) => Some(Identifier { when: Vec::new(), parts: parts(node)? }),
        _ => {
            let table = node.table(&["when", "all"])?;
            let when = table.get("when").map(|node| conditions(&node)).unwrap_or_default();
            let all = table.require("all")?;
            Some(Identifier { when, parts: parts(&all)? })
        }
    }
}

fn variant(node: &Node<'_>) -> Option<Variant> {
    let table = node.table(VARIANT)?;
    let name = table.require("name").and_then(|node| node.text().map(str::to_owned));
    let algorithm = table.require("algorithm").and_then(|node| named(&node, &Algorithm::NAMES));
    let plain = algorithm == Some(Algorithm::Equal);
    let jwt = table.get("jwt").and_then(|node| read_jwt(&node));
    let encoding = match table.get("encoding") {
        Some(node) => named(&node, &Encoding::NAMES),
        None if plain || algorithm == Some(Algorithm::JwtEs256) => Some(Encoding::Text),
        None => table.require("encoding").and(None),
    };
    let signed = match table.get("signed") {
        Some(node) => parsed(&node, Template::parse),
        None if plain => Some(Template::of(Place::Secret)),
        None if algorithm == Some(Algorithm::JwtEs256) => Some(Template::of(Place::Body)),
        None => table.require("signed").and(None),
    };
    let signatures = table.require("signature").and_then(|node| fields(&node, SIGNATURE));
    let timestamp = table.get("timestamp").and_then(|node| {
        let fields = fields(&node, TIMESTAMP);
        let unit = node.table(TIMESTAMP)?.require("unit").and_then(|node| named(&node, &Unit::NAMES));
        Some(Timestamp { fields: fields?, unit: unit? })
    });
    let window = table.get("window").and_then(|node| window(&node));
    if window.is_some() && table.get("timestamp").is_none() && table.get("jwt").is_none() {
        node.report("`window` has no `timestamp` to be held against");
    }
    let certificate = table.get("certificate").and_then(|node| pin(&node));
    let opt_in = table.get("opt-in").and_then(|node| node.boolean()).unwrap_or(false);
    let url_ports = table.get("url-ports").and_then(|node| node.boolean()).unwrap_or(false);
    let url_escapes = table.get("url-escapes").and_then(|node| node.boolean()).unwrap_or(false);
    let id = table.get("id").and_then(|node| parsed(&node, Place::parse));
    let each = table.get("each").and_then(|node| node.text().map(str::to_owned));
    let when = table.get("when").map(|node| conditions(&node)).unwrap_or_default();
    let requires = table.get("requires").map(|node| conditions(&node)).unwrap_or_default();
    remote(node, algorithm?, &table);
    Some(Variant {
        name: name?,
        opt_in,
        when,
        algorithm: algorithm?,
        keys: keys(&table, algorithm?),
        encoding: encoding?,
        signatures: signatures?,
        signed: signed?,
        id,
        timestamp,
        window: window.unwrap_or_default(),
        each,
        requires,
        url_ports,
        url_escapes,
        certificate,
        jwt,
        remember: false,
    })
}

fn keys(table: &Table<'_>, algorithm: Algorithm) -> Vec<KeyForm> {
    if let Some(node) = table.get("key")
        && let Some(items) = node.items()
    {
        return items.filter_map(|item| named(&item, &KeyForm::NAMES)).collect();
    }
    vec![match algorithm {
        Algorithm::Ed25519 => KeyForm::Hex,
        Algorithm::EcdsaP256 | Algorithm::RsaSha256 => KeyForm::Spki,
        _ => KeyForm::Text,
    }]
}

/// Keys from the network and the algorithms that take them belong together.
fn remote(node: &Node<'_>, algorithm: Algorithm, table: &Table<'_>) {
    use Algorithm::{CertificateRsaSha1, CertificateRsaSha256, JwtEs256};
    if table.get("certificate").is_some() != matches!(algorithm, CertificateRsaSha1 | CertificateRsaSha256) {
        node.report("`certificate` belongs to the certificate algorithms, which need it");
    }
    if table.get("jwt").is_some() != (algorithm == JwtEs256) {
        node.report("`jwt` belongs to the algorithm `jwt-es256`, which needs it");
    }
}

fn window(node: &Node<'_>) -> Option<Window> {
    let table = node.table(&["past", "future"])?;
    let seconds = |key| table.get(key).and_then(|node: Node<'_>| node.integer(0..=WIDEST));
    Some(Window { past: seconds("past"), future: seconds("future") })
}

fn fields(node: &Node<'_>, keys: &[&'static str]) -> Option<Vec<Field>> {
    let table = node.table(keys)?;
    let separator = table.get("separator").and_then(|node| {
        let text = node.text()?;
        let separator = text.chars().next().filter(|first| first.is_ascii() && text.len() == 1);
        if separator.is_none() {
            node.report("must be one ASCII character");
        }
        separator
    });
    let prefix = table.get("prefix").and_then(|node| node.string()).unwrap_or_default().to_owned();
    let index = |key| {
        let index = table.get(key).and_then(|node: Node<'_>| node.integer(0..=1000))?;
        usize::try_from(index).ok()
    };
    let position = match (index("position"), index("from-position")) {
        (None, None) => None,
        (Some(at), None) => Some(Position::At(at)),
        (None, Some(from)) => Some(Position::From(from)),
        (Some(_), Some(_)) => {
            node.report("`position` and `from-position` exclude each other");
            None
        }
    };
    if position.is_some() && separator.is_none() {
        node.report("a position needs a `separator`");
    }
    let at = table.require("at")?;
    let fields: Vec<Field> = at
        .items()?
        .filter_map(|item| parsed(&item, Place::parse))
        .map(|place| Field { place, separator, prefix: prefix.clone(), position })
        .collect();
    if fields.is_empty() {
        at.report("names no place");
    }
    Some(fields)
}

fn pin(node: &Node<'_>) -> Option<Pin> {
    let table = node.table(&["at", "urls"])?;
    let at = table.require("at").and_then(|node| parsed(&node, Place::parse));
    let urls = table.require("urls")?;
    let patterns: Vec<Pattern> = urls.items()?.filter_map(|item| parsed(&item, Pattern::parse)).collect();
    Some(Pin { at: at?, patterns })
}

fn read_jwt(node: &Node<'_>) -> Option<Jwt> {
    let table = node.table(&["url", "post", "key", "body-hash"])?;
    let url = table.require("url").and_then(|node| {
        if !node.text()?.starts_with("https://") {
            node.report("does not begin with `https://`");
        }
        parsed(&node, Template::parse)
    });
    let post = table.require("post").and_then(|post| {
        let part = |(name, node): (&str, Node<'_>)| {
            Some((name.to_owned(), JsonPart::Text(parsed(&node, Template::parse)?)))
        };
        Some(post.members()?.filter_map(part).collect::<Vec<_>>())
    });
    let key = table.require("key").and_then(|node| node.text().map(str::to_owned));
    let body_hash = table.require("body-hash").and_then(|node| node.text().map(str::to_owned));
    Some(Jwt { url: url?, post: Body::Json(post?), key: key?, body_hash: body_hash? })
}

fn templates(table: &Table<'_>, key: &'static str) -> Vec<Template> {
    let Some(node) = table.get(key) else { return Vec::new() };
    match node.items() {
        Some(items) => items.filter_map(|item| parsed(&item, Template::parse)).collect(),
        None => Vec::new(),
    }
}

/// What stands in a text, or its problem.
pub(super) fn parsed<T>(node: &Node<'_>, parse: fn(&str) -> Result<T, String>) -> Option<T> {
    parse(node.string()?).map_err(|message| node.report(message)).ok()
}

/// The value of a name.
fn named<T: Copy>(node: &Node<'_>, names: &[(&'static str, T)]) -> Option<T> {
    let text = node.string()?;
    let known = names.iter().find(|(name, _)| *name == text).map(|(_, value)| *value);
    if known.is_none() {
        let message = format!("`{text}` is not known");
        let names = names.iter().map(|(name, _)| *name);
        node.report_with_hint(
            message,
            match nearest(text, names.clone()) {
                Some(near) => format!("did you mean {near:?}?"),
                None => format!("it can be {}", names.collect::<Vec<_>>().join(", ")),
            },
        );
    }
    known
}

/// What no single text shows: names that stand for nothing.
fn check_variant(node: &Node<'_>, variant: &Variant, before: &[Variant]) {
    let places: Vec<&Place> = variant.signed.places();
    if places.contains(&&Place::Timestamp) && variant.timestamp.is_none() {
        node.report("`{timestamp}` is signed but there is no `timestamp`");
    }
    if places.contains(&&Place::Id) && variant.id.is_none() {
        node.report("`{id}` is signed but there is no `id`");
    }
    let item = |place: &Place| matches!(place, Place::Item(_));
    let fields = variant.signatures.iter().any(|field| item(&field.place));
    if variant.each.is_none() && (fields || places.iter().any(|place| item(place))) {
        node.report("`item:` needs `each`, the array of the items");
    }
    let named = |condition: &Condition| match &condition.test {
        Test::Is(template) => template.places().contains(&&Place::Secret),
        Test::Present(_) | Test::Token(_) => false,
    };
    if matches!(variant.algorithm, Algorithm::Equal | Algorithm::Sha256)
        && !places.contains(&&Place::Secret)
        && !variant.requires.iter().any(named)
    {
        node.report("the secret has no part in it: `signed` must name `{secret}`");
    }
    if before.iter().any(|other| other.name == variant.name) {
        node.report(format!("there is another variant `{}`", variant.name));
    }
}
