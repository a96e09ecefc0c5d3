// peak: runs a command and writes the largest peak memory of any process of it, in kB, into a file.
// Small and static, because a process starts out with the peak of the one it was spawned from.
// Build: gcc -O2 -static -o peak peak.c     Use: peak FILE PROGRAM [ARG ...]
#define _GNU_SOURCE
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

extern char **environ;

int main(int argc, char **argv) {
	if (argc < 3) { fputs("usage: peak FILE PROGRAM [ARG ...]\n", stderr); return 2; }
	// Whatever the command leaves behind is waited for as well.
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)) { perror("PR_SET_CHILD_SUBREAPER"); return 2; }
	pid_t pid, ended;
	if (posix_spawnp(&pid, argv[2], 0, 0, argv + 2, environ)) { perror(argv[2]); return 127; }
	struct rusage usage;
	long peak = 0;
	int status, result = 0;
	while ((ended = wait4(-1, &status, 0, &usage)) > 0) {
		if (usage.ru_maxrss > peak) peak = usage.ru_maxrss;
		if (ended == pid) result = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	}
	FILE *file = fopen(argv[1], "w");
	if (!file) { perror(argv[1]); return 2; }
	fprintf(file, "%ld\n", peak);
	return fclose(file) ? 2 : result;
}
