#define _GNU_SOURCE
#include "launch.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

// The numbers of the 32-bit calls are those of <asm/unistd_32.h>, which cannot be included beside the 64-bit one.
#if defined(__x86_64__)
#define OUR_ARCH AUDIT_ARCH_X86_64
#define X32_BIT 0x40000000u
#define SOCKET_OF_32_BIT 359
#define SOCKETCALL_OF_32_BIT 102
#define SYS_SOCKET_OF_SOCKETCALL 1
#elif defined(__aarch64__)
#define OUR_ARCH AUDIT_ARCH_AARCH64
#define SOCKET_OF_32_BIT 281
#else
#error "Skerry's launcher knows x86-64 and arm64"
#endif

// Linux uapi sev-guest.h: SNP_GET_REPORT, SNP_GET_DERIVED_KEY, SNP_GET_EXT_REPORT. Azure's 5.15 driver:
// REQUEST, REPORT, KEY.
static const unsigned SEV_GUEST[] = {0xC0205300u, 0xC0205301u, 0xC0205302u};
static const unsigned SEV[] = {0xC0285300u, 0xC0285301u, 0xC0285302u};

// What names a path, and so must be answered when the device is no node.
static const unsigned PATH_CALLS[] = {
#ifdef __NR_open
    __NR_open, __NR_stat, __NR_lstat, __NR_access, __NR_readlink,
#endif
    __NR_openat, __NR_newfstatat, __NR_faccessat, __NR_readlinkat,
    // `ls -l` asks for these.
    __NR_getxattr, __NR_lgetxattr, __NR_listxattr, __NR_llistxattr,
#ifdef __NR_statx
    __NR_statx,
#endif
#ifdef __NR_openat2
    __NR_openat2,
#endif
#ifdef __NR_faccessat2
    __NR_faccessat2,
#endif
};

#define COUNT(list) (sizeof(list) / sizeof(list)[0])
#define FIELD(name) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, name))
#define NOTIFY BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF)
#define ALLOW BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define REFUSE(error) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (error))
#define NEXT_UNLESS(value) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), 0, 1)

#define IO_URING_SETUP 425 // on every architecture

// The machines behind a virtual machine's vsock are no part of any network namespace. io_uring makes sockets that no
// filter sees. Loads the call's number and leaves it or something else in the accumulator.
static unsigned short refuse_vsock(struct sock_filter *code, unsigned short size, unsigned socket_call) {
  code[size++] = (struct sock_filter)FIELD(nr);
#ifdef X32_BIT
  code[size++] = (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, ~X32_BIT);
#endif
  code[size++] = (struct sock_filter)NEXT_UNLESS(IO_URING_SETUP);
  code[size++] = (struct sock_filter)REFUSE(ENOSYS);
  code[size++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, socket_call, 0, 3);
  code[size++] = (struct sock_filter)FIELD(args[0]);
  code[size++] = (struct sock_filter)NEXT_UNLESS(AF_VSOCK);
  code[size++] = (struct sock_filter)REFUSE(EAFNOSUPPORT);
  return size;
}

// A 32-bit program's calls. Those that it makes by socketcall(2) have their family in memory, where no filter sees it.
static unsigned short refuse_vsock_of_32_bit(struct sock_filter *code, unsigned short size) {
  size = refuse_vsock(code, size, SOCKET_OF_32_BIT);
#ifdef SOCKETCALL_OF_32_BIT
  code[size++] = (struct sock_filter)FIELD(nr);
  code[size++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SOCKETCALL_OF_32_BIT, 0, 3);
  code[size++] = (struct sock_filter)FIELD(args[0]);
  code[size++] = (struct sock_filter)NEXT_UNLESS(SYS_SOCKET_OF_SOCKETCALL);
  code[size++] = (struct sock_filter)REFUSE(EAFNOSUPPORT);
#endif
  code[size++] = (struct sock_filter)ALLOW;
  return size;
}

int install_filter(const char *device, bool notify_paths, bool own_network, bool *wait_killable) {
  const bool generation_5_15 = strcmp(device, "sev") == 0;
  const unsigned *requests = generation_5_15 ? SEV : SEV_GUEST;
  const unsigned request_count = generation_5_15 ? COUNT(SEV) : COUNT(SEV_GUEST);
  struct sock_filter code[96];
  unsigned short size = 0;

  code[size++] = (struct sock_filter)FIELD(arch);
  const unsigned short foreign = size++;
  const unsigned short start = size;
  if (own_network) size = refuse_vsock_of_32_bit(code, size);
  else code[size++] = (struct sock_filter)ALLOW;
  code[foreign] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OUR_ARCH, size - start, 0);
  if (own_network) size = refuse_vsock(code, size, __NR_socket);
  code[size++] = (struct sock_filter)FIELD(nr);
#ifdef X32_BIT
  code[size++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, X32_BIT, 0, 1);
  code[size++] = (struct sock_filter)ALLOW;
#endif
  if (notify_paths) {
    for (unsigned i = 0; i < COUNT(PATH_CALLS); i++) {
      code[size++] = (struct sock_filter)NEXT_UNLESS(PATH_CALLS[i]);
      code[size++] = (struct sock_filter)NOTIFY;
    }
  }
  code[size++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_ioctl, 1, 0);
  code[size++] = (struct sock_filter)ALLOW;
  // The request is an unsigned int: the upper half of the register is not the kernel's business either. Both
  // architectures are little-endian, so the low half comes first.
  code[size++] = (struct sock_filter)FIELD(args[1]);
  for (unsigned i = 0; i < request_count; i++) {
    code[size++] = (struct sock_filter)NEXT_UNLESS(requests[i]);
    code[size++] = (struct sock_filter)NOTIFY;
  }
  code[size++] = (struct sock_filter)ALLOW;

  struct sock_fprog program = {.len = size, .filter = code};
  unsigned long flags = SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
  int listener = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
  *wait_killable = listener >= 0;
  if (listener < 0 && errno == EINVAL) // Linux before 5.19
    listener = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
  return listener;
}
