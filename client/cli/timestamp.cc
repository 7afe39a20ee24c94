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
  [[nodiscard]] std::string_view rest() const { return rest_; }

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

Result<int64_t> parse_duration(std::string_view text) {
  struct Unit {
    char letter;
    bool of_time;  // stands behind the T
    int64_t ms;
  };
  constexpr Unit kUnits[] = {
      {'D', false, 86'400'000}, {'H', true, 3'600'000}, {'M', true, 60'000}, {'S', true, 1'000}};
  constexpr int64_t kMost = int64_t{1} << 40;  // of any unit
  const auto refused = [&] {
    return fail(Error::config(fmt::format("'{}' is no duration like PT30M, P7D or P1DT12H", text)));
  };
  std::string_view rest = text;
  if (!rest.starts_with('P')) return refused();
  rest.remove_prefix(1);
  int64_t total = 0;
  bool in_time = false;
  bool any = false;
  for (const Unit& unit : kUnits) {
    if (!in_time && rest.starts_with('T')) {
      in_time = true;
      any = false;  // something must follow
      rest.remove_prefix(1);
    }
    if (unit.of_time != in_time) continue;
    int64_t number = 0;
    const auto parsed = std::from_chars(rest.data(), rest.data() + rest.size(), number);
    if (parsed.ec != std::errc()) continue;
    if (number < 0 || number > kMost) return refused();
    std::string_view behind = rest.substr(static_cast<size_t>(parsed.ptr - rest.data()));
    int fraction_ms = 0;
    if (unit.letter == 'S' && behind.starts_with('.')) {
      Reader in(behind.substr(1));
      if (!in.fraction(fraction_ms)) return refused();
      behind = in.rest();
    }
    if (!behind.starts_with(unit.letter)) continue;  // another unit's
    if (__builtin_mul_overflow(number, unit.ms, &number) || __builtin_add_overflow(total, number, &total))
      return refused();
    total += fraction_ms;
    any = true;
    rest = behind.substr(1);
  }
  if (!any || !rest.empty()) return refused();
  return total;
}

}  // namespace tidemark::cli
