#define _GNU_SOURCE
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

static int failed(struct failure *failure, const char *step) {
  failure->step = step;
  failure->error = errno;
  return -1;
}

static int write_file(const char *path, const char *text) {
  int file = open(path, O_WRONLY | O_CLOEXEC);
  if (file < 0) return -1;
  ssize_t wrote = write(file, text, strlen(text));
  int error = errno;
  close(file);
  errno = error;
  return wrote == (ssize_t)strlen(text) ? 0 : -1;
}

// The caller keeps its identity: its user and group are mapped onto themselves, and nothing else is.
int own_user_namespace(struct failure *failure) {
  uid_t user = geteuid();
  gid_t group = getegid();
  char map[64];
  if (unshare(CLONE_NEWUSER) < 0) return failed(failure, "user namespace (unshare CLONE_NEWUSER)");
  // Kernels before 3.19 have no such file and ask for no such word.
  if (write_file("/proc/self/setgroups", "deny") < 0 && errno != ENOENT)
    return failed(failure, "user namespace (write setgroups)");
  snprintf(map, sizeof map, "%u %u 1\n", user, user);
  if (write_file("/proc/self/uid_map", map) < 0) return failed(failure, "user namespace (write uid_map)");
  snprintf(map, sizeof map, "%u %u 1\n", group, group);
  if (write_file("/proc/self/gid_map", map) < 0) return failed(failure, "user namespace (write gid_map)");
  return 0;
}

int enter_namespaces(const struct options *options, bool *own_pids, struct failure *failure) {
  *own_pids = false;
  if (options->join_user >= 0) {
    if (setns(options->join_user, CLONE_NEWUSER) < 0) return failed(failure, "user namespace of the group (setns)");
    if (setns(options->join_net, CLONE_NEWNET) < 0) return failed(failure, "network namespace of the group (setns)");
    close(options->join_user);
    close(options->join_net);
  } else if (options->isolate && own_user_namespace(failure) < 0) {
    return -1;
  }
  if (!options->isolate) return 0;
  if (unshare(CLONE_NEWNS) < 0) return failed(failure, "mount namespace (unshare CLONE_NEWNS)");
  // Without a PID namespace the launcher sweeps the tree itself: less certain, not a reason to stop.
  *own_pids = unshare(CLONE_NEWPID) == 0;
  return 0;
}

int make_read_only(const char *target, struct failure *failure) {
  // A remount must repeat the flags that the outer namespace locked on this file system.
  struct statvfs info;
  if (statvfs(target, &info) < 0) return failed(failure, "mount namespace (statvfs)");
  unsigned long flags = MS_BIND | MS_REMOUNT | MS_RDONLY;
  if (info.f_flag & ST_NOSUID) flags |= MS_NOSUID;
  if (info.f_flag & ST_NODEV) flags |= MS_NODEV;
  if (info.f_flag & ST_NOEXEC) flags |= MS_NOEXEC;
  if (info.f_flag & ST_NOATIME) flags |= MS_NOATIME;
  if (info.f_flag & ST_NODIRATIME) flags |= MS_NODIRATIME;
  if (info.f_flag & ST_RELATIME) flags |= MS_RELATIME;
  return mount(NULL, target, NULL, flags, NULL) < 0 ? failed(failure, "mount namespace (read-only remount)") : 0;
}

// `source`: the file or directory, opened before anything was covered.
static int bind_file(const struct options *options, const struct bind *bind, int source, struct failure *failure) {
  char path[64];
  struct stat kind;
  snprintf(path, sizeof path, "/proc/self/fd/%d", source);
  if (fstat(source, &kind) < 0) return failed(failure, "mount namespace (stat what is bound)");
  if (make_hidden_target(options, bind->target, S_ISDIR(kind.st_mode), failure) < 0) return -1;
  if (mount(path, bind->target, NULL, MS_BIND, NULL) < 0) return failed(failure, "mount namespace (bind mount)");
  return bind->read_only ? make_read_only(bind->target, failure) : 0;
}

int set_up_mounts(const struct options *options, bool own_pids, struct failure *failure) {
  if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
    return failed(failure, "mount namespace (make / private)");
  int sources[MAX_BINDS];
  for (int i = 0; i < options->bind_count; i++) {
    sources[i] = open(options->binds[i].source, O_PATH | O_CLOEXEC);
    if (sources[i] < 0) return failed(failure, "mount namespace (open what is bound)");
  }
  if (cover_hidden(options, failure) < 0) return -1;
  for (int i = 0; i < options->bind_count; i++) {
    if (bind_file(options, &options->binds[i], sources[i], failure) < 0) return -1;
    close(sources[i]);
  }
  if (seal_hidden(options, failure) < 0) return -1;
  if (options->device_node && set_up_devices(options->device, failure) < 0) return -1;
  // Refused where the outer /proc is partly covered (inside a Docker container): the old one then shows the outer
  // process ids, and /proc/self is right all the same.
  if (own_pids) (void)mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
  return 0;
}

// What the namespaces gave us is not for the program: it could undo the mounts.
int drop_capabilities(struct failure *failure) {
  for (int capability = 0; capability <= 63; capability++) {
    if (prctl(PR_CAPBSET_READ, capability, 0, 0, 0) != 1) continue;
    if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0) return failed(failure, "capabilities (PR_CAPBSET_DROP)");
  }
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct none[2] = {{0}, {0}};
  if (syscall(SYS_capset, &header, none) < 0) return failed(failure, "capabilities (capset)");
  return 0;
}
