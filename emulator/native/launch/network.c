#define _GNU_SOURCE
#include "launch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

// A container group's network. Two network namespaces below one user namespace of the emulator's user: the group's, and
// a far side that holds nothing but the emulator's listeners, joined by a veth pair. So the group owns every port of
// its own addresses (a wildcard bind to 443 works), 169.254.169.254 is another machine as on Azure, and there is no
// route to anywhere else. Where the kernel has no veth, the listeners sit on the group's own loopback. Beside them is the
// socket of a name server, for those who look names up without the hosts file.
//
// Nobody has to stay behind: the descriptors keep the namespaces, and the emulator's death closes them.

#define GROUP_ADDRESS "10.0.0.4"
#define EMULATOR_ADDRESS "10.0.0.1"
#define LOOPBACK_ADDRESS "127.77.0.1" // without veth
#define METADATA_ADDRESS "169.254.169.254"
#define LISTENERS 4

struct listener {
  const char *address;
  unsigned short port;
  int type;
};

static int fail(int control, const char *step) {
  send_failed(control, step, errno);
  return 125;
}

static int listen_on(const struct listener *listener) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(listener->port)};
  int yes = 1;
  inet_pton(AF_INET, listener->address, &address.sin_addr);
  int socket_ = socket(AF_INET, listener->type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (socket_ < 0) return -1;
  setsockopt(socket_, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (bind(socket_, (struct sockaddr *)&address, sizeof address) < 0) return -1;
  if (listener->type == SOCK_STREAM && listen(socket_, 511) < 0) return -1;
  return socket_;
}

// A container's root may bind low ports; our programs have no capabilities, so the namespace allows it to everyone.
static void allow_low_ports(void) {
  int file = open("/proc/sys/net/ipv4/ip_unprivileged_port_start", O_WRONLY | O_CLOEXEC);
  if (file < 0) return;
  if (write(file, "0", 1) < 0) errno = 0;
  close(file);
}

// In the group's namespace. The far side's descriptor gives where the peer goes.
static int join_by_veth(int group, int far_side) {
  int here = netlink_open();
  if (here < 0 || netlink_make_veth(here, "eth0", "skerry0", far_side) < 0) return -1;
  if (netlink_add_address(here, "eth0", inet_addr(GROUP_ADDRESS), 24) < 0 || netlink_up(here, "eth0") < 0 ||
      netlink_add_route(here, "eth0", inet_addr(METADATA_ADDRESS), 32) < 0)
    return -1;
  close(here);
  if (setns(far_side, CLONE_NEWNET) < 0) return -1;
  int there = netlink_open();
  if (there < 0 || netlink_add_address(there, "skerry0", inet_addr(EMULATOR_ADDRESS), 24) < 0 ||
      netlink_add_address(there, "skerry0", inet_addr(METADATA_ADDRESS), 32) < 0 || netlink_up(there, "skerry0") < 0)
    return -1;
  close(there);
  return setns(group, CLONE_NEWNET);
}

int make_network(int control) {
  struct failure failure;
  if (own_user_namespace(&failure) < 0) {
    send_failed(control, failure.step, failure.error);
    return 125;
  }
  int descriptors[2 + LISTENERS], far_side, netlink;
  if (unshare(CLONE_NEWNET) < 0) return fail(control, "network namespace (unshare CLONE_NEWNET)");
  far_side = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
  if (far_side < 0 || unshare(CLONE_NEWNET) < 0) return fail(control, "network namespace (unshare CLONE_NEWNET)");
  int user = open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC);
  int group = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
  if (user < 0 || group < 0) return fail(control, "network namespace (open /proc/self/ns)");
  allow_low_ports();
  netlink = netlink_open();
  if (netlink < 0 || netlink_up(netlink, "lo") < 0) return fail(control, "network namespace (bring lo up)");

  const bool veth = join_by_veth(group, far_side) == 0;
  if (setns(veth ? far_side : group, CLONE_NEWNET) < 0) return fail(control, "network namespace (setns)");
  if (!veth && netlink_add_address(netlink, "lo", inet_addr(METADATA_ADDRESS), 32) < 0)
    return fail(control, "network namespace (169.254.169.254 on lo)");
  const char *address = veth ? EMULATOR_ADDRESS : LOOPBACK_ADDRESS;
  const struct listener listeners[LISTENERS] = {{address, 443, SOCK_STREAM},
                                                {address, 80, SOCK_STREAM},
                                                {METADATA_ADDRESS, 80, SOCK_STREAM},
                                                {address, 53, SOCK_DGRAM}};
  descriptors[0] = user;
  descriptors[1] = group;
  for (int i = 0; i < LISTENERS; i++) {
    descriptors[2 + i] = listen_on(&listeners[i]);
    if (descriptors[2 + i] < 0) return fail(control, "network namespace (listen on ports 443, 80 and 53)");
  }
  char text[256];
  int size = snprintf(text, sizeof text,
                      "{\"event\":\"network\",\"fds\":[\"user\",\"net\",\"443\",\"80\",\"80\",\"53\"],"
                      "\"address\":\"%s\",\"groupAddress\":\"%s\"}",
                      address, veth ? GROUP_ADDRESS : "127.0.0.1");
  return send_with_descriptors(control, text, size, descriptors, 2 + LISTENERS) < 0 ? 125 : 0;
}
