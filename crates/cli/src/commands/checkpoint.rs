//! `checkpoint`: write a container's processes into files.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use cofferdam::Error;
use cofferdam::checkpoint::CheckpointOptions;

use super::criu::CriuFlags;
use crate::context::Context;
use crate::failure::{Failure, Outcome};

/// Write a running container into files, from which restore makes one again
///
/// CRIU does the work, as root. Unless --leave-running or --pre-dump is given the container is gone afterwards.
#[derive(Debug, clap::Args)]
#[allow(clippy::struct_excessive_bools)]
pub(crate) struct Checkpoint {
    #[command(flatten)]
    criu: CriuFlags,
    /// Images of a dump before this one, from --image-path on: only memory that has changed is written
    #[arg(long, value_name = "DIR")]
    parent_path: Option<PathBuf>,
    /// Let the container run on afterwards
    #[arg(long)]
    leave_running: bool,
    /// Leave out TCP connections that nobody has accepted yet
    #[arg(long)]
    tcp_skip_in_flight: bool,
    /// Give files that were removed a name until they are restored
    #[arg(long)]
    link_remap: bool,
    /// Descriptor that gets a null byte once memory can be fetched (with --lazy-pages)
    #[arg(long, value_name = "FD", default_value_t = -1, allow_hyphen_values = true)]
    status_fd: i32,
    /// Send memory there, or with --lazy-pages let it be fetched from there
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = page_server)]
    page_server: Option<(String, u16)>,
    /// Write memory only, and let the container run on
    #[arg(long)]
    pre_dump: bool,
    /// Name of the container
    container_id: String,
}

impl Checkpoint {
    pub(crate) fn execute(self, context: &Context) -> Outcome {
        let container = context.container(&self.container_id)?;
        let stays = self.leave_running || self.pre_dump;
        let options = CheckpointOptions {
            criu: self.criu.options(context, true)?,
            parent: self.parent_path,
            leave_running: self.leave_running,
            pre_dump: self.pre_dump,
            tcp_skip_in_flight: self.tcp_skip_in_flight,
            link_remap: self.link_remap,
            page_server: self.page_server,
            status: status(self.status_fd)?,
        };
        container.checkpoint(&options).map_err(|error| named(error, &options))?;
        if stays {
            return Ok(0);
        }
        match container.delete(true) {
            Ok(failed) => super::delete::warn(context, &failed),
            // It was dumped; what stays of it is delete's.
            Err(error) => super::delete::warn(context, &[error]),
        };
        Ok(0)
    }
}

/// The flag whose value it is about, where there is one.
fn named(error: Error, options: &CheckpointOptions) -> Failure {
    let parent = options.parent.as_ref().map(|parent| parent.display().to_string());
    let of_parent = parent.is_some() && error.object() == parent.as_deref();
    let failure = Failure::from(error);
    if of_parent { failure.during("--parent-path") } else { failure }
}

/// Takes over a descriptor of the caller's: whoever reads it is to see its end.
fn status(number: i32) -> Result<Option<OwnedFd>, Failure> {
    if number < 0 {
        return Ok(None);
    }
    let path = format!("/proc/self/fd/{number}");
    let file = File::options().write(true).open(&path);
    let file = file.map_err(|error| Failure::io(format_args!("invalid --status-fd {number}"), &error))?;
    if number > 2 {
        let _ = nix::unistd::close(number);
    }
    Ok(Some(file.into()))
}

pub(crate) fn page_server(text: &str) -> Result<(String, u16), String> {
    let wrong = "use --page-server ADDRESS:PORT to specify page server";
    let (address, port) = text.rsplit_once(':').ok_or(wrong)?;
    let address = address.strip_prefix('[').and_then(|a| a.strip_suffix(']')).unwrap_or(address);
    if address.is_empty() {
        return Err(wrong.to_owned());
    }
    Ok((address.to_owned(), port.parse().map_err(|_| format!("invalid port number {port:?}"))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_server_is_an_address_and_a_port() {
        assert_eq!(page_server("127.0.0.1:27"), Ok(("127.0.0.1".to_owned(), 27)));
        assert_eq!(page_server("[::1]:27"), Ok(("::1".to_owned(), 27)));
        assert!(page_server("27").is_err() && page_server(":27").is_err() && page_server("a:x").is_err());
    }

    #[test]
    fn a_status_descriptor_must_be_open_for_writing() {
        assert!(status(-1).unwrap().is_none());
        assert!(status(999_999).unwrap_err().message().contains("--status-fd"));
    }
}
