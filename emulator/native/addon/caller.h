// The process whose system call is being answered: its memory and its descriptors.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>

namespace skerry {

/** Copies exactly `size` bytes; false when any of them cannot be reached (the caller then gets EFAULT). */
bool ReadMemory(pid_t thread, uint64_t address, void* into, size_t size);
bool WriteMemory(pid_t thread, uint64_t address, const void* from, size_t size);

/** A C string of at most 4,095 characters (PATH_MAX). */
bool ReadPath(pid_t thread, uint64_t address, std::string* path);

/** Where a link of /proc/<thread> leads: `fd/3`, `cwd`. Empty when there is none. */
std::string ReadProcLink(pid_t thread, const std::string& name);

/** Where a descriptor of the caller leads; empty, with errno, when it has none or the system keeps it from us. */
std::string ReadDescriptorPath(pid_t thread, int descriptor);

// What we see at that path, as a program sees it whose root is not ours: one that a runtime below a chroot started.
std::string FromRoot(pid_t thread, const std::string& path);

}  // namespace skerry
