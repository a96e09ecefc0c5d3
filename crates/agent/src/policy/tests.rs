//! The policy as a whole: what its documents mean, and what is said about wrong ones.

use super::*;

const EXAMPLE: &str = r#"
[default]
action = "errno"
errno = "ENOSYS"

[[rule]]
name = "scratch space"
syscalls = ["mount", "umount2"]
container = { pod = "web-*", annotations = { "org.example/tier" = ["front", "back"] } }
user = { uid = [0, "1000-1999"] }
action = "mount"
file_systems = ["tmpfs", "proc"]

[[rule]]
name = "no block devices"
syscalls = ["mknod", "mknodat"]
args = [{ index = 1, mask = 0xf000, value = 0x6000 }]
action = "errno"
errno = "EPERM"
reason = "block devices are made by the host"

[[rule]]
syscalls = ["mknod", "mknodat"]
action = "mknod"
devices = ["c 1:3", "c 5:*"]

[[rule]]
syscalls = "mkdir"
action = "mkdir"
suffix = "-{{.Pod}}"

[[rule]]
syscalls = ["chmod"]
action = "continue"
because = "the kernel's own checks are enough; the agent only counts"
"#;

fn container(pod: &str, tier: &str) -> Container {
    let annotations = [("org.example/tier".to_owned(), tier.to_owned())].into();
    Container { pod: pod.to_owned(), annotations, ..Container::default() }
}

fn call(name: &str) -> Call<'_> {
    Call { name, args: [0; 6], uid: 0, gid: 0 }
}

#[test]
fn the_first_limit_that_is_about_a_container_counts() {
    let text = "[[limit]]\ncontainer = { pod = \"web-*\" }\nrate = 0\n[[limit]]\ncontainer = { pod = \"*-1\" }\nrate = 70\n";
    let policy = Policy::parse(text).unwrap();
    let rate = |pod: &str| policy.rate(&container(pod, "front"));
    assert_eq!((rate("web-1"), rate("db-1"), rate("db-2")), (Some(0), Some(70), None));
    for (wrong, why) in [
        ("[[limit]]\ncontainer = {}\n", "1:1: limit[0]: has no `rate`"),
        ("[[limit]]\nrate = -1\n", "2:8: limit[0].rate: -1 is no rate"),
        ("[[limit]]\nrate = 1\npods = 1\n", "limit[0].pods"),
    ] {
        let problems = Policy::parse(wrong).unwrap_err();
        assert!(problems[0].to_string().contains(why), "{problems:?}");
    }
}

#[test]
fn the_first_rule_that_is_about_a_call_decides() {
    let policy = Policy::parse(EXAMPLE).unwrap();
    let web = container("web-1", "front");
    let name = |container: &Container, call: &Call<'_>| {
        let (action, rule) = policy.decide(container, call);
        (action.name(), rule.map(|rule| rule.name.as_str()).unwrap_or_default().to_owned())
    };
    assert_eq!(name(&web, &call("mount")), ("mount", "scratch space".into()));
    assert_eq!(name(&container("db-1", "front"), &call("mount")), ("errno", String::new()));
    assert_eq!(name(&container("web-1", "middle"), &call("mount")), ("errno", String::new()));
    assert_eq!(name(&web, &Call { uid: 2000, ..call("mount") }), ("errno", String::new()));
    let block = Call { args: [0, 0x61b6, 0, 0, 0, 0], ..call("mknod") };
    assert_eq!(name(&web, &block), ("errno", "no block devices".into()));
    let character = Call { args: [0, 0x21b6, 0, 0, 0, 0], ..call("mknod") };
    assert_eq!(name(&web, &character), ("mknod", "rule[2]".into()));
    assert_eq!(name(&web, &call("reboot")), ("errno", String::new()));
    assert_eq!(policy.default, Action::Errno { errno: Errno::ENOSYS, reason: None });
}

#[test]
fn an_empty_policy_refuses_everything() {
    let policy = Policy::parse("").unwrap();
    assert_eq!(policy, Policy::refuse_all());
    assert!(matches!(
        policy.decide(&Container::default(), &call("mount")).0,
        Action::Errno { errno: Errno::EPERM, .. }
    ));
}

fn problems(text: &str) -> Vec<String> {
    Policy::parse(text).unwrap_err().iter().map(ToString::to_string).collect()
}

#[test]
fn all_mistakes_are_found_at_once_with_line_column_and_key() {
    let text = r#"defualt = 1
[[rule]]
syscalls = ["mout", 7]
action = "errno"
errno = "EPREM"

[[rule]]
syscalls = ["mkdir"]
action = "continue"

[[rule]]
syscalls = ["mkdir", "mount"]
action = "mkdir"
suffix = "{{.Node}}"
colour = "red"

[[rule]]
action = "mknod"
devices = ["c 1:3", "1:3"]
args = [{ index = 6, value = 1, op = "=" }]
user = { uid = "a", guid = 0 }
"#;
    assert_eq!(
        problems(text),
        [
            "1:1: defualt: is no key of a policy (hint: `default`?)",
            "3:13: rule[0].syscalls[0]: \"mout\" is no system call (hint: \"mount\"?)",
            "3:21: rule[0].syscalls[1]: is an integer, not a string",
            "5:9: rule[0].errno: \"EPREM\" is no errno (hint: such as \"EPERM\")",
            "7:1: rule[1]: has no `because`: write down why the call may go on although its arguments may \
             change after they were looked at",
            "14:10: rule[2].suffix: {{.Node}} is not known in templates (hint: one of .Namespace, .Pod, \
             .Container, .Pid, .Pid1)",
            "17:1: rule[3]: has no `syscalls`",
            "19:21: rule[3].devices[1]: \"1:3\" is no device (hint: \"c 1:3\", \"b 7:*\" or \"c 4:64-68\")",
            "20:19: rule[3].args[0].index: 6 is no argument (hint: 0 to 5)",
            "20:38: rule[3].args[0].op: \"=\" is no comparison (hint: one of == != < <= > >=)",
            "21:16: rule[3].user.uid: \"a\" is neither an id nor a range of ids (hint: \"1000-1999\")",
            "21:21: rule[3].user.guid: is no key of a user (hint: `gid`?)",
        ]
    );
}

#[test]
fn an_action_is_only_for_the_calls_that_it_can_answer() {
    assert_eq!(
        problems("[[rule]]\nsyscalls=[\"mkdir\", \"mount\"]\naction=\"mkdir\"\nsuffix=\"x\"\nsufix=\"y\"\n"),
        [
            "2:20: rule[0].syscalls[1]: \"mkdir\" answers mkdir and mkdirat only",
            "5:1: rule[0].sufix: is no key of a rule with the action \"mkdir\" (hint: `suffix`?)",
        ]
    );
    assert_eq!(
        problems("[default]\naction=\"mkdir\"\nsuffix=\"x\"\n"),
        ["1:1: default: \"mkdir\" answers mkdir and mkdirat only"]
    );
}

#[test]
fn a_rule_that_can_never_decide_is_a_mistake() {
    let text =
        "[[rule]]\nname='all'\nsyscalls='*'\naction='kill'\n[[rule]]\nsyscalls='mkdir'\naction='freeze'\n";
    assert_eq!(
        problems(text),
        ["5:1: rule[1]: is never reached: all is about the same calls and comes first"]
    );
    let conditional = text.replace("action='kill'", "action='kill'\nuser={uid=0}");
    assert_eq!(Policy::parse(&conditional).unwrap().rules.len(), 2);
}

#[test]
fn everything_that_is_not_toml_is_said_with_its_place_and_nothing_is_guessed_from_the_rest() {
    let found = problems("[default]\naction = \nerrno = EPERM\n[[rule]]\nfoo = 1\n");
    let places: Vec<&str> = found.iter().map(|line| line.split(" is not TOML").next().unwrap()).collect();
    assert_eq!(places, ["2:10:", "3:9:"], "{found:?}");
}

#[test]
fn a_call_that_succeeds_cannot_return_what_the_kernel_takes_for_an_errno() {
    let text = "[[rule]]\nsyscalls='mount'\naction='return'\nvalue=-1\n";
    assert_eq!(problems(text).len(), 1);
}
