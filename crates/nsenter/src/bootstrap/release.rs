//! The dialects of the contract, by the first runc that spoke them.
//!
//! Called by `environment` (which), the message and the stages (what differs).

/// Who started us. Sources: `nsexec.c` and `container_linux.go` of runc's releases.
///
/// ```
/// use cofferdam_nsenter::bootstrap::Release;
/// assert!(Release::V1_0.says_hello() && !Release::Current.says_hello());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// docker/libcontainer 2.x and the first runc: another process's namespaces, the pid alone.
    Libcontainer,
    /// runc 1.0.0-rc5 to rc93: no word before the message is read, pids as `pid` and `pid_first`.
    V1_0Rc,
    /// runc 1.0 and 1.1: a null byte first, `stage1_pid` and `stage2_pid`, bind mount sources.
    V1_0,
    /// runc 1.2: as 1.0, with time offsets in the place of bind mount sources.
    V1_2,
    /// runc 1.3 and later: no null byte first.
    Current,
}

impl Release {
    /// Whether a null byte is written to the init pipe before the message is read.
    ///
    /// ```
    /// assert!(!cofferdam_nsenter::bootstrap::Release::V1_0Rc.says_hello());
    /// ```
    #[must_use]
    pub const fn says_hello(self) -> bool {
        matches!(self, Self::V1_0 | Self::V1_2)
    }

    /// The line in which the processes' numbers are reported.
    ///
    /// ```
    /// use cofferdam_nsenter::bootstrap::Release;
    /// assert_eq!(Release::Current.pids(7, 8), "{\"stage1_pid\":7,\"stage2_pid\":8}\n");
    /// assert_eq!(Release::V1_0Rc.pids(7, 8), "{\"pid\": 8, \"pid_first\": 7}\n");
    /// ```
    #[must_use]
    pub fn pids(self, first: i32, last: i32) -> String {
        match self {
            Self::Libcontainer => format!("{{ \"pid\" : {last} }}\n"),
            Self::V1_0Rc => format!("{{\"pid\": {last}, \"pid_first\": {first}}}\n"),
            _ => format!("{{\"stage1_pid\":{first},\"stage2_pid\":{last}}}\n"),
        }
    }

    /// How the last process tells a failure to its parent, as separate writes: runc's `procError`.
    ///
    /// ```
    /// use cofferdam_nsenter::bootstrap::Release;
    /// let said = Release::V1_0.failure("no such mount");
    /// assert_eq!(said, ["{\"type\":\"procError\",\"fd\":-1}", "{\"message\":\"no such mount\"}"]);
    /// let said = Release::Current.failure("no such mount");
    /// assert_eq!(said, ["{\"type\":\"procError\",\"flags\":0,\"arg\":{\"message\":\"no such mount\"}}"]);
    /// ```
    #[must_use]
    pub fn failure(self, message: &str) -> Vec<String> {
        let message = serde_json::Value::from(message);
        match self {
            // 8: libcontainer's `SystemError`.
            Self::Libcontainer => vec![format!("{{\"ECode\":8,\"Message\":{message}}}\n")],
            Self::V1_0Rc => {
                vec!["{\"type\":\"procError\"}".to_owned(), format!("{{\"Message\":{message}}}")]
            }
            Self::V1_0 => {
                vec!["{\"type\":\"procError\",\"fd\":-1}".to_owned(), format!("{{\"message\":{message}}}")]
            }
            Self::V1_2 | Self::Current => {
                vec![format!("{{\"type\":\"procError\",\"flags\":0,\"arg\":{{\"message\":{message}}}}}")]
            }
        }
    }
}
