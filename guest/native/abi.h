// The kernel's view of the SNP guest device: memory layouts and request numbers, written out here because the headers of
// a build machine may be older than the kernel that runs the result.
//
// Sources: Linux include/uapi/linux/sev-guest.h and Documentation/virt/coco/sev-guest.rst (/dev/sev-guest); AMD "SEV
// Secure Nested Paging Firmware ABI Specification" (56860), MSG_REPORT_REQ, MSG_KEY_REQ and their responses; the
// ioctl of Azure's 5.15 kernel for confidential containers (/dev/sev), as its published clients lay it out.
#pragma once

#include <sys/ioctl.h>

#include <cstddef>
#include <cstdint>

namespace skerry::abi {

constexpr size_t kReportRequestSize = 96;
constexpr size_t kKeyRequestSize = 32;
constexpr size_t kKeyResponseSize = 64;
// 6.x drivers copy 4000 bytes out, whatever the message's own size.
constexpr size_t kReportResponseSize = 4000;
// The 5.15 driver refuses a buffer without the 64 spare bytes behind the 1216 of the message.
constexpr size_t kLegacyReportResponseSize = 1280;
constexpr uint32_t kMaxCertificatesSize = 0x4000;
constexpr uint32_t kPageSize = 4096;
// What the kernel presets its copy of exitinfo2 to; it is only copied back when it is not zero.
constexpr uint64_t kExitInfo2Success = 0;

struct GuestRequest {
  uint8_t msg_version;
  uint8_t padding[7];
  uint64_t request;
  uint64_t response;
  uint64_t exitinfo2;
};
static_assert(sizeof(GuestRequest) == 32);
static_assert(offsetof(GuestRequest, request) == 8);
static_assert(offsetof(GuestRequest, exitinfo2) == 24);

struct ExtReportRequest {
  uint8_t report_request[kReportRequestSize];
  uint64_t certs_address;
  uint32_t certs_len;
  uint32_t padding;
};
static_assert(sizeof(ExtReportRequest) == 112);
static_assert(offsetof(ExtReportRequest, certs_address) == 96);
static_assert(offsetof(ExtReportRequest, certs_len) == 104);

struct LegacyRequest {
  uint8_t req_msg_type;
  uint8_t rsp_msg_type;
  uint8_t msg_version;
  uint8_t padding0;
  uint16_t request_len;
  uint16_t padding1;
  uint64_t request;
  uint16_t response_len;
  uint16_t padding2[3];
  uint64_t response;
  uint32_t error;
  uint32_t padding3;
};
static_assert(sizeof(LegacyRequest) == 40);
static_assert(offsetof(LegacyRequest, request) == 8);
static_assert(offsetof(LegacyRequest, response_len) == 16);
static_assert(offsetof(LegacyRequest, response) == 24);
static_assert(offsetof(LegacyRequest, error) == 32);

constexpr uint8_t kMsgReportRequest = 5;
constexpr uint8_t kMsgReportResponse = 6;

constexpr unsigned long kGetReport = _IOWR('S', 0x0, GuestRequest);
constexpr unsigned long kGetDerivedKey = _IOWR('S', 0x1, GuestRequest);
constexpr unsigned long kGetExtReport = _IOWR('S', 0x2, GuestRequest);
constexpr unsigned long kLegacyReport = _IOWR('S', 0x1, LegacyRequest);
static_assert(kGetReport == 0xC0205300);
static_assert(kGetDerivedKey == 0xC0205301);
static_assert(kGetExtReport == 0xC0205302);
static_assert(kLegacyReport == 0xC0285301);

}  // namespace skerry::abi
