#define _GNU_SOURCE
#include "launch.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

// The few rtnetlink requests (rtnetlink(7)) that a group's network takes; `ip` need not be installed.

struct request {
  struct nlmsghdr header;
  char body[512];
};

static struct rtattr *add(struct request *request, unsigned short type, const void *data, size_t size) {
  struct rtattr *attribute = (struct rtattr *)((char *)request + NLMSG_ALIGN(request->header.nlmsg_len));
  attribute->rta_type = type;
  attribute->rta_len = RTA_LENGTH(size);
  if (size) memcpy(RTA_DATA(attribute), data, size);
  request->header.nlmsg_len = NLMSG_ALIGN(request->header.nlmsg_len) + RTA_ALIGN(RTA_LENGTH(size));
  return attribute;
}

static void close_nest(struct request *request, struct rtattr *nest) {
  nest->rta_len = (char *)request + request->header.nlmsg_len - (char *)nest;
}

static void begin(struct request *request, unsigned short type, unsigned short flags, const void *head, size_t size) {
  memset(request, 0, sizeof *request);
  request->header.nlmsg_type = type;
  request->header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
  request->header.nlmsg_len = NLMSG_LENGTH(size);
  memcpy(request->body, head, size);
}

static int ask(int netlink, struct request *request) {
  union {
    struct nlmsghdr header;
    char space[4096];
  } answer;
  if (send(netlink, request, request->header.nlmsg_len, 0) < 0) return -1;
  ssize_t size = recv(netlink, &answer, sizeof answer, 0);
  if (size < (ssize_t)NLMSG_LENGTH(sizeof(struct nlmsgerr)) || answer.header.nlmsg_type != NLMSG_ERROR) {
    if (size >= 0) errno = EPROTO;
    return -1;
  }
  int error = ((struct nlmsgerr *)NLMSG_DATA(&answer.header))->error;
  if (error == 0) return 0;
  errno = -error;
  return -1;
}

int netlink_open(void) { return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE); }

int netlink_make_veth(int netlink, const char *name, const char *peer, int peer_namespace) {
  struct request request;
  struct ifinfomsg head = {0};
  begin(&request, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &head, sizeof head);
  add(&request, IFLA_IFNAME, name, strlen(name) + 1);
  struct rtattr *info = add(&request, IFLA_LINKINFO, NULL, 0);
  add(&request, IFLA_INFO_KIND, "veth", 5);
  struct rtattr *data = add(&request, IFLA_INFO_DATA, NULL, 0);
  struct rtattr *other = add(&request, VETH_INFO_PEER, &head, sizeof head);
  add(&request, IFLA_IFNAME, peer, strlen(peer) + 1);
  add(&request, IFLA_NET_NS_FD, &peer_namespace, sizeof peer_namespace);
  close_nest(&request, other);
  close_nest(&request, data);
  close_nest(&request, info);
  return ask(netlink, &request);
}

int netlink_up(int netlink, const char *name) {
  struct request request;
  struct ifinfomsg head = {.ifi_index = if_nametoindex(name), .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
  begin(&request, RTM_NEWLINK, 0, &head, sizeof head);
  return ask(netlink, &request);
}

int netlink_add_address(int netlink, const char *name, unsigned address, int prefix) {
  struct request request;
  struct ifaddrmsg head = {.ifa_family = AF_INET, .ifa_prefixlen = prefix, .ifa_index = if_nametoindex(name)};
  begin(&request, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &head, sizeof head);
  add(&request, IFA_LOCAL, &address, sizeof address);
  add(&request, IFA_ADDRESS, &address, sizeof address);
  return ask(netlink, &request);
}

int netlink_add_route(int netlink, const char *name, unsigned destination, int prefix) {
  struct request request;
  unsigned index = if_nametoindex(name);
  struct rtmsg head = {.rtm_family = AF_INET,
                       .rtm_dst_len = prefix,
                       .rtm_table = RT_TABLE_MAIN,
                       .rtm_protocol = RTPROT_STATIC,
                       .rtm_scope = RT_SCOPE_LINK,
                       .rtm_type = RTN_UNICAST};
  begin(&request, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &head, sizeof head);
  add(&request, RTA_DST, &destination, sizeof destination);
  add(&request, RTA_OIF, &index, sizeof index);
  return ask(netlink, &request);
}
