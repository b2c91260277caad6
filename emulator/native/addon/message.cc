#include "message.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

namespace skerry {
namespace {

constexpr size_t kLongestMessage = 64 * 1024;
constexpr int kMostDescriptors = 8;

}  // namespace

void CloseAll(std::vector<int>* descriptors) {
  for (int descriptor : *descriptors) close(descriptor);
  descriptors->clear();
}

ssize_t ReceiveMessage(int socket, std::string* text, std::vector<int>* descriptors) {
  std::string part(kLongestMessage, '\0');
  alignas(cmsghdr) char space[CMSG_SPACE(sizeof(int) * kMostDescriptors)];
  iovec into{part.data(), part.size()};
  msghdr message{};
  message.msg_iov = &into;
  message.msg_iovlen = 1;
  message.msg_control = space;
  message.msg_controllen = sizeof space;
  const ssize_t size = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  if (size < 0) return size;
  text->append(part, 0, static_cast<size_t>(size));
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    const size_t before = descriptors->size();
    descriptors->resize(before + count);
    memcpy(descriptors->data() + before, CMSG_DATA(header), count * sizeof(int));
  }
  return size;
}

}  // namespace skerry
