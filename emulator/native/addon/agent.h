// A seccomp agent (OCI runtime-spec, `listenerPath`): a Unix stream socket at which runtimes leave the state of a
// container and its seccomp listener. One thread takes what comes; each container's listener is then a Channel's.
#pragma once

#include <napi.h>

#include <string>
#include <thread>
#include <vector>

namespace skerry {

class Agent : public Napi::ObjectWrap<Agent> {
 public:
  static Napi::Function Define(Napi::Env env);
  explicit Agent(const Napi::CallbackInfo& info);
  ~Agent() override;

 private:
  struct Runtime {
    int socket;
    unsigned user;
    std::string text;
    std::vector<int> descriptors;
  };

  void Close(const Napi::CallbackInfo& info);
  void Run();
  void Accept();
  /** False when the connection is over. */
  bool Take(Runtime* runtime);
  static void StopAtEnd(void* self);
  void Stop();

  int listener_;
  int wake_;
  bool released_ = false;
  std::vector<Runtime> runtimes_;
  std::thread thread_;
  Napi::ThreadSafeFunction deliver_;
};

}  // namespace skerry
