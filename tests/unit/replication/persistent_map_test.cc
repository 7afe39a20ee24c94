#include "replication/controller/persistent_map.h"

#include <catch2/catch.hpp>
#include <map>
#include <string>
#include <vector>

#include "protocol/runtime/random.h"

namespace tidemark::replication {

namespace {

using Map = PersistentMap<std::string, int>;

std::map<std::string, int> content(const Map& map) {
  std::map<std::string, int> all;
  for (const auto& [key, value] : map) {
    CHECK((all.empty() || all.rbegin()->first < key));
    all[key] = value;
  }
  CHECK(all.size() == map.size());
  return all;
}

}  // namespace

TEST_CASE(
    "a persistent map agrees with std::map through random changes, and its old versions stay as they were") {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    runtime::SeededRandom random(seed);
    Map map;
    std::map<std::string, int> model;
    std::vector<std::pair<Map, std::map<std::string, int>>> versions;
    for (int step = 0; step < 600; ++step) {
      const std::string key = "k" + std::to_string(random.below(step < 300 ? 400 : 40));
      if (random.chance(step < 300 ? 0.8 : 0.3)) {
        map.set(key, step);
        model[key] = step;
      } else {
        const bool was_there = model.erase(key) == 1;
        CHECK(map.erase(key) == was_there);
      }
      const int* found = map.find(key);
      CHECK((found != nullptr) == model.contains(key));
      if (step % 50 == 0) versions.emplace_back(map, model);
    }
    for (const auto& [version, expected] : versions) CHECK(content(version) == expected);
    CHECK(content(map) == model);
  }
}

TEST_CASE("lower_bound starts at the first key that is not less") {
  Map map;
  for (int i = 0; i < 100; ++i) map.set(std::to_string(100 + 2 * i), i);
  CHECK(map.lower_bound(std::string_view("100"))->first == "100");
  CHECK(map.lower_bound(std::string_view("101"))->first == "102");
  auto it = map.lower_bound(std::string_view("297"));
  CHECK(it->first == "298");
  CHECK(++it == map.end());
  CHECK(map.lower_bound(std::string_view("299")) == map.end());
}

TEST_CASE("keys in order, the worst case of a plain tree, still make a shallow one") {
  // An iterator holds 64 levels; 200,000 ascending keys would need as many in a tree without balance.
  PersistentMap<int, int> map;
  for (int i = 0; i < 200'000; ++i) map.set(i, i);
  int expected = 0;
  bool in_order = true;
  for (const auto& [key, value] : map) in_order = in_order && key == expected++;
  CHECK(in_order);
  for (int i = 0; i < 200'000; i += 2) map.erase(i);
  CHECK(map.size() == 100'000);
  CHECK(map.begin()->first == 1);
}

TEST_CASE("maps with the same entries are equal however they came about") {
  Map a, b;
  for (int i = 0; i < 50; ++i) a.set(std::to_string(i), i);
  for (int i = 49; i >= 0; --i) b.set(std::to_string(i), i);
  CHECK(a == b);
  b.set("7", 8);
  CHECK_FALSE(a == b);
  b.set("7", 7);
  b.set("x", 1);
  CHECK_FALSE(a == b);
  b.erase("x");
  CHECK(a == b);
}

}  // namespace tidemark::replication
