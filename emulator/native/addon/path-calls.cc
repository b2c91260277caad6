#include "path-calls.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include <vector>

#include "caller.h"

namespace skerry {
namespace {

// struct stat as the kernel writes it, which on 64-bit is what libc's looks like; statx is asked for by system call so
// that libc's own struct (which clashes with the kernel's header) is not needed.
struct Call {
  int directory = AT_FDCWD;
  uint64_t path = 0;
  enum { kOpen, kStat, kStatx, kAccess, kReadLink, kGetAttribute, kListAttributes } kind = kOpen;
  int flags = 0;         // open flags
  int mode = 0;          // access mode
  uint64_t buffer = 0;   // stat, statx
  unsigned mask = 0;     // statx
};

bool Describe(const seccomp_notif& notification, Call* call) {
  const auto& args = notification.data.args;
  const auto at = [&](int index) {
    call->directory = static_cast<int>(args[index]);
    call->path = args[index + 1];
  };
  switch (notification.data.nr) {
#ifdef __NR_open
    case __NR_open:
      call->path = args[0];
      call->flags = static_cast<int>(args[1]);
      return true;
    case __NR_stat:
    case __NR_lstat:
      call->path = args[0];
      call->kind = Call::kStat;
      call->buffer = args[1];
      return true;
    case __NR_access:
      call->path = args[0];
      call->kind = Call::kAccess;
      call->mode = static_cast<int>(args[1]);
      return true;
    case __NR_readlink:
      call->path = args[0];
      call->kind = Call::kReadLink;
      return true;
#endif
    case __NR_readlinkat:
      at(0);
      call->kind = Call::kReadLink;
      return true;
    case __NR_getxattr:
    case __NR_lgetxattr:
      call->path = args[0];
      call->kind = Call::kGetAttribute;
      return true;
    case __NR_listxattr:
    case __NR_llistxattr:
      call->path = args[0];
      call->kind = Call::kListAttributes;
      return true;
    case __NR_openat:
      at(0);
      call->flags = static_cast<int>(args[2]);
      return true;
    case __NR_newfstatat:
      at(0);
      call->kind = Call::kStat;
      call->buffer = args[2];
      return true;
    case __NR_faccessat:
#ifdef __NR_faccessat2
    case __NR_faccessat2:
#endif
      at(0);
      call->kind = Call::kAccess;
      call->mode = static_cast<int>(args[2]);
      return true;
#ifdef __NR_statx
    case __NR_statx:
      at(0);
      call->kind = Call::kStatx;
      call->mask = static_cast<unsigned>(args[3]);
      call->buffer = args[4];
      return true;
#endif
#ifdef __NR_openat2
    case __NR_openat2: {
      open_how how{};
      at(0);
      if (!ReadMemory(static_cast<pid_t>(notification.pid), args[2], &how, sizeof how)) return false;
      call->flags = static_cast<int>(how.flags);
      return true;
    }
#endif
    default:
      return false;
  }
}

// Drops empty and `.` parts and lets `..` take one away: good enough for a path below /dev, where no links lead.
std::string Normalise(const std::string& path) {
  std::vector<std::string> parts;
  size_t start = 0;
  while (start <= path.size()) {
    size_t end = path.find('/', start);
    if (end == std::string::npos) end = path.size();
    const std::string part = path.substr(start, end - start);
    if (part == "..") {
      if (!parts.empty()) parts.pop_back();
    } else if (!part.empty() && part != ".") {
      parts.push_back(part);
    }
    start = end + 1;
  }
  std::string normal;
  for (const auto& part : parts) normal += "/" + part;
  return normal;
}

bool EndsWith(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

int CopyStat(pid_t thread, const Call& call) {
  char stat_buffer[256] = {0};
  if (call.kind == Call::kStatx) {
#ifdef __NR_statx
    if (syscall(__NR_statx, AT_FDCWD, "/dev/null", 0, call.mask, stat_buffer) < 0) return errno;
    return WriteMemory(thread, call.buffer, stat_buffer, 256) ? 0 : EFAULT;
#endif
  }
  if (syscall(__NR_newfstatat, AT_FDCWD, "/dev/null", stat_buffer, 0) < 0) return errno;
#if defined(__x86_64__)
  const size_t size = 144;
#else
  const size_t size = 128;
#endif
  return WriteMemory(thread, call.buffer, stat_buffer, size) ? 0 : EFAULT;
}

}  // namespace

bool IsPathCall(int number) { return number != __NR_ioctl; }

PathDecision AnswerPathCall(const seccomp_notif& notification, const std::string& device) {
  const pid_t thread = static_cast<pid_t>(notification.pid);
  PathDecision decision;
  Call call;
  std::string path;
  errno = 0;
  if (!Describe(notification, &call) || !ReadPath(thread, call.path, &path)) {
    decision.unreachable = errno;
    return decision;
  }
  // Nearly every path is another one: say so before anything costs time.
  const bool ours = EndsWith(path, "sev-guest");
  if (!ours && !EndsWith(path, "sev")) return decision;
  if (path.front() != '/') {
    const bool from_cwd = call.directory == AT_FDCWD;
    const std::string name = from_cwd ? "cwd" : "fd/" + std::to_string(call.directory);
    path = FromRoot(thread, ReadProcLink(thread, name)) + "/" + path;
  }
  path = Normalise(path);
  if (path != device) {
    if (path == "/dev/sev" || path == "/dev/sev-guest") {
      // A bare-metal AMD host has a /dev/sev of its own, which a guest's programs must not find.
      decision.answer = PathAnswer::kDone;
      decision.error = ENOENT;
    }
    return decision;
  }
  decision.answer = PathAnswer::kDone;
  switch (call.kind) {
    case Call::kAccess:
      decision.error = (call.mode & X_OK) ? EACCES : 0;
      break;
    case Call::kOpen:
      if ((call.flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL)) {
        decision.error = EEXIST;
      } else if (call.flags & O_DIRECTORY) {
        decision.error = ENOTDIR;
      } else {
        decision.answer = PathAnswer::kInject;
        decision.close_on_exec = (call.flags & O_CLOEXEC) != 0;
      }
      break;
    case Call::kReadLink:
      decision.error = EINVAL;  // no link
      break;
    case Call::kGetAttribute:
      decision.error = ENODATA;
      break;
    case Call::kListAttributes:
      break;  // none: a list of no bytes
    default:
      decision.error = CopyStat(thread, call);
  }
  return decision;
}

}  // namespace skerry
