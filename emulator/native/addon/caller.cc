#include "caller.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef __NR_pidfd_getfd
#define __NR_pidfd_getfd 438  // on every architecture; Linux 5.6
#endif

namespace skerry {
namespace {

/** A link of /proc; empty with errno when there is none. */
std::string ReadLink(const std::string& link) {
  char target[PATH_MAX];
  const ssize_t size = readlink(link.c_str(), target, sizeof target);
  return size > 0 ? std::string(target, static_cast<size_t>(size)) : std::string();
}

pid_t ProcessOf(pid_t thread) {
  FILE* status = fopen(("/proc/" + std::to_string(thread) + "/status").c_str(), "re");
  if (status == nullptr) return -1;
  char line[256];
  pid_t process = -1;
  while (process < 0 && fgets(line, sizeof line, status) != nullptr) sscanf(line, "Tgid: %d", &process);
  fclose(status);
  return process;
}

}  // namespace

bool ReadMemory(pid_t thread, uint64_t address, void* into, size_t size) {
  iovec here{into, size};
  iovec there{reinterpret_cast<void*>(address), size};
  return size == 0 || process_vm_readv(thread, &here, 1, &there, 1, 0) == static_cast<ssize_t>(size);
}

bool WriteMemory(pid_t thread, uint64_t address, const void* from, size_t size) {
  iovec here{const_cast<void*>(from), size};
  iovec there{reinterpret_cast<void*>(address), size};
  return size == 0 || process_vm_writev(thread, &here, 1, &there, 1, 0) == static_cast<ssize_t>(size);
}

bool ReadPath(pid_t thread, uint64_t address, std::string* path) {
  // Page by page: what lies behind the end of the string may not be mapped.
  const uint64_t page = 4096;
  char part[page];
  path->clear();
  while (path->size() < PATH_MAX) {
    const size_t size = page - (address % page);
    if (!ReadMemory(thread, address, part, size)) return false;
    const size_t length = strnlen(part, size);
    path->append(part, length);
    if (length < size) return path->size() < PATH_MAX;
    address += size;
  }
  return false;
}

std::string ReadProcLink(pid_t thread, const std::string& name) {
  return ReadLink("/proc/" + std::to_string(thread) + "/" + name);
}

std::string ReadDescriptorPath(pid_t thread, int descriptor) {
  const std::string link = ReadProcLink(thread, "fd/" + std::to_string(descriptor));
  if (!link.empty() || errno != EACCES) return link;
  // /proc shows the descriptors of a process that is not dumpable to root alone. We may have a look at one all the same
  // where the process is in a user namespace that is ours (user_namespaces(7): its owner has every capability in it).
  const int process = static_cast<int>(syscall(__NR_pidfd_open, ProcessOf(thread), 0));
  const int copy = process < 0 ? -1 : static_cast<int>(syscall(__NR_pidfd_getfd, process, descriptor, 0));
  const int error = errno;
  const std::string path = copy < 0 ? std::string() : ReadLink("/proc/self/fd/" + std::to_string(copy));
  if (copy >= 0) close(copy);
  if (process >= 0) close(process);
  errno = copy >= 0 ? 0 : error == ENOSYS ? EACCES : error;
  return path;
}

std::string FromRoot(pid_t thread, const std::string& path) {
  const std::string root = ReadProcLink(thread, "root");
  if (root.size() < 2 || path.compare(0, root.size() + 1, root + "/") != 0) return path;
  return path.substr(root.size());
}

}  // namespace skerry
