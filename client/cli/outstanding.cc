#include "client/cli/outstanding.h"

#include <utility>

namespace tidemark::cli {

void Outstanding::drop_front() {
  due_.pop_front();
  ++first_;
}

uint64_t Outstanding::add(runtime::MonoTime due) {
  if (due_.size() >= most_) {
    if (due_.front()) {
      --missing_;
      ++written_off_;
    }
    drop_front();
    // What came back behind it need not be kept either.
    while (!due_.empty() && !due_.front()) drop_front();
  }
  due_.emplace_back(due);
  ++missing_;
  return first_ + due_.size() - 1;
}

std::optional<runtime::MonoTime> Outstanding::settle(uint64_t number) {
  if (number < first_ || number - first_ >= due_.size()) return std::nullopt;
  const std::optional<runtime::MonoTime> due = std::exchange(due_[number - first_], std::nullopt);
  if (due) --missing_;
  while (!due_.empty() && !due_.front()) drop_front();
  return due;
}

}  // namespace tidemark::cli
