// All responses: the first byte is the API key, the second the version, the rest the body. The key 255 stands
// for everything that is neither request nor response (headers, records): the second byte chooses which, the
// third the version.
#include "tests/fuzz/message_roundtrip.h"

using namespace tidemark;
using namespace tidemark::protocol;

namespace {

constexpr uint8_t kOtherMessages = 255;

const std::vector<const MessageType*>& other_messages() {
  static const std::vector<const MessageType*> kTypes = [] {
    std::vector<const MessageType*> types;
    for (const MessageType& type : all_message_types()) {
      if (type.kind != MessageKind::request && type.kind != MessageKind::response) types.push_back(&type);
    }
    return types;
  }();
  return kTypes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 3) return -1;
  const bool other = data[0] == kOtherMessages;
  if (other && data[1] >= other_messages().size()) return -1;
  const MessageType* type =
      other ? other_messages()[data[1]] : find_message_type(MessageKind::response, data[0]);
  const uint8_t version = other ? data[2] : data[1];
  const size_t start = other ? 3 : 2;
  if (type == nullptr || !type->versions.contains(version)) return -1;
  const std::vector<std::byte> body(reinterpret_cast<const std::byte*>(data) + start,
                                    reinterpret_cast<const std::byte*>(data) + size);
  fuzz::check_roundtrip(*type, body, version);
  return 0;
}
