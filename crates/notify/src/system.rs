//! What the system is called, as a caller's uname(2) tells it.
//!
//! Called by handlers that answer it. Names belong to a UTS namespace (uts_namespaces(7)): a thread that is made for
//! it joins the caller's, asks, and ends; no other thread of the process joins anything.

use std::os::fd::AsRawFd;

use cofferdam_sys::{setns, uname};

use crate::{Caller, Error, Result};

/// Bytes of a name in `struct new_utsname`, with its null.
const FIELD: usize = 65;

/// Answers of uname(2).
///
/// ```no_run
/// # fn f(request: cofferdam_notify::Request, to: u64) -> cofferdam_notify::Result<()> {
/// let mut names = request.caller()?.system_names()?;
/// names.release = b"6.1.0".to_vec();
/// request.write(to, &names.bytes())?;
/// request.answer(cofferdam_notify::Answer::Value(0))
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SystemNames {
    /// The kernel: `Linux`.
    pub system: Vec<u8>,
    /// The host's name.
    pub node: Vec<u8>,
    /// The kernel's release.
    pub release: Vec<u8>,
    /// When and how it was built.
    pub version: Vec<u8>,
    /// The hardware.
    pub machine: Vec<u8>,
    /// The NIS domain's name.
    pub domain: Vec<u8>,
}

impl SystemNames {
    fn of(bytes: &[u8]) -> Self {
        let mut fields = bytes
            .chunks(FIELD)
            .map(|field| field.split(|byte| *byte == 0).next().unwrap_or_default().to_vec());
        let mut next = || fields.next().unwrap_or_default();
        Self {
            system: next(),
            node: next(),
            release: next(),
            version: next(),
            machine: next(),
            domain: next(),
        }
    }

    /// `struct new_utsname`, the same for all ABIs: names of more than 64 bytes are cut off.
    ///
    /// ```
    /// let names = cofferdam_notify::SystemNames { node: b"box".to_vec(), ..Default::default() };
    /// assert_eq!((names.bytes().len(), &names.bytes()[65..69]), (390, &b"box\0"[..]));
    /// ```
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let Self { system, node, release, version, machine, domain } = self;
        let mut all = Vec::with_capacity(6 * FIELD);
        for (n, name) in [system, node, release, version, machine, domain].into_iter().enumerate() {
            all.extend_from_slice(name.get(..FIELD - 1).unwrap_or(name));
            all.resize((n + 1) * FIELD, 0);
        }
        all
    }
}

impl Caller {
    /// What the system is called in its UTS namespace, and to its personality (personality(2), `PER_LINUX32`).
    ///
    /// # Errors
    /// [`Error::Gone`]; [`Error::System`] without CAP_SYS_ADMIN over that namespace.
    pub fn system_names(&self) -> Result<SystemNames> {
        const CLONE_NEWUTS: u64 = 0x0400_0000;
        let system = |doing| move |errno| Error::System { doing, errno };
        let mut bytes = [0; 6 * FIELD];
        if self.in_other("uts")? {
            let namespace = self.open_namespace("uts")?;
            let asked = std::thread::Builder::new().name("notify-uname".to_owned()).spawn(move || {
                let mut bytes = [0; 6 * FIELD];
                setns::setns(namespace.as_raw_fd(), CLONE_NEWUTS)?;
                uname::release(&mut bytes).map(drop)?;
                Ok(bytes)
            });
            let asked = asked.map_err(|e| Error::io("making a thread", &e))?.join();
            let asked = asked.map_err(|_| Error::Panicked("uname".to_owned()))?;
            bytes = asked.map_err(system("asking in the caller's UTS namespace"))?;
        } else {
            uname::release(&mut bytes).map_err(system("asking what the system is called"))?;
        }
        let mut names = SystemNames::of(&bytes);
        if cfg!(target_arch = "x86_64") && self.is_linux32() {
            names.machine = b"i686".to_vec();
        }
        Ok(names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written_and_cut_off_where_they_must_be() {
        let names = SystemNames {
            system: b"Linux".to_vec(),
            node: vec![b'n'; 70],
            domain: b"(none)".to_vec(),
            ..SystemNames::default()
        };
        let again = SystemNames::of(&names.bytes());
        assert_eq!((again.system.as_slice(), again.domain.as_slice()), (&b"Linux"[..], &b"(none)"[..]));
        assert_eq!(again.node, vec![b'n'; 64]);
    }
}
