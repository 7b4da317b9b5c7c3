//! Tokens to a tree, by the grammar Traefik gives to Go's expression parser.
//!
//! ```text
//! or    = and { "||" and }
//! and   = unary { "&&" unary }
//! unary = { "!" } ( "(" or ")" | name "(" [ string { "," string } [ "," ] ] ")" )
//! ```

use std::ops::Range;

use crate::error::RuleError;
use crate::lexer::{Kind, Lexer, Token};
use crate::literal;
use crate::suggest;
use crate::syntax::{Arg, Call, Expr};

/// Reads `text`. Errors name the first place where it stops being a rule.
pub(crate) fn parse(text: &str) -> Result<Expr<'_>, RuleError> {
    let mut lexer = Lexer::new(text);
    let next = lexer.next()?;
    if next.kind == Kind::End {
        return Err(RuleError::new(0..text.len(), "the rule is empty"));
    }
    let mut parser = Parser { text, lexer, next };
    let expr = parser.or(0)?;
    parser.end()?;
    Ok(expr)
}

/// How deep `!` and `(` may nest. Deeper rules are not written by people, and
/// the bound keeps every walk over the tree inside the stack.
const MAX_DEPTH: usize = 100;

struct Parser<'a> {
    text: &'a str,
    lexer: Lexer<'a>,
    /// The token not yet taken.
    next: Token,
}

impl<'a> Parser<'a> {
    fn or(&mut self, depth: usize) -> Result<Expr<'a>, RuleError> {
        let mut operands = vec![self.and(depth)?];
        while self.take(Kind::Or)?.is_some() {
            operands.push(self.and(depth)?);
        }
        Ok(one_or(operands, Expr::Or))
    }

    fn and(&mut self, depth: usize) -> Result<Expr<'a>, RuleError> {
        let mut operands = vec![self.unary(depth)?];
        while self.take(Kind::And)?.is_some() {
            operands.push(self.unary(depth)?);
        }
        Ok(one_or(operands, Expr::And))
    }

    fn unary(&mut self, mut depth: usize) -> Result<Expr<'a>, RuleError> {
        let mut negated = false;
        while self.take(Kind::Not)?.is_some() {
            negated = !negated;
            depth = self.deeper(depth)?;
        }
        let operand = if self.take(Kind::Open)?.is_some() {
            let inside = self.or(self.deeper(depth)?)?;
            self.close()?;
            inside
        } else {
            Expr::Call(self.call()?)
        };
        Ok(if negated { Expr::Not(Box::new(operand)) } else { operand })
    }

    fn deeper(&self, depth: usize) -> Result<usize, RuleError> {
        if depth == MAX_DEPTH {
            let message = format!("more than {MAX_DEPTH} levels of `!` and `(`");
            return Err(RuleError::new(self.next.span.clone(), message));
        }
        Ok(depth + 1)
    }

    fn call(&mut self) -> Result<Call<'a>, RuleError> {
        let Some(name_span) = self.take(Kind::Ident)? else {
            return Err(self.no_matcher());
        };
        let name = &self.text[name_span.clone()];
        if self.take(Kind::Open)?.is_none() {
            let message = format!("expected `(` after `{name}`, found {}", self.found());
            return Err(RuleError::new(self.next.span.clone(), message));
        }
        let mut args = Vec::new();
        while self.next.kind != Kind::Close {
            args.push(self.arg()?);
            if self.take(Kind::Comma)?.is_none() {
                break;
            }
        }
        let end = self.close()?.end;
        Ok(Call { name, span: name_span.start..end, name_span, args })
    }

    fn arg(&mut self) -> Result<Arg, RuleError> {
        match self.take(Kind::Str)? {
            Some(span) => Ok(Arg { value: literal::value(&self.text[span.clone()], &span)?, span }),
            None => Err(self.no_string()),
        }
    }

    fn close(&mut self) -> Result<Range<usize>, RuleError> {
        match self.take(Kind::Close)? {
            Some(span) => Ok(span),
            None => Err(self.unexpected("expected `)`")),
        }
    }

    fn end(&mut self) -> Result<(), RuleError> {
        let newline = self.take(Kind::Newline)?;
        if self.next.kind == Kind::End {
            return Ok(());
        }
        let error = self.unexpected("expected `&&`, `||` or the end");
        Err(match newline {
            Some(_) => error.hint("end the line before with the operator"),
            None => error,
        })
    }

    /// Takes the next token if it is of this kind, and says where it was.
    fn take(&mut self, kind: Kind) -> Result<Option<Range<usize>>, RuleError> {
        if self.next.kind != kind {
            return Ok(None);
        }
        let next = self.lexer.next()?;
        Ok(Some(std::mem::replace(&mut self.next, next).span))
    }

    fn no_matcher(&self) -> RuleError {
        let hint = (self.next.kind == Kind::Str)
            .then(|| "a value stands inside a matcher, as in Host(`example.com`)".to_owned());
        self.unexpected("expected a matcher").maybe_hint(hint)
    }

    fn no_string(&self) -> RuleError {
        let bare = self.text[self.next.span.start..]
            .split([',', ')', '\n'])
            .next()
            .map(str::trim)
            .filter(|bare| !bare.is_empty() && !bare.contains(['`', '(']));
        self.unexpected("expected a quoted string")
            .maybe_hint(bare.map(|bare| format!("write `{bare}` with its backquotes")))
    }

    fn unexpected(&self, expected: &str) -> RuleError {
        let message = format!("{expected}, found {}", self.found());
        let hint = suggest::operator(&self.text[self.next.span.clone()]);
        RuleError::new(self.next.span.clone(), message).maybe_hint(hint)
    }

    fn found(&self) -> String {
        match self.next.kind {
            Kind::End => "the end".to_owned(),
            Kind::Newline => "a line break".to_owned(),
            _ => format!("`{}`", &self.text[self.next.span.clone()]),
        }
    }
}

/// A chain of one operand is that operand.
fn one_or<'a>(mut operands: Vec<Expr<'a>>, many: fn(Vec<Expr<'a>>) -> Expr<'a>) -> Expr<'a> {
    match operands.pop() {
        Some(only) if operands.is_empty() => only,
        Some(last) => {
            operands.push(last);
            many(operands)
        }
        None => many(operands),
    }
}

#[cfg(test)]
mod tests {
    use super::parse;
    use crate::syntax::Expr;

    fn show(expr: &Expr<'_>) -> String {
        let list = |operands: &[Expr<'_>]| operands.iter().map(show).collect::<Vec<_>>().join(" ");
        match expr {
            Expr::Or(operands) => format!("(or {})", list(operands)),
            Expr::And(operands) => format!("(and {})", list(operands)),
            Expr::Not(operand) => format!("(not {})", show(operand)),
            Expr::Call(call) => {
                let args: Vec<_> = call.args.iter().map(|arg| arg.value.as_str()).collect();
                format!("{}[{}]", call.name, args.join(","))
            }
        }
    }

    #[test]
    fn the_tree_follows_go_s_grammar() {
        for (text, tree) in [
            ("m(`1`)", "m[1]"),
            ("(m(`1`))", "m[1]"),
            ("m(`1`, `2`)", "m[1,2]"),
            ("m()", "m[]"),
            ("m(``)", "m[]"),
            ("!m(`1`)", "(not m[1])"),
            ("!!m(`1`)", "m[1]"),
            ("a() || b() && c()", "(or a[] (and b[] c[]))"),
            ("(a() || b()) && c()", "(and (or a[] b[]) c[])"),
            ("a() || b() || c()", "(or a[] b[] c[])"),
            ("! a() && b()", "(and (not a[]) b[])"),
            ("m (\n`1`,\n)", "m[1]"),
            ("a() &&\n b() ||\n c()\n", "(or (and a[] b[]) c[])"),
            ("a() /* why */ && /* more\nlines */ b() // end", "(and a[] b[])"),
            ("m(`a\nb`)", "m[a\nb]"),
        ] {
            assert_eq!(show(&parse(text).expect(text)), tree, "{text}");
        }
    }

    #[test]
    fn what_go_refuses_is_refused() {
        for text in [
            "",
            "  ",
            "m",
            "m(`1`) &&",
            "m(`1`) ||",
            "m(`1)",
            "m(`1`))",
            "(m(`1`)",
            "a()\n&& b()",
            "a() /* \n */ && b()",
            "a() // x\n&& b()",
            "(a()\n)",
            "m(`1`\n)",
            "a() b()",
            "a(); b()",
            "m(1)",
            "m(x)",
            "m((`1`))",
            "m(`a` + `b`)",
            "m(`a` `b`)",
            "`a`",
            "(`a`)",
            "true",
            "a() == b()",
            "a() & b()",
            "a() and b()",
            "m(,)",
            "m(`1`,,)",
            "a()()",
            "(m)(`1`)",
            "m('1')",
            "m(\"1\n\")",
            "/* a()",
            "\u{0}",
            "a()\u{0}",
            "!",
            "()",
            "a() != b()",
            "m(\"\\d\")",
        ] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn hostile_depth_is_an_error() {
        for text in ["!".repeat(100_000), "(".repeat(100_000), "!(".repeat(100_000)] {
            let error = parse(&text).unwrap_err();
            assert!(error.message.contains("levels"), "{error}");
        }
    }

    #[test]
    fn a_long_chain_is_one_node() {
        let text = vec!["a()"; 100_000].join("||");
        assert!(matches!(parse(&text), Ok(Expr::Or(operands)) if operands.len() == 100_000));
    }
}
