//! The Program: encoded operations, and for each how its failure reads.
//!
//! Built by the lowering; given to the child as bytes; printed by `plan`. There is no way to add an
//! operation without saying what it does, to what, and which field asked for it.

use std::borrow::Cow;
use std::ffi::CString;

use cofferdam_child::op::Op;
use cofferdam_child::wire::Sink;
use cofferdam_oci::Pointer;
use serde::{Deserialize, Serialize};

/// The operations of one child.
#[derive(Debug, Default)]
pub(crate) struct Program {
    bytes: Vec<u8>,
    steps: Vec<Step>,
}

/// One operation, for people.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Step {
    /// Name of the operation.
    pub(crate) op: Cow<'static, str>,
    /// What it does, as an error would begin: "mounting proc at".
    pub(crate) doing: Cow<'static, str>,
    /// To what.
    pub(crate) object: String,
    /// Which field asked for it.
    pub(crate) pointer: Pointer,
}

struct Bytes<'a>(&'a mut Vec<u8>);

impl Sink for Bytes<'_> {
    fn push(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }
}

impl Program {
    /// Appends an operation that no field of the configuration asks for by itself.
    pub(crate) fn own(&mut self, doing: &'static str, op: Op<'_>) {
        self.step(doing, "", &Pointer::root(), op);
    }

    /// Appends an operation.
    pub(crate) fn step(
        &mut self,
        doing: impl Into<Cow<'static, str>>,
        object: impl Into<String>,
        pointer: &Pointer,
        op: Op<'_>,
    ) {
        op.put(&mut Bytes(&mut self.bytes));
        let (op, doing) = (op.name().into(), doing.into());
        self.steps.push(Step { op, doing, object: object.into(), pointer: pointer.clone() });
    }

    /// Appends all of another's.
    pub(crate) fn append(&mut self, other: &Self) {
        self.bytes.extend_from_slice(&other.bytes);
        self.steps.extend_from_slice(&other.steps);
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn steps(&self) -> &[Step] {
        &self.steps
    }

    pub(crate) fn into_steps(self) -> Vec<Step> {
        self.steps
    }
}

/// The steps that come once the container is started, when the process that numbered them may have gone.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct LateSteps {
    /// The number of the first.
    pub(crate) first: usize,
    pub(crate) steps: Vec<Step>,
}

impl LateSteps {
    /// Those of a program that waits for `start`; none of one that does not.
    pub(crate) fn of(all: &[Step]) -> Self {
        let first = all.iter().position(|s| s.op == "AwaitStart").unwrap_or(all.len());
        Self { first, steps: all.get(first..).unwrap_or_default().to_vec() }
    }
}

/// Text for the child. The plan has refused null bytes already; one that slipped through ends the text.
pub(crate) fn c_string(text: impl Into<Vec<u8>>) -> CString {
    CString::new(text).unwrap_or_else(|e| {
        let end = e.nul_position();
        CString::new(e.into_vec().into_iter().take(end).collect::<Vec<_>>()).unwrap_or_default()
    })
}

/// A path for the child.
pub(crate) fn c_path(path: &std::path::Path) -> CString {
    use std::os::unix::ffi::OsStrExt;
    c_string(path.as_os_str().as_bytes())
}

/// Several strings for the child.
pub(crate) fn list<'a>(strings: impl IntoIterator<Item = &'a str>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for s in strings {
        bytes.extend_from_slice(c_string(s).as_bytes_with_nul());
    }
    bytes
}

/// Several numbers for the child.
pub(crate) fn words(numbers: impl IntoIterator<Item = u32>) -> Vec<u8> {
    numbers.into_iter().flat_map(u32::to_ne_bytes).collect()
}

/// Several descriptors for the child.
pub(crate) fn descriptors(fds: impl IntoIterator<Item = i32>) -> Vec<u8> {
    fds.into_iter().flat_map(i32::to_ne_bytes).collect()
}
