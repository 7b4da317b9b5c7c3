//! Runs a template.

use super::output::Rendered;
use super::parser::{Command, Node, Operand, Pipeline, Range};
use super::value::Value;
use super::{TemplateError, functions};

/// How many steps a template may take, and how many bytes it may produce.
const STEPS: usize = 1_000_000;
const BYTES: usize = 16 << 20;

type Outcome<T = ()> = Result<T, TemplateError>;

/// Runs a template to its text.
pub(super) fn run(nodes: &[Node<'_>], env: &dyn Fn(&str) -> Option<String>) -> Outcome<Rendered> {
    let mut run = Run { env, output: Rendered::default(), variables: Vec::new(), dot: Value::Nil, steps: 0 };
    run.nodes(nodes)?;
    Ok(run.output)
}

pub(super) struct Run<'e> {
    env: &'e dyn Fn(&str) -> Option<String>,
    output: Rendered,
    /// Innermost last.
    variables: Vec<(String, Value)>,
    dot: Value,
    steps: usize,
}

impl Run<'_> {
    pub(super) fn env(&self, name: &str) -> Option<String> {
        (self.env)(name)
    }

    /// A block: what it declares ends with it.
    fn block(&mut self, nodes: &[Node<'_>]) -> Outcome {
        let declared = self.variables.len();
        self.nodes(nodes)?;
        self.variables.truncate(declared);
        Ok(())
    }

    fn nodes(&mut self, nodes: &[Node<'_>]) -> Outcome {
        nodes.iter().try_for_each(|node| self.node(node))
    }

    fn node(&mut self, node: &Node<'_>) -> Outcome {
        match node {
            Node::Text { line, text } => {
                self.output.push_text(text, *line);
                self.step(*line)
            }
            Node::Print { line, pipeline } => {
                let text = self.pipeline(pipeline)?.to_string();
                self.output.push_value(&text, *line);
                self.step(*line)
            }
            Node::Declare { name, pipeline } => {
                let value = self.pipeline(pipeline)?;
                self.variables.push((name.clone(), value));
                self.step(pipeline.line)
            }
            Node::Assign { line, name, pipeline } => {
                let value = self.pipeline(pipeline)?;
                *self.variable(name, *line)? = value;
                self.step(*line)
            }
            Node::If { pipeline, then, otherwise } => {
                let truth = self.pipeline(pipeline)?.is_true();
                self.block(if truth { then } else { otherwise })
            }
            Node::With { pipeline, then, otherwise } => {
                let value = self.pipeline(pipeline)?;
                if value.is_true() { self.with(value, |run| run.block(then)) } else { self.block(otherwise) }
            }
            Node::Range(range) => self.range(range),
        }
    }

    fn with(&mut self, dot: Value, run: impl FnOnce(&mut Self) -> Outcome) -> Outcome {
        let outer = std::mem::replace(&mut self.dot, dot);
        let outcome = run(self);
        self.dot = outer;
        outcome
    }

    fn range(&mut self, range: &Range<'_>) -> Outcome {
        let over = self.pipeline(&range.pipeline)?;
        let count = match &over {
            Value::List(items) => items.len(),
            Value::Integer(number) => usize::try_from(*number).unwrap_or(0),
            Value::Nil => 0,
            other => {
                let message = format!("range can't iterate over a {}", other.kind());
                let hint = "range over list, until, or splitList";
                return Err(TemplateError::new(range.line, message).hint(hint));
            }
        };
        if count == 0 {
            return self.block(&range.otherwise);
        }
        for index in 0..count {
            let position = Value::Integer(i64::try_from(index).unwrap_or(i64::MAX));
            let element = match &over {
                Value::List(items) => items[index].clone(),
                _ => position.clone(),
            };
            let declared = self.variables.len();
            self.variables.extend(range.index.clone().map(|name| (name, position)));
            self.variables.extend(range.element.clone().map(|name| (name, element.clone())));
            self.with(element, |run| run.nodes(&range.each))?;
            self.variables.truncate(declared);
            self.step(range.line)?;
        }
        Ok(())
    }

    fn step(&mut self, line: usize) -> Outcome {
        self.steps += 1;
        if self.steps > STEPS || self.output.text.len() > BYTES {
            return Err(TemplateError::new(line, format!("more than {STEPS} steps or {BYTES} bytes")));
        }
        Ok(())
    }

    fn variable(&mut self, name: &str, line: usize) -> Outcome<&mut Value> {
        self.variables
            .iter_mut()
            .rev()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value)
            .ok_or_else(|| TemplateError::new(line, format!("undefined variable {:?}", format!("${name}"))))
    }

    fn pipeline(&mut self, pipeline: &Pipeline) -> Outcome<Value> {
        let mut value = None;
        for command in &pipeline.commands {
            value = Some(match command {
                Command::Value(operand) => self.operand(operand, pipeline.line)?,
                Command::Call(name, arguments) => self.call(name, arguments, value, pipeline.line)?,
            });
        }
        Ok(value.unwrap_or(Value::Nil))
    }

    fn call(&mut self, name: &str, operands: &[Operand], last: Option<Value>, line: usize) -> Outcome<Value> {
        let mut arguments = Vec::with_capacity(operands.len() + 1);
        for operand in operands {
            let value = self.operand(operand, line)?;
            // `and` and `or` stop at the first value that decides.
            if (name == "and" && !value.is_true()) || (name == "or" && value.is_true()) {
                return Ok(value);
            }
            arguments.push(value);
        }
        arguments.extend(last);
        self.step(line)?;
        functions::call(name, &arguments, self)
            .map_err(|message| TemplateError::new(line, format!("{name}: {message}")))
    }

    fn operand(&mut self, operand: &Operand, line: usize) -> Outcome<Value> {
        Ok(match operand {
            Operand::Text(text) => Value::text(text.as_str()),
            Operand::Integer(number) => Value::Integer(*number),
            Operand::Bool(truth) => Value::Bool(*truth),
            Operand::Nil => Value::Nil,
            Operand::Dot => self.dot.clone(),
            // `$` is what the template was given: nothing.
            Operand::Variable(name) if name.is_empty() => Value::Nil,
            Operand::Variable(name) => self.variable(name, line)?.clone(),
            Operand::Pipeline(pipeline) => self.pipeline(pipeline)?,
        })
    }
}
