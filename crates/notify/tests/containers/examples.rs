//! The example programs' handlers, in containers.

#[path = "../../examples/fake_mount.rs"]
mod fake_mount;
#[path = "../../examples/mkdir_rewriter.rs"]
mod mkdir_rewriter;
#[path = "../../examples/network_filter.rs"]
mod network_filter;

use crate::world::{Runtime, World, possible};

#[test]
fn the_rewriter_makes_another_directory_than_was_asked_for() {
    if !possible() {
        return;
    }
    let world = World::new(&["mkdir", "mkdirat"], "mkdir one; cd /mnt; mkdir -m 700 two");
    let said = world.run(Runtime::Ours, mkdir_rewriter::registry("-rewritten"));
    assert!(
        world.path("/tmp/one-rewritten").is_dir() && world.path("/mnt/two-rewritten").is_dir(),
        "{said:?}"
    );
    assert!(!world.path("/tmp/one").exists());
}

#[test]
fn the_fake_mount_shows_what_the_supervisor_chose() {
    if !possible() {
        return;
    }
    let script = "mount -t secrets none /mnt && cat /mnt/token; mount -t tmpfs none /tmp";
    let world = World::new(&["mount"], script);
    let said = world.run(Runtime::Ours, fake_mount::registry("top secret\n"));
    assert!(said.text.starts_with("top secret\n"), "{said:?}");
    assert!(said.text.contains("denied") || said.text.contains("not permitted"), "{said:?}");
}

#[test]
fn the_network_filter_lets_through_what_is_listed() {
    if !possible() {
        return;
    }
    let source = r#"
        #include <arpa/inet.h>
        #include <errno.h>
        #include <stdio.h>
        #include <string.h>
        #include <sys/socket.h>
        #include <sys/un.h>
        static void to(const char *ip, int port, int type) {
            struct sockaddr_in in = {AF_INET, htons(port)};
            inet_pton(AF_INET, ip, &in.sin_addr);
            int s = socket(AF_INET, type, 0);
            int r = connect(s, (void *)&in, sizeof in);
            printf("%s:%d %s\n", ip, port, r ? strerror(errno) : "fine");
        }
        int main(void) {
            struct sockaddr_in in = {AF_INET, htons(8080), {htonl(0x7f000001)}};
            int l = socket(AF_INET, SOCK_STREAM, 0);
            bind(l, (void *)&in, sizeof in);
            listen(l, 9);
            to("127.0.0.1", 8080, SOCK_STREAM);
            to("127.0.0.1", 8081, SOCK_STREAM);
            to("192.0.2.1", 8080, SOCK_STREAM);
            struct sockaddr_un un = {AF_UNIX, "/run/x"};
            printf("unix %d\n", connect(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&un, sizeof un) && errno == EACCES);
            return 0;
        }
    "#;
    let world = World::new(&["connect"], "client").program("client", source);
    let said = world.run(Runtime::Ours, network_filter::registry(vec!["127.0.0.1:8080".parse().unwrap()]));
    let expected =
        "127.0.0.1:8080 fine\n127.0.0.1:8081 Permission denied\n192.0.2.1:8080 Permission denied\nunix 1\n";
    assert_eq!(said.text, expected, "{said:?}");
}
