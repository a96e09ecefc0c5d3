//! Typed reading of a TOML document that goes on after a mistake, so that all are found at once.
//!
//! Used by `document` and `action`. What is wrong is collected with its line, column and key; what could not be
//! read is `None`. Pure.

use std::fmt;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Something wrong with a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// From 1.
    pub(crate) line: usize,
    /// From 1, in characters.
    pub(crate) column: usize,
    /// `rule[0].syscalls[1]`; empty for the document.
    pub(crate) key: String,
    /// What is wrong.
    pub(crate) message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.line, self.column)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)
    }
}

/// The document's text, and what was found wrong with it so far.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    text: &'a str,
    problems: Vec<Problem>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, problems: Vec::new() }
    }

    pub(super) fn reject(&mut self, at: &Range<usize>, key: &str, message: impl Into<String>) {
        let before = self.text.get(..at.start).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let column = before.get(start..).unwrap_or_default().chars().count() + 1;
        self.problems.push(Problem { line, column, key: key.to_owned(), message: message.into() });
    }

    /// Everything found, in the order of the document.
    pub(super) fn finish(mut self) -> Vec<Problem> {
        self.problems.sort_by_key(|problem| (problem.line, problem.column));
        self.problems
    }
}

/// A value and its key.
#[derive(Clone, Debug)]
pub(super) struct Node<'a> {
    value: &'a Spanned<DeValue<'a>>,
    pub(super) key: String,
}

impl<'a> Node<'a> {
    pub(super) fn at(&self) -> Range<usize> {
        self.value.span()
    }

    pub(super) fn reject<T>(&self, reader: &mut Reader<'_>, message: impl Into<String>) -> Option<T> {
        reader.reject(&self.at(), &self.key, message);
        None
    }

    fn wrong<T>(&self, reader: &mut Reader<'_>, wanted: &str) -> Option<T> {
        let found = match self.value.get_ref() {
            DeValue::Table(_) => "a table",
            DeValue::Array(_) => "a list",
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "an integer",
            DeValue::Float(_) => "a float",
            DeValue::Boolean(_) => "a boolean",
            DeValue::Datetime(_) => "a date",
        };
        self.reject(reader, format!("is {found}, not {wanted}"))
    }

    pub(super) fn string(&self, reader: &mut Reader<'_>) -> Option<String> {
        match self.value.get_ref().as_str() {
            Some(text) => Some(text.to_owned()),
            None => self.wrong(reader, "a string"),
        }
    }

    /// A string that says something.
    pub(super) fn words(&self, reader: &mut Reader<'_>) -> Option<String> {
        let text = self.string(reader)?;
        if text.trim().is_empty() { self.reject(reader, "is empty") } else { Some(text) }
    }

    pub(super) fn boolean(&self, reader: &mut Reader<'_>) -> Option<bool> {
        self.value.get_ref().as_bool().or_else(|| self.wrong(reader, "a boolean"))
    }

    pub(super) fn integer(&self, reader: &mut Reader<'_>) -> Option<i128> {
        match self.value.get_ref().as_integer() {
            None => self.wrong(reader, "an integer"),
            Some(number) => {
                let parsed = i128::from_str_radix(number.as_str(), number.radix()).ok();
                parsed.or_else(|| self.reject(reader, "is too large"))
            }
        }
    }

    pub(super) fn is_integer(&self) -> bool {
        self.value.get_ref().is_integer()
    }

    pub(super) fn fields(&self, reader: &mut Reader<'_>) -> Option<Fields<'a>> {
        match self.value.get_ref().as_table() {
            Some(table) => Some(Fields::new(table, self.at(), self.key.clone())),
            None => self.wrong(reader, "a table"),
        }
    }

    /// The members of a list.
    pub(super) fn list(&self, reader: &mut Reader<'_>) -> Option<Vec<Self>> {
        match self.value.get_ref().as_array() {
            Some(items) => {
                let node = |(index, value)| Self { value, key: format!("{}[{index}]", self.key) };
                Some(items.iter().enumerate().map(node).collect())
            }
            None => self.wrong(reader, "a list"),
        }
    }

    /// The members of a list that must have some; a single value is a list of one.
    pub(super) fn some(&self, reader: &mut Reader<'_>) -> Option<Vec<Self>> {
        if !self.value.get_ref().is_array() {
            return Some(vec![self.clone()]);
        }
        let items = self.list(reader)?;
        if items.is_empty() { self.reject(reader, "is empty") } else { Some(items) }
    }

    /// All members, each read by `read`; what cannot be read is left out.
    pub(super) fn each<T>(
        &self,
        reader: &mut Reader<'_>,
        mut read: impl FnMut(&Self, &mut Reader<'_>) -> Option<T>,
    ) -> Option<Vec<T>> {
        let items = self.some(reader)?;
        Some(items.iter().filter_map(|item| read(item, reader)).collect())
    }
}

/// A table whose keys are taken one by one; what is left over is unknown.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    table: &'a DeTable<'a>,
    pub(super) at: Range<usize>,
    pub(super) key: String,
    taken: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    pub(super) fn new(table: &'a DeTable<'a>, at: Range<usize>, key: String) -> Self {
        Self { table, at, key, taken: Vec::new() }
    }

    fn child(&self, name: &str) -> String {
        if self.key.is_empty() { name.to_owned() } else { format!("{}.{name}", self.key) }
    }

    pub(super) fn take(&mut self, name: &'static str) -> Option<Node<'a>> {
        self.taken.push(name);
        self.table.get(name).map(|value| Node { value, key: self.child(name) })
    }

    /// A key that must be there.
    pub(super) fn need(&mut self, name: &'static str, reader: &mut Reader<'_>) -> Option<Node<'a>> {
        let found = self.take(name);
        if found.is_none() {
            reader.reject(&self.at, &self.key, format!("has no `{name}`"));
        }
        found
    }

    /// Every key with its value, for tables whose keys are the user's own.
    pub(super) fn all(&self) -> Vec<(String, Node<'a>)> {
        let node = |(name, value): (&Spanned<_>, &'a Spanned<DeValue<'a>>)| {
            let name: &toml::de::DeString<'_> = name.get_ref();
            (name.to_string(), Node { value, key: self.child(name) })
        };
        self.table.iter().map(node).collect()
    }

    /// Rejects what nobody took. `of` says whose keys they are.
    pub(super) fn finish(self, reader: &mut Reader<'_>, of: &str) {
        for name in self.table.keys() {
            if self.taken.iter().any(|taken| *taken == name.get_ref().as_ref()) {
                continue;
            }
            let hint = nearest(name.get_ref(), self.taken.iter().copied())
                .map(|near| format!(" (hint: `{near}`?)"))
                .unwrap_or_default();
            let key = self.child(name.get_ref());
            reader.reject(&name.span(), &key, format!("is no key of {of}{hint}"));
        }
    }
}

/// The candidate that differs in at most two letters, if there is one.
pub(super) fn nearest<'c>(word: &str, candidates: impl Iterator<Item = &'c str>) -> Option<&'c str> {
    candidates
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 2 && *distance < candidate.len())
        .min()
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut corner = i;
        let mut last = i + 1;
        for (y, cell) in b.iter().zip(row.iter_mut().skip(1)) {
            let changed = corner + usize::from(x != *y);
            corner = *cell;
            last = changed.min(last + 1).min(*cell + 1);
            *cell = last;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_at_most_two_letters_away() {
        assert_eq!(nearest("syscall", ["name", "syscalls"].into_iter()), Some("syscalls"));
        assert_eq!(nearest("mkdri", ["mkdir", "mknod"].into_iter()), Some("mkdir"));
        assert_eq!(nearest("frobnicate", ["mkdir"].into_iter()), None);
    }

    #[test]
    fn places_are_counted_from_one_in_characters() {
        let mut reader = Reader::new("a\nöö x");
        reader.reject(&(7..8), "k", "m");
        assert_eq!(reader.finish()[0].to_string(), "2:4: k: m");
    }
}
