// Which rows have series of their own.
#include "broker/best_rows.h"

#include <catch2/catch.hpp>
#include <set>
#include <string>

namespace tidemark::broker {
namespace {

struct Row {
  using Key = std::string;
  std::string name;
  int64_t lag = 0;
  [[nodiscard]] const Key& key() const { return name; }
  // 0, below 1,000, and thousands.
  [[nodiscard]] int urgency() const { return static_cast<int>((lag + 999) / 1'000); }
  [[nodiscard]] int64_t size() const { return lag; }
};

using Lags = std::vector<std::pair<std::string, int64_t>>;

// The chosen ones' names, sorted; "+N" where some were left out.
std::string chosen(BestRows<Row>& best, const Lags& all) {
  for (const auto& [name, lag] : all) best.offer({name, lag});
  auto taken = best.take();
  std::set<std::string> names;
  for (const Row& row : taken.rows) names.insert(row.name);
  std::string text;
  for (const std::string& name : names) text += name;
  if (taken.left_out > 0) text += "+" + std::to_string(taken.left_out);
  return text;
}

}  // namespace

TEST_CASE("all have names while there is room, and nothing is left out") {
  BestRows<Row> best(3);
  CHECK(chosen(best, {}).empty());
  CHECK(chosen(best, {{"a", 0}, {"b", 5}, {"c", 0}}) == "abc");
}

TEST_CASE("those that lag come first, of these the largest, and the rest is counted") {
  BestRows<Row> best(2);
  CHECK(chosen(best, {{"a", 0}, {"b", 1}, {"c", 0}, {"d", 9}, {"e", 5}}) == "de+3");
  BestRows<Row> calm(2);
  CHECK(chosen(calm, {{"c", 0}, {"b", 0}, {"a", 0}}) == "ab+1");
}

TEST_CASE("one that lags keeps its name before others that lag about as much; one that never did makes way") {
  BestRows<Row> best(2);
  CHECK(chosen(best, {{"a", 1}, {"b", 0}, {"c", 0}}) == "ab+1");
  CHECK(chosen(best, {{"a", 1}, {"b", 0}, {"c", 2}}) == "ac+1");
  CHECK(chosen(best, {{"a", 1}, {"b", 100}, {"c", 2}, {"d", 100}}) == "ac+2");
}

TEST_CASE("one that lags much more takes the place of the least") {
  BestRows<Row> best(2);
  CHECK(chosen(best, {{"a", 1}, {"b", 900}}) == "ab");
  CHECK(chosen(best, {{"a", 1}, {"b", 900}, {"c", 1'001}}) == "bc+1");
  // It keeps it, though the other is a little ahead again; until that one is by far.
  CHECK(chosen(best, {{"a", 1'999}, {"b", 1'500}, {"c", 1'001}}) == "bc+1");
  CHECK(chosen(best, {{"a", 9'999}, {"b", 1'500}, {"c", 1'001}}) == "ab+1");
}

TEST_CASE("one that rests between two bursts keeps its name") {
  BestRows<Row> best(1);
  CHECK(chosen(best, {{"a", 900}, {"b", 0}}) == "a+1");
  for (int i = 0; i < 5 * BestRows<Row>::kHeld; ++i)
    CHECK(chosen(best, {{"a", i % BestRows<Row>::kHeld == 0 ? 1 : 0}, {"b", 1}}) == "a+1");
}

TEST_CASE("one that rests for longer makes way") {
  BestRows<Row> best(1);
  CHECK(chosen(best, {{"a", 5'000}, {"b", 0}}) == "a+1");
  for (int i = 0; i < BestRows<Row>::kHeld; ++i) CHECK(chosen(best, {{"a", 0}, {"b", 1}}) == "a+1");
  CHECK(chosen(best, {{"a", 0}, {"b", 1}}) == "b+1");
  // Nobody lags any more: names stay where they are.
  for (int i = 0; i < 2 * BestRows<Row>::kHeld; ++i) CHECK(chosen(best, {{"a", 0}, {"b", 0}}) == "b+1");
  CHECK(chosen(best, {{"a", 0}, {"c", 0}}) == "a+1");
}

TEST_CASE("of very many the same are chosen, whatever their order") {
  for (const bool backwards : {false, true}) {
    BestRows<Row> best(10);
    for (int i = 0; i < 5'000; ++i) {
      const int n = backwards ? 4'999 - i : i;
      best.offer({std::to_string(n), n});
    }
    const auto taken = best.take();
    CHECK(taken.left_out == 4'990);
    REQUIRE(taken.rows.size() == 10);
    for (const Row& row : taken.rows) CHECK(row.lag >= 4'990);
  }
}

}  // namespace tidemark::broker
