#include "protocol/messages.h"

#include <algorithm>

namespace tidemark::protocol {

// Generated: the rows, as they lie in the generated source files.
std::span<const std::span<const MessageType>> generated_message_types();

std::span<const MessageType> all_message_types() {
  static const std::vector<MessageType> kTypes = [] {
    std::vector<MessageType> types;
    for (const auto& group : generated_message_types()) types.insert(types.end(), group.begin(), group.end());
    std::sort(types.begin(), types.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    return types;
  }();
  return kTypes;
}

const MessageType* find_message_type(std::string_view name) {
  const auto types = all_message_types();
  const auto at = std::lower_bound(types.begin(), types.end(), name,
                                   [](const MessageType& type, std::string_view n) { return type.name < n; });
  return at != types.end() && at->name == name ? &*at : nullptr;
}

const MessageType* find_message_type(MessageKind kind, int16_t key) {
  REQUIRES(kind == MessageKind::request || kind == MessageKind::response || kind == MessageKind::metadata ||
           kind == MessageKind::remote_log_metadata);
  const auto types = all_message_types();
  const auto at = std::find_if(types.begin(), types.end(),
                               [&](const MessageType& type) { return type.kind == kind && type.key == key; });
  return at == types.end() ? nullptr : &*at;
}

}  // namespace tidemark::protocol
