#include <errno.h>
#include <napi.h>
#include <string.h>
#include <sys/socket.h>

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

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  exports.Set("socketPair", Napi::Function::New(env, SocketPair, "socketPair"));
  exports.Set("Channel", skerry::Channel::Define(env));
  return exports;
}

}  // namespace

NODE_API_MODULE(skerry_below, Init)
