//! Standard output. The only place that writes there.

use serde::Serialize;
use serde_json::ser::PrettyFormatter;
use std::io::Write;

use crate::failure::Failure;

/// Writes `text` as it is.
pub(crate) fn text(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| Failure::io("writing to standard output", &error))
}

/// As [`text`], for what goes on and on: whether anybody still reads it.
pub(crate) fn text_if_read(text: &str) -> Result<bool, Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Failure::io("writing to standard output", &error)),
    }
}

/// Writes `value` as one line of JSON.
pub(crate) fn json_line(value: &impl Serialize) -> Result<(), Failure> {
    text(&line(value)?)
}

/// `value` as one line of JSON, with its end.
pub(crate) fn line(value: &impl Serialize) -> Result<String, Failure> {
    let mut line = serde_json::to_string(value).map_err(|error| unprintable(&error))?;
    line.push('\n');
    Ok(line)
}

/// `value` as JSON, indented; without a newline at the end.
pub(crate) fn pretty(value: &impl Serialize, indent: &str) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    let formatter = PrettyFormatter::with_indent(indent.as_bytes());
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, formatter);
    value.serialize(&mut serializer).map_err(|error| unprintable(&error))?;
    String::from_utf8(bytes).map_err(|error| unprintable(&error))
}

fn unprintable(error: &dyn std::fmt::Display) -> Failure {
    Failure::new(format!("make JSON of the answer: {error}"))
}
