#include "replication/controller/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <array>
#include <cstring>

namespace tidemark::replication {

std::optional<std::string> canonical_address(std::string_view text) {
  if (text == "localhost") return "127.0.0.1";
  const std::string written(text);
  std::array<unsigned char, sizeof(in6_addr)> bytes{};
  std::array<char, INET6_ADDRSTRLEN> printed{};
  int family = AF_INET;
  if (inet_pton(AF_INET, written.c_str(), bytes.data()) != 1) {
    if (inet_pton(AF_INET6, written.c_str(), bytes.data()) != 1) return std::nullopt;
    static constexpr std::array<unsigned char, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    if (std::memcmp(bytes.data(), kMapped.data(), kMapped.size()) == 0) {
      std::memmove(bytes.data(), bytes.data() + kMapped.size(), sizeof(in_addr));
    } else {
      family = AF_INET6;
    }
  }
  inet_ntop(family, bytes.data(), printed.data(), printed.size());
  return std::string(printed.data());
}

}  // namespace tidemark::replication
