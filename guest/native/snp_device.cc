// The SNP guest device for Node: opens it and issues its ioctls, each on libuv's pool, never on the event loop (a report
// takes milliseconds, and the kernel may hold a throttled one for a minute). What an errno or a status means is decided
// in TypeScript (src/device): this file only moves bytes. Beside it, files in memory for handing a key to a program.
#include <fcntl.h>
#include <napi.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "abi.h"

namespace skerry {
namespace {

using Bytes = std::vector<uint8_t>;

// A share in a descriptor that lives until the last request on it is over: close() while one is under way must not hand
// its number to somebody else's file. Not std::shared_ptr, which asks for a C library newer than Node does.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : held_(new Held{{1}, fd}) {}
  Descriptor(const Descriptor& other) : held_(other.held_) {
    if (held_ != nullptr) held_->shares.fetch_add(1, std::memory_order_relaxed);
  }
  Descriptor& operator=(Descriptor other) {
    std::swap(held_, other.held_);
    return *this;
  }
  ~Descriptor() {
    if (held_ == nullptr || held_->shares.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    ::close(held_->fd);
    delete held_;
  }
  explicit operator bool() const { return held_ != nullptr; }
  int fd() const { return held_->fd; }

 private:
  struct Held {
    std::atomic<int> shares;
    const int fd;
  };
  Held* held_ = nullptr;
};

// Pages for the certificate table: the kernel wants whole pages, and writes them itself.
class Pages {
 public:
  explicit Pages(size_t size) : size_(size) {
    if (size == 0) return;
    void* at = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at != MAP_FAILED) at_ = at;
  }
  ~Pages() {
    if (at_ != nullptr) ::munmap(at_, size_);
  }
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;
  bool ok() const { return size_ == 0 || at_ != nullptr; }
  uint8_t* data() const { return static_cast<uint8_t*>(at_); }

 private:
  size_t size_;
  void* at_ = nullptr;
};

enum class Kind { kReport, kDerivedKey, kExtReport, kLegacyReport };

uint64_t AddressOf(const void* pointer) { return reinterpret_cast<uintptr_t>(pointer); }

// One ioctl, from buffers copied in to buffers copied out. Resolves with {errno, exitinfo2, response, certificates?,
// certificatesLength?}; a failed ioctl is an answer, not a rejection.
class IoctlWorker : public Napi::AsyncWorker {
 public:
  IoctlWorker(Napi::Env env, const Descriptor& descriptor, Kind kind, Bytes request, uint32_t certificates)
      : Napi::AsyncWorker(env, "SnpDeviceIoctl"),
        deferred_(Napi::Promise::Deferred::New(env)),
        descriptor_(descriptor),
        kind_(kind),
        request_(std::move(request)),
        certificates_(kind == Kind::kExtReport ? certificates : 0),
        certificates_length_(certificates) {}

  ~IoctlWorker() override { ::explicit_bzero(response_.data(), response_.size()); }

  Napi::Promise Promise() const { return deferred_.Promise(); }

 protected:
  void Execute() override {
    switch (kind_) {
      case Kind::kReport:
        return Guest(abi::kGetReport, request_.data(), abi::kReportResponseSize);
      case Kind::kDerivedKey:
        return Guest(abi::kGetDerivedKey, request_.data(), abi::kKeyResponseSize);
      case Kind::kExtReport:
        return ExtReport();
      case Kind::kLegacyReport:
        return LegacyReport();
    }
  }

  void OnOK() override {
    Napi::HandleScope scope(Env());
    Napi::Object result = Napi::Object::New(Env());
    result["errno"] = Napi::Number::New(Env(), errno_);
    result["exitinfo2"] = Napi::BigInt::New(Env(), exitinfo2_);
    result["response"] = Napi::Buffer<uint8_t>::Copy(Env(), response_.data(), response_.size());
    if (kind_ == Kind::kExtReport) {
      result["certificatesLength"] = Napi::Number::New(Env(), certificates_length_);
      result["certificates"] =
          Napi::Buffer<uint8_t>::Copy(Env(), certificates_.data(), errno_ == 0 ? certificates_length_ : 0);
    }
    deferred_.Resolve(result);
  }

  void OnError(const Napi::Error& error) override { deferred_.Reject(error.Value()); }

 private:
  void Guest(unsigned long number, const void* request, size_t response_size) {
    response_.assign(response_size, 0);
    abi::GuestRequest argument{};
    argument.msg_version = 1;
    argument.request = AddressOf(request);
    argument.response = AddressOf(response_.data());
    argument.exitinfo2 = abi::kExitInfo2Success;
    errno_ = ::ioctl(descriptor_.fd(), number, &argument) == 0 ? 0 : errno;
    exitinfo2_ = argument.exitinfo2;
  }

  void ExtReport() {
    if (!certificates_.ok()) {
      errno_ = ENOMEM;
      return;
    }
    abi::ExtReportRequest request{};
    std::memcpy(request.report_request, request_.data(), abi::kReportRequestSize);
    request.certs_address = AddressOf(certificates_.data());
    request.certs_len = certificates_length_;
    const uint32_t room = certificates_length_;
    Guest(abi::kGetExtReport, &request, abi::kReportResponseSize);
    // On INVALID_LEN the kernel writes the needed size; on success it is what was asked for.
    certificates_length_ = errno_ == 0 && request.certs_len > room ? room : request.certs_len;
  }

  void LegacyReport() {
    response_.assign(abi::kLegacyReportResponseSize, 0);
    abi::LegacyRequest argument{};
    argument.req_msg_type = abi::kMsgReportRequest;
    argument.rsp_msg_type = abi::kMsgReportResponse;
    argument.msg_version = 1;
    argument.request_len = abi::kReportRequestSize;
    argument.request = AddressOf(request_.data());
    argument.response_len = abi::kLegacyReportResponseSize;
    argument.response = AddressOf(response_.data());
    errno_ = ::ioctl(descriptor_.fd(), abi::kLegacyReport, &argument) == 0 ? 0 : errno;
    exitinfo2_ = argument.error;
  }

  Napi::Promise::Deferred deferred_;
  const Descriptor descriptor_;
  const Kind kind_;
  Bytes request_;
  Bytes response_;
  Pages certificates_;
  uint32_t certificates_length_;
  int errno_ = 0;
  uint64_t exitinfo2_ = 0;
};

class Device : public Napi::ObjectWrap<Device> {
 public:
  static Napi::FunctionReference Define(Napi::Env env) {
    return Napi::Persistent(DefineClass(env, "NativeSnpDevice",
                                        {InstanceMethod<&Device::GetReport>("getReport"),
                                         InstanceMethod<&Device::GetDerivedKey>("getDerivedKey"),
                                         InstanceMethod<&Device::GetExtReport>("getExtReport"),
                                         InstanceMethod<&Device::GetLegacyReport>("getLegacyReport"),
                                         InstanceMethod<&Device::Close>("close")}));
  }

  // Closed, and of no use to whoever calls the constructor: only open() has a descriptor to give.
  explicit Device(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Device>(info) {}

  // Empty while the environment is torn down.
  static Napi::Object Of(const Napi::FunctionReference& constructor, const Descriptor& descriptor) {
    Napi::Object object = constructor.New({});
    Device* device = object.IsEmpty() ? nullptr : Unwrap(object);
    if (device != nullptr) device->descriptor_ = descriptor;
    return object;
  }

 private:
  Napi::Value GetReport(const Napi::CallbackInfo& info) { return Queue(info, Kind::kReport, abi::kReportRequestSize); }
  Napi::Value GetDerivedKey(const Napi::CallbackInfo& info) { return Queue(info, Kind::kDerivedKey, abi::kKeyRequestSize); }
  Napi::Value GetExtReport(const Napi::CallbackInfo& info) { return Queue(info, Kind::kExtReport, abi::kReportRequestSize); }
  Napi::Value GetLegacyReport(const Napi::CallbackInfo& info) { return Queue(info, Kind::kLegacyReport, abi::kReportRequestSize); }

  Napi::Value Queue(const Napi::CallbackInfo& info, Kind kind, size_t request_size) {
    Napi::Env env = info.Env();
    if (!info[0].IsTypedArray() || info[0].As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array ||
        info[0].As<Napi::TypedArray>().ByteLength() != request_size) {
      Napi::TypeError::New(env, "the request must be a Uint8Array of " + std::to_string(request_size) + " bytes")
          .ThrowAsJavaScriptException();
      return env.Undefined();
    }
    uint32_t certificates = 0;
    if (kind == Kind::kExtReport) {
      certificates = info[1].IsNumber() ? info[1].As<Napi::Number>().Uint32Value() : 0;
      if (certificates > abi::kMaxCertificatesSize || certificates % abi::kPageSize != 0) {
        Napi::RangeError::New(env, "the room for certificates must be whole pages, at most 0x4000 bytes")
            .ThrowAsJavaScriptException();
        return env.Undefined();
      }
    }
    if (!descriptor_) {
      Napi::Error::New(env, "the device is closed").ThrowAsJavaScriptException();
      return env.Undefined();
    }
    const auto view = info[0].As<Napi::Uint8Array>();
    auto* worker = new IoctlWorker(env, descriptor_, kind, Bytes(view.Data(), view.Data() + request_size), certificates);
    Napi::Promise promise = worker->Promise();
    worker->Queue();
    return promise;
  }

  void Close(const Napi::CallbackInfo&) { descriptor_ = Descriptor(); }

  Descriptor descriptor_;
};

// Per environment (a worker thread has its own).
struct AddonData {
  Napi::FunctionReference device;
};

class OpenWorker : public Napi::AsyncWorker {
 public:
  OpenWorker(Napi::Env env, std::string path)
      : Napi::AsyncWorker(env, "SnpDeviceOpen"), deferred_(Napi::Promise::Deferred::New(env)), path_(std::move(path)) {}

  Napi::Promise Promise() const { return deferred_.Promise(); }

 protected:
  void Execute() override {
    const int fd = ::open(path_.c_str(), O_RDWR | O_CLOEXEC);
    if (fd < 0) {
      errno_ = errno;
    } else {
      descriptor_ = Descriptor(fd);
    }
  }

  void OnOK() override {
    Napi::HandleScope scope(Env());
    Napi::Object result = Napi::Object::New(Env());
    result["errno"] = Napi::Number::New(Env(), errno_);
    if (descriptor_) {
      Napi::Object device = Device::Of(Env().GetInstanceData<AddonData>()->device, descriptor_);
      if (!device.IsEmpty()) result["device"] = device;
    }
    deferred_.Resolve(result);
  }

  void OnError(const Napi::Error& error) override { deferred_.Reject(error.Value()); }

 private:
  Napi::Promise::Deferred deferred_;
  const std::string path_;
  Descriptor descriptor_;
  int errno_ = 0;
};

Napi::Value Open(const Napi::CallbackInfo& info) {
  if (!info[0].IsString()) {
    Napi::TypeError::New(info.Env(), "the path of the device must be a string").ThrowAsJavaScriptException();
    return info.Env().Undefined();
  }
  auto* worker = new OpenWorker(info.Env(), info[0].As<Napi::String>().Utf8Value());
  Napi::Promise promise = worker->Promise();
  worker->Queue();
  return promise;
}

// A sealed file in memory. Small and without waiting, so it is done where it is called.
Napi::Value CreateMemoryFile(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  if (!info[0].IsString() || !info[1].IsTypedArray() ||
      info[1].As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array) {
    Napi::TypeError::New(env, "a memory file has a name and a Uint8Array of content").ThrowAsJavaScriptException();
    return env.Undefined();
  }
  const auto content = info[1].As<Napi::Uint8Array>();
  const int fd = ::memfd_create(info[0].As<Napi::String>().Utf8Value().c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING);
  const char* failed = fd < 0 ? "memfd_create" : nullptr;
  for (size_t at = 0; failed == nullptr && at < content.ByteLength();) {
    const ssize_t written = ::write(fd, content.Data() + at, content.ByteLength() - at);
    if (written > 0) {
      at += static_cast<size_t>(written);
    } else if (written == 0 || errno != EINTR) {
      failed = "write";
    }
  }
  if (failed == nullptr && (::fchmod(fd, 0400) != 0 || ::lseek(fd, 0, SEEK_SET) != 0)) failed = "fchmod";
  if (failed == nullptr &&
      ::fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) != 0) {
    failed = "fcntl";
  }
  if (failed != nullptr) {
    const int error = errno;
    if (fd >= 0) ::close(fd);
    Napi::Error::New(env, std::string(failed) + ": " + std::strerror(error)).ThrowAsJavaScriptException();
    return env.Undefined();
  }
  return Napi::Number::New(env, fd);
}

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  env.SetInstanceData(new AddonData{Device::Define(env)});
  exports["open"] = Napi::Function::New(env, Open, "open");
  exports["createMemoryFile"] = Napi::Function::New(env, CreateMemoryFile, "createMemoryFile");
  return exports;
}

}  // namespace
}  // namespace skerry

static Napi::Object InitSnpDevice(Napi::Env env, Napi::Object exports) { return skerry::Init(env, exports); }
NODE_API_MODULE(snp_device, InitSnpDevice)
