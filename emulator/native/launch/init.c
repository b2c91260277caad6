#define _GNU_SOURCE
#include "launch.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

_Noreturn static void give_up(int report, const struct failure *failure) {
  struct report message = {.kind = REPORT_FAILED, .error = failure->error};
  snprintf(message.step, sizeof message.step, "%s", failure->step);
  send_with_descriptors(report, &message, sizeof message, NULL, 0);
  _exit(125);
}

_Noreturn static void give_up_at(int report, const char *step) {
  struct failure failure = {.step = step, .error = errno};
  give_up(report, &failure);
}

// Asks to be killed with the parent, and ends at once if the parent was gone before that took effect: `report` is a
// socket whose other end only the launcher holds.
static void die_with_parent(int report) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  struct pollfd other = {.fd = report};
  if (poll(&other, 1, 0) > 0 && (other.revents & (POLLHUP | POLLERR))) _exit(125);
}

// As a container runtime looks a command up: in PATH unless it holds a slash, and a file that is no program is refused
// (execvp would hand it to a shell). Returns with errno set.
static void execute(char **command) {
  if (strchr(command[0], '/')) {
    execve(command[0], command, environ);
    return;
  }
  const char *path = getenv("PATH");
  int error = ENOENT;
  char file[4096];
  for (const char *part = path ? path : "/usr/local/bin:/usr/bin:/bin"; part; part = strchr(part, ':')) {
    if (*part == ':') part++;
    int length = (int)strcspn(part, ":");
    int size = snprintf(file, sizeof file, "%.*s%s%s", length, part, length ? "/" : "", command[0]);
    if (size >= (int)sizeof file) continue;
    execve(file, command, environ);
    if (errno != ENOENT && errno != ENOTDIR) error = errno;
  }
  errno = error;
}

_Noreturn static void run_program(const struct options *options, int report, const void *original_mask) {
  die_with_parent(report);
  if (options->new_session) setsid();
  sigprocmask(SIG_SETMASK, original_mask, NULL);
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) give_up_at(report, "no_new_privs (prctl)");
  struct report message = {.kind = REPORT_LISTENER};
  int listener = install_filter(options->device, !options->device_node, options->join_net >= 0, &message.wait_killable);
  if (listener < 0) give_up_at(report, "seccomp user notification (SECCOMP_FILTER_FLAG_NEW_LISTENER)");
  if (send_with_descriptors(report, &message, sizeof message, &listener, 1) < 0)
    give_up_at(report, "seccomp user notification (send the listener)");
  close(listener);
  execute(options->command);
  give_up_at(report, "exec");
}

// Collects what ended, and tells the launcher what became of the program; its end is ours.
static void reap(pid_t program, int status, bool *stopped) {
  for (;;) {
    int how;
    pid_t child = waitpid(-1, &how, WNOHANG | WUNTRACED | WCONTINUED);
    if (child <= 0) return;
    if (child != program) continue;
    *stopped = WIFSTOPPED(how);
    while (write(status, &how, sizeof how) < 0 && errno == EINTR) continue;
    if (WIFEXITED(how) || WIFSIGNALED(how)) _exit(0);
  }
}

void run_init(const struct options *options, bool own_pids, int report, int status, const void *original_mask) {
  struct failure failure;
  die_with_parent(report);
  if (options->isolate) {
    if (set_up_mounts(options, own_pids, &failure) < 0) give_up(report, &failure);
  }
  if (options->isolate || options->join_user >= 0) {
    if (drop_capabilities(&failure) < 0) give_up(report, &failure);
  }
  pid_t program = fork();
  if (program < 0) give_up_at(report, "fork");
  if (program == 0) {
    close(status);
    run_program(options, report, original_mask);
  }
  close(report);
  // Of the program's own user, and with no filter: not for it to trace, nor its descriptors to take.
  prctl(PR_SET_DUMPABLE, 0);

  // All signals are blocked since the launcher: pid 1 of a namespace would ignore what it does not handle, and a signal
  // to the process group reaches the program by itself. Only what the launcher queues is for us to pass on.
  sigset_t all;
  sigfillset(&all);
  bool stopped = false;
  for (;;) {
    siginfo_t info;
    int signal = sigwaitinfo(&all, &info);
    if (signal < 0) continue;
    reap(program, status, &stopped);
    if (signal == SIGCHLD || info.si_code != SI_QUEUE) continue;
    // One that runs is not told to go on.
    if (signal != SIGCONT || stopped) kill(program, signal);
  }
}
