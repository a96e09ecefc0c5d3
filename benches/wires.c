// wires: the network of a container by bare netlink, put before floor.c: a veth pair whose outer end is a port
// of the bridge "bench0" and whose inner end is eth0 with 10.201.0.2/24 and a default route. The parent makes
// the pair with its peer in the child's namespace; the child, once it is told, gives its end what it gets, all
// in one datagram; the parent deletes the pair when the child has ended. Nothing is noted, checked or kept.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#define WIRES

static char batch[2048];
static int batch_len, batch_count;
static int route_socket = -1;
// The pair may go with the child's namespace before it is deleted.
static int may_be_gone;

static struct nlmsghdr *message(int type, int flags, const void *head, int len) {
	struct nlmsghdr *h = (void *)(batch + batch_len);
	memset(h, 0, sizeof *h);
	h->nlmsg_type = type;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	h->nlmsg_seq = ++batch_count;
	h->nlmsg_len = NLMSG_LENGTH(len);
	memcpy(NLMSG_DATA(h), head, len);
	return h;
}
static struct rtattr *attribute(struct nlmsghdr *h, int type, const void *data, int len) {
	struct rtattr *a = (void *)((char *)h + NLMSG_ALIGN(h->nlmsg_len));
	a->rta_type = type;
	a->rta_len = RTA_LENGTH(len);
	if (len) memcpy(RTA_DATA(a), data, len);
	h->nlmsg_len = NLMSG_ALIGN(h->nlmsg_len) + RTA_ALIGN(a->rta_len);
	return a;
}
static void end(struct nlmsghdr *h, struct rtattr *a) { a->rta_len = (char *)h + h->nlmsg_len - (char *)a; }
static void done(struct nlmsghdr *h) { batch_len += NLMSG_ALIGN(h->nlmsg_len); }

// Sends what was gathered, and hears all answers; the index of the link that was asked for, if one was.
static int flush(void) {
	char answer[8192];
	int index = 0, left = batch_count;
	if (route_socket < 0) route_socket = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (send(route_socket, batch, batch_len, 0) < 0) { perror("netlink"); _exit(111); }
	while (left > 0) {
		int n = recv(route_socket, answer, sizeof answer, 0);
		for (struct nlmsghdr *h = (void *)answer; NLMSG_OK(h, n); h = NLMSG_NEXT(h, n)) {
			if (h->nlmsg_type == RTM_NEWLINK) index = ((struct ifinfomsg *)NLMSG_DATA(h))->ifi_index;
			if (h->nlmsg_type != NLMSG_ERROR) continue;
			int error = ((struct nlmsgerr *)NLMSG_DATA(h))->error;
			if (error && !(error == -ENODEV && may_be_gone)) { fprintf(stderr, "netlink: %s\n", strerror(-error)); _exit(111); }
			left--;
		}
	}
	batch_len = batch_count = 0;
	return index;
}
static int find(const char *name) {
	struct ifinfomsg any = {0};
	struct nlmsghdr *h = message(RTM_GETLINK, 0, &any, sizeof any);
	attribute(h, IFLA_IFNAME, name, strlen(name) + 1);
	done(h);
	return flush();
}
static void outer_name(char *name) { sprintf(name, "vb%d", getpid()); }

static void wires(pid_t pid) {
	char name[IFNAMSIZ];
	outer_name(name);
	int bridge = find("bench0");
	struct ifinfomsg up = {.ifi_flags = IFF_UP, .ifi_change = IFF_UP}, none = {0};
	struct nlmsghdr *h = message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &up, sizeof up);
	attribute(h, IFLA_IFNAME, name, strlen(name) + 1);
	attribute(h, IFLA_MASTER, &bridge, 4);
	struct rtattr *info = attribute(h, IFLA_LINKINFO, 0, 0);
	attribute(h, IFLA_INFO_KIND, "veth", 5);
	struct rtattr *data = attribute(h, IFLA_INFO_DATA, 0, 0);
	struct rtattr *peer = attribute(h, VETH_INFO_PEER, &none, sizeof none);
	attribute(h, IFLA_IFNAME, "eth0", 5);
	attribute(h, IFLA_NET_NS_PID, &pid, 4);
	end(h, peer); end(h, data); end(h, info);
	done(h);
	flush();
}
static void inside(void) {
	int eth0 = find("eth0");
	struct ifinfomsg up = {.ifi_flags = IFF_UP, .ifi_change = IFF_UP};
	for (int index = 1; index; index = index == 1 ? eth0 : 0) {
		up.ifi_index = index;
		done(message(RTM_NEWLINK, 0, &up, sizeof up));
	}
	struct in_addr own, router;
	inet_aton("10.201.0.2", &own);
	inet_aton("10.201.0.1", &router);
	struct ifaddrmsg address = {.ifa_family = AF_INET, .ifa_prefixlen = 24, .ifa_index = eth0};
	struct nlmsghdr *h = message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &address, sizeof address);
	attribute(h, IFA_LOCAL, &own, 4);
	attribute(h, IFA_ADDRESS, &own, 4);
	done(h);
	struct rtmsg route = {.rtm_family = AF_INET, .rtm_table = RT_TABLE_MAIN, .rtm_protocol = RTPROT_STATIC, .rtm_type = RTN_UNICAST};
	h = message(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &route, sizeof route);
	attribute(h, RTA_GATEWAY, &router, 4);
	done(h);
	flush();
}
static void cut(void) {
	char name[IFNAMSIZ];
	outer_name(name);
	may_be_gone = 1;
	struct ifinfomsg any = {0};
	struct nlmsghdr *h = message(RTM_DELLINK, 0, &any, sizeof any);
	attribute(h, IFLA_IFNAME, name, strlen(name) + 1);
	done(h);
	flush();
}
