/*
 * Compiles profiles with libseccomp, for comparison. Reads lines, writes one record a profile:
 * a negative errno or 0, a length, and that many bytes of BPF.
 *
 *   N name             writes nothing but the number of `name` on every architecture, in the order below, and
 *                      whether a rule for it is one: libseccomp has made-up numbers that stand for two names
 *   P default          starts a profile
 *   A arch             adds an architecture, by libseccomp's name; without any, the native one stays alone
 *   R action name n    adds a rule with n conditions, each: index operator value value2
 *   E                  ends the profile
 *
 * Numbers are hexadecimal. Rules are added the way runc adds them.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static scmp_filter_ctx ctx;
static uint32_t fallback;
static int failure, native_kept;

static void put(const void *data, size_t len)
{
	fwrite(data, 1, len, stdout);
}

static void arch(const char *name)
{
	uint32_t token = seccomp_arch_resolve_name(name);
	int rc;

	if (!native_kept) {
		/* The first one named is the native one of the test's profile. */
		seccomp_arch_remove(ctx, SCMP_ARCH_NATIVE);
		native_kept = 1;
	}
	rc = token ? seccomp_arch_add(ctx, token) : -EINVAL;
	if (rc < 0 && rc != -EEXIST && !failure)
		failure = rc;
}

static void rule(const char *line)
{
	struct scmp_arg_cmp cmp[6];
	unsigned action, n, seen = 0, repeated = 0;
	char name[64];
	int used, call, rc = 0;

	if (sscanf(line, "R %x %63s %x%n", &action, name, &n, &used) != 3)
		exit(2);
	for (unsigned i = 0; i < n; i++) {
		unsigned index, op;
		uint64_t a, b;
		int more;

		if (sscanf(line + used, "%x %x %" SCNx64 " %" SCNx64 "%n", &index, &op, &a, &b, &more) != 4)
			exit(2);
		used += more;
		cmp[i] = (struct scmp_arg_cmp){ .arg = index, .op = op, .datum_a = a, .datum_b = b };
		repeated |= seen & (1u << index);
		seen |= 1u << index;
	}
	if (action == fallback)
		return;
	call = seccomp_syscall_resolve_name(name);
	if (call == __NR_SCMP_ERROR)
		return;
	if (repeated)
		for (unsigned i = 0; i < n && rc == 0; i++)
			rc = seccomp_rule_add_array(ctx, action, call, 1, &cmp[i]);
	else
		rc = seccomp_rule_add_array(ctx, action, call, n, cmp);
	if (rc < 0 && !failure)
		failure = rc;
}

/* The profile's lines; they are kept until its end, for a process of its own. */
static char *lines[65536];
static size_t kept;

static int profile(int fd)
{
	int rc;

	for (size_t i = 0; i < kept; i++) {
		switch (lines[i][0]) {
		case 'P':
			fallback = strtoul(lines[i] + 2, NULL, 16);
			ctx = seccomp_init(fallback);
			/* The linear search forgets to load the number when the first call is not on an architecture. */
			if (!ctx || seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2))
				exit(2);
			break;
		case 'A':
			arch(lines[i] + 2);
			break;
		case 'R':
			rule(lines[i]);
		}
	}
	rc = failure ? failure : seccomp_export_bpf(ctx, fd);
	return -rc;
}

static void end(void)
{
	/* For some profiles libseccomp does not come back; a second is plenty. */
	const struct rlimit limit = { 1, 1 };
	int32_t fd = memfd_create("bpf", 0), status, rc;
	uint32_t len = 0;
	char *bytes = NULL;
	pid_t pid = fork();

	if (pid == 0) {
		setrlimit(RLIMIT_CPU, &limit);
		_exit(profile(fd));
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		exit(2);
	rc = WIFEXITED(status) ? -WEXITSTATUS(status) : -ETIME;
	if (rc == 0) {
		len = lseek(fd, 0, SEEK_END);
		bytes = malloc(len);
		if (pread(fd, bytes, len, 0) != (ssize_t)len)
			exit(2);
	}
	put(&rc, 4);
	put(&len, 4);
	put(bytes, len);
	free(bytes);
	close(fd);
	while (kept)
		free(lines[--kept]);
}

static void numbers(const char *name)
{
	static const char *const names[] = { "x86_64", "x86", "x32", "arm", "aarch64", "mips", "mips64",
		"mips64n32", "ppc", "ppc64", "s390", "s390x", "parisc", "parisc64", "riscv64" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		int32_t n = seccomp_syscall_resolve_name_arch(seccomp_arch_resolve_name(names[i]), name);
		put(&n, 4);
	}
	char *back = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, seccomp_syscall_resolve_name(name));
	int32_t unique = back && !strcmp(back, name);
	put(&unique, 4);
	free(back);
}

int main(void)
{
	char line[4096];

	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = 0;
		if (line[0] == 'N')
			numbers(line + 2);
		else if (line[0] == 'E')
			end();
		else
			lines[kept++] = strdup(line);
		fflush(stdout);
	}
	return 0;
}
