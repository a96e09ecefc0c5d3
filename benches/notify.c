// notify: calls that wait for a supervisor's answer, timed one by one, and the least supervisor there can be.
// Use: notify floor N            getppid() N times, answered EPERM by a process that does nothing else
//      notify SOCKET N           the same, answered by whoever listens at SOCKET for listeners
//      notify SOCKET N DIR       mkdir(DIR/n) instead, on a tmpfs in a mount namespace of its own
//      notify SOCKET N DIR flood eight threads that do getppid() until N milliseconds have passed
// Prints: mean, median, 99th percentile in nanoseconds; a flood prints its calls.
// Build: gcc -O2 -static -pthread -o notify notify.c                                             (as root)
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#endif
#define TRY(x) do { if ((long)(x) < 0) { perror(#x); _exit(111); } } while (0)

static long now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000L + t.tv_nsec;
}

static int listen_to(int nr) {
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof code / sizeof *code, code};
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
}

static void hand_over(int socket, int fd, const char *words) {
    char room[CMSG_SPACE(sizeof fd)] = {0};
    struct iovec data = {(void *)words, strlen(words)};
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(c), &fd, sizeof fd);
    TRY(sendmsg(socket, &message, 0));
}

// The least that a supervisor does: receive, answer.
static void supervise(int socket) {
    char room[CMSG_SPACE(sizeof(int))], word;
    struct iovec data = {&word, 1};
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
    int fd;
    TRY(recvmsg(socket, &message, 0));
    memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
    ioctl(fd, SECCOMP_IOCTL_NOTIF_SET_FLAGS, 1UL);
    for (;;) {
        struct seccomp_notif request = {0};
        struct seccomp_notif_resp answer = {0};
        if (ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &request) < 0) _exit(0);
        answer.id = request.id;
        answer.error = -EPERM;
        ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &answer);
    }
}

static int compare(const void *a, const void *b) {
    long x = *(const long *)a, y = *(const long *)b;
    return (x > y) - (x < y);
}

static void *flood(void *end) {
    long calls = 0;
    for (; now() < *(long *)end; calls++) syscall(SYS_getppid);
    return (void *)calls;
}

static void measure(long n, const char *dir) {
    long *times = malloc(n * sizeof *times), sum = 0;
    char path[256];
    for (long i = 0; i < n; i++) {
        if (dir) snprintf(path, sizeof path, "%s/%ld", dir, i);
        long before = now();
        if (dir) TRY(mkdir(path, 0755));
        else syscall(SYS_getppid);
        times[i] = now() - before;
        sum += times[i];
    }
    qsort(times, n, sizeof *times, compare);
    printf("%ld %ld %ld\n", sum / n, times[n / 2], times[n * 99 / 100]);
}

int main(int argc, char **argv) {
    if (argc < 3) return 2;
    long n = atol(argv[2]);
    const char *dir = argc == 4 ? argv[3] : 0;
    if (dir) {
        TRY(unshare(CLONE_NEWNS));
        TRY(mount("", "/", 0, MS_REC | MS_PRIVATE, 0));
        TRY(mount("none", dir, "tmpfs", 0, 0));
    }
    int pair[2];
    pid_t supervisor = 0;
    if (!strcmp(argv[1], "floor")) {
        TRY(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
        TRY(supervisor = fork());
        if (!supervisor) close(pair[0]), supervise(pair[1]);
    } else {
        struct sockaddr_un name = {AF_UNIX, ""};
        strncpy(name.sun_path, argv[1], sizeof name.sun_path - 1);
        TRY(pair[0] = socket(AF_UNIX, SOCK_STREAM, 0));
        TRY(connect(pair[0], (struct sockaddr *)&name, sizeof name));
    }
    int listener = listen_to(dir ? SYS_mkdir : SYS_getppid);
    TRY(listener);
    hand_over(pair[0], listener, supervisor ? "x" :
        "{\"ociVersion\":\"1.0.2\",\"fds\":[\"seccompFd\"],\"pid\":1,\"state\":{\"ociVersion\":\"1.0.2\",\"id\":\"b\","
        "\"status\":\"running\",\"pid\":1,\"bundle\":\"/\"}}");
    close(listener);
    if (argc == 5) {
        pthread_t threads[8];
        long end = now() + n * 1000000, total = 0;
        void *calls;
        for (int i = 0; i < 8; i++) pthread_create(&threads[i], 0, flood, &end);
        for (int i = 0; i < 8; i++) pthread_join(threads[i], &calls), total += (long)calls;
        printf("%ld\n", total);
    } else {
        measure(n, dir);
    }
    if (supervisor) close(pair[0]), kill(supervisor, 9), waitpid(supervisor, 0, 0);
    return 0;
}
