//! `checkpoint` and `restore`: their flags are judged, and then it is said that they are not there.

use std::path::PathBuf;

use super::place::{Which, running};
use super::setting::Setting;
use crate::failure::{Failure, Outcome};

/// What both say to CRIU.
#[derive(Debug, clap::Args)]
struct Criu {
    /// Directory of the image files
    #[arg(long, value_name = "DIR", required = true)]
    image_path: PathBuf,
    /// Directory for work files and logs
    #[arg(long, value_name = "DIR")]
    work_path: Option<PathBuf>,
    /// Allow open TCP connections
    #[arg(long)]
    tcp_established: bool,
    /// Allow Unix sockets whose other end is outside
    #[arg(long)]
    ext_unix_sk: bool,
    /// Allow a terminal that is the caller's
    #[arg(long)]
    shell_job: bool,
}

/// Freeze a running container into files
///
/// Not there yet: it needs CRIU, which this version of cofferdam cannot speak to.
#[derive(Debug, clap::Args)]
pub(super) struct Checkpoint {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    criu: Criu,
    /// Let the container run on afterwards
    #[arg(long)]
    leave_running: bool,
    /// Send memory to a page server
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = page_server)]
    page_server: Option<(String, u16)>,
}

impl Checkpoint {
    pub(super) fn execute(self, setting: &Setting) -> Outcome {
        running(setting, &self.which)?;
        Err(missing("checkpoint", &setting.criu))
    }
}

/// Start a container again from the files of a checkpoint
///
/// Not there yet: it needs CRIU, which this version of cofferdam cannot speak to.
#[derive(Debug, clap::Args)]
pub(super) struct Restore {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    criu: Criu,
}

impl Restore {
    pub(super) fn execute(self, setting: &Setting) -> Outcome {
        std::fs::metadata(&self.criu.image_path)
            .map_err(|error| Failure::io(format_args!("open {}", self.criu.image_path.display()), &error))?;
        Err(missing("restore", &setting.criu))
    }
}

fn missing(what: &str, criu: &std::path::Path) -> Failure {
    Failure::new(format!(
        "{what} is not supported: cofferdam has no code that drives CRIU ({} was not started, nothing was changed)",
        criu.display()
    ))
}

fn page_server(text: &str) -> Result<(String, u16), String> {
    let (address, port) =
        text.rsplit_once(':').filter(|(address, _)| !address.is_empty()).ok_or("give ADDRESS:PORT")?;
    Ok((address.to_owned(), port.parse().map_err(|_| format!("invalid port number {port:?}"))?))
}

#[cfg(test)]
mod tests {
    use super::page_server;

    #[test]
    fn a_page_server_is_an_address_and_a_port() {
        assert_eq!(page_server("127.0.0.1:27"), Ok(("127.0.0.1".to_owned(), 27)));
        assert!(page_server("27").is_err() && page_server(":27").is_err() && page_server("a:x").is_err());
    }
}
