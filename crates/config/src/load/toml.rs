//! TOML to [`Node`].

use std::sync::Arc;

use toml_edit::{Array, ArrayOfTables, Document, Item, Table, TableLike};

use crate::diagnostic::Diagnostic;
use crate::node::{Key, Node, ScalarKind, Value};
use crate::place::Place;

/// Reads a TOML document. Nesting is bounded by the parser.
pub fn load(text: &str, file: &Arc<str>) -> Result<Node, Vec<Diagnostic>> {
    let reader = Reader { file, lines: Lines::of(text) };
    let document = Document::parse(text).map_err(|error| {
        let place = error.span().map(|span| reader.lines.place(span.start, file));
        let message = format!("toml: {}", error.message().trim_end());
        vec![Diagnostic::error("syntax", "", place, message)]
    })?;
    let start = Place::new(file, 1, 1);
    if document.as_table().is_empty() {
        return Ok(Node::new(Value::Null, start));
    }
    Ok(reader.map(document.as_table(), start))
}

struct Reader<'a> {
    file: &'a Arc<str>,
    lines: Lines<'a>,
}

impl Reader<'_> {
    fn place(&self, span: Option<std::ops::Range<usize>>, otherwise: &Place) -> Place {
        span.map_or_else(|| otherwise.clone(), |span| self.lines.place(span.start, self.file))
    }

    fn item(&self, item: &Item, near: &Place) -> Node {
        let place = self.place(item.span(), near);
        match item {
            Item::None => Node::new(Value::Null, place),
            Item::Value(value) => self.value(value, near),
            Item::Table(table) => self.map::<Table>(table, place),
            Item::ArrayOfTables(tables) => self.tables(tables, place),
        }
    }

    fn value(&self, value: &toml_edit::Value, near: &Place) -> Node {
        use toml_edit::Value as Toml;
        let place = self.place(value.span(), near);
        let scalar = |text: String, kind| Node::new(Value::Scalar(text, kind), place.clone());
        match value {
            Toml::String(text) => scalar(text.value().clone(), ScalarKind::String),
            Toml::Integer(number) => scalar(number.value().to_string(), ScalarKind::Integer),
            Toml::Float(number) => Node::float(*number.value(), place),
            Toml::Boolean(truth) => scalar(truth.value().to_string(), ScalarKind::Bool),
            Toml::Datetime(time) => scalar(time.value().to_string(), ScalarKind::String),
            Toml::Array(items) => self.array(items, place),
            Toml::InlineTable(table) => self.map(table, place),
        }
    }

    fn array(&self, items: &Array, place: Place) -> Node {
        let items = items.iter().map(|item| self.value(item, &place)).collect();
        Node::new(Value::List(items), place)
    }

    fn tables(&self, tables: &ArrayOfTables, place: Place) -> Node {
        let items = tables
            .iter()
            .map(|table| {
                let place = self.place(table.span(), &place);
                self.map(table, place)
            })
            .collect();
        Node::new(Value::List(items), place)
    }

    fn map<T: TableLike>(&self, table: &T, place: Place) -> Node {
        let entries = table
            .iter()
            .map(|(name, item)| {
                let span = table.key(name).and_then(toml_edit::Key::span);
                let at = self.place(span, &place);
                let node = self.item(item, &at);
                let name = name.to_owned();
                (Key { name, place: at }, node)
            })
            .collect();
        Node::new(Value::Map(entries), place)
    }
}

/// Byte offsets to lines and columns.
struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn of(text: &'a str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, starts }
    }

    fn place(&self, offset: usize, file: &Arc<str>) -> Place {
        let line = self.starts.partition_point(|&start| start <= offset);
        let start = self.starts[line - 1];
        let column = self.text.get(start..offset).map_or(0, |before| before.chars().count());
        Place::new(file, line, column + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keep_their_place_and_their_text() {
        let text = "[http.routers.a]\nrule = \"x\"\npriority = 0x10\n[[l]]\nf = 1.5\n";
        let node = load(text, &"t.toml".into()).unwrap();
        let place = node.place_of("http.routers.a.priority");
        assert_eq!(place.to_string(), "t.toml:3:12");
        let (_, list) = node.entry("l").unwrap();
        let Value::List(items) = &list.value else { panic!("{list:?}") };
        assert_eq!(items[0].entry("f").unwrap().1.as_text(), Some("1.500000"));
    }

    #[test]
    fn a_syntax_error_has_a_place() {
        let errors = load("a = 1\na = 2\n", &"t.toml".into()).unwrap_err();
        assert_eq!(errors[0].place.as_ref().unwrap().line, 2);
    }
}
