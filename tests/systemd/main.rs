//! `--systemd-cgroup` with a systemd that answers, answers late, or does not: what is said, what is waited for,
//! and that nothing stays. The real one is met in a virtual machine, see `scripts/test-vm`.

mod fake;

use std::path::Path;
use std::time::{Duration, Instant};

use cofferdam_tests::{Bundle, Output, Skip, Test, facts, json};
use fake::{Fake, Mood};

/// Runs a verb with that systemd, which has a second to answer.
fn asked(t: &Test, fake: &Fake, args: &[&str]) -> Output {
    let mut command = t.runtime_command(&[&["--systemd-cgroup"], args].concat());
    t.finish(command.env("DBUS_SYSTEM_BUS_ADDRESS", fake.address()).env("SYSTEMD_BUS_TIMEOUT", "1s"))
}

fn run(t: &Test, fake: &Fake, b: &Bundle<'_>) -> Output {
    b.write();
    asked(t, fake, &["run", "--bundle", b.dir.to_str().unwrap(), &b.id])
}

fn scope(t: &Test) -> Result<Bundle<'_>, Skip> {
    t.need(t.runtime.name == "cofferdam", "it is cofferdam's own way of speaking")?;
    t.need(!Path::new("/run/systemd/private").exists(), "the host's own systemd would see these cgroups")?;
    let mut b = t.script("echo ran");
    let path = format!("system.slice:cdt:{}", b.id);
    b.set("/linux/cgroupsPath", path).set("/linux/resources", json!({"pids": {"limit": 20}}));
    Ok(b)
}

/// Directories of the unit, in whatever hierarchy.
fn left(b: &Bundle<'_>) -> Vec<String> {
    let name = format!("system.slice/cdt-{}.scope", b.id);
    let places = std::fs::read_dir("/sys/fs/cgroup").into_iter().flatten().flatten().map(|e| e.path());
    places.map(|p| p.join(&name)).filter(|p| p.exists()).map(|p| p.display().to_string()).collect()
}

/// Refused, with these words, in time, and nothing stays.
fn refused(t: &Test, mood: Mood, words: &[&str]) -> Result<(), Skip> {
    let b = scope(t)?;
    let fake = Fake::new(&t.dir, mood);
    let began = Instant::now();
    let output = run(t, &fake, &b);
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    for word in words {
        assert!(output.refused().contains(word), "{word:?} in {output}");
    }
    assert!(!output.stdout.contains("ran"), "{output}");
    assert_eq!(left(&b), [""; 0]);
    assert!(!t.dir.join("state").join(&b.id).exists(), "state");
    Ok(())
}

facts! {
    fn a_container_is_made_with_one_call_and_removed_with_another(t) {
        let b = scope(t)?;
        let fake = Fake::new(&t.dir, Mood::Willing(Duration::ZERO));
        assert_eq!(run(t, &fake, &b).ok(), "ran\n");
        // A bus wants its greeting, and both connections give it.
        assert_eq!(fake.calls(), ["Hello", "AddMatch", "StartTransientUnit", "Hello", "AddMatch", "StopUnit"]);
        let name = format!("cdt-{}.scope", b.id);
        for words in [name.as_str(), "system.slice", "PIDs", "Delegate", "TasksMax", "DefaultDependencies"] {
            assert!(fake.said("StartTransientUnit", words), "{words}");
        }
        assert!(fake.said("StopUnit", &name));
        assert_eq!(left(&b), [""; 0]);
    }

    fn an_update_changes_the_units_properties_too(t) {
        let mut b = scope(t)?;
        b.args(&["sleep", "30"]).write();
        let fake = Fake::new(&t.dir, Mood::Willing(Duration::ZERO));
        asked(t, &fake, &["run", "--detach", "--bundle", b.dir.to_str().unwrap(), &b.id]).ok();
        // What is kept in the state tells that it is systemd's: the flag is not needed again.
        let mut update = t.runtime_command(&["update", "--pids-limit", "30", &b.id]);
        t.finish(update.env("DBUS_SYSTEM_BUS_ADDRESS", fake.address())).ok();
        assert!(fake.said("SetUnitProperties", "TasksMax") && !fake.said("SetUnitProperties", "MemoryMax"));
        // Less than a millisecond: the kernel refuses it before systemd hears of it.
        let mut refused = t.runtime_command(&["update", "--cpu-quota", "10", &b.id]);
        t.finish(refused.env("DBUS_SYSTEM_BUS_ADDRESS", fake.address())).refused();
        assert!(!fake.said("SetUnitProperties", "CPUQuotaPerSecUSec"));
        let mut delete = t.runtime_command(&["delete", "--force", &b.id]);
        t.finish(delete.env("DBUS_SYSTEM_BUS_ADDRESS", fake.address())).ok();
        assert_eq!(fake.calls().last(), Some(&"StopUnit"));
        assert_eq!(left(&b), [""; 0]);
    }

    fn a_slow_systemd_is_waited_for(t) {
        let b = scope(t)?;
        let fake = Fake::new(&t.dir, Mood::Willing(Duration::from_millis(500)));
        assert_eq!(run(t, &fake, &b).ok(), "ran\n");
    }

    fn a_systemd_that_says_nothing_is_given_up(t) {
        refused(t, Mood::Silent, &["no answer within 1 seconds", "SYSTEMD_BUS_TIMEOUT"])?;
    }

    fn a_systemd_that_takes_the_call_and_says_nothing_is_given_up(t) {
        refused(t, Mood::Busy, &["no answer within 1 seconds"])?;
    }

    fn a_job_that_does_not_end_is_given_up(t) {
        refused(t, Mood::Stuck, &["no answer within 1 seconds"])?;
    }

    fn a_job_that_failed_is_an_error_that_says_where_to_look(t) {
        refused(t, Mood::Failing("failed"), &["the job ended: failed", "journalctl"])?;
    }

    fn an_error_names_the_field_that_asked_for_the_property(t) {
        let words = "Cannot set property TasksMax, or unknown property.";
        let mood = Mood::Refusing("org.freedesktop.DBus.Error.PropertyReadOnly", words);
        refused(t, mood, &["PropertyReadOnly", "Cannot set property TasksMax", "/linux/resources/pids/limit"])?;
    }

    fn a_name_that_is_taken_is_said_to_be(t) {
        let mood = Mood::Refusing("org.freedesktop.systemd1.UnitExists", "Unit a.scope was already loaded.");
        refused(t, mood, &["UnitExists", "/linux/cgroupsPath", "choose another cgroupsPath"])?;
    }

    fn a_systemd_that_hangs_up_or_babbles_is_an_error(t) {
        refused(t, Mood::Leaving, &["closed the connection"])?;
        std::fs::remove_file(t.dir.join("bus")).unwrap();
        refused(t, Mood::Babbling, &["not D-Bus"])?;
        std::fs::remove_file(t.dir.join("bus")).unwrap();
        refused(t, Mood::Strict, &["REJECTED"])?;
    }

    fn without_systemd_the_error_says_what_to_do(t) {
        let b = scope(t)?;
        b.write();
        let mut command = t.runtime_command(&["--systemd-cgroup", "run", "--bundle", b.dir.to_str().unwrap(), &b.id]);
        let output = t.finish(command.env("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus"));
        let words = output.refused();
        assert!(words.contains("/nonexistent/bus") && words.contains("leave it out"), "{words}");
        assert_eq!(left(&b), [""; 0]);
    }

    fn a_path_of_the_other_kind_is_refused(t) {
        let mut b = scope(t)?;
        b.set("/linux/cgroupsPath", "/a/b");
        let fake = Fake::new(&t.dir, Mood::Willing(Duration::ZERO));
        assert!(run(t, &fake, &b).refused().contains("SLICE:PREFIX:NAME"));
        assert_eq!(fake.calls(), [""; 0]);
    }

    fn the_plan_shows_the_unit_and_asks_nobody(t) {
        let b = scope(t)?;
        b.write();
        let fake = Fake::new(&t.dir, Mood::Willing(Duration::ZERO));
        let output = asked(t, &fake, &["plan", "--bundle", b.dir.to_str().unwrap(), &b.id]);
        let unit = format!("asking systemd for the unit cdt-{}.scope in system.slice", b.id);
        assert!(output.ok().contains(&unit), "{output}");
        assert!(output.ok().contains("setting property TasksMax = uint64 20  [/linux/resources/pids/limit]"));
        assert_eq!(fake.calls(), [""; 0]);
    }
}
