//! Containers that ask for more than their share, and those beside them.

use std::time::Duration;

use cofferdam_tests::{Bundle, facts};

use super::served::{Agent, calls};

const REFUSED: &str = "[default]\naction = \"errno\"\nerrno = \"EDQUOT\"\n";

/// What the probe in a container says at its end.
fn number(text: &str) -> u64 {
    text.lines()
        .last()
        .and_then(|line| line.parse().ok())
        .unwrap_or_else(|| panic!("{text:?} ends with no number"))
}

facts! {
    fn a_flood_is_answered_at_its_rate_and_a_container_beside_it_as_fast_as_alone(t) {
        let agent = Agent::start(t, REFUSED, &["--rate", "500"]);
        let probe = |words: &[&str]| {
            let mut bundle: Bundle<'_> = t.bundle();
            bundle.args(&[&["probe"], words].concat());
            calls(&mut bundle, &agent, &["mkdir"]);
            bundle
        };
        let calm = probe(&["latency", "300"]);
        // The host may be busy with something else at any time, but not each time.
        let mut seen = Vec::new();
        for _ in 0..5 {
            let alone = number(calm.run().ok());
            let flood = probe(&["flood", "3000", "8"]).start();
            flood.wait_output("floods\n");
            let beside = number(calm.run().ok());
            flood.wait_stopped();
            // Three seconds' worth, a tenth of one at once, and who waits at the end.
            let answered = number(&flood.stdout());
            assert!((500..=1600).contains(&answered), "{answered} answers");
            seen.push((alone, beside));
            if beside <= 2 * alone {
                return Ok(());
            }
        }
        panic!("microseconds alone and beside a flood: {seen:?}");
    }

    fn a_containers_rate_is_the_policys_or_else_the_flags(t) {
        let policy = "[[limit]]\ncontainer = { annotations = { \"org.example/kind\" = \"build\" } }\nrate = 400\n";
        let agent = Agent::start(t, policy, &["--rate", "50"]);
        let answered = |kind: &str| {
            let mut bundle = t.bundle();
            bundle.args(&["probe", "flood", "1000", "4"]).set("/annotations", cofferdam_tests::json!({"org.example/kind": kind}));
            calls(&mut bundle, &agent, &["mkdir"]);
            number(bundle.run().ok())
        };
        let (build, other) = (answered("build"), answered("other"));
        assert!((20..=90).contains(&other) && (150..=600).contains(&build), "{build} and {other}");
    }

    fn a_container_that_floods_is_killed_at_once(t) {
        let agent = Agent::start(t, REFUSED, &["--rate", "10"]);
        let mut bundle = t.bundle();
        bundle.args(&["probe", "flood", "60000", "8"]);
        calls(&mut bundle, &agent, &["mkdir"]);
        let container = bundle.start();
        container.wait_output("floods\n");
        std::thread::sleep(Duration::from_millis(300));
        let begun = std::time::Instant::now();
        container.kill("KILL").ok();
        container.wait_stopped();
        assert!(begun.elapsed() < Duration::from_secs(3), "callers that wait for their turn can be killed: {:?}", begun.elapsed());
    }
}
