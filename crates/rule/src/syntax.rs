//! A rule as written: operators and calls, with their places in the text.

use std::ops::Range;

/// Chains of one operator are one node, so the depth of the tree is the depth of
/// the parentheses in the text, which the parser bounds.
#[derive(Debug)]
pub(crate) enum Expr<'a> {
    Or(Vec<Expr<'a>>),
    And(Vec<Expr<'a>>),
    Not(Box<Expr<'a>>),
    Call(Call<'a>),
}

#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(crate) name: &'a str,
    pub(crate) name_span: Range<usize>,
    pub(crate) args: Vec<Arg>,
    /// The name, the parentheses and all between.
    pub(crate) span: Range<usize>,
}

#[derive(Debug)]
pub(crate) struct Arg {
    pub(crate) value: String,
    pub(crate) span: Range<usize>,
}
