//! The messages, as CRIU's `images/rpc.proto` numbers them (<https://criu.org/RPC>). Only what is used is here: what
//! else an answer holds is passed over, as protobuf wants it.
//!
//! Called by [`crate::Session`], and by whoever plays CRIU in a test. Data only.

use prost::bytes::{Buf, BufMut};
use prost::encoding::{self, DecodeContext, WireType};
use prost::{DecodeError, Message};

/// A message: its fields with their kind, their type on the wire and their number. What prost's derive would write;
/// that brings a second copy of the parser of Rust that all other derives use.
macro_rules! message {
    ($(#[$meta:meta])* $vis:vis struct $name:ident {
        $($(#[$doc:meta])* $field_vis:vis $field:ident: $ty:ty = $kind:ident $codec:ident $tag:literal,)*
    }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq)]
        $vis struct $name { $($(#[$doc])* $field_vis $field: $ty,)* }

        impl Message for $name {
            fn encode_raw(&self, buf: &mut impl BufMut) {
                $(message!(@encode $kind $codec $tag self.$field, buf);)*
            }

            fn merge_field(
                &mut self,
                tag: u32,
                wire_type: WireType,
                buf: &mut impl Buf,
                ctx: DecodeContext,
            ) -> Result<(), DecodeError> {
                match tag {
                    $($tag => message!(@merge $kind $codec self.$field, wire_type, buf, ctx),)*
                    _ => encoding::skip_field(wire_type, tag, buf, ctx),
                }
            }

            fn encoded_len(&self) -> usize {
                [$(message!(@len $kind $codec $tag self.$field)),*].iter().sum()
            }

            fn clear(&mut self) {
                *self = Self::default();
            }
        }
    };
    (@encode required $codec:ident $tag:literal $field:expr, $buf:ident) => {
        encoding::$codec::encode($tag, &$field, $buf)
    };
    (@encode optional $codec:ident $tag:literal $field:expr, $buf:ident) => {
        if let Some(value) = &$field {
            encoding::$codec::encode($tag, value, $buf);
        }
    };
    (@encode repeated string $tag:literal $field:expr, $buf:ident) => {
        encoding::string::encode_repeated($tag, &$field, $buf)
    };
    (@encode repeated message $tag:literal $field:expr, $buf:ident) => {
        $field.iter().for_each(|value| encoding::message::encode($tag, value, $buf))
    };
    (@merge required $codec:ident $field:expr, $wire_type:ident, $buf:ident, $ctx:ident) => {
        encoding::$codec::merge($wire_type, &mut $field, $buf, $ctx)
    };
    (@merge optional $codec:ident $field:expr, $wire_type:ident, $buf:ident, $ctx:ident) => {
        encoding::$codec::merge($wire_type, $field.get_or_insert_default(), $buf, $ctx)
    };
    (@merge repeated $codec:ident $field:expr, $wire_type:ident, $buf:ident, $ctx:ident) => {
        encoding::$codec::merge_repeated($wire_type, &mut $field, $buf, $ctx)
    };
    (@len required $codec:ident $tag:literal $field:expr) => {
        encoding::$codec::encoded_len($tag, &$field)
    };
    (@len optional $codec:ident $tag:literal $field:expr) => {
        $field.as_ref().map_or(0, |value| encoding::$codec::encoded_len($tag, value))
    };
    (@len repeated $codec:ident $tag:literal $field:expr) => {
        encoding::$codec::encoded_len_repeated($tag, &$field)
    };
}

/// What is asked for, or answered.
///
/// ```
/// assert_eq!(cofferdam_criu::Kind::Dump.number(), 1);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// A dump.
    Dump,
    /// A restore.
    Restore,
    /// Memory only, the processes run on.
    PreDump,
    /// Something happened that scripts may want to know of.
    Notify,
    /// Which features there are.
    FeatureCheck,
    /// Which version it is.
    Version,
}

impl Kind {
    /// `enum criu_req_type`.
    #[must_use]
    pub const fn number(self) -> i32 {
        match self {
            Self::Dump => 1,
            Self::Restore => 2,
            Self::PreDump => 4,
            Self::Notify => 6,
            Self::FeatureCheck => 9,
            Self::Version => 10,
        }
    }
}

/// What CRIU does with the cgroups that the processes were in (`--manage-cgroups`, criu(8)).
///
/// ```
/// use cofferdam_criu::CgroupMode;
/// assert_eq!("soft".parse(), Ok(CgroupMode::Soft));
/// assert!("loud".parse::<CgroupMode>().is_err());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum CgroupMode {
    /// CRIU's own choice, which is soft.
    #[default]
    Default,
    /// Nothing: processes stay where CRIU is.
    Ignore,
    /// Properties only of cgroups that it makes.
    Soft,
    /// Properties also of those that are there.
    Full,
    /// As full, and failing where anything differs.
    Strict,
}

impl CgroupMode {
    /// `enum criu_cg_mode`.
    #[must_use]
    pub const fn number(self) -> i32 {
        match self {
            Self::Ignore => 0,
            Self::Soft => 3,
            Self::Full => 4,
            Self::Strict => 5,
            Self::Default => 6,
        }
    }
}

impl std::str::FromStr for CgroupMode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text {
            "" => Self::Default,
            "ignore" => Self::Ignore,
            "soft" => Self::Soft,
            "full" => Self::Full,
            "strict" => Self::Strict,
            _ => return Err("give soft, full, strict or ignore".to_owned()),
        })
    }
}

message! {
/// `criu_page_server_info`.
///
/// ```
/// let server = cofferdam_criu::PageServer { address: Some("127.0.0.1".into()), port: Some(27) };
/// assert_eq!(server.port, Some(27));
/// ```
pub struct PageServer {
    /// Where it listens.
    pub address: Option<String> = optional string 1,
    /// On which port.
    pub port: Option<i32> = optional int32 2,
    }
}

message! {
/// `ext_mount_map`: on a dump, the mount point and the name that it gets in the images; on a restore, that name and
/// the path on the host.
///
/// ```
/// let mount = cofferdam_criu::ExternalMount { key: "/data".into(), val: "/srv/data".into() };
/// assert_ne!(mount.key, mount.val);
/// ```
pub struct ExternalMount {
    /// See above.
    pub key: String = required string 1,
    /// See above.
    pub val: String = required string 2,
    }
}

message! {
/// `join_namespace`: a namespace that restored processes join.
///
/// ```
/// let uts = cofferdam_criu::JoinedNamespace { ns: "uts".into(), ns_file: "/proc/1/ns/uts".into() };
/// assert_eq!(uts.ns, "uts");
/// ```
pub struct JoinedNamespace {
    /// Which kind, as in /proc/PID/ns.
    pub ns: String = required string 1,
    /// Its file.
    pub ns_file: String = required string 2,
    }
}

message! {
/// `inherit_fd`: what of the images a descriptor of CRIU's stands for.
///
/// ```
/// let stdout = cofferdam_criu::InheritedFd { key: "pipe:[77]".into(), fd: 1 };
/// assert_eq!(stdout.fd, 1);
/// ```
pub struct InheritedFd {
    /// Its name in the images.
    pub key: String = required string 1,
    /// Its number in CRIU's process.
    pub fd: i32 = required int32 2,
    }
}

message! {
/// `cgroup_root`: the directory that the topmost cgroup of the images becomes.
///
/// ```
/// let root = cofferdam_criu::CgroupRoot { ctrl: Some("pids".into()), path: "/box".into() };
/// assert_eq!(root.path, "/box");
/// ```
pub struct CgroupRoot {
    /// Of which hierarchy.
    pub ctrl: Option<String> = optional string 1,
    /// From that hierarchy's mount point.
    pub path: String = required string 2,
    }
}

message! {
/// `criu_features`.
///
/// ```
/// let wanted = cofferdam_criu::Features { mem_track: Some(true), lazy_pages: None };
/// assert_ne!(wanted.mem_track, wanted.lazy_pages);
/// ```
pub struct Features {
    /// The kernel tells which pages have been written to.
    pub mem_track: Option<bool> = optional bool 1,
    /// Pages can be brought when they are touched (userfaultfd(2)).
    pub lazy_pages: Option<bool> = optional bool 2,
    }
}

message! {
/// `criu_opts`: how to dump or restore. What is absent is CRIU's own default; names and meanings are those of criu(8).
///
/// ```
/// let options = cofferdam_criu::Options { images_dir_fd: 7, leave_running: Some(true), ..Default::default() };
/// assert_eq!(options.leave_running, Some(true));
/// ```
#[allow(missing_docs)]
pub struct Options {
    /// Descriptor in the process that made the socket.
    pub images_dir_fd: i32 = required int32 1,
    pub pid: Option<i32> = optional int32 2,
    pub leave_running: Option<bool> = optional bool 3,
    pub ext_unix_sk: Option<bool> = optional bool 4,
    pub tcp_established: Option<bool> = optional bool 5,
    pub evasive_devices: Option<bool> = optional bool 6,
    pub shell_job: Option<bool> = optional bool 7,
    pub file_locks: Option<bool> = optional bool 8,
    pub log_level: Option<i32> = optional int32 9,
    pub log_file: Option<String> = optional string 10,
    pub ps: Option<PageServer> = optional message 11,
    pub notify_scripts: Option<bool> = optional bool 12,
    pub root: Option<String> = optional string 13,
    pub parent_img: Option<String> = optional string 14,
    pub track_mem: Option<bool> = optional bool 15,
    pub auto_dedup: Option<bool> = optional bool 16,
    /// As `images_dir_fd`.
    pub work_dir_fd: Option<i32> = optional int32 17,
    pub link_remap: Option<bool> = optional bool 18,
    pub ext_mnt: Vec<ExternalMount> = repeated message 23,
    pub manage_cgroups: Option<bool> = optional bool 24,
    pub cg_root: Vec<CgroupRoot> = repeated message 25,
    /// The restored process becomes a child of CRIU's parent.
    pub rst_sibling: Option<bool> = optional bool 26,
    pub inherit_fd: Vec<InheritedFd> = repeated message 27,
    /// A number of [`CgroupMode`].
    pub manage_cgroups_mode: Option<i32> = optional int32 34,
    pub external: Vec<String> = repeated string 37,
    /// `CLONE_NEW*` bits.
    pub empty_ns: Option<u32> = optional uint32 38,
    pub join_ns: Vec<JoinedNamespace> = repeated message 39,
    pub freeze_cgroup: Option<String> = optional string 44,
    pub tcp_skip_in_flight: Option<bool> = optional bool 46,
    pub lazy_pages: Option<bool> = optional bool 48,
    pub orphan_pts_master: Option<bool> = optional bool 50,
    pub config_file: Option<String> = optional string 51,
    pub lsm_profile: Option<String> = optional string 53,
    pub lsm_mount_context: Option<String> = optional string 63,
    }
}

message! {
/// `criu_req`.
///
/// ```
/// use cofferdam_criu::{Kind, Request};
/// let request = Request { kind: Kind::Version.number(), keep_open: Some(true), ..Request::default() };
/// assert_eq!(Request::from_bytes(&request.to_bytes()), Some(request));
/// ```
pub struct Request {
    /// A number of [`Kind`].
    pub kind: i32 = required int32 1,
    /// For dumps and restores.
    pub opts: Option<Options> = optional message 2,
    /// The answer to a notification.
    pub notify_success: Option<bool> = optional bool 3,
    /// Whether another request follows.
    pub keep_open: Option<bool> = optional bool 4,
    /// Which features are asked about.
    pub features: Option<Features> = optional message 5,
    }
}

message! {
pub(crate) struct RestoreResponse {
    pub(crate) pid: i32 = required int32 1,
    }
}

message! {
pub(crate) struct NotifyResponse {
    pub(crate) script: Option<String> = optional string 1,
    pub(crate) pid: Option<i32> = optional int32 2,
    }
}

message! {
pub(crate) struct VersionResponse {
    pub(crate) major: i32 = required int32 1,
    pub(crate) minor: i32 = required int32 2,
    pub(crate) gitid: Option<String> = optional string 3,
    pub(crate) sublevel: Option<i32> = optional int32 4,
    }
}

message! {
/// `criu_resp`: what CRIU says. Made by whoever plays CRIU, by the functions below.
///
/// ```
/// use cofferdam_criu::{Kind, Response};
/// let said = Response::notification("post-restore", Some(77));
/// assert_eq!(Response::from_bytes(&said.to_bytes()), Some(said));
/// assert_ne!(Response::of(Kind::Dump, true), Response::of(Kind::Dump, false));
/// ```
pub struct Response {
    pub(crate) kind: i32 = required int32 1,
    pub(crate) success: bool = required bool 2,
    pub(crate) restore: Option<RestoreResponse> = optional message 4,
    pub(crate) notify: Option<NotifyResponse> = optional message 5,
    pub(crate) errno: Option<i32> = optional int32 7,
    pub(crate) features: Option<Features> = optional message 8,
    pub(crate) message: Option<String> = optional string 9,
    pub(crate) version: Option<VersionResponse> = optional message 10,
    }
}

impl Request {
    /// As it is sent.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.encode_to_vec()
    }

    /// As it was received; nothing, if it is none.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Self::decode(bytes).ok()
    }
}

impl Response {
    /// An answer without more to it.
    ///
    /// ```
    /// use cofferdam_criu::{Kind, Response};
    /// assert!(!Response::of(Kind::Restore, false).to_bytes().is_empty());
    /// ```
    #[must_use]
    pub fn of(kind: Kind, success: bool) -> Self {
        Self { kind: kind.number(), success, ..Self::default() }
    }

    /// A failure with an error number and words.
    ///
    /// ```
    /// use cofferdam_criu::{Kind, Response};
    /// assert_ne!(Response::failed(Kind::Dump, 3, "no such task"), Response::of(Kind::Dump, false));
    /// ```
    #[must_use]
    pub fn failed(kind: Kind, errno: i32, message: &str) -> Self {
        Self { errno: Some(errno), message: Some(message.to_owned()), ..Self::of(kind, false) }
    }

    /// A notification.
    ///
    /// ```
    /// use cofferdam_criu::Response;
    /// assert_ne!(Response::notification("post-dump", None), Response::notification("pre-dump", None));
    /// ```
    #[must_use]
    pub fn notification(script: &str, pid: Option<i32>) -> Self {
        let notify = Some(NotifyResponse { script: Some(script.to_owned()), pid });
        Self { notify, ..Self::of(Kind::Notify, true) }
    }

    /// The answer of a version.
    ///
    /// ```
    /// use cofferdam_criu::Response;
    /// assert_ne!(Response::version(4, 1), Response::version(3, 14));
    /// ```
    #[must_use]
    pub fn version(major: i32, minor: i32) -> Self {
        let version = Some(VersionResponse { major, minor, gitid: None, sublevel: None });
        Self { version, ..Self::of(Kind::Version, true) }
    }

    /// Which features there are.
    ///
    /// ```
    /// use cofferdam_criu::{Features, Response};
    /// let none = Response::features(Features::default());
    /// assert_ne!(none, Response::features(Features { mem_track: Some(true), lazy_pages: None }));
    /// ```
    #[must_use]
    pub fn features(features: Features) -> Self {
        Self { features: Some(features), ..Self::of(Kind::FeatureCheck, true) }
    }

    /// The number of a restored process.
    ///
    /// ```
    /// use cofferdam_criu::{Kind, Response};
    /// assert_ne!(Response::restored(7), Response::of(Kind::Restore, true));
    /// ```
    #[must_use]
    pub fn restored(pid: i32) -> Self {
        Self { restore: Some(RestoreResponse { pid }), ..Self::of(Kind::Restore, true) }
    }

    /// As it is sent.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.encode_to_vec()
    }

    /// As it was received; nothing, if it is none.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Self::decode(bytes).ok()
    }
}
