//! The text form of values, as annotations `org.systemd.property.NAME` have it.
//!
//! Called by `unit`. Pure. The form is GVariant's, which busctl(1) and gdbus(1) share: `true`, `7`,
//! `uint64 7`, `'words'`, `['a', 'b']`, `('a', 1)`, `@as []`.

use super::Value;

/// No unit property is a list of lists of lists.
const DEEPEST: u8 = 4;

/// Reads a whole text.
pub(super) fn parse(text: &str) -> Result<Value, String> {
    let mut rest = text;
    let value = value(&mut rest, None, 0)?;
    match rest.trim_start() {
        "" => Ok(value),
        more => Err(format!("{more:?} follows the value")),
    }
}

fn skip(rest: &mut &str, prefix: char) -> bool {
    *rest = rest.trim_start();
    match rest.strip_prefix(prefix) {
        Some(after) => {
            *rest = after;
            true
        }
        None => false,
    }
}

/// What a word looks like: a number, a keyword, a type.
fn word<'t>(rest: &mut &'t str) -> &'t str {
    *rest = rest.trim_start();
    let end = rest.find(|c: char| c.is_whitespace() || matches!(c, ',' | ')' | ']')).unwrap_or(rest.len());
    let (word, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
    *rest = after;
    word
}

fn value(rest: &mut &str, kind: Option<&str>, depth: u8) -> Result<Value, String> {
    if depth > DEEPEST {
        return Err("it is nested too deeply".into());
    }
    *rest = rest.trim_start();
    match rest.chars().next() {
        None => Err("a value is missing".into()),
        Some('\'' | '"') => quoted(rest).and_then(|text| match kind {
            None | Some("s") => Ok(Value::Text(text)),
            Some("o") if text.starts_with('/') => Ok(Value::Path(text)),
            Some(kind) => Err(format!("{text:?} is not of type {kind}")),
        }),
        Some('@') => {
            *rest = rest.get(1..).unwrap_or_default();
            let (kind, after) = rest.split_once(char::is_whitespace).ok_or("a value is missing")?;
            *rest = after;
            value(rest, Some(kind), depth.saturating_add(1))
        }
        Some('[') => array(rest, kind, depth),
        Some('(') => structure(rest, kind, depth),
        Some(_) => simple(word(rest), rest, kind, depth),
    }
}

fn simple(word: &str, rest: &mut &str, kind: Option<&str>, depth: u8) -> Result<Value, String> {
    let named = match word {
        "boolean" => "b",
        "byte" => "y",
        "int16" => "n",
        "uint16" => "q",
        "int32" => "i",
        "uint32" => "u",
        "int64" => "x",
        "uint64" => "t",
        "double" => "d",
        "string" => "s",
        "objectpath" => "o",
        "true" | "false" => return typed(word, kind.unwrap_or("b")),
        _ => {
            let usual = if word.contains('.') { "d" } else { "i" };
            return typed(word, kind.unwrap_or(usual));
        }
    };
    value(rest, Some(named), depth.saturating_add(1))
}

fn typed(word: &str, kind: &str) -> Result<Value, String> {
    let wrong = || format!("{word:?} is not of type {kind}");
    let number = |word: &str| {
        let (digits, radix) = word.strip_prefix("0x").map_or((word, 10), |hex| (hex, 16));
        i128::from_str_radix(digits, radix).map_err(|_| wrong())
    };
    Ok(match kind {
        "b" => Value::Bool(word.parse().map_err(|_| wrong())?),
        "d" => Value::F64(word.parse().map_err(|_| wrong())?),
        "y" => Value::Byte(number(word)?.try_into().map_err(|_| wrong())?),
        "n" => Value::I16(number(word)?.try_into().map_err(|_| wrong())?),
        "q" => Value::U16(number(word)?.try_into().map_err(|_| wrong())?),
        "i" => Value::I32(number(word)?.try_into().map_err(|_| wrong())?),
        "u" => Value::U32(number(word)?.try_into().map_err(|_| wrong())?),
        "x" => Value::I64(number(word)?.try_into().map_err(|_| wrong())?),
        "t" => Value::U64(number(word)?.try_into().map_err(|_| wrong())?),
        _ => return Err(wrong()),
    })
}

fn quoted(rest: &mut &str) -> Result<String, String> {
    let mut characters = rest.char_indices();
    let quote = characters.next().map(|(_, c)| c);
    let mut out = String::new();
    while let Some((at, character)) = characters.next() {
        if Some(character) == quote {
            *rest = rest.get(at.saturating_add(1)..).unwrap_or_default();
            return Ok(out);
        }
        if character != '\\' {
            out.push(character);
            continue;
        }
        match characters.next().map(|(_, c)| c) {
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some('r') => out.push('\r'),
            Some('0') => return Err("a string has no NUL".into()),
            Some(other) => out.push(other),
            None => break,
        }
    }
    Err("a string is not closed".into())
}

fn array(rest: &mut &str, kind: Option<&str>, depth: u8) -> Result<Value, String> {
    let element = match kind {
        None => None,
        Some(kind) => Some(kind.strip_prefix('a').ok_or_else(|| format!("a list is not of type {kind}"))?),
    };
    let values = listed(rest, ']', |_, rest, known: Option<&Value>| {
        let kind = element.map(str::to_owned).or_else(|| known.map(Value::signature));
        value(rest, kind.as_deref(), depth.saturating_add(1))
    })?;
    let signature = match (element, values.first()) {
        (Some(element), _) => element.to_owned(),
        (None, Some(first)) => first.signature(),
        (None, None) => return Err("an empty list needs its type, such as @as []".into()),
    };
    if values.iter().any(|v| v.signature() != signature) {
        return Err("the values of a list differ in type".into());
    }
    Ok(Value::Array(signature, values))
}

fn structure(rest: &mut &str, kind: Option<&str>, depth: u8) -> Result<Value, String> {
    let inside = kind.map(|k| k.strip_prefix('(').and_then(|k| k.strip_suffix(')')));
    let kinds = match inside {
        None => None,
        // Simple types are one letter each, and no property has others inside.
        Some(Some(kinds)) if kinds.bytes().all(|b| b.is_ascii_lowercase() && b != b'a') => Some(kinds),
        Some(_) => return Err(format!("a tuple is not of type {}", kind.unwrap_or_default())),
    };
    let values = listed(rest, ')', |index, rest, _| {
        let kind = kinds.map(|k| k.get(index..=index).unwrap_or_default());
        value(rest, kind, depth.saturating_add(1))
    })?;
    if values.is_empty() || kinds.is_some_and(|k| k.len() != values.len()) {
        return Err("a tuple has another number of values than its type".into());
    }
    Ok(Value::Struct(values))
}

/// Values up to `close`; `one` reads each, knowing its index and the first of them.
fn listed(
    rest: &mut &str,
    close: char,
    one: impl Fn(usize, &mut &str, Option<&Value>) -> Result<Value, String>,
) -> Result<Vec<Value>, String> {
    *rest = rest.get(1..).unwrap_or_default();
    let mut values: Vec<Value> = Vec::new();
    loop {
        if skip(rest, close) {
            return Ok(values);
        }
        let next = one(values.len(), rest, values.first())?;
        values.push(next);
        if !skip(rest, ',') && !rest.trim_start().starts_with(close) {
            return Err(format!("a comma or {close:?} is missing"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_and_written_alike() {
        for text in [
            "true",
            "7",
            "-7",
            "1.5",
            "uint64 18446744073709551615",
            "'it is'",
            "['a', 'b']",
            "@as []",
            "('a', uint32 7)",
            "[('a', 'r'), ('b', 'w')]",
            "byte 0x0f",
            "objectpath '/a'",
            "int16 -3",
        ] {
            assert_eq!(parse(text).map(|v| v.to_string()), Ok(text.to_owned()), "{text}");
        }
    }

    #[test]
    fn a_type_holds_for_what_follows() {
        assert_eq!(parse("@at [1, 2]"), Ok(Value::Array("t".into(), vec![Value::U64(1), Value::U64(2)])));
        assert_eq!(parse("[uint64 1, 2]"), parse("@at [1, 2]"));
        assert_eq!(parse("@(st) ('a', 1)"), Ok(Value::Struct(vec![Value::text("a"), Value::U64(1)])));
        assert_eq!(parse("@u 5"), Ok(Value::U32(5)));
    }

    #[test]
    fn what_is_no_value_is_refused() {
        for bad in [
            "",
            "'open",
            "[1, 'a']",
            "[]",
            "()",
            "1 2",
            "uint32 -1",
            "byte 256",
            "[1",
            "@as [1]",
            "no",
            "{}",
            "@(ss) ('a')",
            "[[[[[[1]]]]]]",
            "@",
            "uint64",
            "'\\",
            "objectpath 'x'",
        ] {
            assert!(parse(bad).is_err(), "{bad:?}: {:?}", parse(bad));
        }
    }
}
