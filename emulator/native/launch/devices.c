#define _GNU_SOURCE
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

// A tmpfs over /dev with the usual nodes bound from the old one. A node cannot be made in a user namespace, but one
// that exists can be bound; each is opened before the old /dev is covered.

static const char *const NODES[] = {"null", "zero", "full", "random", "urandom", "tty", "ptmx"};
static const char *const FOLDERS[] = {"pts", "shm", "mqueue"};
#define COUNT(list) ((int)(sizeof(list) / sizeof(list)[0]))

static int failed(struct failure *failure, const char *step) {
  failure->step = step;
  failure->error = errno;
  return -1;
}

static int open_old(const char *name, mode_t kind) {
  char path[64];
  struct stat info;
  snprintf(path, sizeof path, "/dev/%s", name);
  int old = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (old >= 0 && (fstat(old, &info) < 0 || (info.st_mode & S_IFMT) != kind)) {
    close(old);
    old = -1;
  }
  return old;
}

static int bind_old(int old, const char *name, bool folder) {
  char source[64], target[64];
  snprintf(source, sizeof source, "/proc/self/fd/%d", old);
  snprintf(target, sizeof target, "/dev/%s", name);
  if (folder) {
    if (mkdir(target, 0755) < 0) return -1;
  } else {
    int file = open(target, O_CREAT | O_WRONLY | O_CLOEXEC, 0666);
    if (file < 0) return -1;
    close(file);
  }
  return mount(source, target, NULL, MS_BIND | (folder ? MS_REC : 0), NULL);
}

int set_up_devices(const char *device, struct failure *failure) {
  int nodes[COUNT(NODES)], folders[COUNT(FOLDERS)];
  for (int i = 0; i < COUNT(NODES); i++) nodes[i] = open_old(NODES[i], S_IFCHR);
  for (int i = 0; i < COUNT(FOLDERS); i++) folders[i] = open_old(FOLDERS[i], S_IFDIR);
  int null = nodes[0];
  if (null < 0) return failed(failure, "device node (open /dev/null)");
  const mode_t mask = umask(0);
  if (mount("tmpfs", "/dev", "tmpfs", MS_NOSUID | MS_STRICTATIME, "mode=755,size=64k") < 0)
    return failed(failure, "mount namespace (tmpfs over /dev)");
  for (int i = 0; i < COUNT(NODES); i++)
    if (nodes[i] >= 0 && bind_old(nodes[i], NODES[i], false) < 0) return failed(failure, "mount namespace (bind a device node)");
  for (int i = 0; i < COUNT(FOLDERS); i++)
    if (folders[i] >= 0 && bind_old(folders[i], FOLDERS[i], true) < 0)
      return failed(failure, "mount namespace (bind a folder of /dev)");
  if (bind_old(null, device, false) < 0) return failed(failure, "device node (bind the SNP device)");
  // What root's program changes of its device (chmod, chown) would be changed of the machine's /dev/null.
  char target[64];
  snprintf(target, sizeof target, "/dev/%s", device);
  if (make_read_only(target, failure) < 0) return -1;
  // Where the old ptmx was a link, it leads into the bound pts.
  if (nodes[COUNT(NODES) - 1] < 0) (void)symlink("pts/ptmx", "/dev/ptmx");
  if (symlink("/proc/self/fd", "/dev/fd") < 0 || symlink("/proc/self/fd/0", "/dev/stdin") < 0 ||
      symlink("/proc/self/fd/1", "/dev/stdout") < 0 || symlink("/proc/self/fd/2", "/dev/stderr") < 0)
    return failed(failure, "mount namespace (links of /dev)");
  for (int i = 0; i < COUNT(NODES); i++) close(nodes[i]);
  for (int i = 0; i < COUNT(FOLDERS); i++) close(folders[i]);
  umask(mask);
  return 0;
}
