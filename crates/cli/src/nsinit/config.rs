//! Where the configuration comes from: a file, or nsinit's template; then the flags.

use cofferdam_nsinit::Config;
use std::path::Path;

use crate::failure::Failure;

/// The configuration's name in a data directory.
pub(super) const FILE: &str = "container.json";

/// Reads a container.json.
pub(super) fn read(path: &Path) -> Result<Config, Failure> {
    let bytes =
        std::fs::read(path).map_err(|error| Failure::io(format_args!("read {}", path.display()), &error))?;
    Config::parse(&bytes).map_err(|error| Failure::from(error).during(&path.display().to_string()))
}
