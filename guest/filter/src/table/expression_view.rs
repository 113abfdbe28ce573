//! One event as one expression sees it.

use super::EventInput;
use crate::Expression;
use crate::fact::{Fact, Facts};
use crate::index::{EventView, Roots, acquire, fill};
use crate::ir::PathId;
use crate::json::{Extractor, JsonError, NodeId, Slots, Trie};

/// What one event has at the paths of one expression, read just as a [`super::Table`] reads it: for explaining an expression and
/// for trying one that is not in a table.
#[derive(Debug)]
pub struct ExpressionView<'b> {
    trie: Trie,
    roots: Roots,
    slots: Slots,
    text: &'b str,
    error: Option<JsonError>,
    /// The paths of the expression.
    paths: Vec<NodeId>,
    input: &'b EventInput<'b>,
}

impl<'b> ExpressionView<'b> {
    /// Reads the body, JSON text or `None` if it is not JSON by its media type, along the expression's paths.
    #[must_use]
    pub fn new(expression: &Expression, input: &'b EventInput<'b>, body: Option<&'b [u8]>) -> Self {
        let mut trie = Trie::default();
        let roots = Roots::new(&mut trie);
        let paths = expression.paths().iter().map(|path| acquire(&mut trie, &roots, path)).collect();
        let mut slots = Slots::default();
        slots.begin(trie.capacity());
        let read = body.map(|body| Extractor::default().read(body, &trie, roots.message, &mut slots));
        let (text, error) = match read {
            None => ("", None),
            Some(Ok(text)) => (text, None),
            Some(Err(error)) => {
                slots.begin(trie.capacity());
                ("", Some(error))
            }
        };
        fill(input, &trie, &roots, &mut slots);
        Self { trie, roots, slots, text, error, paths, input }
    }

    /// Why the body is not JSON, if it is not though it should be.
    #[must_use]
    pub const fn error(&self) -> Option<JsonError> {
        self.error
    }

    /// Lets an evaluator ask.
    pub fn with<R>(&self, ask: impl FnOnce(&dyn Facts) -> R) -> R {
        let view = EventView::new(&self.trie, self.roots, &self.slots, self.text, self.input);
        ask(&Renamed { view, paths: &self.paths })
    }
}

struct Renamed<'s> {
    view: EventView<'s>,
    paths: &'s [NodeId],
}

impl Renamed<'_> {
    fn node(&self, path: PathId) -> PathId {
        self.paths.get(path.0 as usize).map_or(path, |node| (*node).into())
    }
}

impl Facts for Renamed<'_> {
    fn path(&self, path: PathId) -> Fact<'_> {
        self.view.path(self.node(path))
    }

    fn presence(&self, path: PathId) -> Fact<'_> {
        self.view.presence(self.node(path))
    }
}
