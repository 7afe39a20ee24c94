#include "replication/controller/metadata_log.h"

#include <fmt/format.h>

#include <utility>

#include "protocol/batch/batch_iterator.h"
#include "protocol/batch/builder.h"
#include "protocol/invariant.h"
#include "protocol/message_codec.h"

namespace tidemark::replication {

namespace {

using protocol::ControlType;
using protocol::LeaderChangeMessage;

// While kraft.version is 0, voters have no directory ids, and KRaft writes version 0.
constexpr int16_t kLeaderChangeVersion = 0;
constexpr int16_t kControlKeyVersion = 0;

Unexpected corrupt(Offset base, std::string_view what) {
  return fail(Error::corruption(fmt::format("__cluster_metadata-0 at offset {}: {}", base, what)));
}

// Of what a newer release wrote: where it stands, and what to do.
Result<void> with_place(Result<void> applied, Offset offset) {
  if (applied || applied.error().kind() != ErrorKind::format) return applied;
  return fail(Error::format(fmt::format("__cluster_metadata-0 at offset {}: {}: start the newer release",
                                        offset, applied.error().message())));
}

Result<void> replay_control(const protocol::RecordView& record, LeaderEpoch term, ImageBuilder& builder) {
  if (!record.key || !record.value) return corrupt(record.offset, "a control record without key or value");
  TRY_ASSIGN(const protocol::ControlKey key, protocol::parse_control_key(*record.key));
  if (key.type != ControlType::leader_change) return {};
  // The value's first field is the version that it was written in (KIP-595).
  protocol::Decoder in(*record.value);
  const int16_t version = in.read_int16();
  if (in.failed()) return corrupt(record.offset, "a LeaderChange record without a version");
  if (!LeaderChangeMessage::kVersions.contains(version)) {
    return fail(Error::format(fmt::format("a LeaderChange record of version {}; this release knows up to {}",
                                          version, LeaderChangeMessage::kVersions.max)));
  }
  const auto change = protocol::decode_all<LeaderChangeMessage>(*record.value, version);
  if (!change) return corrupt(record.offset, change.error().message());
  builder.apply_leader_change(*change, term);
  return {};
}

Result<void> replay_batch(const protocol::BatchView& batch, ImageBuilder& builder) {
  const Offset base = batch.header.base_offset;
  if (!protocol::batch_crc_holds(batch.bytes)) return corrupt(base, "the batch's CRC does not hold");
  if (batch.header.last_offset_delta + 1 != batch.header.record_count)
    return corrupt(base, "the batch has gaps between its records");
  TRY(builder.begin_batch(base, batch.header.leader_epoch, batch.header.record_count));
  const auto open = protocol::OpenBatch::open(batch);
  if (!open) return corrupt(base, open.error().message());
  protocol::RecordIterator records = open->records();
  for (;;) {
    const auto next = records.next();
    if (!next) return corrupt(base, next.error().message());
    if (!*next) return {};
    const protocol::RecordView& record = **next;
    if (batch.header.is_control()) {
      TRY(with_place(replay_control(record, batch.header.leader_epoch, builder), record.offset));
    } else if (!record.value) {
      return corrupt(record.offset, "a record without a value");
    } else {
      TRY(with_place(builder.apply(*record.value), record.offset));
    }
  }
}

}  // namespace

Result<std::vector<std::byte>> encode_records(Offset base, LeaderEpoch term, const RecordList& records,
                                              runtime::WallTime now) {
  REQUIRES(!records.empty());
  protocol::BatchOptions options;
  options.base_offset = base;
  options.leader_epoch = term;
  protocol::BatchBuilder builder(options);
  for (size_t i = 0; i < records.size(); ++i) builder.add(runtime::unix_ms(now), std::nullopt, records[i]);
  return builder.build();
}

Result<std::vector<std::byte>> encode_leader_change(Offset base, LeaderEpoch term, BrokerId leader,
                                                    std::span<const Voter> voters, runtime::WallTime now) {
  LeaderChangeMessage change;
  change.version = kLeaderChangeVersion;
  change.leader_id = leader.value;
  for (const Voter& voter : voters) {
    LeaderChangeMessage::Voter out;
    out.voter_id = voter.id.value;
    change.voters.push_back(out);
    change.granting_voters.push_back(out);
  }
  TRY_ASSIGN(const protocol::EncodedMessage value, protocol::encode_message(change, kLeaderChangeVersion));
  protocol::BatchOptions options;
  options.base_offset = base;
  options.leader_epoch = term;
  options.control = true;
  protocol::BatchBuilder builder(options);
  builder.add_control(runtime::unix_ms(now), {kControlKeyVersion, ControlType::leader_change}, value.bytes);
  return builder.build();
}

Result<void> replay_batches(std::span<const std::byte> batches, ImageBuilder& builder) {
  protocol::BatchIterator iterator(batches);
  for (;;) {
    const auto next = iterator.next();
    if (!next) return fail(Error::corruption("__cluster_metadata-0: " + next.error().message()));
    if (!*next) break;
    TRY(replay_batch(**next, builder));
  }
  if (!iterator.rest().empty())
    return fail(Error::corruption("__cluster_metadata-0: half a batch at the end"));
  return {};
}

}  // namespace tidemark::replication
