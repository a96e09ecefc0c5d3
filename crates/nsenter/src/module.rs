//! A module: a named function that can be run inside a target, by the caller's own program.
//!
//! Registered by the caller with [`crate::init`]; run by `helper`.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::ModuleError;

type Function = Box<dyn Fn(&[u8]) -> Result<Vec<u8>, ModuleError> + Send + Sync>;

/// A named function. It runs in a process of its own, started for it from the caller's executable: what it
/// knows comes in as bytes and what it finds out goes back as bytes.
///
/// ```
/// use cofferdam_nsenter::Module;
/// let upper = Module::bytes("upper", |input| Ok(input.to_ascii_uppercase()));
/// let lines = Module::typed("lines", |path: String| Ok(std::fs::read_to_string(path)?.lines().count()));
/// assert_eq!((upper.name(), lines.name()), ("upper", "lines"));
/// ```
pub struct Module {
    name: String,
    function: Function,
}

impl Module {
    /// From bytes to bytes.
    #[must_use]
    pub fn bytes<F>(name: impl Into<String>, function: F) -> Self
    where
        F: Fn(&[u8]) -> Result<Vec<u8>, ModuleError> + Send + Sync + 'static,
    {
        Self { name: name.into(), function: Box::new(function) }
    }

    /// From a value to a value; they travel as JSON.
    #[must_use]
    pub fn typed<In, Out, F>(name: impl Into<String>, function: F) -> Self
    where
        In: DeserializeOwned,
        Out: Serialize,
        F: Fn(In) -> Result<Out, ModuleError> + Send + Sync + 'static,
    {
        let wrapped = move |input: &[u8]| {
            let input = serde_json::from_slice(input).map_err(|e| format!("reading the input: {e}"))?;
            let output = function(input)?;
            serde_json::to_vec(&output).map_err(|e| format!("writing the output: {e}").into())
        };
        Self::bytes(name, wrapped)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn run(&self, input: &[u8]) -> Result<Vec<u8>, ModuleError> {
        (self.function)(input)
    }
}

impl std::fmt::Debug for Module {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Module").field("name", &self.name).finish_non_exhaustive()
    }
}
