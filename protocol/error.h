// Errors are values. An Error answers three questions: which Kafka code, is it worth a retry, and may the
// write that failed have been persisted all the same. Any thread may use these types.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace tidemark {

enum class ErrorCode : int16_t {
#define X(name, code, retriable, invalidates_metadata) name = code,
#include "protocol/error_codes.def"
#undef X
};

// Kafka's name of the code, "UNKNOWN_SERVER_ERROR" for one that this release does not know.
[[nodiscard]] std::string_view error_name(ErrorCode code);
// Whether Kafka's clients retry on this code.
[[nodiscard]] bool is_retriable(ErrorCode code);

// What failed, beyond its wire code. Boundaries switch over it without `default`.
enum class ErrorKind : uint8_t {
  protocol,    // the peer sent or asked something that the protocol answers with `code`
  io,          // the operating system refused: message holds the path and errno's words
  no_space,    // the disk is full; appends resume by themselves
  corruption,  // stored bytes are not what was written; the partition goes offline, the process lives
  format,      // a file of ours with a newer format version, or not ours at all
  config,      // a setting or argument; message names the key and the nearest valid choice
  closed,      // the connection, log or node is closing
  timeout,     // the deadline passed first
};

class [[nodiscard]] Error {
 public:
  Error(ErrorCode code, std::string message) : Error(ErrorKind::protocol, code, std::move(message)) {}
  Error(ErrorKind kind, ErrorCode code, std::string message)
      : message_(std::move(message)), code_(code), kind_(kind) {}

  static Error io(std::string message) {
    return {ErrorKind::io, ErrorCode::KAFKA_STORAGE_ERROR, std::move(message)};
  }
  static Error no_space(std::string message) {
    return {ErrorKind::no_space, ErrorCode::KAFKA_STORAGE_ERROR, std::move(message)};
  }
  static Error corruption(std::string message) {
    return {ErrorKind::corruption, ErrorCode::KAFKA_STORAGE_ERROR, std::move(message)};
  }
  static Error format(std::string message) {
    return {ErrorKind::format, ErrorCode::KAFKA_STORAGE_ERROR, std::move(message)};
  }
  static Error config(std::string message) {
    return {ErrorKind::config, ErrorCode::INVALID_CONFIG, std::move(message)};
  }
  static Error closed(std::string message) {
    return {ErrorKind::closed, ErrorCode::NETWORK_EXCEPTION, std::move(message)};
  }
  static Error timeout(std::string message) {
    return {ErrorKind::timeout, ErrorCode::REQUEST_TIMED_OUT, std::move(message)};
  }

  [[nodiscard]] ErrorCode code() const { return code_; }
  [[nodiscard]] ErrorKind kind() const { return kind_; }
  [[nodiscard]] const std::string& message() const { return message_; }
  // True where a failed write may be found later: the caller must neither report it lost nor write it again.
  [[nodiscard]] bool possibly_persisted() const { return possibly_persisted_; }
  Error&& mark_possibly_persisted() && {
    possibly_persisted_ = true;
    return std::move(*this);
  }
  // "CODE: message", for logs.
  [[nodiscard]] std::string to_string() const;

 private:
  std::string message_;
  ErrorCode code_;
  ErrorKind kind_;
  bool possibly_persisted_ = false;
};

// std::expected that must not be dropped unseen.
template <class T>
class [[nodiscard]] Result : public std::expected<T, Error> {
 public:
  using std::expected<T, Error>::expected;
};

using Unexpected = std::unexpected<Error>;

inline Unexpected fail(Error error) { return Unexpected(std::move(error)); }
inline Unexpected fail(ErrorCode code, std::string message) {
  return Unexpected(Error(code, std::move(message)));
}

}  // namespace tidemark

// TRY(expr): returns the error of a Result<void>-like expression to the caller.
#define TIDEMARK_CONCAT_(a, b) a##b
#define TIDEMARK_CONCAT(a, b) TIDEMARK_CONCAT_(a, b)
#define TRY(expr)                                                              \
  do {                                                                         \
    auto try_result_ = (expr);                                                 \
    if (!try_result_) return ::tidemark::fail(std::move(try_result_).error()); \
  } while (false)
// TRY_ASSIGN(auto x, expr): x = value of the Result, or returns its error.
#define TRY_ASSIGN(decl, expr) TIDEMARK_TRY_ASSIGN_(TIDEMARK_CONCAT(try_result_, __LINE__), decl, expr)
#define TIDEMARK_TRY_ASSIGN_(tmp, decl, expr)                \
  auto tmp = (expr);                                         \
  if (!tmp) return ::tidemark::fail(std::move(tmp).error()); \
  decl = std::move(*tmp)
