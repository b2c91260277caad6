#include "agent.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>

#include "message.h"

namespace skerry {
namespace {

/** A container's configuration is part of its state; this is more than any has. */
constexpr size_t kLongestState = 1 << 20;
constexpr size_t kMostRuntimes = 64;

struct State {
  std::string text;
  std::vector<int> descriptors;
  unsigned user = 0;
};

/** Whether the text holds a JSON object to its end: runtimes differ in when they close the connection. */
bool IsWhole(const std::string& text) {
  int depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); i++) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') i++;
      else if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{') {
      depth++;
    } else if (c == '}' && --depth == 0) {
      return true;
    }
  }
  return false;
}

void CallJavaScript(Napi::Env env, Napi::Function callback, State* state) {
  std::unique_ptr<State> owned(state);
  if (env == nullptr || callback.IsEmpty()) return CloseAll(&owned->descriptors);
  auto descriptors = Napi::Array::New(env);
  for (size_t i = 0; i < owned->descriptors.size(); i++) descriptors.Set(i, Napi::Number::New(env, owned->descriptors[i]));
  callback.Call({Napi::String::New(env, owned->text), descriptors, Napi::Number::New(env, owned->user)});
}

}  // namespace

Napi::Function Agent::Define(Napi::Env env) {
  return DefineClass(env, "Agent", {InstanceMethod("close", &Agent::Close)});
}

// new Agent(listeningSocket, onState): takes the socket over.
Agent::Agent(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<Agent>(info), listener_(info[0].As<Napi::Number>().Int32Value()), wake_(eventfd(0, EFD_CLOEXEC)) {
  deliver_ = Napi::ThreadSafeFunction::New(info.Env(), info[1].As<Napi::Function>(), "skerry agent", 0, 1);
  napi_add_env_cleanup_hook(info.Env(), StopAtEnd, this);
  Ref();  // until `close`
  thread_ = std::thread([this] { Run(); });
}

Agent::~Agent() {
  Stop();
  napi_remove_env_cleanup_hook(Env(), StopAtEnd, this);
}

void Agent::StopAtEnd(void* self) { static_cast<Agent*>(self)->Stop(); }

void Agent::Stop() {
  if (!thread_.joinable()) return;
  const uint64_t one = 1;
  if (write(wake_, &one, sizeof one) < 0) errno = 0;
  thread_.join();
  for (Runtime& runtime : runtimes_) {
    CloseAll(&runtime.descriptors);
    close(runtime.socket);
  }
  runtimes_.clear();
  close(listener_);
  close(wake_);
}

void Agent::Run() {
  for (;;) {
    std::vector<pollfd> sources = {{wake_, POLLIN, 0}, {listener_, POLLIN, 0}};
    for (const Runtime& runtime : runtimes_) sources.push_back({runtime.socket, POLLIN, 0});
    if (poll(sources.data(), sources.size(), -1) < 0) continue;
    if (sources[0].revents) break;
    for (size_t i = sources.size() - 1; i >= 2; i--) {
      if (!sources[i].revents || Take(&runtimes_[i - 2])) continue;
      CloseAll(&runtimes_[i - 2].descriptors);
      close(runtimes_[i - 2].socket);
      runtimes_.erase(runtimes_.begin() + static_cast<long>(i - 2));
    }
    if (sources[1].revents) Accept();
  }
  deliver_.Release();
}

void Agent::Accept() {
  const int socket = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (socket < 0) return;
  ucred who{};
  socklen_t size = sizeof who;
  if (runtimes_.size() >= kMostRuntimes || getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &who, &size) < 0) {
    close(socket);
    return;
  }
  runtimes_.push_back({socket, who.uid, {}, {}});
}

bool Agent::Take(Runtime* runtime) {
  const ssize_t size = ReceiveMessage(runtime->socket, &runtime->text, &runtime->descriptors);
  if (size < 0) return errno == EINTR || errno == EAGAIN;
  if (size > 0 && !IsWhole(runtime->text)) return runtime->text.size() <= kLongestState;
  // One that only looked whether somebody listens.
  if (runtime->text.empty()) return false;
  auto state = std::make_unique<State>(State{std::move(runtime->text), std::move(runtime->descriptors), runtime->user});
  runtime->descriptors.clear();
  State* given = state.release();
  if (deliver_.NonBlockingCall(given, CallJavaScript) != napi_ok) {
    CloseAll(&given->descriptors);
    delete given;
  }
  return false;
}

void Agent::Close(const Napi::CallbackInfo&) {
  Stop();
  if (!released_) Unref();
  released_ = true;
}

}  // namespace skerry
