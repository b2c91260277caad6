#define _GNU_SOURCE
#include "launch.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

#if defined(__x86_64__)
#define OUR_ARCH AUDIT_ARCH_X86_64
#define X32_BIT 0x40000000u
#elif defined(__aarch64__)
#define OUR_ARCH AUDIT_ARCH_AARCH64
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
    __NR_open, __NR_stat, __NR_lstat, __NR_access,
#endif
    __NR_openat, __NR_newfstatat, __NR_faccessat,
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
#define NEXT_UNLESS(value) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), 0, 1)

int install_filter(const char *device, bool notify_paths, bool *wait_killable) {
  const bool generation_5_15 = strcmp(device, "sev") == 0;
  const unsigned *requests = generation_5_15 ? SEV : SEV_GUEST;
  const unsigned request_count = generation_5_15 ? COUNT(SEV) : COUNT(SEV_GUEST);
  struct sock_filter code[64];
  unsigned short size = 0;

  code[size++] = (struct sock_filter)FIELD(arch);
  code[size++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OUR_ARCH, 1, 0);
  code[size++] = (struct sock_filter)ALLOW;
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
