//! Tables in Markdown.

use std::fmt::Write as _;

/// A table whose first column is text and all others are numbers.
pub(crate) struct Table(String);

impl Table {
    pub(crate) fn new(title: &str, head: &[&str]) -> Self {
        let mut text = format!("\n### {title}\n\n| {} |\n|---|", head.join(" | "));
        text.push_str(&"--:|".repeat(head.len() - 1));
        text.push('\n');
        Self(text)
    }

    pub(crate) fn row(&mut self, cells: &[String]) {
        writeln!(self.0, "| {} |", cells.join(" | ")).expect("a string takes all");
    }

    pub(crate) fn into_text(self) -> String {
        self.0
    }
}

/// With commas between thousands, and no fraction.
pub(crate) fn whole(number: f64) -> String {
    let digits = format!("{:.0}", number.abs());
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    if number <= -0.5 { format!("-{text}") } else { text }
}

/// Three digits that say something.
pub(crate) fn short(number: f64) -> String {
    match number.abs() {
        size if size >= 100.0 || size == 0.0 => whole(number),
        size if size >= 10.0 => format!("{number:.1}"),
        size if size >= 1.0 => format!("{number:.2}"),
        size if size >= 0.01 => format!("{number:.3}"),
        _ => format!("{number:.5}"),
    }
}

/// Of a hundred.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// Requests over a limit: none, if it was kept. What doubles cannot tell from nothing is nothing.
pub(crate) fn over(excess: f64) -> String {
    if excess < 1e-3 { "0".into() } else { short(excess) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_easy_to_read() {
        let texts = [1_234_567.2, 999.6, 12.34, 1.234, 0.0123, 0.000_456, 0.0].map(short);
        assert_eq!(texts, ["1,234,567", "1,000", "12.3", "1.23", "0.012", "0.00046", "0"]);
        assert_eq!([-0.5, 1e-9, 0.2, 1_234.0].map(over), ["0", "0", "0.200", "1,234"]);
    }
}
