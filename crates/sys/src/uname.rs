//! uname(2): only to print it. No decision may rest on a version.

use crate::{Result, nr};

/// `struct new_utsname`: six fields of 65 bytes.
///
/// # Errors
/// None.
///
/// ```
/// assert!(cofferdam_sys::uname::release(&mut [0; 390]).unwrap().contains(&b'.'));
/// ```
pub fn release(buffer: &mut [u8; 390]) -> Result<&[u8]> {
    // SAFETY: the structure has 390 bytes.
    unsafe { syscall!(nr::UNAME, buffer.as_mut_ptr()) }?;
    let field = buffer.get(130..195).unwrap_or_default();
    Ok(field.split(|b| *b == 0).next().unwrap_or_default())
}
