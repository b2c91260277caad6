#include "caller.h"

#include <limits.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

namespace skerry {

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
  const std::string link = "/proc/" + std::to_string(thread) + "/" + name;
  char target[PATH_MAX];
  const ssize_t size = readlink(link.c_str(), target, sizeof target);
  return size > 0 ? std::string(target, static_cast<size_t>(size)) : std::string();
}

std::string FromRoot(pid_t thread, const std::string& path) {
  const std::string root = ReadProcLink(thread, "root");
  if (root.size() < 2 || path.compare(0, root.size() + 1, root + "/") != 0) return path;
  return path.substr(root.size());
}

}  // namespace skerry
