// INVARIANT(condition, format, values...): a statement that only a bug of ours can break. Always on; prints
// the condition and the values, then aborts. Bad input and broken disks are never INVARIANTs: they are
// Errors.
#pragma once

#include <fmt/format.h>

#include <string>

namespace tidemark {

[[noreturn]] void invariant_failed(const char* file, int line, const char* condition,
                                   const std::string& values);

}  // namespace tidemark

#define INVARIANT(condition, ...)                                                             \
  do {                                                                                        \
    if (!(condition)) [[unlikely]]                                                            \
      ::tidemark::invariant_failed(__FILE__, __LINE__, #condition, fmt::format(__VA_ARGS__)); \
  } while (false)
// The caller's duty, stated in the function's comment as `REQUIRES:`.
#define REQUIRES(condition) INVARIANT(condition, "the caller broke a precondition")
