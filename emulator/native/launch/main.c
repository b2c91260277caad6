#define _GNU_SOURCE
#include "launch.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// Called by the emulator only, which knows these words; the person's command line is `skerry run`.
static int usage(const char *problem) {
  fprintf(stderr, "skerry_launch: %s\nThis program is started by skerry; see: skerry run --help\n", problem);
  return 125;
}

// The program's variables come with a mark before each name, so that none of them (LD_PRELOAD, LD_AUDIT) means anything to
// this launcher, which starts outside of the confinement.
static void take_program_environment(void) {
  char **to = environ;
  for (char **from = environ; *from; from++)
    if (**from == '+') *to++ = *from + 1;
  *to = NULL;
}

static int descriptor(const char *text) {
  int number = atoi(text);
  fcntl(number, F_SETFD, FD_CLOEXEC);
  return number;
}

int main(int count, char **arguments) {
  const char *mode = count > 1 ? arguments[1] : "";
  if (strcmp(mode, "try-device") == 0) return try_device(count - 2, arguments + 2);
  if (strcmp(mode, "network") == 0 && count > 2) return make_network(descriptor(arguments[2]));
  if (strcmp(mode, "run") != 0) return usage("unknown mode");

  struct options options = {.control = -1, .join_user = -1, .join_net = -1, .device = "sev-guest"};
  int at = 2;
  for (; at < count && strcmp(arguments[at], "--") != 0; at++) {
    const char *name = arguments[at];
    if (strcmp(name, "--isolate") == 0) options.isolate = true;
    else if (strcmp(name, "--device-node") == 0) options.device_node = true;
    else if (strcmp(name, "--new-session") == 0) options.new_session = true;
    else if (at + 1 >= count) return usage("a value is missing");
    else if (strcmp(name, "--control") == 0) options.control = descriptor(arguments[++at]);
    else if (strcmp(name, "--join-user") == 0) options.join_user = descriptor(arguments[++at]);
    else if (strcmp(name, "--join-net") == 0) options.join_net = descriptor(arguments[++at]);
    else if (strcmp(name, "--device") == 0) options.device = arguments[++at];
    else if (strcmp(name, "--hide") == 0 || strcmp(name, "--empty") == 0) {
      if (options.hidden_count == MAX_HIDDEN) return usage("too many hidden directories");
      options.hidden_writable[options.hidden_count] = strcmp(name, "--empty") == 0;
      options.hidden[options.hidden_count++] = arguments[++at];
    }
    else if (strcmp(name, "--bind") == 0 || strcmp(name, "--bind-ro") == 0) {
      if (at + 2 >= count || options.bind_count == MAX_BINDS) return usage("too few or too many binds");
      options.binds[options.bind_count++] = (struct bind){
          .source = arguments[at + 1], .target = arguments[at + 2], .read_only = strcmp(name, "--bind-ro") == 0};
      at += 2;
    } else return usage("unknown option");
  }
  if (options.control < 0) return usage("no control socket");
  if (at + 1 >= count) return usage("no command");
  options.command = arguments + at + 1;
  take_program_environment();
  return run_command(&options);
}
