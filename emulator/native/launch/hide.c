#define _GNU_SOURCE
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

// What belongs to the emulator and not to a container: keys at rest, credentials, other groups' files. The program runs as
// the same user, so that file modes are no barrier; an empty file system over each directory is. A file is a socket at which
// somebody listens: who connects is refused.

static int failed(struct failure *failure, const char *step) {
  failure->step = step;
  failure->error = errno;
  return -1;
}

static bool within(const char *path, const char *directory) {
  size_t length = strlen(directory);
  return strncmp(path, directory, length) == 0 && (path[length] == '/' || path[length] == 0);
}

// A working directory inside a covered one would still be the old one: it is looked up anew, and is / where it is gone.
static int leave_covered_directory(struct failure *failure) {
  char path[PATH_MAX];
  if (getcwd(path, sizeof path) && path[0] == '/' && chdir(path) == 0) return 0;
  return chdir("/") < 0 ? failed(failure, "mount namespace (working directory)") : 0;
}

int cover_hidden(const struct options *options, struct failure *failure) {
  for (int i = 0; i < options->hidden_count; i++) {
    // One that is not there (yet) has nothing to hide; one that lies in another is hidden with it. What root has no access to
    // in here, the program of root's has not either.
    struct stat info;
    if (stat(options->hidden[i], &info) < 0) {
      if (errno == ENOENT || errno == ENOTDIR || errno == EACCES) continue;
      return failed(failure, "mount namespace (look at what is hidden)");
    }
    if (!S_ISDIR(info.st_mode)) {
      if (mount("/dev/null", options->hidden[i], NULL, MS_BIND, NULL) < 0 && errno != ENOENT)
        return failed(failure, "mount namespace (hide a file)");
      continue;
    }
    const char *size = options->hidden_writable[i] ? "mode=755,size=64m" : "mode=755,size=64k";
    if (mount("tmpfs", options->hidden[i], "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, size) < 0)
      return failed(failure, "mount namespace (hide a directory)");
  }
  return options->hidden_count > 0 ? leave_covered_directory(failure) : 0;
}

int make_hidden_target(const struct options *options, const char *target, bool directory, struct failure *failure) {
  for (int i = 0; i < options->hidden_count; i++) {
    size_t length = strlen(options->hidden[i]);
    if (!within(target, options->hidden[i]) || target[length] == 0) continue;
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s", target) >= (int)sizeof path) {
      errno = ENAMETOOLONG;
      return failed(failure, "mount namespace (make a place in a hidden directory)");
    }
    for (char *slash = strchr(path + length + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
      *slash = 0;
      if (mkdir(path, 0755) < 0 && errno != EEXIST)
        return failed(failure, "mount namespace (make a place in a hidden directory)");
      *slash = '/';
    }
    int made = directory ? mkdir(path, 0755) : open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);
    if (made < 0) return errno == EEXIST ? 0 : failed(failure, "mount namespace (make a place in a hidden directory)");
    if (!directory) close(made);
    return 0;
  }
  return 0;
}

int seal_hidden(const struct options *options, struct failure *failure) {
  const unsigned long flags = MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC;
  for (int i = 0; i < options->hidden_count; i++) {
    struct stat info;
    if (stat(options->hidden[i], &info) == 0 && !S_ISDIR(info.st_mode)) continue;
    if (options->hidden_writable[i] || mount(NULL, options->hidden[i], NULL, flags, NULL) == 0) continue;
    // EINVAL: no file system starts here, since there was nothing to cover.
    if (errno != EINVAL && errno != ENOENT && errno != ENOTDIR && errno != EACCES)
      return failed(failure, "mount namespace (seal a hidden directory)");
  }
  return 0;
}
