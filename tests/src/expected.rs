//! Which tests are known to fail on which runtime, and why. A line here must fail: when it passes, the suite
//! says so and the line goes. Read by `check`.

/// What the table says of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// No line in the table.
    Pass,
    /// It fails, for this reason.
    Fail(&'static str),
}

/// What is expected of `test` on `runtime`.
pub fn expected(runtime: &str, test: &str) -> Expected {
    let line = TABLE.iter().find(|l| l.tests.contains(&test) && l.runtimes.contains(&runtime));
    line.map_or(Expected::Pass, |l| Expected::Fail(l.why))
}

/// Tests that fail for one reason.
#[derive(Debug)]
pub struct Line {
    /// The runtimes: runc is 1.1.5 and crun 1.8.1, as in Debian 12.
    pub runtimes: &'static [&'static str],
    /// Why.
    pub why: &'static str,
    /// The tests.
    pub tests: &'static [&'static str],
}

const BOTH: &[&str] = &["runc", "crun"];
const RUNC: &[&str] = &["runc"];
const CRUN: &[&str] = &["crun"];

/// The lines.
pub const TABLE: &[Line] = &[
    // Properties newer than both.
    Line {
        runtimes: BOTH,
        why: "process.scheduler is newer (runtime-spec 1.2)",
        tests: &[
            "scheduler_policies_without_priority_are_set",
            "scheduler_realtime_policies_have_their_priority",
            "scheduler_deadline_has_its_three_times",
            "scheduler_flags_are_set",
            "scheduler_flag_keep_policy_keeps_it",
            "scheduler_flag_keep_params_keeps_them",
            "a_scheduler_policy_the_kernel_lacks_is_refused",
            "an_unknown_scheduler_policy_is_refused",
            "exec_has_its_own_scheduling",
        ],
    },
    Line {
        runtimes: BOTH,
        why: "a container keeps the CPUs of who makes it; runc has done otherwise since 1.3",
        tests: &["a_container_may_run_on_every_cpu_whatever_its_maker_is_confined_to"],
    },
    Line {
        runtimes: CRUN,
        why: "a bind mount has none of its source's flags",
        tests: &["a_bind_with_any_flag_has_no_other_of_its_sources"],
    },
    Line {
        runtimes: CRUN,
        why: "what waits for start has no handlers, so that only SIGKILL ends it",
        tests: &["a_signal_that_ends_programs_ends_what_is_created"],
    },
    Line {
        runtimes: BOTH,
        why: "a destination is always one inside; runc has taken the host's path since 1.2",
        tests: &["a_destination_may_be_the_hosts_path_of_the_place"],
    },
    Line {
        runtimes: BOTH,
        why: "in a user namespace sources are opened before anything is mounted; runc has done otherwise since 1.2",
        tests: &["a_bind_source_in_the_root_filesystem_shows_what_was_mounted_there"],
    },
    Line {
        runtimes: BOTH,
        why: "whoever outlives the first process is out of reach; runc has done otherwise since 1.2",
        tests: &["kill_reaches_those_who_outlived_the_first_process"],
    },
    Line {
        runtimes: CRUN,
        why: "createContainer hooks start elsewhere",
        tests: &["create_container_hooks_start_in_the_root_filesystem"],
    },
    Line {
        runtimes: CRUN,
        why: "a tmpfs has mode 1777 whatever it covers",
        tests: &["a_tmpfs_has_the_mode_of_what_it_covers_and_1777_where_nothing_was"],
    },
    Line {
        runtimes: BOTH,
        why: "process.ioPriority is newer (runtime-spec 1.1)",
        tests: &["io_priority_class_and_value_are_set", "an_unknown_io_priority_class_is_refused"],
    },
    Line {
        runtimes: BOTH,
        why: "process.execCPUAffinity is newer (runtime-spec 1.2.1)",
        tests: &[
            "exec_cpu_affinity_final_is_that_of_the_process",
            "exec_cpu_affinity_initial_stays_without_a_final",
            "a_malformed_exec_cpu_affinity_is_refused",
        ],
    },
    Line {
        runtimes: BOTH,
        why: "linux.memoryPolicy is newer (runtime-spec 1.3)",
        tests: &[
            "memory_policy_modes_are_set",
            "memory_policy_local_and_default_have_no_nodes",
            "memory_policy_flags_are_set",
            "an_unknown_memory_policy_is_refused",
        ],
    },
    Line {
        runtimes: BOTH,
        why: "linux.netDevices is newer (runtime-spec 1.3)",
        tests: &[
            "net_devices_are_moved_under_their_new_name",
            "a_net_device_that_is_missing_is_refused",
            "net_devices_need_an_own_network_namespace",
        ],
    },
    Line {
        runtimes: RUNC,
        why: "does not know time namespaces",
        tests: &[
            "a_time_namespace_is_new",
            "a_time_namespace_is_joined_by_its_path",
            "time_offsets_are_those_of_the_clocks",
            "time_offsets_without_a_time_namespace_are_refused",
        ],
    },
    Line {
        runtimes: CRUN,
        why: "its child dies in a time namespace on this kernel; offsets without one are ignored",
        tests: &[
            "a_time_namespace_is_new",
            "a_time_namespace_is_joined_by_its_path",
            "time_offsets_are_those_of_the_clocks",
            "time_offsets_without_a_time_namespace_are_refused",
        ],
    },
    Line {
        runtimes: BOTH,
        why: "the architecture LOONGARCH64 and others are newer",
        tests: &["every_architecture_has_a_name"],
    },
    Line { runtimes: BOTH, why: "cpu.burst is newer", tests: &["cpu_burst_is_kept"] },
    Line { runtimes: RUNC, why: "cpu.idle of version 1 is not written", tests: &["cpu_idle_is_kept"] },
    Line { runtimes: RUNC, why: "domainname is newer", tests: &["domainname_is_set"] },
    Line {
        runtimes: RUNC,
        why: "umask of exec --process is dropped",
        tests: &["exec_process_is_a_document"],
    },
    Line {
        runtimes: RUNC,
        why: "linux.personality is newer",
        tests: &[
            "the_personality_is_the_configured_one",
            "a_personality_is_not_dropped_by_exec",
            "an_unknown_personality_is_refused",
        ],
    },
    Line {
        runtimes: BOTH,
        why: "flags of the personality are ignored",
        tests: &["a_personality_flag_is_not_ignored"],
    },
    Line {
        runtimes: RUNC,
        why: "seccomp flags are refused",
        tests: &[
            "the_flag_log_is_that_of_the_filter",
            "the_flags_tsync_and_spec_allow_are_taken_and_unknown_ones_refused",
            "the_flag_wait_killable_keeps_signals_from_interrupting_a_notified_call",
        ],
    },
    Line {
        runtimes: RUNC,
        why: "id-mapped mounts are newer",
        tests: &[
            "idmap_shifts_the_owners_of_a_bind",
            "idmap_without_maps_takes_those_of_the_user_namespace",
            "ridmap_shifts_the_mounts_below_and_idmap_does_not",
        ],
    },
    Line {
        runtimes: CRUN,
        why: "an id-mapped rbind loses the mounts below",
        tests: &["ridmap_shifts_the_mounts_below_and_idmap_does_not"],
    },
    // Mounts.
    Line {
        runtimes: RUNC,
        why: "passes `defaults` to the filesystem",
        tests: &["defaults_is_an_option_not_data"],
    },
    Line {
        runtimes: BOTH,
        why: "flags that a user namespace locks are dropped or make the mount fail",
        tests: &["in_a_user_namespace_a_bind_keeps_the_locked_flags_of_its_source"],
    },
    Line {
        runtimes: RUNC,
        why: "`ratime` is EINVAL: the mask of the access time is not given",
        tests: &["recursive_options_clear_flags_of_the_mounts_below"],
    },
    Line {
        runtimes: RUNC,
        why: "the root mount does not become shared",
        tests: &["rootfs_propagation_is_that_of_the_root_mount"],
    },
    Line {
        runtimes: CRUN,
        why: "`rnodiratime` and `rdiratime` are EINVAL",
        tests: &[
            "recursive_options_reach_the_mounts_below",
            "recursive_options_clear_flags_of_the_mounts_below",
        ],
    },
    Line {
        runtimes: CRUN,
        why: "an option that clears a flag does not undo an earlier one that set it",
        tests: &[
            "options_set_and_clear_the_flags_of_a_mount",
            "options_of_access_times_are_set",
            "options_of_the_superblock_are_set",
            "nosymfollow_keeps_links_from_being_followed",
        ],
    },
    Line {
        runtimes: CRUN,
        why: "some of these options are data for the filesystem (EINVAL)",
        tests: &["lazytime_mand_iversion_and_silent_are_options_not_data"],
    },
    Line {
        runtimes: CRUN,
        why: "a read-only path loses nosuid, nodev and noexec",
        tests: &["a_readonly_path_keeps_the_other_flags_of_its_mount"],
    },
    Line {
        runtimes: CRUN,
        why: "a label is ignored without SELinux",
        tests: &["a_mount_label_is_not_ignored"],
    },
    Line {
        runtimes: CRUN,
        why: "takes any mount over /proc",
        tests: &["a_mount_over_proc_is_refused_unless_it_is_proc"],
    },
    // Documents that should be refused.
    Line {
        runtimes: RUNC,
        why: "ociVersion is not looked at",
        tests: &["a_document_without_a_version_is_refused", "a_version_of_another_major_number_is_refused"],
    },
    Line {
        runtimes: BOTH,
        why: "takes the last of two",
        tests: &["an_rlimit_that_is_given_twice_is_refused"],
    },
    Line { runtimes: BOTH, why: "maps are ignored", tests: &["maps_without_a_user_namespace_are_refused"] },
    Line {
        runtimes: BOTH,
        why: "all or part of intelRdt is ignored where the host has none",
        tests: &["intel_rdt_is_refused_where_the_host_has_none"],
    },
    Line {
        runtimes: CRUN,
        why: "the document is not checked",
        tests: &[
            "a_namespace_that_is_given_twice_is_refused",
            "a_property_of_the_wrong_type_is_refused",
            "a_relative_cwd_is_refused",
            "an_unknown_propagation_is_refused",
            "an_unknown_type_of_device_is_refused",
            "notify_without_a_listener_path_is_refused",
        ],
    },
    Line {
        runtimes: BOTH,
        why: "capset is EPERM",
        tests: &["a_capability_the_host_cannot_give_does_not_stop_the_start"],
    },
    Line {
        runtimes: RUNC,
        why: "a joined user namespace needs maps in the document too",
        tests: &["a_user_namespace_is_joined_by_its_path"],
    },
    // Resources.
    Line {
        runtimes: BOTH,
        why: "does not find the controller in the second tree of a hybrid host",
        tests: &["hugepage_limits_are_kept"],
    },
    Line { runtimes: RUNC, why: "kernelTCP is ignored", tests: &["kernel_tcp_memory_limit_is_kept"] },
    Line { runtimes: CRUN, why: "-1 is EINVAL on version 1", tests: &["pids_limit_is_kept"] },
    Line {
        runtimes: CRUN,
        why: "a limit without its controller is ignored",
        tests: &["rdma_limits_are_kept_or_refused"],
    },
    Line {
        runtimes: CRUN,
        why: "a create that is refused leaves its cgroups behind",
        tests: &[
            "block_io_weight_is_kept_or_refused",
            "block_io_device_weights_are_kept_or_refused",
            "block_io_leaf_weights_are_not_ignored",
            "cpus_and_mems_are_kept",
            "network_class_and_priorities_are_kept_or_refused",
            "unified_values_are_written_or_refused",
        ],
    },
    Line {
        runtimes: CRUN,
        why: "no listener is made when only the default action is to notify",
        tests: &["notify_as_the_default_action_is_answered_or_refused"],
    },
    // Hooks.
    Line {
        runtimes: RUNC,
        why: "poststart hooks run at create",
        tests: &[
            "poststart_hooks_run_after_the_process_was_started",
            "the_status_given_to_a_hook_is_that_of_its_time",
        ],
    },
    Line {
        runtimes: RUNC,
        why: "the first poststop hook that fails is the last that runs",
        tests: &["a_failing_poststop_hook_keeps_nothing_from_being_deleted"],
    },
    Line {
        runtimes: CRUN,
        why: "poststart hooks run beside the startContainer hooks, and their failure is passed over",
        tests: &[
            "poststart_hooks_run_after_the_process_was_started",
            "a_failing_poststart_hook_is_an_error_and_stops_the_container",
        ],
    },
    Line {
        runtimes: CRUN,
        why: "says `created` to hooks of the time before, and / for the bundle to those inside",
        tests: &["the_status_given_to_a_hook_is_that_of_its_time", "a_hook_is_given_the_state"],
    },
    Line {
        runtimes: CRUN,
        why: "nothing is said of a poststop hook that fails",
        tests: &["a_failing_poststop_hook_is_warned_about"],
    },
    // The command line.
    Line {
        runtimes: CRUN,
        why: "the command is newer",
        tests: &[
            "features_is_the_document_of_the_specification",
            "events_stats_prints_the_use_of_resources_once",
        ],
    },
    Line {
        runtimes: CRUN,
        why: "the flag is newer, or runc's alone",
        tests: &["run_with_keep_leaves_the_container", "exec_additional_gids_are_set"],
    },
    Line {
        runtimes: CRUN,
        why: "exec starts from nothing instead of the container's process, and its flags replace",
        tests: &[
            "exec_cap_adds_a_capability",
            "exec_env_is_added",
            "exec_gives_additional_gids_of_the_container",
            "exec_takes_its_defaults_from_the_container",
        ],
    },
    Line {
        runtimes: CRUN,
        why: "prints in another form than runc",
        tests: &["list_shows_every_container", "list_without_containers_is_empty", "ps_shows_the_processes"],
    },
    Line { runtimes: CRUN, why: "writes a network namespace", tests: &["spec_rootless_maps_the_user"] },
    Line { runtimes: CRUN, why: "takes any id", tests: &["an_id_that_is_no_name_is_refused"] },
    Line {
        runtimes: CRUN,
        why: "an unknown signal is signal 0, and small letters are unknown",
        tests: &["kill_with_an_unknown_signal_is_refused", "the_name_of_a_signal_may_be_in_small_letters"],
    },
    Line {
        runtimes: CRUN,
        why: "resume of what runs is no error",
        tests: &["pause_of_what_is_paused_and_resume_of_what_runs_are_refused"],
    },
    Line {
        runtimes: CRUN,
        why: "descriptors that are not open are passed over",
        tests: &["descriptors_to_preserve_that_are_not_open_are_refused"],
    },
    Line {
        runtimes: CRUN,
        why: "LISTEN_PID is dropped",
        tests: &["listen_fds_are_passed_with_their_variables"],
    },
    Line {
        runtimes: CRUN,
        why: "waits for a message it does not forward",
        tests: &["what_is_sent_to_the_notify_socket_reaches_the_hosts"],
    },
    Line {
        runtimes: BOTH,
        why: "MAINPID is not sent (crun), or the command does not wait until it was read (runc)",
        tests: &["start_tells_the_process_to_watch_and_waits_until_it_was_read"],
    },
];
