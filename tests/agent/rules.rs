//! Rules that decide about calls without acting in the container, and their change while calls are made.

use cofferdam_tests::{facts, wait_until};

use super::served::{Agent, calls};

facts! {
    fn datagrams_reach_what_the_list_says_and_nothing_else(t) {
        let policy = "[[rule]]\nsyscalls = [\"sendto\"]\naction = \"network\"\nallow = [\"127.0.0.1:2000\"]\n";
        let agent = Agent::start(t, policy, &[]);
        let mut bundle = t.script("probe udp 2000 hello; probe udp 2001 hello");
        calls(&mut bundle, &agent, &["sendto"]);
        let out = bundle.run();
        assert_eq!(out.stdout, "heard hello\nerrno=EPERM\n", "{out}\n{}", agent.log());
        assert!(agent.log().contains("127.0.0.1:2001 is not on the list"), "{}", agent.log());
    }

    fn a_call_that_may_go_on_is_the_kernels_and_its_reason_is_logged(t) {
        let policy = "[[rule]]\nsyscalls = [\"fchmodat\", \"chmod\", \"fchmod\"]\nargs = [{ index = 1, mask = 0o6000, value = 0 }]\n\
            action = \"continue\"\nbecause = \"the mode is a number\"\n";
        let agent = Agent::start(t, policy, &[]);
        let mut bundle = t.script("touch /tmp/x; probe call 90 @/tmp/x 0600; probe call 90 @/tmp/x 04755; \
            probe call 90 @/none 0600; stat -c %a /tmp/x");
        t.need(cfg!(target_arch = "x86_64"), "the numbers of the calls are those of x86-64")?;
        calls(&mut bundle, &agent, &["chmod"]);
        let out = bundle.run();
        assert_eq!(out.stdout, "ok=0\nerrno=EPERM\nerrno=ENOENT\n600\n", "{out}\n{}", agent.log());
        assert_eq!(agent.log().matches("answer=continue").count(), 2, "{}", agent.log());
        assert!(agent.log().contains("reason=\"the mode is a number\""), "{}", agent.log());
    }

    fn a_call_is_refused_with_a_reason(t) {
        t.need(cfg!(target_arch = "x86_64"), "the numbers of the calls are those of x86-64")?;
        let policy = "[[rule]]\nname = \"no bpf\"\nsyscalls = [\"bpf\"]\naction = \"errno\"\nerrno = \"EACCES\"\n\
            reason = \"programs for the kernel are loaded by the host\"\n[default]\naction = \"return\"\n";
        let agent = Agent::start(t, policy, &["--log-format", "json"]);
        let mut bundle = t.script("probe call 321 5 0 0");
        calls(&mut bundle, &agent, &["bpf"]);
        assert_eq!(bundle.run().stdout, "errno=EACCES\n", "{}", agent.log());
        let line = agent.log().lines().find(|line| line.contains("\"bpf\"")).unwrap_or_default().to_owned();
        let entry = cofferdam_tests::parse(&line);
        assert_eq!(entry["reason"], "programs for the kernel are loaded by the host");
        assert_eq!((&entry["rule"], &entry["args"][0]), (&"no bpf".into(), &"0x5".into()));
    }

    fn no_call_is_lost_while_the_policy_is_read_again_and_again(t) {
        const RULE: &str = "[[rule]]\nsyscalls = [\"mkdir\", \"mkdirat\"]\naction = \"mkdir\"\nsuffix = \"-one\"\n";
        let agent = Agent::start(t, RULE, &[]);
        let mut bundle = t.script("cd /tmp; echo begins; for i in $(seq 150); do mkdir $i || echo lost; done; ls | wc -l");
        calls(&mut bundle, &agent, &["mkdir", "mkdirat"]);
        let container = bundle.start();
        container.wait_output("begins\n");
        let mut reloads = 0;
        wait_until("all directories are made", || {
            reloads += 1;
            agent.reload(if reloads % 2 == 0 { RULE.to_owned() } else { RULE.replace("one", "two") }.as_str());
            // Not the runtime's word: asking it takes longer than everything else.
            container.stdout().lines().count() == 2
        });
        container.wait_stopped();
        assert_eq!(container.stdout(), "begins\n150\n", "{}", container.stderr());
        let both = |suffix: &str| agent.log().contains(suffix);
        assert!(reloads > 2 && both("-one") && both("-two") && !both("result=refused"), "{}", agent.log());
    }
}
