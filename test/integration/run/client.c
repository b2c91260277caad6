// What a program in a container does with the SNP device and its network, for run.test.ts. Prints what it saw.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netdb.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#define SNP_GET_REPORT 0xC0205300u
#define SNP_GET_DERIVED_KEY 0xC0205301u
#define SNP_GET_EXT_REPORT 0xC0205302u
#define SEV_REPORT 0xC0285301u

struct argument {
  uint8_t version, pad[7];
  uint64_t request, response, exit_info;
};

static void print_hex(const uint8_t *bytes, size_t size) {
  for (size_t i = 0; i < size; i++) printf("%02x", bytes[i]);
  printf("\n");
}

static int open_device(const char *path) {
  int device = open(path, O_RDWR | O_CLOEXEC);
  if (device < 0) {
    printf("open: %s\n", strerrorname_np(errno));
    exit(1);
  }
  return device;
}

// By whichever device this is.
static int ask(int device, const char *path, uint8_t *request, uint8_t *response) {
  if (strcmp(path, "/dev/sev") == 0) {
    struct {
      uint8_t request_type, response_type, version, pad0;
      uint16_t request_size, pad1;
      uint64_t request_address;
      uint16_t response_size, pad2[3];
      uint64_t response_address;
      uint32_t error, pad3;
    } argument = {5, 6, 1, 0, 96, 0, (uintptr_t)request, 1280, {0}, (uintptr_t)response, 0, 0};
    return ioctl(device, SEV_REPORT, &argument);
  }
  struct argument argument = {.version = 1, .request = (uintptr_t)request, .response = (uintptr_t)response};
  return ioctl(device, SNP_GET_REPORT, &argument);
}

static int ask_report(int device, uint8_t first, uint8_t *response) {
  uint8_t request[96];
  memset(request, 0, sizeof request);
  memset(request, first, 64);
  return ask(device, "/dev/sev-guest", request, response);
}

static int report(const char *path, int first) {
  static uint8_t request[96], response[4000];
  memset(request, first, 64);
  if (ask(open_device(path), path, request, response) < 0) return printf("%s\n", strerrorname_np(errno)), 1;
  print_hex(response, 1216);
  return 0;
}

// The report, alone, on 64 bytes in hex.
static int report_on(const char *path, const char *hex) {
  static uint8_t request[96], response[4000];
  for (int i = 0; i < 64; i++) sscanf(hex + 2 * i, "%2hhx", &request[i]);
  if (ask(open_device(path), path, request, response) < 0) return printf("%s\n", strerrorname_np(errno)), 1;
  print_hex(response + 0x20, 1184);
  return 0;
}

// How long each of `count` requests took, in nanoseconds, one a line.
static int rounds(const char *path, int count) {
  int device = open_device(path);
  static uint8_t response[4000];
  for (int i = 0; i < count; i++) {
    struct timespec before, after;
    clock_gettime(CLOCK_MONOTONIC, &before);
    if (ask_report(device, 1, response) < 0) return printf("%s\n", strerrorname_np(errno)), 1;
    clock_gettime(CLOCK_MONOTONIC, &after);
    printf("%ld\n", (after.tv_sec - before.tv_sec) * 1000000000L + after.tv_nsec - before.tv_nsec);
  }
  return 0;
}

// What a program at a terminal is told, until Ctrl-\ (SIGQUIT): its size, interrupts, that it goes on after a stop.
static int terminal(void) {
  const int wanted[] = {SIGWINCH, SIGINT, SIGCONT, SIGQUIT};
  sigset_t set;
  sigemptyset(&set);
  for (int i = 0; i < 4; i++) sigaddset(&set, wanted[i]);
  sigprocmask(SIG_BLOCK, &set, NULL);
  for (int told = 0; told != SIGQUIT;) {
    struct winsize size = {0};
    ioctl(0, TIOCGWINSZ, &size);
    const char *word = told == 0 ? "ready" : told == SIGWINCH ? "resized" : told == SIGINT ? "interrupted" : "continued";
    printf("%s %dx%d %s\n", word, size.ws_row, size.ws_col, tcgetpgrp(0) == getpgrp() ? "foreground" : "background");
    fflush(stdout);
    sigwait(&set, &told);
  }
  return 3;
}

// Runs a program below a seccomp listener of our own that notifies nothing.
static int below_a_listener(char **command) {
  struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  struct sock_fprog program = {.len = 1, .filter = &allow};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  int listener = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
  if (listener < 0) return printf("%s\n", strerrorname_np(errno)), 1;
  // Closed, it would be nobody's.
  fcntl(listener, F_SETFD, 0);
  execvp(command[0], command);
  return 1;
}

// Runs a program that may have namespaces and mount nothing in them, as a profile of AppArmor has it.
static int without_mount(char **command) {
  struct sock_filter refuse[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mount, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EACCES),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {.len = 4, .filter = refuse};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0) return printf("%s\n", strerrorname_np(errno)), 1;
  execvp(command[0], command);
  return 1;
}

static const char *outcome(int result) { return result < 0 ? strerrorname_np(errno) : "0"; }

// Each line: the case, what ioctl answered, exitinfo2 afterwards.
static int errors(const char *path) {
  int device = open_device(path);
  static uint8_t request[112], response[4000];
  struct argument good = {
      .version = 1, .request = (uintptr_t)request, .response = (uintptr_t)response, .exit_info = 0x1234};
  struct argument a = good;
  printf("success %s", outcome(ioctl(device, SNP_GET_REPORT, &a)));
  printf(" %llx\n", (unsigned long long)a.exit_info);
  a = good, a.version = 0;
  printf("version-0 %s", outcome(ioctl(device, SNP_GET_REPORT, &a)));
  printf(" %llx\n", (unsigned long long)a.exit_info);
  a = good, a.response = 0;
  printf("null-response %s", outcome(ioctl(device, SNP_GET_REPORT, &a)));
  printf(" %llx\n", (unsigned long long)a.exit_info);
  a = good, a.request = 8;
  printf("bad-request %s", outcome(ioctl(device, SNP_GET_REPORT, &a)));
  printf(" %llx\n", (unsigned long long)a.exit_info);
  void *read_only = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  a = good, a.response = (uintptr_t)read_only;
  printf("read-only-response %s", outcome(ioctl(device, SNP_GET_REPORT, &a)));
  printf(" %llx\n", (unsigned long long)a.exit_info);
  printf("bad-argument %s\n", outcome(ioctl(device, SNP_GET_REPORT, (void *)8)));
  printf("other-request %s\n", outcome(ioctl(device, 0x5401, response)));
  printf("closed-descriptor %s\n", outcome(ioctl(99, SNP_GET_REPORT, &good)));
  int pipes[2];
  if (pipe(pipes) < 0) return 1;
  printf("not-the-device %s\n", outcome(ioctl(pipes[0], SNP_GET_REPORT, &good)));
  a = good;
  printf("ext-size-query %s", outcome(ioctl(device, SNP_GET_EXT_REPORT, &a)));
  uint32_t needed;
  memcpy(&needed, request + 104, 4);
  printf(" %llx needs %u\n", (unsigned long long)a.exit_info, needed);
  uint8_t *certificates = mmap(NULL, needed, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  uint64_t address = (uintptr_t)certificates;
  memcpy(request + 96, &address, 8);
  a = good;
  printf("ext %s", outcome(ioctl(device, SNP_GET_EXT_REPORT, &a)));
  printf(" %llx table starts %02x%02x\n", (unsigned long long)a.exit_info, certificates[0], certificates[1]);
  a = good;
  printf("key %s ", outcome(ioctl(device, SNP_GET_DERIVED_KEY, &a)));
  print_hex(response, 64);
  return 0;
}

// What a program can learn of the device without asking it anything.
static int look(const char *path, const char *other) {
  struct stat info;
  printf("stat %s", stat(path, &info) == 0 ? "0" : strerrorname_np(errno));
  printf(" %s\n", S_ISCHR(info.st_mode) ? "character device" : "something else");
  printf("access %s\n", outcome(access(path, R_OK | W_OK)));
  printf("access-x %s\n", outcome(access(path, X_OK)));
  // On the way to a canonical path, and of `ls -l`.
  char text[64];
  printf("readlink %s\n", outcome(readlink(path, text, sizeof text)));
  printf("attribute %s\n", outcome(lgetxattr(path, "user.none", text, sizeof text)));
  printf("attributes %s\n", outcome(llistxattr(path, text, sizeof text)));
  // To the mode that it has: of whoever runs this as root it would be the machine's.
  printf("mode %s\n", chmod(path, 0666) < 0 ? "not to be changed" : "changed");
  printf("other %s\n", outcome(access(other, F_OK)));
  printf("null %s\n", outcome(access("/dev/null", W_OK)));
  if (chdir("/dev") < 0) return 1;
  int relative = open(strrchr(path, '/') + 1, O_RDWR | O_CLOEXEC);
  printf("relative %s\n", outcome(relative));
  printf("cloexec %d\n", fcntl(relative, F_GETFD));
  int dots = open("/dev/../dev/./sev-guest", O_RDWR);
  printf("dots %s\n", outcome(dots));
  printf("no-cloexec %d\n", fcntl(dots, F_GETFD));
  return 0;
}

static const char *device_path;
static int calls_each;

static void *thread_main(void *number) {
  int device = open_device(device_path);
  uint8_t response[4000];
  for (int i = 0; i < calls_each; i++) {
    uint8_t first = (uint8_t)((intptr_t)number * 16 + i);
    if (ask_report(device, first, response) < 0) return "failed";
    if (response[0x20 + 0x50] != first) return "another's answer";
  }
  return NULL;
}

static int threads(const char *path, int count, int each) {
  pthread_t all[64];
  device_path = path;
  calls_each = each;
  for (int i = 0; i < count; i++) pthread_create(&all[i], NULL, thread_main, (void *)(intptr_t)i);
  int wrong = 0;
  for (int i = 0; i < count; i++) {
    void *problem;
    pthread_join(all[i], &problem);
    if (problem) wrong++;
  }
  printf("%d wrong\n", wrong);
  return wrong;
}

static volatile int ticks;
static void on_alarm(int signal) { ticks += signal == SIGALRM; }

static int timer(const char *path, int count) {
  int device = open_device(path), answered = 0;
  struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
  sigaction(SIGALRM, &action, NULL);
  struct itimerval often = {{0, 200}, {0, 200}};
  setitimer(ITIMER_REAL, &often, NULL);
  static uint8_t response[4000];
  for (int i = 0; i < count; i++) answered += ask_report(device, 1, response) == 0;
  printf("answered %d, ticked %s\n", answered, ticks > 10 ? "yes" : "no");
  return 0;
}

// Leaves a child of a child behind, in a session of its own, and ends or waits.
static int leave_behind(int wait) {
  pid_t between = fork();
  if (between == 0) {
    setsid();
    if (fork() != 0) _exit(0);
    for (;;) pause();
  }
  waitpid(between, NULL, 0);
  printf("left\n");
  fflush(stdout);
  if (wait) pause();
  return 0;
}

static int connect_to(const char *host, const char *port) {
  struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *found;
  if (getaddrinfo(host, port, &hints, &found) != 0) return printf("no such name\n"), 1;
  int connection = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(connection, found->ai_addr, found->ai_addrlen) < 0) return printf("%s\n", strerrorname_np(errno)), 1;
  char text[128];
  ssize_t size = read(connection, text, sizeof text - 1);
  printf("%.*s\n", size > 0 ? (int)size : 0, text);
  return 0;
}

// Whether a server of the file system, or (with @ before its name) an abstract one, answers.
static int connect_unix(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strncpy(address.sun_path, path, sizeof address.sun_path - 1);
  if (path[0] == '@') address.sun_path[0] = 0;
  int connection = socket(AF_UNIX, SOCK_STREAM, 0);
  socklen_t size = offsetof(struct sockaddr_un, sun_path) + strlen(path) + (path[0] != '@');
  return printf("%s\n", outcome(connect(connection, (struct sockaddr *)&address, size))) < 0;
}

// Whether a datagram would leave: what asks a name server, or reports home.
static int send_datagram(const char *host, const char *port) {
  struct addrinfo hints = {.ai_socktype = SOCK_DGRAM, .ai_flags = AI_NUMERICHOST}, *found;
  if (getaddrinfo(host, port, &hints, &found) != 0) return printf("no such name\n"), 1;
  int socket_ = socket(found->ai_family, SOCK_DGRAM, 0);
  return printf("%s\n", outcome(sendto(socket_, "x", 1, 0, found->ai_addr, found->ai_addrlen))) < 0;
}

#ifdef __x86_64__
// A call of a 32-bit program, which a 64-bit one may make too; in a child, for a kernel without them ends who makes one.
static const char *call_of_32_bit(int number, int first, const int *rest) {
  int ended;
  pid_t child = fork();
  if (child == 0) {
    int *low = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    memcpy(low, rest, 3 * sizeof *rest);
    // socketcall(2) has its arguments in memory; socket(2) has the next in a register.
    long second = number == 102 ? (long)low : rest[1], result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(first), "c"(second), "d"(0) : "memory", "r8", "r9", "r10", "r11");
    _exit(result < 0 ? (int)-result : 0);
  }
  waitpid(child, &ended, 0);
  if (!WIFEXITED(ended)) return "none";
  return WEXITSTATUS(ended) ? strerrorname_np(WEXITSTATUS(ended)) : "0";
}
#endif

// Ways around a network namespace, and around what holds the program: one line for each.
static int escape(void) {
  static char ring[256];
  printf("vsock %s\n", outcome(socket(AF_VSOCK, SOCK_STREAM, 0)));
  printf("vsock datagram %s\n", outcome(socket(AF_VSOCK, SOCK_DGRAM, 0)));
#ifdef __x86_64__
  const int vsock[] = {AF_VSOCK, SOCK_STREAM, 0};
  printf("vsock of 32 bit %s\n", call_of_32_bit(359, AF_VSOCK, vsock));
  printf("vsock by socketcall %s\n", call_of_32_bit(102, 1, vsock));
#endif
  printf("ring %s\n", outcome(syscall(425, 4, ring)));
  printf("packet %s\n", outcome(socket(AF_PACKET, SOCK_RAW, 0)));
  printf("raw %s\n", outcome(socket(AF_INET, SOCK_RAW, 1)));
  printf("internet %s\n", socket(AF_INET, SOCK_STREAM, 0) >= 0 && socket(AF_INET6, SOCK_DGRAM, 0) >= 0 ? "0" : "refused");
  printf("unix %s\n", socket(AF_UNIX, SOCK_STREAM, 0) >= 0 ? "0" : "refused");
  printf("trace init %s\n", outcome(ptrace(PTRACE_SEIZE, 1, 0, 0)));
  int init = syscall(434, 1, 0);
  printf("descriptor of init %s\n", outcome(syscall(438, init, 0, 0)));
  printf("namespaces of init %s\n", outcome(setns(init, CLONE_NEWNET)));
  return 0;
}

static int serve(const char *port, const char *text) {
  struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *found;
  if (getaddrinfo(NULL, port, &hints, &found) != 0) return 1;
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  if (bind(listener, found->ai_addr, found->ai_addrlen) < 0) return printf("bind: %s\n", strerrorname_np(errno)), 1;
  listen(listener, 8);
  printf("listening\n");
  fflush(stdout);
  for (;;) {
    int connection = accept(listener, NULL, NULL);
    if (write(connection, text, strlen(text)) < 0) return 1;
    close(connection);
  }
}

int main(int count, char **words) {
  const char *what = count > 1 ? words[1] : "";
  if (strcmp(what, "report") == 0) return report(words[2], atoi(words[3]));
  if (strcmp(what, "errors") == 0) return errors(words[2]);
  if (strcmp(what, "look") == 0) return look(words[2], words[3]);
  if (strcmp(what, "threads") == 0) return threads(words[2], atoi(words[3]), atoi(words[4]));
  if (strcmp(what, "timer") == 0) return timer(words[2], atoi(words[3]));
  if (strcmp(what, "leave-behind") == 0) return leave_behind(0);
  if (strcmp(what, "wait-with-child") == 0) return leave_behind(1);
  if (strcmp(what, "connect") == 0) return connect_to(words[2], words[3]);
  if (strcmp(what, "unix") == 0) return connect_unix(words[2]);
  if (strcmp(what, "udp") == 0) return send_datagram(words[2], words[3]);
  if (strcmp(what, "escape") == 0) return escape();
  if (strcmp(what, "report-on") == 0) return report_on(words[2], words[3]);
  if (strcmp(what, "undumpable") == 0) return prctl(PR_SET_DUMPABLE, 0), report(words[2], 1);
  if (strcmp(what, "terminal") == 0) return terminal();
  if (strcmp(what, "stop-itself") == 0) return printf("stopping\n"), fflush(stdout), raise(SIGSTOP), printf("went on\n"), 0;
  if (strcmp(what, "rounds") == 0) return rounds(words[2], atoi(words[3]));
  if (strcmp(what, "listener") == 0) return below_a_listener(words + 2);
  if (strcmp(what, "without-mount") == 0) return without_mount(words + 2);
  if (strcmp(what, "serve") == 0) return serve(words[2], words[3]);
  return 2;
}
