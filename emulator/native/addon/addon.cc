#include <errno.h>
#include <napi.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

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

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  exports.Set("socketPair", Napi::Function::New(env, SocketPair, "socketPair"));
  exports.Set("close", Napi::Function::New(env, Close, "close"));
  exports.Set("Channel", skerry::Channel::Define(env));
  return exports;
}

}  // namespace

NODE_API_MODULE(skerry_below, Init)
