#define _GNU_SOURCE
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

// The emulator's probe: does a program find the device, and is its request answered? Run below the launcher like any
// other program. Exit code 0: yes; otherwise the errno of what failed.
int try_device(int count, char **arguments) {
  if (count < 1) return EINVAL;
  const int azure = strcmp(arguments[0], "/dev/sev") == 0;
  int device = open(arguments[0], O_RDWR | O_CLOEXEC);
  if (device < 0) return errno;
  uint8_t request[96] = {0};
  static uint8_t response[4000];
  int result;
  if (azure) {
    struct {
      uint8_t request_type, response_type, version, pad0;
      uint16_t request_size, pad1;
      uint64_t request_address;
      uint16_t response_size, pad2[3];
      uint64_t response_address;
      uint32_t error, pad3;
    } argument = {5, 6, 1, 0, 96, 0, (uintptr_t)request, 1280, {0}, (uintptr_t)response, 0, 0};
    result = ioctl(device, 0xC0285301u, &argument);
  } else {
    struct {
      uint64_t version, request_address, response_address, exit_info;
    } argument = {1, (uintptr_t)request, (uintptr_t)response, 0};
    result = ioctl(device, 0xC0205300u, &argument);
  }
  return result < 0 ? errno : 0;
}
