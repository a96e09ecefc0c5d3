//! A property's value: the part of D-Bus's types that unit properties have.
//!
//! Made by the pure half, turned into bytes by `wire`. Data only.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A value as D-Bus has it. `Display` is the text that busctl(1) and GVariant use.
///
/// ```
/// use cofferdam_cgroup::Value;
/// assert_eq!(Value::U64(7).to_string(), "uint64 7");
/// let list = Value::Array("s".into(), vec![Value::Text("a".into())]);
/// assert_eq!((list.to_string(), list.signature()), ("['a']".into(), "as".into()));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Value {
    /// `b`.
    Bool(bool),
    /// `y`.
    Byte(u8),
    /// `n`.
    I16(i16),
    /// `q`.
    U16(u16),
    /// `i`.
    I32(i32),
    /// `u`.
    U32(u32),
    /// `x`.
    I64(i64),
    /// `t`.
    U64(u64),
    /// `d`.
    F64(f64),
    /// `s`.
    Text(String),
    /// `o`.
    Path(String),
    /// `a`: the signature of its elements, and the elements.
    Array(String, Vec<Value>),
    /// `(…)`.
    Struct(Vec<Value>),
    /// `v`: any other.
    Variant(Box<Value>),
}

impl Value {
    /// Without a limit, as systemd has it for numbers of every kind.
    pub(crate) const INFINITY: Self = Self::U64(u64::MAX);

    pub(crate) fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    pub(crate) fn texts(texts: &[&str]) -> Self {
        Self::Array("s".into(), texts.iter().map(|t| Self::text(t)).collect())
    }

    pub(crate) fn bytes(bytes: &[u8]) -> Self {
        Self::Array("y".into(), bytes.iter().map(|b| Self::Byte(*b)).collect())
    }

    /// Its type, as D-Bus writes it.
    #[must_use]
    pub fn signature(&self) -> String {
        let simple = match self {
            Self::Bool(_) => "b",
            Self::Byte(_) => "y",
            Self::I16(_) => "n",
            Self::U16(_) => "q",
            Self::I32(_) => "i",
            Self::U32(_) => "u",
            Self::I64(_) => "x",
            Self::U64(_) => "t",
            Self::F64(_) => "d",
            Self::Text(_) => "s",
            Self::Path(_) => "o",
            Self::Variant(_) => "v",
            Self::Array(element, _) => return format!("a{element}"),
            Self::Struct(fields) => {
                return format!("({})", fields.iter().map(Self::signature).collect::<String>());
            }
        };
        simple.to_owned()
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(v) => write!(f, "{v}"),
            Self::Byte(v) => write!(f, "byte 0x{v:02x}"),
            Self::I16(v) => write!(f, "int16 {v}"),
            Self::U16(v) => write!(f, "uint16 {v}"),
            Self::I32(v) => write!(f, "{v}"),
            Self::U32(v) => write!(f, "uint32 {v}"),
            Self::I64(v) => write!(f, "int64 {v}"),
            Self::U64(v) => write!(f, "uint64 {v}"),
            Self::F64(v) => write!(f, "{v:?}"),
            Self::Text(v) => write!(f, "'{}'", v.escape_debug()),
            Self::Path(v) => write!(f, "objectpath '{v}'"),
            Self::Array(element, values) if values.is_empty() => write!(f, "@a{element} []"),
            Self::Array(_, values) => list(f, '[', values, ']'),
            Self::Struct(values) => list(f, '(', values, ')'),
            Self::Variant(value) => write!(f, "<{value}>"),
        }
    }
}

fn list(f: &mut fmt::Formatter<'_>, open: char, values: &[Value], close: char) -> fmt::Result {
    write!(f, "{open}")?;
    for (index, value) in values.iter().enumerate() {
        write!(f, "{}{value}", if index > 0 { ", " } else { "" })?;
    }
    write!(f, "{close}")
}
