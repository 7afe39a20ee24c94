#include "protocol/api_key.h"

#include <algorithm>

namespace tidemark::protocol {

const ApiInfo* find_api(int16_t key) {
  const auto apis = all_apis();
  const auto at = std::lower_bound(apis.begin(), apis.end(), key, [](const ApiInfo& api, int16_t k) {
    return static_cast<int16_t>(api.key) < k;
  });
  return at != apis.end() && static_cast<int16_t>(at->key) == key ? &*at : nullptr;
}

const ApiInfo* find_api(std::string_view name) {
  const auto apis = all_apis();
  const auto at =
      std::find_if(apis.begin(), apis.end(), [&](const ApiInfo& api) { return api.name == name; });
  return at == apis.end() ? nullptr : &*at;
}

std::string_view api_name(ApiKey key) {
  const ApiInfo* api = find_api(key);
  return api == nullptr ? "Unknown" : api->name;
}

}  // namespace tidemark::protocol
