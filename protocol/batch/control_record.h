// Control records: what a control batch holds instead of data. Their key says what they are; the values of
// the metadata log's kinds have schemas of their own (protocol/schemas/records/control).
#pragma once

#include <array>
#include <span>

#include "protocol/error.h"

namespace tidemark::protocol {

// Names and numbers are Kafka's. Others may come from newer writers: a reader skips them.
enum class ControlType : int16_t {
  abort = 0,
  commit = 1,
  leader_change = 2,    // KIP-595
  snapshot_header = 3,  // KIP-630
  snapshot_footer = 4,
  kraft_version = 5,  // KIP-853
  kraft_voters = 6,
};

struct ControlKey {
  int16_t version = 0;
  ControlType type = ControlType::abort;  // may be a number without a name
};

inline constexpr size_t kControlKeyBytes = 4;
inline constexpr size_t kEndTxnMarkerBytes = 6;

// CORRUPT_MESSAGE: fewer than four bytes, or a negative version. Longer keys of later versions are taken.
Result<ControlKey> parse_control_key(std::span<const std::byte> key);
std::array<std::byte, kControlKeyBytes> encode_control_key(ControlKey key);

// The value of abort and commit (KIP-98).
struct EndTxnMarker {
  int16_t version = 0;
  int32_t coordinator_epoch = -1;
};
Result<EndTxnMarker> parse_end_txn_marker(std::span<const std::byte> value);
std::array<std::byte, kEndTxnMarkerBytes> encode_end_txn_marker(EndTxnMarker marker);

}  // namespace tidemark::protocol
