#include <errno.h>
#include <napi.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent.h"
#include "channel.h"

namespace {

// socketPair(): [ours, theirs]. Close-on-exec both; a child gets its end by being told so (`stdio` of spawn).
Napi::Value SocketPair(const Napi::CallbackInfo& info) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
    Napi::Error::New(info.Env(), std::string("socketpair: ") + strerror(errno)).ThrowAsJavaScriptException();
    return info.Env().Undefined();
  }
  auto pair = Napi::Array::New(info.Env(), 2);
  pair.Set(0u, Napi::Number::New(info.Env(), ends[0]));
  pair.Set(1u, Napi::Number::New(info.Env(), ends[1]));
  return pair;
}

// close(descriptor): for descriptors that came by message. Node's own close warns of them in a worker thread.
void Close(const Napi::CallbackInfo& info) { close(info[0].As<Napi::Number>().Int32Value()); }

// listenAt(path): a stream socket that only this user may connect to, or the errno (a positive number, negated).
Napi::Value ListenAt(const Napi::CallbackInfo& info) {
  const std::string path = info[0].As<Napi::String>().Utf8Value();
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return Napi::Number::New(info.Env(), -ENAMETOOLONG);
  path.copy(address.sun_path, path.size());
  const int socket_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  // The mode is there with the file: nobody connects before it is.
  const mode_t mask = umask(0177);
  int error = 0;
  if (socket_ < 0 || bind(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) < 0 || listen(socket_, 64) < 0)
    error = errno;
  umask(mask);
  if (error == 0) return Napi::Number::New(info.Env(), socket_);
  if (socket_ >= 0) close(socket_);
  return Napi::Number::New(info.Env(), -error);
}

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  exports.Set("socketPair", Napi::Function::New(env, SocketPair, "socketPair"));
  exports.Set("close", Napi::Function::New(env, Close, "close"));
  exports.Set("listenAt", Napi::Function::New(env, ListenAt, "listenAt"));
  exports.Set("Agent", skerry::Agent::Define(env));
  exports.Set("Channel", skerry::Channel::Define(env));
  return exports;
}

}  // namespace

NODE_API_MODULE(skerry_below, Init)
