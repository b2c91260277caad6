#include "channel.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

#include "caller.h"
#include "message.h"
#include "path-calls.h"

namespace skerry {
namespace {

constexpr size_t kLargestCopy = 1 << 20;
#if defined(__x86_64__)
constexpr uint32_t kOurArchitecture = AUDIT_ARCH_X86_64;
#else
constexpr uint32_t kOurArchitecture = AUDIT_ARCH_AARCH64;
#endif

uint64_t ToU64(const Napi::Value& value) {
  bool lossless = true;
  return value.As<Napi::BigInt>().Uint64Value(&lossless);
}

void CallJavaScript(Napi::Env env, Napi::Function callback, Event* event) {
  std::unique_ptr<Event> owned(event);
  // Without an environment (it is being torn down) nobody will take the descriptors.
  if (env == nullptr || callback.IsEmpty()) return CloseAll(&owned->descriptors);
  switch (owned->kind) {
    case Event::Kind::kMessage: {
      auto descriptors = Napi::Array::New(env);
      for (size_t i = 0; i < owned->descriptors.size(); i++) descriptors.Set(i, Napi::Number::New(env, owned->descriptors[i]));
      callback.Call({Napi::String::New(env, "message"), Napi::String::New(env, owned->text), descriptors});
      break;
    }
    case Event::Kind::kRequest:
      callback.Call({Napi::String::New(env, "request"), Napi::BigInt::New(env, owned->id),
                     Napi::Number::New(env, owned->thread), Napi::Number::New(env, owned->request),
                     Napi::BigInt::New(env, owned->argument)});
      break;
    case Event::Kind::kUnreachable:
      callback.Call({Napi::String::New(env, "unreachable"), Napi::Number::New(env, owned->thread),
                     Napi::Number::New(env, owned->request)});
      break;
    case Event::Kind::kEnd:
      callback.Call({Napi::String::New(env, "end")});
  }
}

}  // namespace

Napi::Function Channel::Define(Napi::Env env) {
  return DefineClass(env, "Channel",
                     {InstanceMethod("supervise", &Channel::Supervise), InstanceMethod("read", &Channel::Read),
                      InstanceMethod("write", &Channel::Write), InstanceMethod("answer", &Channel::Answer),
                      InstanceMethod("send", &Channel::Send), InstanceMethod("close", &Channel::Close)});
}

// new Channel(controlDescriptor, devicePath, injected, onEvent)
Channel::Channel(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<Channel>(info),
      control_(info[0].As<Napi::Number>().Int32Value()),
      wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      null_device_(open("/dev/null", O_RDWR | O_CLOEXEC)),
      injected_(info[2].As<Napi::Boolean>().Value()),
      device_(info[1].As<Napi::String>().Utf8Value()) {
  seccomp_notif_sizes sizes{};
  if (syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) < 0) sizes = {};
  notification_.resize(std::max<size_t>(sizes.seccomp_notif, sizeof(seccomp_notif)));
  response_.resize(std::max<size_t>(sizes.seccomp_notif_resp, sizeof(seccomp_notif_resp)));
  // Keeps the loop alive until the end was delivered: the launcher's last words may come after its exit was seen.
  deliver_ = Napi::ThreadSafeFunction::New(info.Env(), info[3].As<Napi::Function>(), "skerry channel", 0, 1);
  // A worker that ends must not leave a thread behind that calls into it.
  napi_add_env_cleanup_hook(info.Env(), StopAtEnd, this);
  Ref();  // until `close`
  thread_ = std::thread([this] { Run(); });
}

Channel::~Channel() {
  Stop();
  napi_remove_env_cleanup_hook(Env(), StopAtEnd, this);
}

void Channel::StopAtEnd(void* self) { static_cast<Channel*>(self)->Stop(); }

void Channel::Stop() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
    const uint64_t one = 1;
    if (wake_ >= 0 && write(wake_, &one, sizeof one) < 0) errno = 0;
  }
  if (thread_.joinable()) thread_.join();
  std::lock_guard<std::mutex> lock(mutex_);
  for (int* descriptor : {&control_, &wake_, &null_device_, &handed_over_, &listener_}) {
    if (*descriptor >= 0) close(*descriptor);
    *descriptor = -1;
  }
}

void Channel::Post(Event* event) {
  if (deliver_.NonBlockingCall(event, CallJavaScript) != napi_ok) {
    CloseAll(&event->descriptors);
    delete event;
  }
}

void Channel::Run() {
  bool open = true;
  while (open) {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      if (stopping_) break;
      if (handed_over_ >= 0) {
        listener_ = handed_over_;
        handed_over_ = -1;
      }
    }
    pollfd sources[] = {{control_, POLLIN, 0}, {wake_, POLLIN, 0}, {listener_, POLLIN, 0}};
    if (poll(sources, 3, -1) < 0) continue;
    if (sources[1].revents & POLLIN) {
      uint64_t count;
      if (read(wake_, &count, sizeof count) < 0) errno = 0;
    }
    // RECV answers ENOENT both when a call was interrupted and when the tree is gone; only poll tells them apart.
    if (sources[2].revents & POLLIN) {
      TakeNotification();
    } else if (sources[2].revents) {
      std::lock_guard<std::mutex> lock(mutex_);
      close(listener_);
      listener_ = -1;
      // Without a launcher there is nothing else to wait for.
      if (control_ < 0) open = false;
    }
    if (sources[0].revents) open = TakeMessage();
  }
  if (!open) Post(new Event());
  deliver_.Release();
}

bool Channel::TakeMessage() {
  auto event = std::make_unique<Event>();
  event->kind = Event::Kind::kMessage;
  const ssize_t size = ReceiveMessage(control_, &event->text, &event->descriptors);
  if (size < 0 && (errno == EINTR || errno == EAGAIN)) return true;
  if (size <= 0) return false;
  Post(event.release());
  return true;
}

bool Channel::IsOurDevice(pid_t thread, int descriptor) {
  errno = 0;
  const std::string link = ReadDescriptorPath(thread, descriptor);
  if (link.empty()) NoteUnreachable(thread, errno);
  // Where the device is injected a container may have a node of its own all the same.
  if (link == device_ || (injected_ && link == "/dev/null")) return true;
  return FromRoot(thread, link) == device_;
}

// A caller whose memory or descriptors the system keeps from us: said once for each channel, since the program asks again.
void Channel::NoteUnreachable(pid_t thread, int error) {
  if (error != EPERM && error != EACCES) return;
  std::lock_guard<std::mutex> lock(mutex_);
  if (unreachable_said_) return;
  unreachable_said_ = true;
  auto event = std::make_unique<Event>();
  event->kind = Event::Kind::kUnreachable;
  event->thread = thread;
  event->request = static_cast<uint32_t>(error);
  Post(event.release());
}

void Channel::TakeNotification() {
  std::fill(notification_.begin(), notification_.end(), 0);
  auto* call = reinterpret_cast<seccomp_notif*>(notification_.data());
  if (ioctl(listener_, SECCOMP_IOCTL_NOTIF_RECV, call) < 0) return;  // interrupted meanwhile: poll again
  const auto thread = static_cast<pid_t>(call->pid);
  // A container runtime's filter covers 32-bit programs too; their numbers mean other calls.
  if (call->data.arch != kOurArchitecture) return Respond(call->id, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE);
  if (IsPathCall(call->data.nr)) {
    const PathDecision decision = AnswerPathCall(*call, device_);
    if (decision.unreachable != 0) NoteUnreachable(thread, decision.unreachable);
    if (decision.answer == PathAnswer::kInject) return Inject(call->id, decision.close_on_exec);
    const bool done = decision.answer == PathAnswer::kDone;
    return Respond(call->id, decision.error, done ? 0 : SECCOMP_USER_NOTIF_FLAG_CONTINUE);
  }
  // The filter cannot see what a descriptor is. A request on anything else is the kernel's to refuse: EBADF, ENOTTY.
  if (!IsOurDevice(thread, static_cast<int>(call->data.args[0])))
    return Respond(call->id, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE);
  auto event = std::make_unique<Event>();
  event->kind = Event::Kind::kRequest;
  event->id = call->id;
  event->thread = thread;
  event->request = static_cast<uint32_t>(call->data.args[1]);
  event->argument = call->data.args[2];
  Post(event.release());
}

bool Channel::IsWaiting(uint64_t id) {
  std::lock_guard<std::mutex> lock(mutex_);
  return listener_ >= 0 && ioctl(listener_, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}

void Channel::Respond(uint64_t id, int error, uint32_t flags) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (listener_ < 0) return;
  std::fill(response_.begin(), response_.end(), 0);
  auto* response = reinterpret_cast<seccomp_notif_resp*>(response_.data());
  response->id = id;
  response->error = -error;
  response->flags = flags;
  // ENOENT: the caller was killed meanwhile, and nobody waits for this answer.
  if (ioctl(listener_, SECCOMP_IOCTL_NOTIF_SEND, response) < 0) errno = 0;
}

void Channel::Inject(uint64_t id, bool close_on_exec) {
  seccomp_notif_addfd add{};
  add.id = id;
  add.flags = SECCOMP_ADDFD_FLAG_SEND;
  add.srcfd = static_cast<uint32_t>(null_device_);
  add.newfd_flags = close_on_exec ? O_CLOEXEC : 0;
  // Fails when the caller has no descriptor left (EMFILE), which is then its answer.
  if (ioctl(listener_, SECCOMP_IOCTL_NOTIF_ADDFD, &add) < 0 && errno != ENOENT) Respond(id, errno, 0);
}

void Channel::Supervise(const Napi::CallbackInfo& info) {
  std::lock_guard<std::mutex> lock(mutex_);
  const int listener = info[0].As<Napi::Number>().Int32Value();
  if (stopping_) {
    close(listener);
    return;
  }
  handed_over_ = listener;
  const uint64_t one = 1;
  if (write(wake_, &one, sizeof one) < 0) errno = 0;
}

// read(id, thread, address, size): the bytes, or undefined when they cannot be reached or the caller is gone.
Napi::Value Channel::Read(const Napi::CallbackInfo& info) {
  const size_t size = info[3].As<Napi::Number>().Uint32Value();
  if (size > kLargestCopy) return info.Env().Undefined();
  auto bytes = Napi::Buffer<char>::New(info.Env(), size);
  const pid_t thread = info[1].As<Napi::Number>().Int32Value();
  errno = 0;
  if (!ReadMemory(thread, ToU64(info[2]), bytes.Data(), size)) {
    NoteUnreachable(thread, errno);
    return info.Env().Undefined();
  }
  // After the read: what was read may be of another process with the same id.
  if (!IsWaiting(ToU64(info[0]))) return info.Env().Undefined();
  return bytes;
}

// write(id, thread, address, bytes): whether all of them were written.
Napi::Value Channel::Write(const Napi::CallbackInfo& info) {
  const auto bytes = info[3].As<Napi::Uint8Array>();
  const bool written = IsWaiting(ToU64(info[0])) && WriteMemory(info[1].As<Napi::Number>().Int32Value(), ToU64(info[2]),
                                                                bytes.Data(), bytes.ByteLength());
  return Napi::Boolean::New(info.Env(), written);
}

// answer(id, errno): 0 for success.
void Channel::Answer(const Napi::CallbackInfo& info) {
  Respond(ToU64(info[0]), info[1].As<Napi::Number>().Int32Value(), 0);
}

// send(signal): the launcher passes it to the program.
void Channel::Send(const Napi::CallbackInfo& info) {
  const auto signal = static_cast<unsigned char>(info[0].As<Napi::Number>().Uint32Value());
  std::lock_guard<std::mutex> lock(mutex_);
  if (control_ >= 0 && send(control_, &signal, 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) errno = 0;
}

void Channel::Close(const Napi::CallbackInfo&) {
  Stop();
  if (!released_) Unref();
  released_ = true;
}

}  // namespace skerry
