#include "broker/metadata_log.h"

#include <fmt/format.h>

#include <algorithm>

#include "protocol/batch/batch_iterator.h"
#include "protocol/batch/builder.h"
#include "protocol/message_codec.h"

namespace tidemark::broker {
namespace {

runtime::BufferSlice to_slice(Result<std::vector<std::byte>> batch) {
  INVARIANT(batch.has_value(), "a metadata batch cannot be built: {}", batch.error().message());
  auto buffer = runtime::Buffer::allocate(batch->size());
  std::copy(batch->begin(), batch->end(), buffer->bytes().begin());
  return runtime::BufferSlice::whole(std::move(buffer));
}

Result<void> apply_batch(replication::Controller& controller, const protocol::BatchView& batch) {
  const protocol::BatchHeader& header = batch.header;
  TRY_ASSIGN(const auto open, protocol::OpenBatch::open(batch));
  auto records = open.records();
  replication::RecordList list;
  while (true) {
    TRY_ASSIGN(const auto record, records.next());
    if (!record) break;
    if (!record->value)
      return fail(
          Error::corruption(fmt::format("offset {}: a metadata record without a value", record->offset)));
    if (!header.is_control()) {
      list.add_framed(*record->value);
      continue;
    }
    if (!record->key)
      return fail(
          Error::corruption(fmt::format("offset {}: a control record without a key", record->offset)));
    TRY_ASSIGN(const auto key, protocol::parse_control_key(*record->key));
    if (key.type != protocol::ControlType::leader_change) {
      controller.skip(record->offset, header.leader_epoch, 1);
      continue;
    }
    TRY_ASSIGN(const auto change,
               protocol::decode_all<protocol::LeaderChangeMessage>(*record->value, key.version));
    auto applied = controller.apply_leader_change(record->offset, header.leader_epoch, change);
    if (!applied) return fail(applied.error());
  }
  if (list.empty()) return {};
  auto applied = controller.apply(header.base_offset, header.leader_epoch, list);
  if (!applied) return fail(applied.error());
  return {};
}

}  // namespace

runtime::BufferSlice metadata_batch(const replication::RecordList& records, int64_t timestamp_ms) {
  protocol::BatchBuilder builder;
  for (size_t i = 0; i < records.size(); ++i) builder.add(timestamp_ms, std::nullopt, records[i]);
  return to_slice(builder.build());
}

protocol::LeaderChangeMessage leader_change_message(BrokerId leader) {
  protocol::LeaderChangeMessage message;
  message.leader_id = leader.value;
  message.voters.emplace_back().voter_id = leader.value;
  message.granting_voters.emplace_back().voter_id = leader.value;
  return message;
}

runtime::BufferSlice leader_change_batch(BrokerId leader, int64_t timestamp_ms) {
  constexpr int16_t kVersion = 0;
  auto encoded = protocol::encode_message(leader_change_message(leader), kVersion);
  INVARIANT(encoded.has_value(), "a LeaderChange cannot be encoded: {}", encoded.error().message());
  protocol::BatchOptions options;
  options.control = true;
  protocol::BatchBuilder builder(options);
  builder.add_control(timestamp_ms, {0, protocol::ControlType::leader_change}, encoded->flatten());
  return to_slice(builder.build());
}

Result<void> apply_metadata_batches(replication::Controller& controller, std::span<const std::byte> bytes) {
  protocol::BatchIterator batches(bytes);
  while (true) {
    auto batch = batches.next();
    if (!batch)
      return fail(Error::corruption(fmt::format("the metadata log at offset {}: {}", controller.next_offset(),
                                                batch.error().message())));
    if (!*batch) return {};
    TRY(apply_batch(controller, **batch));
  }
}

}  // namespace tidemark::broker
