#include "protocol/error.h"

#include <fmt/format.h>

namespace tidemark {

std::string_view error_name(ErrorCode code) {
  switch (code) {
#define X(name, code, retriable, invalidates_metadata) \
  case ErrorCode::name: return #name;
#include "protocol/error_codes.def"
#undef X
  }
  return "UNKNOWN_SERVER_ERROR";
}

bool is_retriable(ErrorCode code) {
  switch (code) {
#define X(name, code, retriable, invalidates_metadata) \
  case ErrorCode::name: return retriable;
#include "protocol/error_codes.def"
#undef X
  }
  return false;
}

std::string Error::to_string() const { return fmt::format("{}: {}", error_name(code_), message_); }

}  // namespace tidemark
