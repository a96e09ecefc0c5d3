//! The options of a container's runtime, in runc's form, which containerd's configuration and clients know.
//!
//! Called by `start` and `create`. `BinaryName` names a program, of which there is none here; CRIU's program is found
//! by the library; what is left has its meaning.

use cofferdam::{Bundle, CreateOptions, Result, TerminalMode};
use containerd_shim_protos::api::Empty;
use containerd_shim_protos::protobuf::well_known_types::any::Any;
use containerd_shim_protos::protobuf::{Message, UnknownValueRef};
use containerd_shim_protos::shim::oci;
use containerd_shim_protos::types::introspection::{RuntimeInfo, RuntimeVersion};

use crate::failure::{malformed, say};

/// What they say.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options(pub(crate) oci::Options);

impl Options {
    /// As they are sent to `start`: an `Any`, or nothing.
    pub(crate) fn sent(bytes: &[u8]) -> Result<Self> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        let any = Any::parse_from_bytes(bytes).map_err(|e| malformed("the runtime's options", &e))?;
        Self::read(Some(&any))
    }

    /// As they are sent with a container. Options of another runtime say nothing to this one.
    pub(crate) fn read(any: Option<&Any>) -> Result<Self> {
        let Some(any) = any else { return Ok(Self::default()) };
        let failed = |e| malformed("the runtime's options", &e);
        match any.type_url.rsplit('/').next() {
            Some("containerd.runc.v1.Options") => {
                oci::Options::parse_from_bytes(&any.value).map(Self).map_err(failed)
            }
            // What containerd 1.6's client sends to a runtime whose name it does not know.
            Some("containerd.linux.runc.CreateOptions") => {
                Empty::parse_from_bytes(&any.value).map(|empty| Self(older(&empty))).map_err(failed)
            }
            _ => Ok(Self::default()),
        }
    }

    /// What the library is told. Kubernetes' kubelet says by the form of the cgroup's path that systemd is to make it;
    /// its engines have no other way to tell a runtime that is not runc.
    pub(crate) fn create(&self, bundle: &Bundle) -> CreateOptions {
        let path = bundle.spec.linux.as_ref().and_then(|linux| linux.cgroups_path.as_deref());
        let of_systemd = path.is_some_and(is_of_systemd);
        CreateOptions {
            no_pivot: self.0.no_pivot_root,
            no_new_keyring: self.0.no_new_keyring,
            systemd_cgroup: self.0.systemd_cgroup || of_systemd,
            terminal: TerminalMode::Own,
            ..CreateOptions::default()
        }
    }

    /// Who is to own the streams, if not root.
    pub(crate) fn owner(&self) -> Option<(u32, u32)> {
        let owner = (self.0.io_uid, self.0.io_gid);
        (owner != (0, 0)).then_some(owner)
    }
}

/// `SLICE.slice:PREFIX:NAME`.
fn is_of_systemd(path: &str) -> bool {
    let parts: Vec<&str> = path.split(':').collect();
    matches!(parts.as_slice(), [slice, _, name] if slice.ends_with(".slice") && !name.is_empty())
}

/// Options of the first shim's time, by their numbers: the message itself is in no library any more.
fn older(sent: &Empty) -> oci::Options {
    let mut options = oci::Options::new();
    for (number, value) in sent.special_fields.unknown_fields().iter() {
        match (number, value) {
            (1, UnknownValueRef::Varint(set)) => options.no_pivot_root = set != 0,
            (8, UnknownValueRef::Varint(set)) => options.no_new_keyring = set != 0,
            (10, UnknownValueRef::Varint(uid)) => options.io_uid = uid.try_into().unwrap_or_default(),
            (11, UnknownValueRef::Varint(gid)) => options.io_gid = gid.try_into().unwrap_or_default(),
            (12, UnknownValueRef::LengthDelimited(path)) => options.criu_work_path = text(path),
            (13, UnknownValueRef::LengthDelimited(path)) => options.criu_image_path = text(path),
            _ => {}
        }
    }
    options
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What this runtime is and can do, for containerd 2: a `RuntimeInfo`.
pub(crate) fn describe() -> Result<()> {
    let features = serde_json::to_vec(&cofferdam::features()).unwrap_or_default();
    let info = RuntimeInfo {
        name: "io.containerd.cofferdam.v1".to_owned(),
        version: Some(RuntimeVersion { version: env!("CARGO_PKG_VERSION").to_owned(), ..Default::default() })
            .into(),
        features: Some(Any {
            type_url: "types.containerd.io/opencontainers/runtime-spec/1/features/Features".to_owned(),
            value: features,
            ..Default::default()
        })
        .into(),
        ..Default::default()
    };
    say(&info.write_to_bytes().map_err(|e| malformed("what this runtime is", &e))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundle(path: &str) -> Bundle {
        let mut spec = cofferdam::template::spec(false);
        spec.linux.get_or_insert_default().cgroups_path = Some(path.to_owned());
        Bundle::from_spec("/", spec)
    }

    #[test]
    fn a_path_in_systemds_form_asks_for_systemd() {
        let asks = |path| Options::default().create(&bundle(path)).systemd_cgroup;
        assert!(asks("kubepods-besteffort.slice:cri-containerd:abc"));
        assert!(!asks("/kubepods/besteffort/abc") && !asks("a:b:c") && !asks("x.slice:b"));
    }

    #[test]
    fn the_first_shims_options_are_known_by_their_numbers() {
        let value = [&[8, 1, 80, 5, 106, 2][..], b"/i"].concat();
        let any = Any { type_url: "containerd.linux.runc.CreateOptions".into(), value, ..Default::default() };
        let options = Options::read(Some(&any)).unwrap();
        assert!(options.0.no_pivot_root);
        assert_eq!((options.0.io_uid, options.0.criu_image_path.as_str()), (5, "/i"));
    }

    #[test]
    fn options_are_read_whatever_stands_before_the_name_of_their_type() {
        let value = oci::Options { systemd_cgroup: true, io_uid: 5, ..Default::default() };
        for prefix in ["", "type.googleapis.com/"] {
            let any = Any {
                type_url: format!("{prefix}containerd.runc.v1.Options"),
                value: value.write_to_bytes().unwrap(),
                ..Default::default()
            };
            let options = Options::read(Some(&any)).unwrap();
            assert!(options.create(&bundle("/a")).systemd_cgroup);
            assert_eq!(options.owner(), Some((5, 0)));
            assert!(Options::sent(&any.write_to_bytes().unwrap()).unwrap().0.systemd_cgroup);
        }
        let other = Any { type_url: "x.Options".into(), value: vec![1, 2, 3], ..Default::default() };
        assert!(Options::read(Some(&other)).unwrap().0.root.is_empty());
        assert!(Options::sent(&[0xff; 9]).is_err());
    }
}
