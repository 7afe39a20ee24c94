#include "client/core/admin_wire.h"

namespace tidemark::client {

std::optional<Error> error_of(int16_t code, const std::optional<std::string_view>& message,
                              std::string_view name) {
  if (code == 0) return std::nullopt;
  const std::string text(message.value_or(""));
  if (text.empty()) return Error(ErrorCode(code), std::string(name));
  const bool told = name.empty() || text.find(fmt::format("'{}'", name)) != std::string::npos;
  return Error(ErrorCode(code), told ? text : fmt::format("{}: {}", name, text));
}

bool is_unreachable(const Error& error) {
  return error.kind() == ErrorKind::io || error.kind() == ErrorKind::closed ||
         error.kind() == ErrorKind::timeout || is_retriable(error.code());
}

}  // namespace tidemark::client
