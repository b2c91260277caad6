// The launcher: starts one program as if inside a confidential container. Single-threaded on purpose (setns and unshare
// of a user namespace ask for that). What the pieces are:
//
//   emulator ── control socket ── launcher ── init (pid 1 of the program's PID namespace) ── program
//
// The launcher stays outside the PID namespace, watches the control socket (its end is the emulator's death), forwards
// signals, and ends exactly as the program ended. Init mounts, reaps, and takes the whole tree with it when it ends.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define MAX_BINDS 8
#define MAX_HIDDEN 1024

struct bind {
  const char *source;
  const char *target;
  bool read_only;
};

struct options {
  int control;             // the emulator's socket: SOCK_SEQPACKET, inherited
  bool isolate;            // user, mount and (where it can be had) PID namespace
  int join_user, join_net; // descriptors of a group's namespaces, or -1
  const char *device;      // "sev-guest" or "sev"
  bool device_node;        // a node in the mount namespace; otherwise an injected descriptor
  bool new_session;        // setsid: not in the terminal's foreground group
  struct bind binds[MAX_BINDS];
  int bind_count;
  const char *hidden[MAX_HIDDEN]; // directories that the program finds empty, but for the binds inside them; or files
  bool hidden_writable[MAX_HIDDEN]; // an empty directory of the program's own, rather than one to find nothing in
  int hidden_count;
  char **command;
};

// A step that failed: what was tried (static text, shown to a person), and errno.
struct failure {
  const char *step;
  int error;
};

// Messages of program and init to the launcher.
enum report_kind { REPORT_LISTENER = 'L', REPORT_FAILED = 'F' };
struct report {
  char kind;
  bool wait_killable; // with REPORT_LISTENER: the kernel knows WAIT_KILLABLE_RECV
  int error;
  char step[96];
};

// channel.c
int send_with_descriptors(int socket, const void *data, size_t size, const int *descriptors, int count);
ssize_t receive_with_descriptor(int socket, void *data, size_t size, int *descriptor, pid_t *sender);
void send_failed(int control, const char *step, int error);

// confine.c: each returns 0, or -1 with `failure` filled in.
int enter_namespaces(const struct options *options, bool *own_pids, struct failure *failure);
int own_user_namespace(struct failure *failure);
int set_up_mounts(const struct options *options, bool own_pids, struct failure *failure);
int make_read_only(const char *target, struct failure *failure);
int drop_capabilities(struct failure *failure);

// hide.c: an empty read-only file system over each hidden directory, /dev/null over each hidden file; `make_hidden_target` makes the file or directory that
// a bind inside one of them needs (elsewhere it must be there), before `seal_hidden` forbids writing.
int cover_hidden(const struct options *options, struct failure *failure);
int make_hidden_target(const struct options *options, const char *target, bool directory, struct failure *failure);
int seal_hidden(const struct options *options, struct failure *failure);

// devices.c: a /dev of the program's own, with the SNP device.
int set_up_devices(const char *device, struct failure *failure);

// filter.c: installs the filter and gives the listener, or -1 with errno. `own_network`: no socket of a family that knows no
// network namespaces.
int install_filter(const char *device, bool notify_paths, bool own_network, bool *wait_killable);

// init.c: runs as the launcher's child and does not return.
_Noreturn void run_init(const struct options *options, bool own_pids, int report, int status, const void *original_mask);

// Modes of the executable.
int run_command(const struct options *options);
int make_network(int control);
int try_device(int count, char **arguments);

// netlink.c: -1 with errno on failure. Addresses in network byte order.
int netlink_open(void);
int netlink_make_veth(int netlink, const char *name, const char *peer, int peer_namespace);
int netlink_up(int netlink, const char *name);
int netlink_add_address(int netlink, const char *name, unsigned address, int prefix);
int netlink_add_route(int netlink, const char *name, unsigned destination, int prefix);
