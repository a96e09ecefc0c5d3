//! Names of users, from /etc/passwd. Called by `list`, to say whose a container is.

use std::collections::BTreeMap;

/// The names, read when first asked for.
#[derive(Debug, Default)]
pub(super) struct Owners(Option<BTreeMap<u32, String>>);

impl Owners {
    /// The user's name, or `#` and the number where there is none.
    pub(super) fn name(&mut self, uid: u32) -> String {
        let names =
            self.0.get_or_insert_with(|| names(&std::fs::read_to_string("/etc/passwd").unwrap_or_default()));
        names.get(&uid).cloned().unwrap_or_else(|| format!("#{uid}"))
    }
}

/// The first name of each user id, see passwd(5).
fn names(passwd: &str) -> BTreeMap<u32, String> {
    let mut names = BTreeMap::new();
    for line in passwd.lines() {
        let mut fields = line.split(':');
        if let (Some(name), Some(uid)) = (fields.next(), fields.nth(1).and_then(|uid| uid.parse().ok())) {
            names.entry(uid).or_insert_with(|| name.to_owned());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_equal_ids_counts() {
        let names = names("root:x:0:0::/:/bin/sh\ntoor:x:0:0::/:/bin/sh\nbad\nme:x:7:7::/:\n");
        assert_eq!(names.get(&0).unwrap(), "root");
        assert_eq!(names.get(&7).unwrap(), "me");
        assert_eq!(names.len(), 2);
    }

    #[test]
    fn a_user_without_a_name_is_a_number() {
        assert_eq!(Owners(Some(BTreeMap::new())).name(12), "#12");
    }
}
