#define _GNU_SOURCE
#include "launch.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct watch {
  int control, report, status, signals;
  pid_t init;
  bool own_pids, init_ended, failed, foreground;
  pid_t program; // as the launcher's PID namespace counts it
  int ended;     // how the program ended, or -1
  int64_t had[65]; // when our process group was last sent a signal, and the program with it: milliseconds, by number
};

// What comes within this time after a signal to the process group is the same one, passed on by one of the group's own
// processes (by two, where npm or an older Node stands between). Milliseconds.
#define SAME_SIGNAL 1000

static int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000ll + time.tv_nsec / 1000000;
}

// Queued, so that init tells what is meant for the program from what the whole process group gets.
static void forward(struct watch *watch, int signal) {
  union sigval nothing = {0};
  if (watch->init_ended) return;
  if (signal == SIGKILL) kill(watch->init, SIGKILL);
  else sigqueue(watch->init, signal, nothing);
}

// Ends what is left below us. Orphans come to us (PR_SET_CHILD_SUBREAPER), so it is enough to look at our own children
// until there are none. In a PID namespace init's end has done this already.
static void sweep(void) {
  for (;;) {
    int ended;
    pid_t child = waitpid(-1, &ended, WNOHANG);
    if (child > 0) continue;
    if (child < 0 && errno == ECHILD) return;
    DIR *processes = opendir("/proc");
    if (!processes) return;
    for (struct dirent *entry; (entry = readdir(processes));) {
      if (!isdigit((unsigned char)entry->d_name[0])) continue;
      char path[300], text[512], *after;
      snprintf(path, sizeof path, "/proc/%s/stat", entry->d_name);
      int file = open(path, O_RDONLY | O_CLOEXEC);
      if (file < 0) continue;
      ssize_t size = read(file, text, sizeof text - 1);
      close(file);
      if (size <= 0) continue;
      text[size] = 0;
      int parent = 0;
      // The name in parentheses may hold anything: the fields start after the last one.
      if ((after = strrchr(text, ')')) && sscanf(after, ") %*c %d", &parent) == 1 && parent == getpid())
        kill(atoi(entry->d_name), SIGKILL);
    }
    closedir(processes);
    waitpid(-1, &ended, 0);
  }
}

// The listener goes to the emulator as OCI runtimes hand it to a `listenerPath`: a container process state with the
// names of the descriptors, and the descriptors by SCM_RIGHTS (OCI runtime-spec, Linux container configuration).
static void pass_listener(struct watch *watch, const struct report *report, int listener) {
  char text[512];
  int size = snprintf(text, sizeof text,
                      "{\"ociVersion\":\"1.2.0\",\"fds\":[\"seccompFd\"],\"pid\":%d,"
                      "\"metadata\":\"waitKillable=%d;ownPids=%d\",\"state\":{\"ociVersion\":\"1.2.0\",\"id\":\"skerry-%d\","
                      "\"status\":\"creating\",\"pid\":%d,\"bundle\":\"/\"}}",
                      watch->program, report->wait_killable, watch->own_pids, getpid(), watch->program);
  if (send_with_descriptors(watch->control, text, size, &listener, 1) < 0) forward(watch, SIGKILL);
}

static void take_report(struct watch *watch) {
  struct report report;
  int listener;
  pid_t sender;
  ssize_t size = receive_with_descriptor(watch->report, &report, sizeof report, &listener, &sender);
  if (size == (ssize_t)sizeof report && report.kind == REPORT_LISTENER && listener >= 0) {
    watch->program = sender;
    pass_listener(watch, &report, listener);
  } else if (size == (ssize_t)sizeof report && report.kind == REPORT_FAILED) {
    watch->failed = true;
    send_failed(watch->control, report.step, report.error);
  } else {
    // Every other copy was closed: by exec, or by an end before it.
    if (!watch->failed && watch->program > 0) {
      static const char started[] = "{\"event\":\"started\"}";
      send_with_descriptors(watch->control, started, sizeof started - 1, NULL, 0);
    }
    close(watch->report);
    watch->report = -1;
  }
  if (listener >= 0) close(listener);
}

static void take_signals(struct watch *watch);

static void take_control(struct watch *watch) {
  unsigned char signal;
  ssize_t size = recv(watch->control, &signal, 1, MSG_DONTWAIT);
  if (size == 1) {
    // What the emulator's process got as one of a process group, all of the group got at the same time: we did too.
    take_signals(watch);
    const int64_t had = signal <= 64 ? watch->had[signal] : 0;
    if (had == 0 || now() - had > SAME_SIGNAL) forward(watch, signal);
    return;
  }
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  // The emulator is gone, and what it held up goes with it.
  forward(watch, SIGKILL);
  close(watch->control);
  watch->control = -1;
}

static void take_signals(struct watch *watch) {
  struct signalfd_siginfo info;
  while (read(watch->signals, &info, sizeof info) == sizeof info) {
    if (info.ssi_signo == SIGCHLD) continue;
    // A program of our process group has it by itself, from the terminal or from whoever sent it to the group.
    if (watch->program > 0 && getpgid(watch->program) == getpgrp()) watch->had[info.ssi_signo] = now();
    else if (info.ssi_code <= 0) forward(watch, info.ssi_signo);
  }
  for (;;) {
    int ended;
    pid_t child = waitpid(-1, &ended, WNOHANG);
    if (child <= 0) return;
    if (child == watch->init) watch->init_ended = true;
  }
}

// What init tells of the program: that it stopped, goes on, or ended. Whoever waits for the emulator's process, such as a
// shell with job control, is to see it stopped while the program is.
static void take_status(struct watch *watch) {
  int status;
  if (read(watch->status, &status, sizeof status) != sizeof status) {
    close(watch->status);
    watch->status = -1;
  } else if (WIFSTOPPED(status) || WIFCONTINUED(status)) {
    if (watch->foreground) kill(getppid(), WIFSTOPPED(status) ? SIGSTOP : SIGCONT);
  } else {
    watch->ended = status;
  }
}

// A shell that we ran has taken the terminal for its own process group, and that group is no more.
static void give_terminal_back(int terminal, pid_t group) {
  pid_t now = tcgetpgrp(terminal);
  if (now > 0 && now != group && kill(-now, 0) < 0 && errno == ESRCH) tcsetpgrp(terminal, group);
}

// Ends as the program ended, so that whoever waits for the launcher learns exactly that.
static int end_like(int ended) {
  if (WIFEXITED(ended)) return WEXITSTATUS(ended);
  int signal = WTERMSIG(ended);
  struct rlimit none = {0, 0};
  setrlimit(RLIMIT_CORE, &none);
  struct sigaction fallback = {.sa_handler = SIG_DFL};
  sigaction(signal, &fallback, NULL);
  kill(getpid(), signal);
  sigset_t nothing;
  sigemptyset(&nothing);
  sigprocmask(SIG_SETMASK, &nothing, NULL);
  return 128 + signal;
}

int run_command(const struct options *options) {
  struct failure failure;
  struct watch watch = {.control = options->control, .ended = -1};
  sigset_t all, original;
  int report[2], status[2], yes = 1;
  bool own_pids;

  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, &original);
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, report) < 0 ||
      setsockopt(report[0], SOL_SOCKET, SO_PASSCRED, &yes, sizeof yes) < 0 || pipe2(status, O_CLOEXEC) < 0) {
    send_failed(options->control, "socketpair", errno);
    return 125;
  }
  watch.report = report[0];
  watch.status = status[0];
  watch.signals = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
  // Before /dev is the program's own.
  const int terminal = options->new_session ? -1 : open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
  watch.foreground = terminal >= 0 && tcgetpgrp(terminal) == getpgrp();
  if (enter_namespaces(options, &own_pids, &failure) < 0) {
    send_failed(options->control, failure.step, failure.error);
    return 125;
  }
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  watch.own_pids = own_pids;
  watch.init = fork();
  if (watch.init < 0) {
    send_failed(options->control, own_pids ? "PID namespace (fork)" : "fork", errno);
    return 125;
  }
  if (watch.init == 0) {
    close(report[0]);
    close(status[0]);
    close(watch.signals);
    close(options->control);
    run_init(options, own_pids, report[1], status[1], &original);
  }
  close(report[1]);
  close(status[1]);
  // With a PID namespace, killing us kills init and init's end kills all: then even a stopped launcher goes at once.
  // Without one we are the only one who can sweep, so the end of the control socket has to wake us instead.
  if (own_pids) prctl(PR_SET_PDEATHSIG, SIGKILL);

  while (!watch.init_ended || watch.report >= 0 || watch.status >= 0) {
    struct pollfd sources[] = {{.fd = watch.signals, .events = POLLIN},
                               {.fd = watch.report, .events = POLLIN},
                               {.fd = watch.control, .events = POLLIN},
                               {.fd = watch.status, .events = POLLIN}};
    if (poll(sources, 4, -1) < 0) continue;
    if (sources[1].revents) take_report(&watch);
    if (sources[3].revents) take_status(&watch);
    if (sources[2].revents) take_control(&watch);
    if (sources[0].revents) take_signals(&watch);
  }
  sweep();
  if (watch.foreground) give_terminal_back(terminal, getpgrp());
  if (watch.ended < 0) watch.ended = watch.failed ? 125 << 8 : SIGKILL;
  return end_like(watch.ended);
}
