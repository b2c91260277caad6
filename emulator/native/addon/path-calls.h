// The system calls that name a path, answered where the device is an injected descriptor and not a node.
#pragma once

#include <linux/seccomp.h>

#include <string>

namespace skerry {

enum class PathAnswer {
  kContinue,    // not about the device: the kernel goes on as if nobody had looked
  kInject,      // an open of the device: give the caller a descriptor
  kDone,        // answered: `error` is 0 or an errno
};

struct PathDecision {
  PathAnswer answer = PathAnswer::kContinue;
  int error = 0;
  bool close_on_exec = false;
  int unreachable = 0;  // why the path could not be read: EPERM
};

/** Whether this call is one of those that name a path (the others are ioctl). */
bool IsPathCall(int number);

/** `device`: absolute path of the device that exists; its sibling of the other kernel generation does not. */
PathDecision AnswerPathCall(const seccomp_notif& call, const std::string& device);

}  // namespace skerry
