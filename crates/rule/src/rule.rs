//! A router's rule.

use std::fmt;
use std::sync::Arc;

use crate::compile::{self, v2, v3};
use crate::error::RuleError;
use crate::node::Node;
use crate::parser;
use crate::request::Request;

/// Which matchers a rule knows: a router's `ruleSyntax`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RuleSyntax {
    /// Traefik 2, deprecated: several values a matcher, `{name:regex}` templates.
    V2,
    /// Traefik 3.
    #[default]
    V3,
}

/// A rule that was read and compiled. A clone costs one counter.
#[derive(Clone)]
pub struct Rule {
    inside: Arc<Compiled>,
}

struct Compiled {
    text: Box<str>,
    hosts: Vec<String>,
    node: Node,
}

impl Rule {
    /// Reads a rule in Traefik 3's syntax.
    pub fn parse(text: &str) -> Result<Rule, RuleError> {
        Rule::parse_as(text, RuleSyntax::V3)
    }

    /// Reads a rule in Traefik 2's syntax.
    pub fn parse_v2(text: &str) -> Result<Rule, RuleError> {
        Rule::parse_as(text, RuleSyntax::V2)
    }

    /// Reads a rule in the given syntax.
    pub fn parse_as(text: &str, syntax: RuleSyntax) -> Result<Rule, RuleError> {
        let (names, call): (&[&str], compile::Compile) = match syntax {
            RuleSyntax::V2 => (&v2::NAMES, v2::call),
            RuleSyntax::V3 => (&v3::NAMES, v3::call),
        };
        let expr = parser::parse(text)?;
        let compiled =
            Compiled { text: text.into(), node: compile::compile(&expr, call)?, hosts: compile::hosts(&expr, names) };
        Ok(Rule { inside: Arc::new(compiled) })
    }

    /// Whether the router takes this request. Allocates only for header lines that
    /// are not UTF-8 and meet a `HeaderRegexp`.
    pub fn matches(&self, request: &dyn Request) -> bool {
        self.inside.node.matches(request)
    }

    /// The rule as written.
    pub fn text(&self) -> &str {
        &self.inside.text
    }

    /// The priority of a router that states none: the length of the text in bytes.
    pub fn default_priority(&self) -> i64 {
        i64::try_from(self.inside.text.len()).unwrap_or(i64::MAX)
    }

    /// The domains that `Host` names, in lower case and in the order written.
    pub fn hosts(&self) -> Vec<String> {
        self.inside.hosts.clone()
    }

    pub(crate) fn node(&self) -> &Node {
        &self.inside.node
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Rule").field(&self.text()).finish()
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}
