//! Namespace, pod and container as containerd and CRI-O write them into a container's annotations.
//!
//! Called by `Resolver::resolve`. Pure.

use crate::policy::Container;

const NAMESPACE: [&str; 3] =
    ["io.kubernetes.cri.sandbox-namespace", "io.kubernetes.cri-o.Namespace", "io.kubernetes.pod.namespace"];
const POD: [&str; 3] =
    ["io.kubernetes.cri.sandbox-name", "io.kubernetes.cri-o.KubeName", "io.kubernetes.pod.name"];
const CONTAINER: [&str; 2] = ["io.kubernetes.cri.container-name", "io.kubernetes.container.name"];

/// Fills in what is there.
pub(super) fn read(container: &mut Container) {
    let first = |keys: &[&str]| {
        keys.iter().find_map(|key| container.annotations.get(*key)).cloned().unwrap_or_default()
    };
    (container.namespace, container.pod, container.name) =
        (first(&NAMESPACE), first(&POD), first(&CONTAINER));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(annotations: &[(&str, &str)]) -> (String, String, String) {
        let annotations = annotations.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        let mut container = Container { annotations, ..Container::default() };
        read(&mut container);
        (container.namespace, container.pod, container.name)
    }

    #[test]
    fn both_engines_are_understood() {
        let said = ("prod".to_owned(), "web-0".to_owned(), "nginx".to_owned());
        let containerd = [
            ("io.kubernetes.cri.container-name", "nginx"),
            ("io.kubernetes.cri.sandbox-name", "web-0"),
            ("io.kubernetes.cri.sandbox-namespace", "prod"),
        ];
        assert_eq!(of(&containerd), said);
        let crio = [
            ("io.kubernetes.container.name", "nginx"),
            ("io.kubernetes.pod.name", "web-0"),
            ("io.kubernetes.pod.namespace", "prod"),
            ("io.kubernetes.cri-o.Namespace", "prod"),
        ];
        assert_eq!(of(&crio), said);
        assert_eq!(of(&[]), Default::default());
    }
}
