//! A good document with some members changed: lines of a JSON pointer, a space and a value.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|bytes: &[u8]| {
    let mut document = cofferdam_fuzz::BASE.clone();
    for line in String::from_utf8_lossy(bytes).lines() {
        let (pointer, text) = line.split_once(' ').unwrap_or((line, "null"));
        // What is no JSON is a string: options, names and paths need no quotes.
        let value = serde_json::from_str(text).unwrap_or_else(|_| Value::from(text));
        set(&mut document, pointer, value);
    }
    if let Ok(spec) = serde_json::from_value(document) {
        cofferdam_fuzz::plan_everywhere(&spec);
    }
});

/// Puts a value where the pointer says, if its parent is there; `-` appends to a list.
fn set(document: &mut Value, pointer: &str, value: Value) {
    let Some((parent, last)) = pointer.rsplit_once('/') else { return };
    match document.pointer_mut(parent) {
        Some(Value::Object(members)) => {
            members.insert(last.to_owned(), value);
        }
        Some(Value::Array(items)) => match last.parse::<usize>() {
            Ok(index) if index < items.len() => items[index] = value,
            _ => items.push(value),
        },
        _ => {}
    }
}
