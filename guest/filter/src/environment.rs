//! Which variables an expression may name.

use crate::check::Shape;
use crate::ir::Root;
use crate::limit::Limits;
use crate::value::Type;
use std::sync::LazyLock;

/// A variable.
#[derive(Debug, Clone)]
struct Variable {
    name: Box<str>,
    shape: Shape,
    /// All fields that there can be, with their types; if there are none here, any field as the shape says.
    fields: &'static [(&'static str, Shape)],
    /// Whether its fields are names of header fields, which have no case (RFC 9110, section 5.1): they are kept in lower case.
    caseless: bool,
    /// Whether every event has it.
    certain: bool,
}

/// Which variables an expression may name, and under which limits it is compiled.
#[derive(Debug, Clone)]
pub struct Environment {
    variables: Vec<Variable>,
    /// The namespace in which names are looked up first, as in `com.example`.
    container: Box<str>,
    /// Whether impossible types and unknown names are refused. Without it they fail when evaluated.
    checked: bool,
    /// Whether the whole expression must be a bool.
    bool_only: bool,
    /// Whether some variable's name has dots.
    dotted: bool,
    /// Names that stand for a field of a variable, and go before the variables' own.
    aliases: &'static [Alias],
    limits: Limits,
}

/// A name for a field of a variable.
#[derive(Debug, Clone, Copy)]
struct Alias {
    name: &'static str,
    root: Root,
    field: &'static str,
}

/// What a filter on documents calls the two that it compares: the body is an object that has both.
static DOCUMENTS: &[Alias] = &[
    Alias { name: "message", root: Root::MESSAGE, field: Environment::NEW },
    Alias { name: "new", root: Root::MESSAGE, field: Environment::NEW },
    Alias { name: "old", root: Root::MESSAGE, field: Environment::OLD },
];

/// What a filter on documents sees of an event. Which documents somebody wants does not depend on what is being told of them, to
/// whom and when.
static DOCUMENT_EVENT: [(&str, Shape); 1] = [("subject", Shape::STRING)];

/// The CloudEvents attributes; those that CloudEvents itself does not name are in the map `extensions`.
static EVENT: LazyLock<[(&str, Shape); 7]> = LazyLock::new(|| {
    [
        ("id", Shape::STRING),
        ("source", Shape::STRING),
        ("type", Shape::STRING),
        ("subject", Shape::STRING),
        ("time", Shape::Is(Type::Timestamp)),
        ("datacontenttype", Shape::STRING),
        ("extensions", strings()),
    ]
});

/// A map from text to text.
fn strings() -> Shape {
    Shape::Map(Box::new(Shape::STRING), Box::new(Shape::STRING))
}

impl Variable {
    fn new(name: &str, shape: Shape) -> Self {
        Self { name: name.into(), shape, fields: &[], caseless: false, certain: false }
    }
}

impl Environment {
    /// What a subscription's filter sees: `message`, `event`, `headers`, `source` and `now`.
    #[must_use]
    pub fn filter() -> Self {
        let event = Shape::Map(Box::new(Shape::STRING), Box::new(Shape::Any));
        let variable = |name: &str, shape| Variable { certain: true, ..Variable::new(name, shape) };
        Self {
            variables: vec![
                Variable::new("message", Shape::Any),
                Variable { fields: &*EVENT, ..variable("event", event) },
                Variable { caseless: true, ..variable("headers", strings()) },
                variable("source", Shape::STRING),
                variable("now", Shape::Is(Type::Timestamp)),
            ],
            container: "".into(),
            checked: true,
            bool_only: true,
            dotted: false,
            aliases: &[],
            limits: Limits::FILTER,
        }
    }

    /// The field of the body that has the document as it comes.
    pub const NEW: &'static str = "new";
    /// The field of the body that has the document as its subscriber has it.
    pub const OLD: &'static str = "old";

    /// What the filter of a resource's subscriber sees: `new`, which `message` means too, `old`, `event.subject` and `now`. The
    /// first two are fields of the body, [`Environment::NEW`] and [`Environment::OLD`], so that documents are indexed as bodies
    /// are.
    #[must_use]
    pub fn documents() -> Self {
        let mut documents = Self { aliases: DOCUMENTS, ..Self::filter() };
        for variable in &mut documents.variables {
            match &*variable.name {
                "event" => variable.fields = &DOCUMENT_EVENT,
                // They keep their places, and cannot be named.
                "headers" | "source" => variable.name = "".into(),
                _ => {}
            }
        }
        documents
    }

    fn is_documents(&self) -> bool {
        !self.aliases.is_empty()
    }

    /// The same for an expression of any type.
    #[must_use]
    pub fn value() -> Self {
        Self { bool_only: false, ..Self::filter() }
    }

    /// An environment of its own, in which an expression may have any type. Names may have dots.
    #[must_use]
    pub fn new(container: &str, checked: bool, limits: Limits) -> Self {
        Self {
            variables: Vec::new(),
            container: container.into(),
            checked,
            bool_only: false,
            dotted: false,
            aliases: &[],
            limits,
        }
    }

    /// Adds a variable; the first one is number 0. At most 255.
    pub fn declare(&mut self, name: &str, shape: Shape) -> Option<Root> {
        let root = u8::try_from(self.variables.len()).ok().filter(|number| *number < u8::MAX)?;
        self.dotted |= name.contains('.');
        self.variables.push(Variable::new(name, shape));
        Some(Root(root))
    }

    pub(crate) const fn checked(&self) -> bool {
        self.checked
    }

    pub(crate) const fn bool_only(&self) -> bool {
        self.bool_only
    }

    pub(crate) const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Whether names are looked up in no namespace.
    pub(crate) fn is_rooted(&self) -> bool {
        self.container.is_empty()
    }

    /// The variable and its field that a name stands for.
    pub(crate) fn alias(&self, name: &str) -> Option<(Root, &'static str)> {
        let alias = self.aliases.iter().find(|alias| alias.name == name)?;
        Some((alias.root, alias.field))
    }

    /// The variable with this name, if no longer name could be meant instead.
    pub(crate) fn plain(&self, name: &str) -> Option<Root> {
        if self.dotted || !self.container.is_empty() { None } else { self.variable(name) }
    }

    /// Every variable's name.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        let aliases = self.aliases.iter().map(|alias| alias.name);
        let hidden = |name: &str| self.alias(name).is_some();
        let variables = self.variables.iter().map(|variable| &*variable.name);
        aliases.chain(variables.filter(move |name| !name.is_empty() && !hidden(name)))
    }

    /// The full names that a name may mean, the most specific first.
    pub(crate) fn candidates(&self, name: &str, absolute: bool) -> impl Iterator<Item = String> {
        let mut prefix =
            if absolute { None } else { Some(&*self.container).filter(|prefix| !prefix.is_empty()) };
        let mut done = false;
        let name = name.to_owned();
        std::iter::from_fn(move || {
            if let Some(container) = prefix {
                prefix = container.rsplit_once('.').map(|(outer, _)| outer);
                return Some(format!("{container}.{name}"));
            }
            (!std::mem::replace(&mut done, true)).then(|| name.clone())
        })
    }

    /// The variable with exactly this full name.
    pub(crate) fn variable(&self, name: &str) -> Option<Root> {
        let position = self.variables.iter().position(|variable| &*variable.name == name)?;
        u8::try_from(position).ok().map(Root)
    }

    /// Why a variable never has a field, if it is known which ones it can have.
    pub(crate) fn lacks(&self, root: Root, field: &str) -> Option<String> {
        let variable = self.variables.get(usize::from(root.0))?;
        if variable.fields.is_empty() || variable.fields.iter().any(|(name, _)| *name == field) {
            return None;
        }
        if self.is_documents() && EVENT.iter().any(|(name, _)| *name == field) {
            return Some(format!(
                "the filter of a resource's subscription says what it wants by new, old and event.subject; there is no {}.{field} \
                 in it, because what each subscriber is told depends on what it has",
                variable.name
            ));
        }
        let known: Vec<&str> = variable.fields.iter().map(|(name, _)| *name).collect();
        Some(format!("{} never has {field:?}; there are {}", variable.name, known.join(", ")))
    }

    /// Whether the fields of a variable have no case, and are in lower case.
    pub(crate) fn is_caseless(&self, root: Root) -> bool {
        self.variables.get(usize::from(root.0)).is_some_and(|variable| variable.caseless)
    }

    /// Whether every event has a variable.
    pub(crate) fn is_certain(&self, root: Root) -> bool {
        self.variables.get(usize::from(root.0)).is_some_and(|variable| variable.certain)
    }

    /// What is known of a variable's value.
    pub(crate) fn shape(&self, root: Root) -> &Shape {
        self.variables.get(usize::from(root.0)).map_or(&Shape::Any, |variable| &variable.shape)
    }

    /// What is known of a variable's field.
    pub(crate) fn field(&self, root: Root, field: &str) -> &Shape {
        let fields = self.variables.get(usize::from(root.0)).map_or(&[][..], |variable| variable.fields);
        match fields.iter().find(|(name, _)| *name == field) {
            Some((_, shape)) => shape,
            None => self.shape(root).below(),
        }
    }

    /// What is known of the value at the end of a path.
    pub(crate) fn shape_at<'f>(&self, root: Root, mut fields: impl Iterator<Item = &'f str>) -> &Shape {
        match fields.next() {
            None => self.shape(root),
            Some(first) => fields.fold(self.field(root, first), |shape, _| shape.below()),
        }
    }
}
