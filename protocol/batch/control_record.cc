#include "protocol/batch/control_record.h"

#include <fmt/format.h>

#include "protocol/batch/big_endian.h"

namespace tidemark::protocol {

Result<ControlKey> parse_control_key(std::span<const std::byte> key) {
  if (key.size() < kControlKeyBytes)
    return fail(ErrorCode::CORRUPT_MESSAGE, fmt::format("a control record's key of {} bytes", key.size()));
  ControlKey parsed;
  parsed.version = load_big_endian<int16_t>(key.data());
  parsed.type = static_cast<ControlType>(load_big_endian<int16_t>(key.data() + 2));
  if (parsed.version < 0)
    return fail(ErrorCode::CORRUPT_MESSAGE,
                fmt::format("a control record's key of version {}", parsed.version));
  return parsed;
}

std::array<std::byte, kControlKeyBytes> encode_control_key(ControlKey key) {
  std::array<std::byte, kControlKeyBytes> bytes{};
  store_big_endian<int16_t>(bytes.data(), key.version);
  store_big_endian<int16_t>(bytes.data() + 2, static_cast<int16_t>(key.type));
  return bytes;
}

Result<EndTxnMarker> parse_end_txn_marker(std::span<const std::byte> value) {
  if (value.size() < kEndTxnMarkerBytes)
    return fail(ErrorCode::CORRUPT_MESSAGE, fmt::format("a transaction marker of {} bytes", value.size()));
  EndTxnMarker marker;
  marker.version = load_big_endian<int16_t>(value.data());
  marker.coordinator_epoch = load_big_endian<int32_t>(value.data() + 2);
  if (marker.version < 0)
    return fail(ErrorCode::CORRUPT_MESSAGE,
                fmt::format("a transaction marker of version {}", marker.version));
  return marker;
}

std::array<std::byte, kEndTxnMarkerBytes> encode_end_txn_marker(EndTxnMarker marker) {
  std::array<std::byte, kEndTxnMarkerBytes> bytes{};
  store_big_endian<int16_t>(bytes.data(), marker.version);
  store_big_endian<int32_t>(bytes.data() + 2, marker.coordinator_epoch);
  return bytes;
}

}  // namespace tidemark::protocol
