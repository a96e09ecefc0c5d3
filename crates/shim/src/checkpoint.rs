//! `Checkpoint`, and `Create` from one: by the library, which has CRIU do it.
//!
//! Called by `service` and `create`. A container is restored when it is started, as runc's shim does: until then
//! there is nothing but its root filesystem.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use cofferdam::checkpoint::{CgroupMode, CheckpointOptions, CriuOptions, RestoreOptions};
use cofferdam::{Bundle, Container, ContainerId, CreateOptions, Result, Store};
use containerd_shim_protos::api::CheckpointTaskRequest;
use containerd_shim_protos::events::task::TaskCheckpointed;
use containerd_shim_protos::protobuf::Message;
use containerd_shim_protos::shim::oci;
use containerd_shim_protos::topics;

use crate::bundle::Note;
use crate::create::{adopt, streams};
use crate::failure::malformed;
use crate::io::Whose;
use crate::options::Options;
use crate::process::Now;
use crate::service::Service;
use crate::task::Task;

/// A container that is restored when it is started.
#[derive(Debug)]
pub(crate) struct Restoring {
    /// The images.
    pub(crate) images: PathBuf,
    /// Where its state is to be.
    pub(crate) store: Store,
    /// Its id.
    pub(crate) id: ContainerId,
    /// Its bundle.
    pub(crate) bundle: Bundle,
    /// Its options.
    pub(crate) options: Options,
}

/// The images that a container is to be made from, if any: containerd's, or those that a client named.
pub(crate) fn images(checkpoint: &str, options: &Options) -> Option<PathBuf> {
    let named = [checkpoint, &options.0.criu_image_path];
    named.into_iter().find(|path| !path.is_empty()).map(PathBuf::from)
}

/// Writes the container's processes into files.
pub(crate) fn checkpoint(service: &Service, task: &Task, request: &CheckpointTaskRequest) -> Result<()> {
    let _at_work = service.exits.at_work();
    let asked = oci::CheckpointOptions::parse_from_bytes(&request.options.value)
        .map_err(|e| malformed("the checkpoint's options", &e))?;
    let named = [&asked.image_path, &request.path];
    let images = named.into_iter().find(|path| !path.is_empty());
    let images =
        images.ok_or_else(|| malformed("the checkpoint's options", &"no directory for the images"))?;
    let options = CheckpointOptions {
        leave_running: !asked.exit,
        criu: CriuOptions {
            // Its log is not a part of the checkpoint.
            work: Some(or(&asked.work_path, || task.bundle.join("work"))),
            tcp_established: asked.open_tcp,
            ext_unix_sk: asked.external_unix_sockets,
            shell_job: asked.terminal,
            file_locks: asked.file_locks,
            cgroups: mode(&asked.cgroups_mode)?,
            network: !asked.empty_namespaces.iter().any(|name| name == "network"),
            ..CriuOptions::new(images)
        },
        ..CheckpointOptions::default()
    };
    task.container()?.checkpoint(&options)?;
    let event = TaskCheckpointed {
        container_id: task.id.clone(),
        checkpoint: request.path.clone(),
        ..Default::default()
    };
    service.events.send(topics::TASK_CHECKPOINTED_EVENT_TOPIC, &event);
    Ok(())
}

fn or(path: &str, other: impl FnOnce() -> PathBuf) -> PathBuf {
    if path.is_empty() { other() } else { PathBuf::from(path) }
}

fn mode(word: &str) -> Result<CgroupMode> {
    Ok(match word {
        "" => CgroupMode::Default,
        "ignore" => CgroupMode::Ignore,
        "soft" => CgroupMode::Soft,
        "full" => CgroupMode::Full,
        "strict" => CgroupMode::Strict,
        _ => return Err(malformed("the checkpoint's options", &format!("unknown mode of cgroups {word}"))),
    })
}

/// Makes the container of a checkpoint, if that is still to be done; its processes go on.
pub(crate) fn restore(
    service: &Service,
    task: &Task,
    restoring: &Mutex<Option<Restoring>>,
    now: &mut Now,
) -> Result<()> {
    let taken = restoring.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(Restoring { images, store, id, bundle, options }) = taken else { return Ok(()) };
    let whose = Whose { namespace: &service.namespace, id: &task.id, owner: task.owner };
    let (stdio, opened) = streams(&task.init.names, whose)?;
    let create = CreateOptions { stdio, ..options.create(&bundle) };
    let restore = RestoreOptions {
        criu: CriuOptions {
            work: Some(or(&options.0.criu_work_path, || task.bundle.join("work"))),
            ..CriuOptions::new(images)
        },
        ..RestoreOptions::default()
    };
    let (container, process) = Container::restore(&store, &id, &bundle, create, &restore)?;
    let adopted = adopt(service, &Arc::clone(&task.init), now, process, opened);
    let pid = adopted.inspect_err(|_| drop(container.clone().delete(true)))?;
    let note = Note { root: store.root().to_owned(), pid };
    note.write(&task.bundle).unwrap_or_else(|e| crate::journal::complain(&task.id, &e));
    let _ = task.container.set(container);
    Ok(())
}
