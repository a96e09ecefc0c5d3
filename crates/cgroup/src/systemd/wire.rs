//! Messages as bytes, and bytes as messages.
//!
//! Called by `bus`. Pure: the encoding of values is zbus's, the message's head is put together here (D-Bus
//! specification, Message Format).

use zbus::wire::serialized::{Context, Data};
use zbus::wire::{Endian, LE, to_bytes};
use zbus::{Array, ObjectPath, Signature, Str, Structure, Variant};

use super::Value;

/// Nothing that systemd says to us is longer.
const LONGEST: usize = 1 << 20;
/// The part of a message that says how long it is.
pub(super) const FIXED: usize = 16;

const CALL: u8 = 1;
pub(super) const REPLY: u8 = 2;
pub(super) const ERROR: u8 = 3;
pub(super) const SIGNAL: u8 = 4;

/// What is called, and on whom.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call<'a> {
    pub(super) destination: &'a str,
    pub(super) path: &'a str,
    pub(super) interface: &'a str,
    pub(super) member: &'a str,
}

/// What was received.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Message {
    pub(super) kind: u8,
    /// The serial number of the call that it answers.
    pub(super) answers: Option<u32>,
    /// A signal's name.
    pub(super) member: String,
    /// An error's name.
    pub(super) error: String,
    pub(super) body: Vec<Value>,
}

/// A call as bytes. An error says what of it cannot be encoded.
pub(super) fn encode(call: &Call<'_>, serial: u32, body: &[Value]) -> zbus::Result<Vec<u8>> {
    let context = Context::new(LE, 0);
    let signature: String = body.iter().map(Value::signature).collect();
    let mut bytes = Vec::new();
    if !body.is_empty() {
        let fields = body.iter().map(variant).collect::<zbus::Result<Vec<_>>>()?;
        let body = fields.into_iter().fold(Structure::builder(), |all, field| all.append_field(field));
        bytes = to_bytes(context, &body.build()?)?.bytes().to_vec();
    }
    let length = u32::try_from(bytes.len()).map_err(|_| zbus::Error::OutOfBounds)?;
    let text = |text: &str| Variant::from(text.to_owned());
    let fields = vec![
        (1u8, Variant::from(ObjectPath::try_from(call.path.to_owned())?)),
        (2, text(call.interface)),
        (3, text(call.member)),
        (6, text(call.destination)),
    ];
    let head = to_bytes(context, &(b'l', CALL, 0u8, 1u8, length, serial, fields))?;
    let mut message = head.bytes().to_vec();
    if !signature.is_empty() {
        sign(&mut message, &signature)?;
    }
    message.resize(message.len().next_multiple_of(8), 0);
    message.extend(bytes);
    Ok(message)
}

/// Adds the body's signature to the fields of a head. Several types side by side are no value of zbus's:
/// it would write a structure's parentheses.
fn sign(head: &mut Vec<u8>, signature: &str) -> zbus::Result<()> {
    Signature::try_from(signature)?;
    let length = u8::try_from(signature.len()).map_err(|_| zbus::Error::OutOfBounds)?;
    head.resize(head.len().next_multiple_of(8), 0);
    head.extend([8, 1, b'g', 0, length]);
    head.extend(signature.as_bytes());
    head.push(0);
    let fields = head.len().checked_sub(FIXED).and_then(|n| u32::try_from(n).ok());
    let fields = fields.ok_or(zbus::Error::OutOfBounds)?.to_le_bytes();
    head.get_mut(FIXED - 4..FIXED).ok_or(zbus::Error::OutOfBounds)?.copy_from_slice(&fields);
    Ok(())
}

fn variant(value: &Value) -> zbus::Result<Variant<'static>> {
    Ok(match value {
        Value::Bool(v) => (*v).into(),
        Value::Byte(v) => (*v).into(),
        Value::I16(v) => (*v).into(),
        Value::U16(v) => (*v).into(),
        Value::I32(v) => (*v).into(),
        Value::U32(v) => (*v).into(),
        Value::I64(v) => (*v).into(),
        Value::U64(v) => (*v).into(),
        Value::F64(v) => (*v).into(),
        Value::Text(v) => Variant::Str(Str::from(v.clone())),
        Value::Path(v) => ObjectPath::try_from(v.clone())?.into(),
        Value::Variant(v) => Variant::Variant(Box::new(variant(v)?)),
        Value::Array(element, values) => {
            let mut array = Array::new(&Signature::try_from(element.as_str())?);
            for value in values {
                array.append(variant(value)?)?;
            }
            Variant::Array(array)
        }
        Value::Struct(values) => {
            let mut fields = Structure::builder();
            for value in values {
                fields.push_value(variant(value)?);
            }
            Variant::Structure(fields.build()?)
        }
    })
}

/// How long the message is that begins with these bytes; nothing for what is none of D-Bus's, or too long.
pub(super) fn length(start: &[u8; FIXED]) -> Option<usize> {
    let word = |at: usize| {
        let bytes: [u8; 4] = start.get(at..at.checked_add(4)?)?.try_into().ok()?;
        let number = match endian(start)? {
            Endian::Little => u32::from_le_bytes(bytes),
            Endian::Big => u32::from_be_bytes(bytes),
        };
        usize::try_from(number).ok().filter(|n| *n <= LONGEST)
    };
    FIXED.checked_add(word(12)?)?.next_multiple_of(8).checked_add(word(4)?)
}

fn endian(start: &[u8; FIXED]) -> Option<Endian> {
    match start {
        [b'l', _, _, 1, ..] => Some(Endian::Little),
        [b'B', _, _, 1, ..] => Some(Endian::Big),
        _ => None,
    }
}

/// A whole message.
pub(super) fn decode(bytes: Vec<u8>) -> Option<Message> {
    let start: [u8; FIXED] = bytes.get(..FIXED)?.try_into().ok()?;
    if length(&start)? != bytes.len() {
        return None;
    }
    let data = Data::new(bytes, Context::new(endian(&start)?, 0));
    type Head<'a> = (u8, u8, u8, u8, u32, u32, Vec<(u8, Variant<'a>)>);
    let (head, end): (Head<'_>, usize) = data.deserialize().ok()?;
    let mut message = Message { kind: head.1, ..Message::default() };
    let mut signature = String::new();
    for (code, field) in &head.6 {
        match (code, field) {
            (3, Variant::Str(member)) => message.member = member.to_string(),
            (4, Variant::Str(name)) => message.error = name.to_string(),
            (5, Variant::U32(serial)) => message.answers = Some(*serial),
            (8, Variant::Signature(types)) => signature = types.to_string_no_parens(),
            _ => {}
        }
    }
    if !signature.is_empty() {
        let body = data.slice(end.next_multiple_of(8)..);
        let types = format!("({signature})");
        let fields: (Structure<'_>, usize) = body.deserialize_for_dynamic_signature(types.as_str()).ok()?;
        message.body = fields.0.fields().iter().map(value).collect();
    }
    Some(message)
}

/// Of what is never looked at (dictionaries, descriptors), an empty list.
fn value(variant: &Variant<'_>) -> Value {
    match variant {
        Variant::Bool(v) => Value::Bool(*v),
        Variant::U8(v) => Value::Byte(*v),
        Variant::I32(v) => Value::I32(*v),
        Variant::U32(v) => Value::U32(*v),
        Variant::I64(v) => Value::I64(*v),
        Variant::U64(v) => Value::U64(*v),
        Variant::Str(v) => Value::Text(v.to_string()),
        Variant::ObjectPath(v) => Value::Path(v.to_string()),
        Variant::Variant(v) => value(v),
        _ => Value::Array("y".into(), Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL_X: Call<'_> = Call { destination: "a.b", path: "/a", interface: "a.b", member: "X" };

    #[test]
    fn a_call_says_how_long_it_is_and_what_it_holds() {
        let body = [Value::text("u"), Value::Bool(true), Value::U64(7), Value::Path("/j".into())];
        let bytes = encode(&CALL_X, 9, &body).unwrap();
        let start: [u8; FIXED] = bytes[..FIXED].try_into().unwrap();
        assert_eq!(length(&start), Some(bytes.len()));
        let types = b"\x08\x01g\0\x04sbto\0";
        assert!(bytes.windows(types.len()).any(|w| w == types), "without parentheses");
        let message = decode(bytes).unwrap();
        assert_eq!((message.kind, message.member.as_str(), message.answers), (CALL, "X", None));
        assert_eq!(message.body, body);
    }

    #[test]
    fn what_is_cut_or_changed_is_no_message() {
        let bytes = encode(&CALL_X, 1, &[Value::text("words"), Value::U64(7)]).unwrap();
        for cut in 0..bytes.len() {
            assert_eq!(decode(bytes[..cut].to_vec()), None, "{cut}");
        }
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[at] ^= 1 << bit;
                // Whatever it is now, it is judged without harm.
                let _ = decode(changed);
            }
        }
        let mut long = [0; FIXED];
        long[..8].copy_from_slice(&[b'l', 2, 0, 1, 0xff, 0xff, 0xff, 0x7f]);
        assert_eq!(length(&long), None);
    }

    #[test]
    fn what_cannot_be_encoded_is_an_error() {
        let mixed = Value::Array("s".into(), vec![Value::U32(1)]);
        assert!(encode(&CALL_X, 1, &[mixed]).is_err());
        assert!(encode(&CALL_X, 1, &[Value::Array("?".into(), vec![])]).is_err());
        assert!(encode(&CALL_X, 1, &[Value::Path("no path".into())]).is_err());
    }
}
