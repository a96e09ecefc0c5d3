// What a hostile process inside a container does. Static, so that it runs in any root filesystem.
//   look MS        for so long, looks at every other process that is not yet the program it is to become: prints
//                  `seen` once, `dir PID FD TARGET` for each directory it gets hold of, `traced` when it may trace
//   overwrite MS   for so long, takes /proc/PID/exe of every such process and tries to write to it: prints `exe NAME`
//                  for each, `wrote` when one could be changed
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

// A process of the runtime's says so in its first argument, until it executes the program.
static int unborn(int pid) {
    char path[64], text[16] = {0};
    snprintf(path, sizeof path, "/proc/%d/cmdline", pid);
    int fd = open(path, O_RDONLY);
    if (fd < 0) return 0;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    return n > 0 && !strncmp(text, "cofferdam:", 10);
}

static void look(int pid) {
    char path[96], target[512];
    static int seen, traced, shown;
    if (!seen++) printf("seen\n");
    snprintf(path, sizeof path, "/proc/%d/fd", pid);
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));) {
        if (e->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "/proc/%d/fd/%s", pid, e->d_name);
        int fd = open(path, O_PATH | O_DIRECTORY);
        if (fd < 0) continue;
        ssize_t n = readlink(path, target, sizeof target - 1);
        target[n > 0 ? n : 0] = 0;
        if (shown++ < 20) printf("dir %d %s %s\n", pid, e->d_name, target);
        close(fd);
    }
    if (d) closedir(d);
    if (!traced && !ptrace(PTRACE_SEIZE, pid, 0, 0)) {
        // It may have become its program meanwhile, which may be traced.
        ptrace(PTRACE_INTERRUPT, pid, 0, 0);
        waitpid(pid, 0, __WALL);
        traced = unborn(pid);
        if (traced) printf("traced\n");
        ptrace(PTRACE_DETACH, pid, 0, 0);
    }
}

static int held[4096], count;

static void overwrite(int pid) {
    char path[96], target[512];
    snprintf(path, sizeof path, "/proc/%d/exe", pid);
    int fd = open(path, O_PATH);
    if (fd < 0 || count == 4096) return;
    ssize_t n = readlink(path, target, sizeof target - 1);
    target[n > 0 ? n : 0] = 0;
    if (!count) printf("exe %s\n", target);
    held[count++] = fd;
}

// While it runs, a program cannot be written to: so again and again.
static void write_held(void) {
    for (int i = count > 8 ? count - 8 : 0; i < count; i++) {
        char path[64];
        snprintf(path, sizeof path, "/proc/self/fd/%d", held[i]);
        int fd = open(path, O_WRONLY);
        if (fd < 0) continue;
        if (write(fd, "#!/bad", 6) > 0 || !ftruncate(fd, 0)) { printf("wrote\nend\n"); exit(0); }
        close(fd);
    }
}

int main(int argc, char **argv) {
    if (argc < 3) return 2;
    int writing = !strcmp(argv[1], "overwrite");
    setvbuf(stdout, 0, _IOLBF, 0);
    printf("ready\n");
    for (long end = now() + atol(argv[2]); now() < end;) {
        DIR *d = opendir("/proc");
        for (struct dirent *e; d && (e = readdir(d));) {
            int pid = atoi(e->d_name);
            if (pid <= 0 || pid == getpid() || !unborn(pid)) continue;
            if (writing) overwrite(pid);
            else look(pid);
        }
        if (d) closedir(d);
        if (writing) write_held();
    }
    printf("end\n");
    return 0;
}
