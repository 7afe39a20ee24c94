// Which version of each API to speak with one broker: the highest that both sides have. Pure; a value that
// the connection keeps. ApiVersions itself is asked in our newest version first; a broker that does not know
// it answers in version 0, with UNSUPPORTED_VERSION and what it knows (KIP-511).
#pragma once

#include <map>

#include "protocol/message_codec.h"
#include "protocol/messages/api_versions_response.h"

namespace tidemark::client {

struct Negotiation {
  // Set: ask ApiVersions again, in this version.
  std::optional<int16_t> ask_again;
};

class Versions {
 public:
  // The broker's answer to ApiVersions `asked`; `body` is the frame behind the header.
  Result<Negotiation> take_answer(std::span<const std::byte> body, int16_t asked);

  // The version to use for an API whose schema (and whose caller) has `ours`, unstable ones left out.
  // UNSUPPORTED_VERSION, naming the API and both ranges, if there is none.
  [[nodiscard]] Result<int16_t> pick(protocol::ApiKey api, protocol::VersionRange ours) const;
  [[nodiscard]] const std::map<int16_t, protocol::VersionRange>& advertised() const { return ranges_; }

 private:
  void take_ranges(const protocol::ApiVersionsResponse& answer);
  std::map<int16_t, protocol::VersionRange> ranges_;
};

}  // namespace tidemark::client
