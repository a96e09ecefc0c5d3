//! A document into a value of Rust, the way Go reads one, but telling everything.
//!
//! Called by [`super::read`]. As for Go, the case of members' letters does not matter, `null` counts as absent,
//! and a member that means nothing is passed over; here that is told as a warning. What cannot be read is told,
//! taken out, and the rest is read again, so that all of it is known at once.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;

use cofferdam_oci::{Pointer, Reject};
use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::json::Json;

/// How much is told of one document.
const MOST: usize = 100;

/// Reads a document; warnings are added to `warnings`.
///
/// # Errors
/// Everything that cannot be read.
pub(super) fn read<T: DeserializeOwned>(
    document: &mut Json,
    warnings: &mut Vec<Reject>,
) -> Result<T, Vec<Reject>> {
    let mut wrong = Vec::new();
    loop {
        let told = RefCell::default();
        let read = T::deserialize(Reader { value: document, at: Pointer::root(), told: &told });
        let told = told.into_inner();
        match read {
            Ok(value) => {
                wrong.extend(told.wrong);
                warnings.extend(told.unknown);
                return if wrong.is_empty() { Ok(value) } else { Err(wrong) };
            }
            Err(Failure { message, at, path }) => {
                wrong.push(Reject::new(at.unwrap_or_default(), message));
                if wrong.len() >= MOST || path.is_empty() {
                    wrong.extend(told.wrong);
                    return Err(wrong);
                }
                document.take_out(path.into_iter().rev());
            }
        }
    }
}

#[derive(Default)]
struct Told {
    unknown: Vec<Reject>,
    wrong: Vec<Reject>,
}

/// Why a value could not be read, and which.
#[derive(Debug)]
struct Failure {
    message: String,
    at: Option<Pointer>,
    /// Positions, innermost first.
    path: Vec<usize>,
}

impl Failure {
    /// On the way out of the element at this position.
    fn out_of(mut self, position: usize, at: &Pointer) -> Self {
        self.path.push(position);
        self.at.get_or_insert_with(|| at.clone());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

impl serde::de::Error for Failure {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self { message: message.to_string(), at: None, path: Vec::new() }
    }
}

/// One value, where it stands.
struct Reader<'a> {
    value: &'a Json,
    at: Pointer,
    told: &'a RefCell<Told>,
}

impl<'a> Reader<'a> {
    fn inner(&self, value: &'a Json, at: Pointer) -> Self {
        Reader { value, at, told: self.told }
    }
}

impl<'de> Deserializer<'de> for Reader<'de> {
    type Error = Failure;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        match self.value {
            Json::Null | Json::Told => visitor.visit_unit(),
            Json::Bool(value) => visitor.visit_bool(*value),
            Json::Number(number) => match (number.as_u64(), number.as_i64()) {
                (Some(number), _) => visitor.visit_u64(number),
                (None, Some(number)) => visitor.visit_i64(number),
                (None, None) => visitor.visit_f64(number.as_f64().unwrap_or_default()),
            },
            Json::Text(text) => visitor.visit_str(text),
            Json::List(_) => visitor.visit_seq(Elements { reader: self, next: 0 }),
            Json::Object(_) => visitor.visit_map(Members::new(self, None)),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Failure> {
        match self.value {
            Json::Object(_) => visitor.visit_map(Members::new(self, Some(fields))),
            // A list would be taken for the fields in their order.
            Json::List(_) => Err(serde::de::Error::invalid_type(serde::de::Unexpected::Seq, &"an object")),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        match self.value {
            Json::Null | Json::Told => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Failure> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Failure> {
        match self.value {
            Json::Text(text) => visitor.visit_enum(text.as_str().into_deserializer()),
            Json::Object(_) => visitor.visit_enum(Variant(self)),
            _ => Err(serde::de::Error::custom("neither text nor an object")),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        seq tuple tuple_struct map identifier ignored_any
    }
}

struct Elements<'a> {
    reader: Reader<'a>,
    next: usize,
}

impl<'de> SeqAccess<'de> for Elements<'de> {
    type Error = Failure;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Failure> {
        while let Some(value) = self.reader.value.elements().get(self.next) {
            let position = self.next;
            self.next = position.saturating_add(1);
            if *value == Json::Told {
                continue;
            }
            let at = self.reader.at.index(position);
            let element = seed.deserialize(self.reader.inner(value, at.clone()));
            return element.map(Some).map_err(|failure| failure.out_of(position, &at));
        }
        Ok(None)
    }
}

struct Members<'a> {
    reader: Reader<'a>,
    fields: Option<&'static [&'static str]>,
    next: usize,
    seen: BTreeSet<&'a str>,
    /// That of the last key.
    value: Option<(usize, &'a str, &'a Json)>,
}

impl<'a> Members<'a> {
    const fn new(reader: Reader<'a>, fields: Option<&'static [&'static str]>) -> Self {
        Self { reader, fields, next: 0, seen: BTreeSet::new(), value: None }
    }

    /// What is meant by a key; nothing for one that means nothing. One that is nearly a known one was meant to be
    /// it: what it was to keep shut must not stay open.
    fn known(&self, key: &'a str) -> Option<&'a str> {
        let Some(fields) = self.fields else { return Some(key) };
        let field = fields.iter().find(|field| **field == key);
        let field = field.or_else(|| fields.iter().find(|field| field.eq_ignore_ascii_case(key)));
        if field.is_none() {
            let reject = Reject::new(self.reader.at.key(key), "means nothing here, and is passed over");
            let near = fields.iter().find(|field| near(field, key));
            let mut told = self.reader.told.borrow_mut();
            match near {
                Some(near) => {
                    told.wrong.push(Reject::new(reject.pointer, format!("means nothing; is {near} meant?")))
                }
                None => told.unknown.push(reject),
            }
        }
        field.copied()
    }
}

impl<'de> MapAccess<'de> for Members<'de> {
    type Error = Failure;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Failure> {
        let Json::Object(members) = self.reader.value else { return Ok(None) };
        while let Some((key, value)) = members.get(self.next) {
            let position = self.next;
            self.next = position.saturating_add(1);
            let Some(known) = self.known(key) else { continue };
            if !self.seen.insert(known) {
                let reject = Reject::new(self.reader.at.key(key), "is there twice");
                self.reader.told.borrow_mut().wrong.push(reject);
                continue;
            }
            if matches!(value, Json::Null | Json::Told) {
                continue;
            }
            self.value = Some((position, key, value));
            let name: StrDeserializer<'_, Failure> = known.into_deserializer();
            let at = self.reader.at.key(key);
            return seed.deserialize(name).map(Some).map_err(|failure| failure.out_of(position, &at));
        }
        Ok(None)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Failure> {
        let Some((position, key, value)) = self.value.take() else {
            return Err(serde::de::Error::custom("a value without a key"));
        };
        let at = self.reader.at.key(key);
        let read = seed.deserialize(self.reader.inner(value, at.clone()));
        read.map_err(|failure| failure.out_of(position, &at))
    }
}

/// An enumeration's word with what belongs to it: an object of one member.
struct Variant<'a>(Reader<'a>);

impl<'de> EnumAccess<'de> for Variant<'de> {
    type Error = Failure;
    type Variant = Reader<'de>;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Reader<'de>), Failure> {
        let Json::Object(members) = self.0.value else {
            return Err(serde::de::Error::custom("not an object"));
        };
        let [(key, value)] = members.as_slice() else {
            return Err(serde::de::Error::custom("not an object of one member"));
        };
        let name: StrDeserializer<'_, Failure> = key.as_str().into_deserializer();
        Ok((seed.deserialize(name)?, self.0.inner(value, self.0.at.key(key))))
    }
}

impl<'de> VariantAccess<'de> for Reader<'de> {
    type Error = Failure;

    fn unit_variant(self) -> Result<(), Failure> {
        serde::de::Deserialize::deserialize(self)
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Failure> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Failure> {
        self.deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Failure> {
        self.deserialize_struct("", fields, visitor)
    }
}

/// Whether one is the other with a letter too many, too few, another one, or two that changed places.
fn near(one: &str, other: &str) -> bool {
    const SHORTEST: usize = 4;
    if one.len() < SHORTEST || other.len() < SHORTEST {
        return false;
    }
    let (one, other) = (one.to_ascii_lowercase().into_bytes(), other.to_ascii_lowercase().into_bytes());
    let head = one.iter().zip(&other).take_while(|(a, b)| a == b).count();
    let (one, other) = (one.get(head..).unwrap_or_default(), other.get(head..).unwrap_or_default());
    let tail = one.iter().rev().zip(other.iter().rev()).take_while(|(a, b)| a == b).count();
    let rest = |text: &[u8]| text.get(..text.len().saturating_sub(tail)).unwrap_or_default().to_vec();
    match (rest(one).as_slice(), rest(other).as_slice()) {
        ([] | [_], [] | [_]) => true,
        ([a, b], [c, d]) => a == d && b == c,
        _ => false,
    }
}
