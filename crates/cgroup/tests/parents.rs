//! Directories above containers' cgroups, on this host's own hierarchies: who makes them, and who removes them.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)] // helpers outside of #[test]

#[macro_use]
mod common;

use cofferdam_cgroup::Cgroup;
use common::Sandbox;

#[test]
fn a_parent_goes_with_the_last_that_uses_it_whoever_made_it() {
    let sandbox = sandbox!("shared");
    let make = |name: &str| Cgroup::create(&sandbox.plan_below(&format!("/deep/{name}"), "{}")).unwrap();
    let (maker, other, last) = (make("maker"), make("other"), make("last"));
    let parents: Vec<_> = other.dirs().iter().map(|d| d.path.parent().unwrap().to_path_buf()).collect();
    maker.delete().unwrap();
    other.delete().unwrap();
    assert!(parents.iter().all(|p| p.is_dir()), "one is still in it");
    last.delete().unwrap();
    assert!(parents.iter().all(|p| !p.exists() && !p.parent().unwrap().exists()));
}

#[test]
fn a_parent_that_no_container_made_stays() {
    let sandbox = sandbox!("given");
    let plan = sandbox.plan_below("/box", "{}");
    let parents: Vec<_> = plan.dirs.iter().map(|d| d.path.parent().unwrap().to_path_buf()).collect();
    parents.iter().for_each(|p| std::fs::create_dir_all(p).unwrap());
    let cgroups: Vec<_> = ["/box", "/other"]
        .map(|name| Cgroup::create(&sandbox.plan_below(name, "{}")).unwrap())
        .into_iter()
        .collect();
    cgroups.iter().for_each(|c| c.delete().unwrap());
    assert!(parents.iter().all(|p| p.is_dir()));
    parents.iter().for_each(|p| std::fs::remove_dir(p).unwrap());
}

#[test]
fn of_many_that_begin_and_end_at_once_no_parent_is_left() {
    let sandbox = sandbox!("crowd");
    let plan = sandbox.plan_below("/deep/any", "{}");
    std::thread::scope(|scope| {
        for number in 0..8 {
            let plan = sandbox.plan_below(&format!("/deep/{number}"), "{}");
            scope.spawn(move || {
                for _ in 0..20 {
                    Cgroup::create(&plan).unwrap_or_else(|e| panic!("{e}")).delete().unwrap();
                }
            });
        }
    });
    let left: Vec<_> = plan.dirs.iter().map(|d| d.path.parent().unwrap()).filter(|p| p.exists()).collect();
    assert!(left.is_empty(), "{left:?}");
}
