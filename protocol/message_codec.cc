#include "protocol/message_codec.h"

namespace tidemark::protocol {

std::vector<std::span<const std::byte>> EncodedMessage::pieces() const {
  std::vector<std::span<const std::byte>> out;
  const std::span<const std::byte> all(bytes);
  size_t done = 0;
  for (const RecordsHole& hole : holes) {
    REQUIRES(hole.bytes.size() == hole.size);
    if (hole.position > done) out.push_back(all.subspan(done, hole.position - done));
    out.push_back(hole.bytes);
    done = hole.position;
  }
  if (done < all.size()) out.push_back(all.subspan(done));
  return out;
}

std::vector<std::byte> EncodedMessage::flatten() const {
  std::vector<std::byte> out;
  out.reserve(wire_bytes);
  for (const auto& piece : pieces()) out.insert(out.end(), piece.begin(), piece.end());
  return out;
}

Error unsupported_version(std::string_view message, VersionRange versions, int16_t version) {
  return {ErrorCode::UNSUPPORTED_VERSION,
          fmt::format("{} has no version {}, only {} to {}", message, version, versions.min, versions.max)};
}

Result<void> check_version(std::string_view message, VersionRange versions, int16_t version,
                           const Sizer& sizer) {
  if (!versions.contains(version)) return fail(unsupported_version(message, versions, version));
  return sizer.check(message, version);
}

}  // namespace tidemark::protocol
