// A batch in another codec: for topics whose compression.type is not `producer`. The payload streams from the
// old codec to the new one through a window; records, offsets, timestamps and producer fields stay as they
// are. CPU heavy: for a lane.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "protocol/batch/codec.h"

namespace tidemark::protocol {

// The batch with its payload written by `target` at `level` (none: Kafka's standard), header and CRC made
// anew. `payload_bytes`: what the payload opens to, if known (ProduceCheck says it exactly, as it must be).
// Errors: MESSAGE_TOO_LARGE if the new batch is larger than `max_batch_bytes` (it stops there) or opens to
// more than kMaxDecompressedBytes; CORRUPT_MESSAGE: the old payload cannot be opened. REQUIRES: a whole
// batch, a valid level.
Result<std::vector<std::byte>> recompress(std::span<const std::byte> batch, CompressionType target,
                                          std::optional<int> level, size_t max_batch_bytes,
                                          Decompressor& decompressor, Compressor& compressor,
                                          std::optional<uint64_t> payload_bytes = std::nullopt);

}  // namespace tidemark::protocol
