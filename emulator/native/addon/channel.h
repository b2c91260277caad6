// The emulator's end of a launcher: its control socket and, once it came, the program's seccomp listener. For a container
// that a runtime started there is no launcher, and the control socket is -1. One thread
// polls both; what it learns goes to JavaScript through a thread-safe function, and JavaScript answers when it can.
#pragma once

#include <linux/seccomp.h>
#include <napi.h>

#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace skerry {

struct Event {
  enum class Kind { kMessage, kRequest, kUnreachable, kEnd } kind = Kind::kEnd;
  std::string text;                // kMessage: JSON
  std::vector<int> descriptors;    // kMessage: they belong to the receiver from then on
  uint64_t id = 0;                 // kRequest
  pid_t thread = 0;                // kRequest, kUnreachable
  uint32_t request = 0;            // kRequest; of kUnreachable the errno
  uint64_t argument = 0;
};

class Channel : public Napi::ObjectWrap<Channel> {
 public:
  static Napi::Function Define(Napi::Env env);
  explicit Channel(const Napi::CallbackInfo& info);
  ~Channel() override;

 private:
  // From JavaScript.
  void Supervise(const Napi::CallbackInfo& info);
  Napi::Value Read(const Napi::CallbackInfo& info);
  Napi::Value Write(const Napi::CallbackInfo& info);
  void Answer(const Napi::CallbackInfo& info);
  void Send(const Napi::CallbackInfo& info);
  void Close(const Napi::CallbackInfo& info);

  // On the thread.
  void Run();
  bool TakeMessage();
  void TakeNotification();
  bool IsOurDevice(pid_t thread, int descriptor);
  void NoteUnreachable(pid_t thread, int error);
  void Post(Event* event);

  static void StopAtEnd(void* self);
  void Stop();
  bool IsWaiting(uint64_t id);
  void Respond(uint64_t id, int error, uint32_t flags);
  void Inject(uint64_t id, bool close_on_exec);

  int control_;
  int wake_;
  int null_device_;
  int handed_over_ = -1;  // a listener that JavaScript gave and the thread has not taken yet
  int listener_ = -1;
  bool stopping_ = false;
  bool released_ = false;  // the reference that keeps us until `close`
  bool injected_ = false;
  bool unreachable_said_ = false;
  std::string device_;
  std::vector<char> notification_;
  std::vector<char> response_;
  std::mutex mutex_;  // guards the descriptors above: JavaScript answers while the thread may be closing
  std::thread thread_;
  Napi::ThreadSafeFunction deliver_;
};

}  // namespace skerry
