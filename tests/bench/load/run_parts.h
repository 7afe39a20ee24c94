// What the runs are made of: their connections, the stretches of time, the errors that they met.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/bench/load/runs.h"

namespace tidemark::bench {

inline constexpr Nanos kSecond = 1'000'000'000;
inline constexpr Nanos kDrain = 15 * kSecond;  // how long answers are waited for after the end

// A mark below it is not a time: the record stood in the topic before the run.
inline constexpr uint64_t kNotOurs = 1 << 20;

[[nodiscard]] inline Nanos nanos(double seconds) {
  return static_cast<Nanos>(seconds * static_cast<double>(kSecond));
}

struct Wires {
  Wires(const std::string& bootstrap, size_t count) {
    for (size_t i = 0; i < count; ++i) poller.add(*all.emplace_back(std::make_unique<Wire>(bootstrap)));
  }
  [[nodiscard]] size_t in_flight() const {
    size_t sum = 0;
    for (const auto& wire : all) sum += wire->in_flight();
    return sum;
  }
  std::vector<std::unique_ptr<Wire>> all;
  Poller poller;
};

// Which stretch of a run it is.
class Phases {
 public:
  Phases(const Load& load, Window& window)
      : window_(window), open_at_(now_ns() + nanos(load.warmup_s)), length_(nanos(load.seconds)) {}
  // Opens and closes the window when it is time, or `full`.
  void look(Nanos now, bool full) {
    if (!opened_ && now >= open_at_) {
      opened_ = true;
      open_at_ = now;
      window_.open();
    } else if (measuring() && (full || now >= open_at_ + length_)) {
      closed_ = true;
      window_.close();
    }
  }
  [[nodiscard]] bool measuring() const { return opened_ && !closed_; }
  [[nodiscard]] bool closed() const { return closed_; }
  [[nodiscard]] Nanos opened_at() const { return open_at_; }
  [[nodiscard]] Nanos next() const { return opened_ ? open_at_ + length_ : open_at_; }

 private:
  Window& window_;
  Nanos open_at_;
  Nanos length_;
  bool opened_ = false;
  bool closed_ = false;
};

class Errors {
 public:
  void see(ErrorCode error) {
    if (error == ErrorCode::NONE) return;
    if (count_++ == 0) first_ = std::string(error_name(error));
  }
  void into(nlohmann::json& report) const {
    report["errors"] = count_;
    if (count_ > 0) report["first_error"] = first_;
  }

 private:
  uint64_t count_ = 0;
  std::string first_;
};

// Of a batch that is no larger, uncompressed; one at least.
[[nodiscard]] size_t records_in(size_t batch_bytes, size_t record_bytes);

}  // namespace tidemark::bench
