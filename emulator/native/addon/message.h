// What comes over a Unix socket: text, and descriptors beside it.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace skerry {

/** Closes and forgets them. */
void CloseAll(std::vector<int>* descriptors);

/**
 * One recvmsg: appends to `text` and `descriptors` (close-on-exec). Gives what recvmsg gave: 0 at the end of the stream,
 * -1 with errno.
 */
ssize_t ReceiveMessage(int socket, std::string* text, std::vector<int>* descriptors);

}  // namespace skerry
