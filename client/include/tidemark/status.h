// What became of a call: nothing (ok), or an error with Kafka's name. A plain value; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

namespace tidemark_client {

struct Status {
  int16_t code = 0;     // Kafka's error code
  std::string name;     // its name, "TOPIC_ALREADY_EXISTS"; empty: no error
  std::string message;  // for people
  bool retriable = false;
  // Of a write: it may be in the log all the same. It must be neither reported lost nor written again.
  bool possibly_persisted = false;

  [[nodiscard]] bool ok() const { return name.empty(); }
  [[nodiscard]] std::string to_string() const { return ok() ? "ok" : name + ": " + message; }
};

// A value, or the Status that says why there is none.
template <class T>
class [[nodiscard]] Answer {
 public:
  Answer(T value) : value_(std::move(value)) {}
  Answer(Status status) : status_(std::move(status)) {}

  [[nodiscard]] bool ok() const { return status_.ok(); }
  explicit operator bool() const { return ok(); }
  [[nodiscard]] const Status& status() const { return status_; }
  // Empty where there is none.
  [[nodiscard]] T& value() { return value_; }
  [[nodiscard]] const T& value() const { return value_; }
  T& operator*() { return value_; }
  const T& operator*() const { return value_; }
  T* operator->() { return &value_; }
  const T* operator->() const { return &value_; }

 private:
  Status status_;
  T value_{};
};

}  // namespace tidemark_client
