//! Every option Traefik's static configuration has, and which of them are here.
//!
//! The table is `options.txt`; its head says how to read it. It decides what is an unknown option,
//! what is one of Traefik's that is not yet here, and how a flag is read: whether it needs a
//! value, and whether a second one adds to the first.

use std::sync::LazyLock;

use crate::suggest;

/// One step of a path, with what may follow it.
#[derive(Debug)]
pub(crate) struct OptionTree {
    /// The step as it is spelled in a file, or `<name>` for any.
    name: &'static str,
    /// What may be written here; `None` for a step that only leads to others.
    kind: Option<Kind>,
    /// Whether Tollgate has this option or one below it.
    here: bool,
    /// Whether it is a list of blocks.
    listed: bool,
    children: Vec<Self>,
}

/// What may be written at an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One text, number or duration.
    Value,
    /// `true` or `false`.
    Switch,
    /// Several texts, or one text with commas.
    List,
    /// A block that may also stand alone.
    Block,
    /// Anything: nobody checks what is below.
    Any,
}

/// The root of the table.
pub(crate) fn root() -> &'static OptionTree {
    static ROOT: LazyLock<OptionTree> = LazyLock::new(|| OptionTree::parse(TABLE));
    &ROOT
}

impl OptionTree {
    fn new(name: &'static str) -> Self {
        Self { name, kind: None, here: false, listed: false, children: Vec::new() }
    }

    fn parse(table: &'static str) -> Self {
        let mut root = Self::new("");
        root.here = true;
        for line in table.lines().filter(|line| !line.starts_with('#')) {
            let mut words = line.split(' ');
            let (Some(mark), Some(path), Some(kind)) = (words.next(), words.next(), words.next()) else {
                continue;
            };
            root.insert(path, Kind::parse(kind), mark == "+");
        }
        root
    }

    fn insert(&mut self, path: &'static str, kind: Option<Kind>, here: bool) {
        let mut at = self;
        for step in path.split('.') {
            let name = step.trim_end_matches("[n]");
            let index = at.children.iter().position(|child| child.name == name).unwrap_or_else(|| {
                at.children.push(Self::new(name));
                at.children.len() - 1
            });
            at = &mut at.children[index];
            at.here |= here;
            at.listed |= name.len() < step.len();
        }
        at.kind = kind;
    }

    /// The option one step below. Known names match in any case, as in Traefik.
    pub(crate) fn child(&self, name: &str) -> Option<&Self> {
        let known = |child: &&Self| child.name.eq_ignore_ascii_case(name);
        self.children.iter().find(known).or_else(|| self.children.iter().find(|child| child.is_name()))
    }

    /// Whether this step is a name somebody chose (an entry point's, a label's).
    pub(crate) fn is_name(&self) -> bool {
        self.name == ANY_NAME
    }

    /// The step as a file spells it; `given` where it is a name.
    pub(crate) fn spelled<'a>(&self, given: &'a str) -> &'a str {
        if self.is_name() { given } else { self.name }
    }

    /// What may be written here.
    pub(crate) fn kind(&self) -> Option<Kind> {
        self.kind
    }

    /// Whether Tollgate has this option or one below it.
    pub(crate) fn is_here(&self) -> bool {
        self.here
    }

    /// Whether digits after this step are a place in a list.
    pub(crate) fn takes_index(&self) -> bool {
        self.listed || self.kind == Some(Kind::List)
    }

    /// Whether a flag without a value means `true`.
    pub(crate) fn is_switch(&self) -> bool {
        matches!(self.kind, Some(Kind::Switch | Kind::Block))
    }

    /// Whether other options stand below this one.
    pub(crate) fn is_branch(&self) -> bool {
        !self.children.is_empty()
    }

    /// The name most like `name` one step below, when one is close enough to be a slip.
    pub(crate) fn nearest(&self, name: &str) -> Option<&'static str> {
        let names = self.children.iter().filter(|child| !child.is_name());
        suggest::closest(name, names.map(|child| child.name))
    }
}

impl Kind {
    fn parse(word: &str) -> Option<Self> {
        match word {
            "value" => Some(Self::Value),
            "switch" => Some(Self::Switch),
            "list" => Some(Self::List),
            "block" => Some(Self::Block),
            "any" => Some(Self::Any),
            _ => None,
        }
    }
}

const TABLE: &str = include_str!("options.txt");
const ANY_NAME: &str = "<name>";

#[cfg(test)]
mod tests {
    use super::*;

    fn find(path: &str) -> Option<&'static OptionTree> {
        path.split('.').try_fold(root(), |at, step| at.child(step))
    }

    #[test]
    fn every_line_of_the_table_is_an_option() {
        let lines = TABLE.lines().filter(|line| !line.starts_with('#'));
        let mut count = 0;
        for line in lines {
            let words: Vec<_> = line.split(' ').collect();
            assert_eq!(words.len(), 3, "{line}");
            assert!(["+", "-"].contains(&words[0]), "{line}");
            let option = find(&words[1].replace("[n]", "")).expect(line);
            assert_eq!(option.kind(), Kind::parse(words[2]), "{line}");
            assert!(option.kind().is_some(), "{line}");
            count += 1;
        }
        assert!(count > 500, "{count}");
    }

    #[test]
    fn names_are_found_in_any_case_and_chosen_names_in_theirs() {
        let option = find("ENTRYPOINTS.Web.ASDEFAULT").unwrap();
        assert_eq!(option.kind(), Some(Kind::Switch));
        assert!(find("entryPoints.web").unwrap().is_name());
        assert!(find("entryPoints.web.adress").is_none());
    }

    #[test]
    fn an_option_is_here_when_one_below_it_is() {
        assert!(find("metrics").unwrap().is_here());
        assert!(find("metrics.prometheus").unwrap().is_here());
        assert!(!find("metrics.datadog").unwrap().is_here());
        assert!(!find("providers.docker.endpoint").unwrap().is_here());
    }

    #[test]
    fn slips_are_recognised_and_other_words_are_not() {
        let entry_point = find("entryPoints.web").unwrap();
        assert_eq!(entry_point.nearest("adress"), Some("address"));
        assert_eq!(entry_point.nearest("forwardHeaders"), Some("forwardedHeaders"));
        assert_eq!(root().nearest("entrypoint"), Some("entryPoints"));
        assert_eq!(root().nearest("banana"), None);
    }
}
