//! Pieces to a tree.

use super::TemplateError;
use super::functions;
use super::lexer::{Part, Piece, Token};

/// Something a template does.
#[derive(Debug, PartialEq)]
pub(super) enum Node<'a> {
    Text { line: usize, text: &'a str },
    Print { line: usize, pipeline: Pipeline },
    Declare { name: String, pipeline: Pipeline },
    Assign { line: usize, name: String, pipeline: Pipeline },
    If { pipeline: Pipeline, then: Vec<Node<'a>>, otherwise: Vec<Node<'a>> },
    With { pipeline: Pipeline, then: Vec<Node<'a>>, otherwise: Vec<Node<'a>> },
    Range(Range<'a>),
}

/// `range $index, $element := pipeline`
#[derive(Debug, PartialEq)]
pub(super) struct Range<'a> {
    pub(super) line: usize,
    pub(super) index: Option<String>,
    pub(super) element: Option<String>,
    pub(super) pipeline: Pipeline,
    pub(super) each: Vec<Node<'a>>,
    pub(super) otherwise: Vec<Node<'a>>,
}

/// Commands, each given the value of the one before as its last argument.
#[derive(Debug, PartialEq)]
pub(super) struct Pipeline {
    pub(super) line: usize,
    pub(super) commands: Vec<Command>,
}

#[derive(Debug, PartialEq)]
pub(super) enum Command {
    Value(Operand),
    Call(String, Vec<Operand>),
}

#[derive(Debug, PartialEq)]
pub(super) enum Operand {
    Text(String),
    Integer(i64),
    Bool(bool),
    Nil,
    Dot,
    Variable(String),
    Pipeline(Box<Pipeline>),
}

/// How deep blocks and parentheses may nest.
const DEPTH: usize = 50;

pub(super) fn parse<'a>(pieces: &[Piece<'a>]) -> Result<Vec<Node<'a>>, TemplateError> {
    let mut parser = Parser { pieces, at: 0, depth: 0 };
    let (nodes, end) = parser.block()?;
    match end {
        None => Ok(nodes),
        Some((line, word, _)) => Err(TemplateError::new(line, format!("unexpected {{{{{word}}}}}"))),
    }
}

struct Parser<'p, 'a> {
    pieces: &'p [Piece<'a>],
    at: usize,
    depth: usize,
}

/// What ended a block: its line, `else` or `end`, and what follows the word.
type End<'p> = Option<(usize, &'static str, &'p [Token])>;

/// The nodes of a block within another, and what ended it.
type Inner<'p, 'a> = (Vec<Node<'a>>, usize, &'static str, &'p [Token]);

impl<'p, 'a> Parser<'p, 'a> {
    fn block(&mut self) -> Result<(Vec<Node<'a>>, End<'p>), TemplateError> {
        let mut nodes = Vec::new();
        while let Some(piece) = self.pieces.get(self.at) {
            self.at += 1;
            let line = piece.line;
            let tokens = match &piece.part {
                Part::Text(text) => {
                    nodes.push(Node::Text { line, text });
                    continue;
                }
                Part::Action(tokens) => tokens.as_slice(),
            };
            match tokens {
                [Token::Name(word), rest @ ..] => match word.as_str() {
                    "end" => return Ok((nodes, Some((line, "end", rest)))),
                    "else" => return Ok((nodes, Some((line, "else", rest)))),
                    "if" => nodes.push(self.conditional(rest, line, false)?),
                    "with" => nodes.push(self.conditional(rest, line, true)?),
                    "range" => nodes.push(self.range(rest, line)?),
                    "define" | "template" | "block" | "break" | "continue" => {
                        return Err(TemplateError::new(line, format!("{word:?} is not here")));
                    }
                    _ => nodes.push(Node::Print { line, pipeline: pipeline(tokens, line)? }),
                },
                [Token::Variable(name), Token::Declare, rest @ ..] => {
                    nodes.push(Node::Declare { name: name.clone(), pipeline: pipeline(rest, line)? });
                }
                [Token::Variable(name), Token::Assign, rest @ ..] => {
                    nodes.push(Node::Assign { line, name: name.clone(), pipeline: pipeline(rest, line)? });
                }
                _ => nodes.push(Node::Print { line, pipeline: pipeline(tokens, line)? }),
            }
        }
        Ok((nodes, None))
    }

    fn inner_block(&mut self, line: usize, word: &str) -> Result<Inner<'p, 'a>, TemplateError> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(TemplateError::new(line, format!("blocks nest deeper than {DEPTH} levels")));
        }
        let (nodes, end) = self.block()?;
        self.depth -= 1;
        let Some((line, end, rest)) = end else {
            return Err(TemplateError::new(line, format!("unexpected EOF: {word} has no {{{{end}}}}")));
        };
        Ok((nodes, line, end, rest))
    }

    fn conditional(&mut self, tokens: &'p [Token], line: usize, with: bool) -> Result<Node<'a>, TemplateError> {
        let pipeline = pipeline(tokens, line)?;
        let word = if with { "with" } else { "if" };
        let (then, end_line, end, rest) = self.inner_block(line, word)?;
        let otherwise = match (end, rest) {
            ("else", [Token::Name(next), rest @ ..]) if next == "if" && !with => {
                self.depth += 1;
                if self.depth > DEPTH {
                    return Err(TemplateError::new(end_line, format!("more than {DEPTH} else if")));
                }
                let nested = self.conditional(rest, end_line, false)?;
                self.depth -= 1;
                vec![nested]
            }
            (end, rest) => self.otherwise(end, rest, end_line)?,
        };
        Ok(if with { Node::With { pipeline, then, otherwise } } else { Node::If { pipeline, then, otherwise } })
    }

    /// What follows `{{else}}` until `{{end}}`, if anything does.
    fn otherwise(&mut self, end: &str, rest: &[Token], line: usize) -> Result<Vec<Node<'a>>, TemplateError> {
        if !rest.is_empty() {
            return Err(TemplateError::new(line, format!("unexpected words after {end}")));
        }
        if end == "end" {
            return Ok(Vec::new());
        }
        match self.inner_block(line, "else")? {
            (nodes, _, "end", []) => Ok(nodes),
            (_, line, ..) => Err(TemplateError::new(line, "expected {{end}}")),
        }
    }

    fn range(&mut self, tokens: &'p [Token], line: usize) -> Result<Node<'a>, TemplateError> {
        let (index, element, tokens) = match tokens {
            [Token::Variable(index), Token::Comma, Token::Variable(element), Token::Declare, rest @ ..] => {
                (Some(index.clone()), Some(element.clone()), rest)
            }
            [Token::Variable(element), Token::Declare, rest @ ..] => (None, Some(element.clone()), rest),
            rest => (None, None, rest),
        };
        let pipeline = pipeline(tokens, line)?;
        let (each, end_line, end, rest) = self.inner_block(line, "range")?;
        let otherwise = self.otherwise(end, rest, end_line)?;
        Ok(Node::Range(Range { line, index, element, pipeline, each, otherwise }))
    }
}

fn pipeline(tokens: &[Token], line: usize) -> Result<Pipeline, TemplateError> {
    let mut words = Words { tokens, line, depth: 0 };
    let pipeline = words.pipeline()?;
    match words.tokens.first() {
        None => Ok(pipeline),
        Some(other) => Err(TemplateError::new(line, format!("unexpected {other:?} in a pipeline"))),
    }
}

struct Words<'t> {
    tokens: &'t [Token],
    line: usize,
    depth: usize,
}

impl Words<'_> {
    fn error(&self, message: impl Into<String>) -> TemplateError {
        TemplateError::new(self.line, message)
    }

    fn pipeline(&mut self) -> Result<Pipeline, TemplateError> {
        let mut commands = vec![self.command()?];
        while let [Token::Pipe, rest @ ..] = self.tokens {
            self.tokens = rest;
            match self.command()? {
                Command::Value(_) => return Err(self.error("a pipe leads to a function, not to a value")),
                call @ Command::Call(..) => commands.push(call),
            }
        }
        Ok(Pipeline { line: self.line, commands })
    }

    fn command(&mut self) -> Result<Command, TemplateError> {
        if let [Token::Name(name), rest @ ..] = self.tokens
            && !matches!(name.as_str(), "true" | "false" | "nil")
        {
            if !functions::NAMES.contains(&name.as_str()) {
                return Err(TemplateError::unknown_function(self.line, name));
            }
            self.tokens = rest;
            let mut arguments = Vec::new();
            while let Some(operand) = self.operand()? {
                arguments.push(operand);
            }
            return Ok(Command::Call(name.clone(), arguments));
        }
        match self.operand()? {
            Some(operand) => Ok(Command::Value(operand)),
            None => Err(self.error("missing value for command")),
        }
    }

    fn operand(&mut self) -> Result<Option<Operand>, TemplateError> {
        let [first, rest @ ..] = self.tokens else { return Ok(None) };
        let operand = match first {
            Token::Text(text) => Operand::Text(text.clone()),
            Token::Integer(number) => Operand::Integer(*number),
            Token::Dot => Operand::Dot,
            Token::Variable(name) => Operand::Variable(name.clone()),
            Token::Name(word) => match word.as_str() {
                "true" => Operand::Bool(true),
                "false" => Operand::Bool(false),
                "nil" => Operand::Nil,
                // A function without arguments of its own.
                name if functions::NAMES.contains(&name) => {
                    let call = Command::Call(name.to_owned(), Vec::new());
                    Operand::Pipeline(Box::new(Pipeline { line: self.line, commands: vec![call] }))
                }
                name => return Err(TemplateError::unknown_function(self.line, name)),
            },
            Token::Open => {
                self.tokens = rest;
                return self.parenthesised().map(Some);
            }
            Token::Pipe | Token::Close | Token::Comma | Token::Declare | Token::Assign => return Ok(None),
        };
        self.tokens = rest;
        Ok(Some(operand))
    }

    fn parenthesised(&mut self) -> Result<Operand, TemplateError> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(self.error(format!("parentheses nest deeper than {DEPTH} levels")));
        }
        let pipeline = self.pipeline()?;
        self.depth -= 1;
        let [Token::Close, rest @ ..] = self.tokens else {
            return Err(self.error("unclosed left paren"));
        };
        self.tokens = rest;
        Ok(Operand::Pipeline(Box::new(pipeline)))
    }
}
