//! A process, decided: the part that create and exec share.
//!
//! Called by [`crate::plan_init`] and [`crate::plan_exec`], which decide what differs.

use cofferdam_oci::{Linux, Pointer, Process, Reject};

use crate::caps::Available;
use crate::findings::Findings;
use crate::idmaps::Mapped;
use crate::user::Groups;
use crate::{AffinityPlan, HostFacts, ProcessPlan};
use crate::{args, caps, env, labels, memory_policy, rlimits, scheduling, user};

/// What the process's surroundings say.
#[derive(Debug)]
pub(crate) struct Surroundings<'a> {
    /// Where the process stands in its document.
    pub(crate) at: Pointer,
    pub(crate) linux: &'a Linux,
    pub(crate) facts: &'a HostFacts,
    pub(crate) available: Available,
    pub(crate) mapped: Mapped<'a>,
    pub(crate) groups: Groups,
    /// What asks for a seccomp profile in which every name is known.
    pub(crate) known_calls_only: Option<Pointer>,
}

/// Judges the process.
pub(crate) fn decide(process: &Process, around: &Surroundings<'_>, findings: &mut Findings) -> ProcessPlan {
    let (at, facts, linux) = (&around.at, around.facts, around.linux);
    let args = args::args(at, process, findings);
    let (env, home_from_passwd) = env::decide(at, &process.env, findings);
    let cwd = args::cwd(at, process, findings);
    let terminal = args::terminal(at, process, findings);
    user::ids(at, &process.user, around.mapped, findings);
    let affinity = process.exec_cpu_affinity.as_ref();
    ProcessPlan {
        pointer: at.clone(),
        args,
        env,
        home_from_passwd,
        cwd,
        terminal,
        uid: process.user.uid,
        gid: process.user.gid,
        groups: user::groups(at, &process.user, around.groups, findings),
        umask: user::umask(&process.user),
        caps: caps::decide(at, process.capabilities.as_ref(), around.available, findings),
        rlimits: rlimits::decide(at, &process.rlimits, facts.arch, findings),
        no_new_privs: process.no_new_privileges,
        apparmor: labels::apparmor(at, process.apparmor_profile.as_deref(), facts, findings),
        selinux: labels::selinux(at, process.selinux_label.as_deref(), facts, findings),
        oom_score_adj: oom_score_adj(at, process.oom_score_adj, findings),
        scheduler: process.scheduler.as_ref().and_then(|s| scheduling::scheduler(at, s, findings)),
        io_priority: process.io_priority.as_ref().and_then(|p| scheduling::io_priority(at, p, findings)),
        affinity: affinity
            .map_or_else(AffinityPlan::default, |asked| scheduling::affinity(at, asked, findings)),
        memory_policy: linux.memory_policy.as_ref().and_then(|p| memory_policy::decide(p, findings)),
        personality: linux.personality.as_ref().and_then(|p| scheduling::personality(p, findings)),
        seccomp: labels::seccomp(linux, facts, around.known_calls_only.as_ref(), findings),
    }
}

impl ProcessPlan {
    /// The same process, as to who it is and what it may, with the program, environment, directory and
    /// terminal of another document.
    ///
    /// # Errors
    /// All that is wrong with these, each with its JSON pointer.
    ///
    /// ```
    /// use cofferdam_plan::{ExecOptions, HostFacts, plan_exec};
    /// let spec = cofferdam_oci::parse_spec(br#"{"ociVersion": "1.3.0"}"#).unwrap();
    /// let one: cofferdam_oci::Process = cofferdam_oci::parse(br#"{"cwd": "/", "args": ["ps"]}"#).unwrap();
    /// let plan = plan_exec(&one, &spec, &HostFacts::typical(), &ExecOptions::default()).unwrap().process;
    /// let other = cofferdam_oci::Process { args: vec!["ls".into()], ..one };
    /// assert_eq!(plan.with_program(&other).unwrap().args, ["ls"]);
    /// ```
    pub fn with_program(&self, process: &Process) -> Result<Self, Vec<Reject>> {
        let mut findings = Findings::default();
        let at = &self.pointer;
        let (env, home_from_passwd) = env::decide(at, &process.env, &mut findings);
        let plan = Self {
            args: args::args(at, process, &mut findings),
            env,
            home_from_passwd,
            cwd: args::cwd(at, process, &mut findings),
            terminal: args::terminal(at, process, &mut findings),
            ..self.clone()
        };
        findings.finish().map(|_| plan)
    }
}

fn oom_score_adj(at: &Pointer, asked: Option<i64>, findings: &mut Findings) -> Option<i32> {
    let asked = asked?;
    let found = i32::try_from(asked).ok().filter(|v| (-1000..=1000).contains(v));
    if found.is_none() {
        findings.reject(at.key("oomScoreAdj"), format!("{asked} is not between -1000 and 1000"));
    }
    found
}
