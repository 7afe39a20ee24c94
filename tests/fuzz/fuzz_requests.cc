// All requests: the first byte is the API key, the second the version, the rest the body. The body is also
// read as a whole frame, header first.
#include "protocol/frame.h"
#include "tests/fuzz/message_roundtrip.h"

using namespace tidemark;
using namespace tidemark::protocol;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return -1;
  const MessageType* type = find_message_type(MessageKind::request, data[0]);
  if (type == nullptr || !type->versions.contains(data[1])) return -1;
  const std::vector<std::byte> body(reinterpret_cast<const std::byte*>(data) + 2,
                                    reinterpret_cast<const std::byte*>(data) + size);
  fuzz::check_roundtrip(*type, body, data[1]);

  Decoder in(body);
  const auto header = decode_request_header(in);
  if (header) {
    const MessageType* framed = find_message_type(MessageKind::request, header->request_api_key);
    INVARIANT(framed != nullptr, "a header for the unknown key {}", header->request_api_key);
    if (framed->versions.contains(header->request_api_version)) {
      fuzz::check_roundtrip(*framed, in.rest(), header->request_api_version);
    }
  }
  return 0;
}
