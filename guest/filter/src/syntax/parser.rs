//! From tokens to a tree.

use super::lexer::{Lexer, Symbol, Token};
use super::{Binary, Element, Entry, Expr, ExprId, Kind, Run, Tree};
use crate::ir::{Arithmetic, Comparison, Span};
use crate::limit::Limits;
use crate::problem::Fault;
use crate::value::Value;

/// Words that cannot name a variable, though a field.
const RESERVED: [&str; 17] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];

/// What follows an expression.
const END: &str = "an operator or the end";

/// Parses an expression.
///
/// Precedence climbing; a conditional's branches, brackets and prefix operators recurse, and all of them count against the depth. Depth of
/// the tree counts as well, which bounds the recursion of everything that walks it: `a.b.b.b…` recurses nowhere in here.
pub(crate) fn parse<'a>(source: &'a str, limits: &'a Limits) -> Result<Tree<'a>, Fault> {
    let longest = limits.length.min(usize::from(u16::MAX));
    if source.len() > longest {
        let message = format!("the expression is {} bytes long, the limit is {longest}", source.len());
        return Err(Fault::new(Span::default(), message));
    }
    let mut lexer = Lexer::new(source);
    let (token, place) = lexer.next()?;
    let tree = Tree::new(source.len());
    let mut parser = Parser {
        source,
        lexer,
        token,
        place,
        last: place,
        tree,
        open: Vec::with_capacity(8),
        depth: 0,
        limits,
    };
    let root = parser.conditional()?;
    if !matches!(parser.token, Token::End) {
        return Err(parser.unexpected(END));
    }
    parser.tree.root = root;
    Ok(parser.tree)
}

struct Parser<'a> {
    source: &'a str,
    lexer: Lexer<'a>,
    /// The next token and its place.
    token: Token,
    place: Span,
    /// The place of the token before it.
    last: Span,
    tree: Tree<'a>,
    /// Operands and arguments of what is not read to its end.
    open: Vec<ExprId>,
    depth: u16,
    limits: &'a Limits,
}

impl<'a> Parser<'a> {
    fn advance(&mut self) -> Result<Span, Fault> {
        let (token, place) = self.lexer.next()?;
        self.token = token;
        self.last = std::mem::replace(&mut self.place, place);
        Ok(self.last)
    }

    #[inline(always)]
    fn at(&self, symbol: Symbol) -> bool {
        self.token == Token::Symbol(symbol)
    }

    #[inline(always)]
    fn eat(&mut self, symbol: Symbol) -> Result<bool, Fault> {
        let found = self.at(symbol);
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    fn expect(&mut self, symbol: Symbol) -> Result<Span, Fault> {
        if self.at(symbol) { self.advance() } else { Err(self.unexpected(&format!("'{}'", symbol.text()))) }
    }

    fn unexpected(&self, wanted: &str) -> Fault {
        let found = self.place.of(self.source);
        if matches!(self.token, Token::End) {
            let hint = if wanted == "':'" { "; an optional field is written message.?field" } else { "" };
            Fault::new(self.place, format!("the expression ends where {wanted} should follow{hint}"))
        } else {
            let hint = self.hint(found, wanted).map(|hint| format!("; {hint}")).unwrap_or_default();
            Fault::new(self.place, format!("expected {wanted}, found {found}{hint}"))
        }
    }

    /// What was probably meant by a token at which the expression cannot go on.
    fn hint(&self, found: &str, wanted: &str) -> Option<&'static str> {
        let is = |word: &str, other: &str| word.eq_ignore_ascii_case(other);
        let before = self.last.of(self.source);
        Some(match self.token {
            Token::Name if is(found, "and") => "'and' is written '&&'",
            Token::Name if is(found, "or") => "'or' is written '||'",
            _ if is(before, "not") => "'not' is written '!'",
            Token::Name if is(found, "not") => "'not' is written '!', and 'x not in y' as '!(x in y)'",
            Token::Name if is(found, "is") || is(found, "eq") => {
                "equality is written '==', and whether a field is there asks has(message.field)"
            }
            Token::Name if is(found, "exists") || is(found, "present") => {
                "whether a field is there asks has(message.field)"
            }
            Token::Name if is(found, "between") => "'x between 1 and 2' is written 'x >= 1 && x <= 2'",
            Token::Name if is(found, "in") => "'x not in y' is written '!(x in y)'",
            Token::Name if is(found, "contains") || is(found, "like") || is(found, "matches") => {
                "a method is called with a dot and brackets: x.contains('y'), x.matches('pattern')"
            }
            Token::Name if is(found, "then") || is(found, "if") => "a choice is written 'condition ? a : b'",
            Token::Symbol(Symbol::Greater) if before == "<" => "inequality is written '!='",
            Token::Symbol(Symbol::Comma) if wanted == END => {
                "conditions are joined with '&&', and a list is written in brackets: ['a', 'b']"
            }
            Token::Symbol(Symbol::Comma) => "a list is written in brackets: ['a', 'b']",
            Token::Symbol(Symbol::Slash) => "a regular expression is a text: x.matches('pattern')",
            Token::Symbol(Symbol::Question) if before == "?" => {
                "what stands for a field that is absent is written message.?field.orValue('default')"
            }
            Token::Symbol(Symbol::Star | Symbol::CloseBracket) if before == "[" => {
                "what is asked of elements is written list.exists(e, e > 0)"
            }
            Token::Symbol(Symbol::Not)
                if self
                    .source
                    .get(usize::from(self.place.end)..)
                    .is_some_and(|rest| rest.starts_with('~')) =>
            {
                "a pattern is tried with !x.matches('pattern')"
            }
            Token::Name | Token::Literal if wanted == END => "conditions are joined with '&&' or '||'",
            _ => return None,
        })
    }

    fn too_deep(&self, place: Span) -> Fault {
        Fault::new(place, format!("the expression is nested more than {} levels deep", self.limits.depth))
    }

    fn push(&mut self, kind: Kind<'a>, span: Span, mark: Span) -> Result<ExprId, Fault> {
        let mut deepest = 0;
        let mut look = |id: &ExprId| deepest = deepest.max(self.tree.depth(*id));
        match &kind {
            Kind::Literal(_) | Kind::Name { .. } => {}
            Kind::Select { target: one, .. } | Kind::Not(one) | Kind::Negate(one) => look(one),
            Kind::Index { target: one, index: two, .. } | Kind::Binary(_, one, two) => {
                [one, two].into_iter().for_each(look)
            }
            Kind::Call { target, arguments, .. } => {
                target.iter().chain(self.tree.run(*arguments)).for_each(look);
            }
            Kind::List(elements) => elements.iter().for_each(|element| look(&element.value)),
            Kind::Map(entries) => {
                entries.iter().for_each(|entry| [&entry.key, &entry.value].into_iter().for_each(&mut look))
            }
            Kind::And(operands) | Kind::Or(operands) => self.tree.run(*operands).iter().for_each(look),
            Kind::Conditional(condition, then, otherwise) => {
                [condition, then, otherwise].into_iter().for_each(look)
            }
        }
        let depth = deepest + 1;
        if depth > self.limits.depth {
            return Err(self.too_deep(mark));
        }
        Ok(self.tree.push(Expr { kind, span, mark, depth }))
    }

    #[inline(always)]
    fn span(&self, id: ExprId) -> Span {
        self.tree.get(id).span
    }

    /// Runs a rule one level deeper.
    fn nested(&mut self, rule: impl FnOnce(&mut Self) -> Result<ExprId, Fault>) -> Result<ExprId, Fault> {
        if self.depth >= self.limits.depth {
            return Err(self.too_deep(self.place));
        }
        self.depth += 1;
        let result = rule(self);
        self.depth -= 1;
        result
    }

    fn conditional(&mut self) -> Result<ExprId, Fault> {
        let condition = self.disjunction()?;
        if !self.at(Symbol::Question) {
            return Ok(condition);
        }
        let mark = self.advance()?;
        let then = self.nested(Self::disjunction)?;
        self.expect(Symbol::Colon)?;
        let otherwise = self.nested(Self::conditional)?;
        let span = self.span(condition).to(self.span(otherwise));
        self.push(Kind::Conditional(condition, then, otherwise), span, mark)
    }

    fn disjunction(&mut self) -> Result<ExprId, Fault> {
        self.sequence(Symbol::Or, Self::conjunction, Kind::Or)
    }

    fn conjunction(&mut self) -> Result<ExprId, Fault> {
        self.sequence(Symbol::And, |parser| parser.binary(0), Kind::And)
    }

    fn sequence(
        &mut self,
        symbol: Symbol,
        mut operand: impl FnMut(&mut Self) -> Result<ExprId, Fault>,
        kind: impl FnOnce(Run) -> Kind<'a>,
    ) -> Result<ExprId, Fault> {
        let first = operand(self)?;
        if !self.at(symbol) {
            return Ok(first);
        }
        let mark = self.place;
        let start = self.open.len();
        self.open.push(first);
        let mut last = first;
        while self.eat(symbol)? {
            last = operand(self)?;
            self.open.push(last);
        }
        let span = self.span(first).to(self.span(last));
        let operands = self.tree.keep(self.open.drain(start..));
        self.push(kind(operands), span, mark)
    }

    /// The operator at the cursor and how tightly it binds: relations 0, sums 1, products 2.
    fn operator(&self) -> Option<(Binary, u8)> {
        let symbol = match self.token {
            Token::Symbol(symbol) => symbol,
            Token::Name if self.place.of(self.source) == "in" => return Some((Binary::In, 0)),
            _ => return None,
        };
        Some(match symbol {
            Symbol::Equal => (Binary::Comparison(Comparison::Equal), 0),
            Symbol::NotEqual => (Binary::Comparison(Comparison::NotEqual), 0),
            Symbol::Less => (Binary::Comparison(Comparison::Less), 0),
            Symbol::LessOrEqual => (Binary::Comparison(Comparison::LessOrEqual), 0),
            Symbol::Greater => (Binary::Comparison(Comparison::Greater), 0),
            Symbol::GreaterOrEqual => (Binary::Comparison(Comparison::GreaterOrEqual), 0),
            Symbol::Plus => (Binary::Arithmetic(Arithmetic::Add), 1),
            Symbol::Minus => (Binary::Arithmetic(Arithmetic::Subtract), 1),
            Symbol::Star => (Binary::Arithmetic(Arithmetic::Multiply), 2),
            Symbol::Slash => (Binary::Arithmetic(Arithmetic::Divide), 2),
            Symbol::Percent => (Binary::Arithmetic(Arithmetic::Remainder), 2),
            _ => return None,
        })
    }

    fn binary(&mut self, tightness: u8) -> Result<ExprId, Fault> {
        let mut left = self.unary()?;
        while let Some((operator, binds)) = self.operator()
            && binds >= tightness
        {
            let mark = self.advance()?;
            let right = self.binary(binds + 1)?;
            let span = self.span(left).to(self.span(right));
            left = self.push(Kind::Binary(operator, left, right), span, mark)?;
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<ExprId, Fault> {
        if self.at(Symbol::Not) {
            let mark = self.advance()?;
            let operand = self
                .nested(|parser| if parser.at(Symbol::Minus) { parser.member() } else { parser.unary() })?;
            let span = mark.to(self.span(operand));
            return self.push(Kind::Not(operand), span, mark);
        }
        if self.at(Symbol::Minus) {
            let mark = self.advance()?;
            let negative = match (self.token, &self.lexer.literal) {
                (Token::Literal, Value::Int(int)) => int.checked_neg().map(Value::Int),
                (Token::Literal, Value::Double(double)) => Some(Value::Double(-double)),
                (Token::MinusOnly, _) => Some(Value::Int(i64::MIN)),
                _ => None,
            };
            if let Some(value) = negative {
                let span = mark.to(self.advance()?);
                let literal = self.push(Kind::Literal(value), span, span)?;
                return self.chain(literal);
            }
            let operand =
                self.nested(|parser| if parser.at(Symbol::Not) { parser.member() } else { parser.unary() })?;
            let span = mark.to(self.span(operand));
            return self.push(Kind::Negate(operand), span, mark);
        }
        self.member()
    }

    fn member(&mut self) -> Result<ExprId, Fault> {
        let primary = self.primary()?;
        self.chain(primary)
    }

    /// Fields, indexes and method calls after an operand.
    fn chain(&mut self, mut target: ExprId) -> Result<ExprId, Fault> {
        loop {
            let start = self.span(target);
            if self.eat(Symbol::Dot)? {
                let optional = self.eat(Symbol::Question)?;
                let (field, quoted) = self.field()?;
                let mark = self.last;
                if !optional && !quoted && self.at(Symbol::OpenParenthesis) {
                    self.advance()?;
                    let arguments = self.arguments()?;
                    let kind = Kind::Call { target: Some(target), name: field, absolute: false, arguments };
                    target = self.push(kind, start.to(self.last), mark)?;
                } else {
                    target = self.push(Kind::Select { target, field, optional }, start.to(mark), mark)?;
                }
            } else if self.at(Symbol::OpenBracket) {
                let mark = self.advance()?;
                let optional = self.eat(Symbol::Question)?;
                let index = self.nested(Self::conditional)?;
                let end = self.expect(Symbol::CloseBracket)?;
                target = self.push(Kind::Index { target, index, optional }, start.to(end), mark.to(end))?;
            } else if self.at(Symbol::OpenBrace) {
                return Err(Fault::new(
                    self.place,
                    "messages cannot be made here; a map is written {'key': value}",
                ));
            } else {
                return Ok(target);
            }
        }
    }

    /// A field's name after the dot, and whether it was in backquotes.
    fn field(&mut self) -> Result<(&'a str, bool), Fault> {
        let text = self.place.of(self.source);
        match self.token {
            Token::Name if !matches!(text, "true" | "false" | "null" | "in") => {
                self.advance()?;
                Ok((text, false))
            }
            Token::Quoted => {
                self.advance()?;
                Ok((text.trim_matches('`'), true))
            }
            _ => Err(self.unexpected("a field's name")),
        }
    }

    fn arguments(&mut self) -> Result<Run, Fault> {
        let start = self.open.len();
        while !self.at(Symbol::CloseParenthesis) {
            let argument = self.nested(Self::conditional)?;
            self.open.push(argument);
            self.count(self.open.len() - start)?;
            if !self.eat(Symbol::Comma)? {
                break;
            }
            if self.at(Symbol::CloseParenthesis) {
                return Err(self.unexpected("an argument"));
            }
        }
        self.expect(Symbol::CloseParenthesis)?;
        Ok(self.tree.keep(self.open.drain(start..)))
    }

    fn count(&self, elements: usize) -> Result<(), Fault> {
        if elements > self.limits.elements {
            let message = format!("there are more than {} elements here", self.limits.elements);
            return Err(Fault::new(self.last, message));
        }
        Ok(())
    }

    fn primary(&mut self) -> Result<ExprId, Fault> {
        let place = self.place;
        match self.token {
            Token::Literal => {
                let value = std::mem::replace(&mut self.lexer.literal, Value::Null);
                self.advance()?;
                self.push(Kind::Literal(value), place, place)
            }
            Token::MinusOnly => {
                Err(Fault::new(place, "this integer does not fit into an int; add a 'u' to make it a uint"))
            }
            Token::Name => self.name(false, place),
            Token::Symbol(Symbol::OpenParenthesis) => {
                self.advance()?;
                let inner = self.nested(Self::conditional)?;
                self.expect(Symbol::CloseParenthesis)?;
                Ok(inner)
            }
            Token::Symbol(Symbol::OpenBracket) => self.list(),
            Token::Symbol(Symbol::OpenBrace) => self.map(),
            Token::Symbol(Symbol::Dot) => {
                self.advance()?;
                self.name(true, place)
            }
            _ => Err(self.unexpected("an operand")),
        }
    }

    fn name(&mut self, absolute: bool, start: Span) -> Result<ExprId, Fault> {
        let name = self.place.of(self.source);
        let literal = match name {
            _ if absolute => None,
            "true" => Some(Value::Bool(true)),
            "false" => Some(Value::Bool(false)),
            "null" => Some(Value::Null),
            _ => None,
        };
        if let Some(value) = literal {
            self.advance()?;
            return self.push(Kind::Literal(value), start, start);
        }
        if !matches!(self.token, Token::Name) || matches!(name, "in" | "true" | "false" | "null") {
            return Err(self.unexpected("an operand"));
        }
        if RESERVED.contains(&name) {
            let hint = if name == "if" { "; a choice is written 'condition ? a : b'" } else { "" };
            return Err(Fault::new(self.place, format!("{name} is a reserved word{hint}")));
        }
        let mark = self.advance()?;
        if self.eat(Symbol::OpenParenthesis)? {
            let arguments = self.arguments()?;
            return self.push(
                Kind::Call { target: None, name, absolute, arguments },
                start.to(self.last),
                mark,
            );
        }
        self.push(Kind::Name { name, absolute }, start.to(mark), mark)
    }

    fn list(&mut self) -> Result<ExprId, Fault> {
        let start = self.advance()?;
        let mut elements = Vec::new();
        while !self.at(Symbol::CloseBracket) {
            let optional = self.eat(Symbol::Question)?;
            let value = self.nested(Self::conditional)?;
            elements.push(Element { value, optional });
            self.count(elements.len())?;
            if !self.eat(Symbol::Comma)? {
                break;
            }
        }
        let end = self.expect(Symbol::CloseBracket)?;
        self.push(Kind::List(elements), start.to(end), start.to(end))
    }

    fn map(&mut self) -> Result<ExprId, Fault> {
        let start = self.advance()?;
        let mut entries = Vec::new();
        while !self.at(Symbol::CloseBrace) {
            let optional = self.eat(Symbol::Question)?;
            let key = self.nested(Self::conditional)?;
            self.expect(Symbol::Colon)?;
            let value = self.nested(Self::conditional)?;
            entries.push(Entry { key, value, optional });
            self.count(entries.len())?;
            if !self.eat(Symbol::Comma)? {
                break;
            }
        }
        let end = self.expect(Symbol::CloseBrace)?;
        self.push(Kind::Map(entries), start.to(end), start.to(end))
    }
}
