// The committed vectors, and that their check would notice.
#include <catch2/catch.hpp>

#include <fstream>

#include "tests/vectors/vector_check.h"

using namespace tidemark;

namespace {

std::vector<nlohmann::json> load() {
  std::ifstream in("tests/vectors/batches.jsonl");
  std::vector<nlohmann::json> all;
  for (std::string text; std::getline(in, text);) all.push_back(nlohmann::json::parse(text));
  REQUIRE(all.size() > 50);
  return all;
}

}  // namespace

TEST_CASE("the check of batch vectors notices every value that differs") {
  for (const auto& vector : load()) {
    REQUIRE(vectors::check_batch_vector(vector));
    for (const auto& [key, value] : vector.items()) {
      auto changed = vector;
      if (key == "records") {
        for (const char* field : {"offset", "timestamp"}) {
          changed = vector;
          auto& record = changed["records"].back();
          record[field] = record[field].get<int64_t>() + 1;
          CHECK_FALSE(vectors::check_batch_vector(changed));
        }
        changed = vector;
        changed["records"].back()["key"] = "00112233";
      } else if (value.is_boolean()) {
        changed[key] = !value.get<bool>();
      } else if (value.is_number()) {
        changed[key] = value.get<int64_t>() + 1;
      } else if (key == "hex") {
        auto hex = value.get<std::string>();
        hex.back() = hex.back() == '0' ? '1' : '0';
        changed[key] = hex;
      } else {
        changed[key] = value.get<std::string>() + "x";
      }
      INFO(key);
      CHECK_FALSE(vectors::check_batch_vector(changed));
    }
  }
}
