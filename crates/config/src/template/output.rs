//! What a template produced, and from which lines.

/// Text, and for each of its lines the line of the template that it begins in.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Rendered {
    pub(crate) text: String,
    lines: Vec<usize>,
}

impl Rendered {
    /// The line of the template for a line of the text; both count from 1.
    pub(crate) fn source_line(&self, line: u32) -> u32 {
        let index = (line as usize).clamp(1, self.lines.len().max(1)) - 1;
        self.lines.get(index).map_or(line, |&line| u32::try_from(line).unwrap_or(u32::MAX))
    }

    /// Adds text that stands at a line of the template.
    pub(super) fn push_text(&mut self, text: &str, line: usize) {
        for (offset, piece) in text.split_inclusive('\n').enumerate() {
            self.push(piece, line + offset);
        }
    }

    /// Adds text that an action made, however many lines it has.
    pub(super) fn push_value(&mut self, text: &str, line: usize) {
        for piece in text.split_inclusive('\n') {
            self.push(piece, line);
        }
    }

    fn push(&mut self, piece: &str, line: usize) {
        if self.text.is_empty() || self.text.ends_with('\n') {
            self.lines.push(line);
        }
        self.text.push_str(piece);
    }
}
