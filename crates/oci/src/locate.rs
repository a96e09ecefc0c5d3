//! Where in a JSON document a byte stands, as a pointer: an error pays for it, reading does not.
//!
//! Called by [`crate::parse`] when serde_json refuses a document. It judges nothing: what is not JSON
//! ends wherever it was.

use crate::Pointer;

/// Members of members that are named: the specification is far less deep, and of what is deeper only the
/// outermost is.
const DEEPEST: usize = 32;

/// The innermost member that the first `end` bytes lead to.
pub(crate) fn locate(bytes: &[u8], end: usize) -> Pointer {
    let mut walk = Walk { rest: bytes.get(..end.min(bytes.len())).unwrap_or_default(), path: Vec::new() };
    while walk.step() {}
    walk.pointer()
}

/// The offset behind what serde_json counts as `line` and `column`.
pub(crate) fn offset(bytes: &[u8], line: usize, column: usize) -> usize {
    let lines = bytes.split_inclusive(|b| *b == b'\n').take(line.saturating_sub(1));
    lines.map(<[u8]>::len).sum::<usize>().saturating_add(column)
}

/// An open array or object, and where in it we are.
enum Place {
    Element(usize),
    /// Before its colon a string is a key.
    Member {
        key: Option<String>,
        in_value: bool,
    },
}

struct Walk<'a> {
    rest: &'a [u8],
    path: Vec<Place>,
}

impl Walk<'_> {
    /// One token further, unless there is none.
    fn step(&mut self) -> bool {
        let Some((&byte, rest)) = self.rest.split_first() else { return false };
        self.rest = rest;
        match byte {
            b'{' => self.path.push(Place::Member { key: None, in_value: false }),
            b'[' => self.path.push(Place::Element(0)),
            b'}' | b']' => drop(self.path.pop()),
            b'"' => self.string(),
            b':' => {
                if let Some(Place::Member { in_value, .. }) = self.path.last_mut() {
                    *in_value = true;
                }
            }
            b',' => match self.path.last_mut() {
                Some(Place::Element(index)) => *index = index.saturating_add(1),
                Some(Place::Member { key, in_value }) => (*key, *in_value) = (None, false),
                None => {}
            },
            _ => {}
        }
        true
    }

    /// The rest of a string, whose quote has been read.
    fn string(&mut self) {
        let mut escaped = false;
        let ends = |b: &u8| {
            let end = *b == b'"' && !escaped;
            escaped = *b == b'\\' && !escaped;
            end
        };
        let length = self.rest.iter().position(ends);
        let (text, rest) = self.rest.split_at(length.unwrap_or(self.rest.len()));
        self.rest = rest.get(1..).unwrap_or_default();
        if let Some(Place::Member { key, in_value: false }) = self.path.last_mut() {
            let quoted = [b"\"", text, b"\""].concat();
            *key = serde_json::from_slice(&quoted).ok();
        }
    }

    fn pointer(self) -> Pointer {
        let named = if self.path.len() > DEEPEST { 1 } else { DEEPEST };
        self.path.into_iter().take(named).fold(Pointer::root(), |p, place| match place {
            Place::Element(index) => p.index(index),
            Place::Member { key: Some(key), .. } => p.key(&key),
            Place::Member { key: None, .. } => p,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> String {
        locate(text.as_bytes(), text.len()).as_str().to_owned()
    }

    #[test]
    fn the_member_that_is_being_read_is_named() {
        assert_eq!(at(r#"{"a": 1, "b": [true, {"c": "#), "/b/1/c");
    }

    #[test]
    fn what_is_closed_is_left() {
        assert_eq!(at(r#"{"a": {"b": 1}"#), "/a");
        assert_eq!(at(r#"{"a": [1, 2]}"#), "");
    }

    #[test]
    fn brackets_commas_and_quotes_in_strings_are_text() {
        assert_eq!(at(r#"{"a": "}],\"", "b\"/~": "#), "/b\"~1~0");
        assert_eq!(at(r#"{"a": "\\", "b": "#), "/b");
    }

    #[test]
    fn of_nesting_without_end_the_outermost_is_named() {
        assert_eq!(at(&"[".repeat(1 << 20)), "/0");
    }

    #[test]
    fn lines_and_columns_are_counted_as_serde_json_does() {
        let text = "{\n  \"a\": 1,\n  \"b\": x\n}";
        let error = serde_json::from_str::<serde_json::Value>(text).unwrap_err();
        let end = offset(text.as_bytes(), error.line(), error.column());
        assert_eq!(text.as_bytes().get(..end).unwrap().last(), Some(&b'x'));
    }
}
