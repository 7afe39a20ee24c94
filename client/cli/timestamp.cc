#include "client/cli/timestamp.h"

#include <charconv>
#include <chrono>

namespace tidemark::cli {
namespace {

class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}
  // Exactly so many digits.
  bool digits(size_t count, int& out) {
    if (rest_.size() < count) return false;
    const auto parsed = std::from_chars(rest_.data(), rest_.data() + count, out);
    if (parsed.ec != std::errc() || parsed.ptr != rest_.data() + count || rest_.front() == '-') return false;
    rest_.remove_prefix(count);
    return true;
  }
  bool take(char c) {
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  // Up to three digits of a fraction count; more are cut off.
  bool fraction(int& ms) {
    int scale = 100;
    size_t seen = 0;
    for (; !rest_.empty() && rest_.front() >= '0' && rest_.front() <= '9'; ++seen, scale /= 10) {
      ms += (rest_.front() - '0') * scale;
      rest_.remove_prefix(1);
    }
    return seen > 0;
  }
  [[nodiscard]] bool done() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

bool read_zone(Reader& in, int& minutes) {
  if (in.done() || in.take('Z')) return true;
  const bool east = in.take('+');
  if (!east && !in.take('-')) return false;
  int hours = 0;
  int rest = 0;
  if (!in.digits(2, hours) || !in.take(':') || !in.digits(2, rest) || hours > 18 || rest > 59) return false;
  minutes = (hours * 60 + rest) * (east ? 1 : -1);
  return true;
}

}  // namespace

Result<int64_t> parse_timestamp(std::string_view text) {
  int64_t ms = 0;
  const auto number = std::from_chars(text.data(), text.data() + text.size(), ms);
  if (number.ec == std::errc() && number.ptr == text.data() + text.size() && ms >= 0) return ms;
  const auto refused = [&] {
    return fail(
        Error::config(fmt::format("'{}' is no time: ms since 1970, or like 2026-01-02T03:04:05Z", text)));
  };
  Reader in(text);
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, fraction = 0, zone = 0;
  if (!in.digits(4, year) || !in.take('-') || !in.digits(2, month) || !in.take('-') || !in.digits(2, day))
    return refused();
  if (in.take('T') || in.take(' ')) {
    if (!in.digits(2, hour) || !in.take(':') || !in.digits(2, minute)) return refused();
    if (in.take(':') && !in.digits(2, second)) return refused();
    if (in.take('.') && !in.fraction(fraction)) return refused();
    if (!read_zone(in, zone)) return refused();
  }
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!in.done() || !date.ok() || hour > 23 || minute > 59 || second > 59) return refused();
  const auto midnight = std::chrono::sys_days(date).time_since_epoch();
  const auto total = midnight + std::chrono::hours(hour) + std::chrono::minutes(minute - zone) +
                     std::chrono::seconds(second) + std::chrono::milliseconds(fraction);
  return std::chrono::duration_cast<std::chrono::milliseconds>(total).count();
}

}  // namespace tidemark::cli
