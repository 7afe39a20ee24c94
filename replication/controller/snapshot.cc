#include "replication/controller/snapshot.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <utility>

#include "protocol/batch/batch_iterator.h"
#include "protocol/batch/builder.h"
#include "protocol/broker_ids.h"
#include "protocol/message_codec.h"
#include "protocol/messages/snapshot_footer_record.h"
#include "protocol/messages/snapshot_header_record.h"
#include "replication/controller/assignment.h"
#include "replication/controller/brokers.h"
#include "replication/controller/image_builder.h"
#include "replication/controller/metadata_log.h"
#include "replication/controller/quotas.h"
#include "replication/controller/records.h"

namespace tidemark::replication {

namespace {

using protocol::ControlType;

constexpr std::string_view kSuffix = ".checkpoint";
constexpr size_t kOffsetDigits = 20;
constexpr size_t kEpochDigits = 10;
constexpr size_t kBatchBytes = 512 << 10;
constexpr int16_t kMarkVersion = 0;
constexpr int16_t kControlKeyVersion = 0;
constexpr int16_t kRegisterBrokerVersion = 4;
constexpr int32_t kNobody = -1;  // who got the newest block of producer ids is not kept

protocol::PartitionRecord record_of(const TopicImage& topic, int32_t id, const PartitionImage& partition,
                                    bool with_elr) {
  protocol::PartitionRecord record;
  record.topic_id = topic.id;
  record.partition_id = id;
  record.replicas = numbers_of(partition.replicas);
  record.directories = partition.directories;
  record.isr = numbers_of(partition.isr);
  record.removing_replicas = numbers_of(partition.removing_replicas);
  record.adding_replicas = numbers_of(partition.adding_replicas);
  if (with_elr && !partition.elr.empty()) record.eligible_leader_replicas = numbers_of(partition.elr);
  if (with_elr && !partition.last_known_elr.empty())
    record.last_known_elr = numbers_of(partition.last_known_elr);
  record.leader = partition.leader.value;
  record.leader_epoch = partition.leader_epoch.value;
  record.partition_epoch = partition.partition_epoch;
  record.leader_recovery_state = partition.recovering ? 1 : 0;
  return record;
}

// One batch behind the other, numbered from 0.
class SnapshotWriter {
 public:
  SnapshotWriter(LeaderEpoch epoch, int64_t timestamp_ms) : epoch_(epoch), timestamp_ms_(timestamp_ms) {}

  template <class Mark>
  Result<void> add_mark(ControlType type, const Mark& mark) {
    TRY(flush());
    TRY_ASSIGN(const protocol::EncodedMessage value, protocol::encode_message(mark, kMarkVersion));
    protocol::BatchBuilder builder(options(true));
    builder.add_control(timestamp_ms_, {kControlKeyVersion, type}, value.bytes);
    return take(builder);
  }
  Result<void> add(const MetadataRecord& record, int16_t version) {
    pending_.add(record, version);
    return pending_.size_in_bytes() >= kBatchBytes ? flush() : Result<void>();
  }
  std::vector<std::byte> take_bytes() { return std::move(bytes_); }

 private:
  [[nodiscard]] protocol::BatchOptions options(bool control) const {
    protocol::BatchOptions options;
    options.base_offset = next_;
    options.leader_epoch = epoch_;
    options.control = control;
    return options;
  }
  Result<void> flush() {
    if (pending_.empty()) return {};
    protocol::BatchBuilder builder(options(false));
    for (size_t i = 0; i < pending_.size(); ++i) builder.add(timestamp_ms_, std::nullopt, pending_[i]);
    pending_ = {};
    return take(builder);
  }
  Result<void> take(protocol::BatchBuilder& builder) {
    next_ = next_ + builder.record_count();
    TRY_ASSIGN(const auto batch, builder.build());
    bytes_.insert(bytes_.end(), batch.begin(), batch.end());
    return {};
  }

  const LeaderEpoch epoch_;
  const int64_t timestamp_ms_;
  Offset next_{0};
  RecordList pending_;
  std::vector<std::byte> bytes_;
};

// Kafka's order: every level before what it allows, every topic before its partitions.
Result<void> add_records(const MetadataImage& image, SnapshotWriter& out) {
  for (const auto& [name, level] : image.features) {
    protocol::FeatureLevelRecord record;
    record.name = name;
    record.feature_level = level;
    TRY(out.add(record, 0));
  }
  for (const auto& [id, broker] : image.brokers) {
    TRY(out.add(RegistrationRecord(*broker).record(), kRegisterBrokerVersion));
  }
  const int16_t version = partition_record_version(image);
  for (const auto& [name, topic] : image.topics) {
    protocol::TopicRecord record;
    record.name = name;
    record.topic_id = topic->id;
    TRY(out.add(record, 0));
    for (int32_t id = 0; id < topic->partition_count(); ++id)
      TRY(out.add(record_of(*topic, id, *topic->partitions[static_cast<size_t>(id)], version >= 2), version));
  }
  for (const auto& [resource, settings] : image.configs) {
    for (const auto& [key, value] : *settings) {
      protocol::ConfigRecord record;
      record.resource_type = static_cast<int8_t>(resource.type);
      record.resource_name = resource.name;
      record.name = key;
      record.value = value;
      TRY(out.add(record, 0));
    }
  }
  for (const auto& [entity, quotas] : image.quotas) {
    for (const auto& [key, value] : *quotas) TRY(out.add(quota_record(entity, key, value), 0));
  }
  if (image.next_producer_id > 0) {
    protocol::ProducerIdsRecord record;
    record.broker_id = kNobody;
    record.broker_epoch = kNobody;
    record.next_producer_id = image.next_producer_id;
    TRY(out.add(record, 0));
  }
  return {};
}

// The kind of a control batch's only record; nullopt for any other batch.
std::optional<ControlType> control_type(const protocol::BatchView& batch) {
  if (!batch.header.is_control() || batch.header.record_count != 1) return std::nullopt;
  const auto open = protocol::OpenBatch::open(batch);
  if (!open) return std::nullopt;
  auto records = open->records();
  const auto record = records.next();
  if (!record || !*record || !(*record)->key) return std::nullopt;
  const auto key = protocol::parse_control_key(*(*record)->key);
  if (!key) return std::nullopt;
  return key->type;
}

// Begins with a header and ends with a footer: whatever else a crash left, it is not whole.
Result<void> check_marks(std::span<const std::byte> bytes) {
  protocol::BatchIterator batches(bytes);
  bool first = true;
  std::optional<ControlType> last;
  for (;;) {
    TRY_ASSIGN(const auto batch, batches.next());
    if (!batch) break;
    last = control_type(*batch);
    if (first && last != ControlType::snapshot_header)
      return fail(Error::corruption("no snapshot header at its beginning"));
    first = false;
  }
  if (first || last != ControlType::snapshot_footer || !batches.rest().empty())
    return fail(Error::corruption("no snapshot footer at its end"));
  return {};
}

}  // namespace

SnapshotId snapshot_id(const MetadataImage& image) {
  return {image.last_applied + 1, image.last_applied_epoch};
}

std::string snapshot_name(const SnapshotId& id) {
  return fmt::format("{:020}-{:010}{}", id.end.value, id.epoch.value, kSuffix);
}

std::optional<SnapshotId> parse_snapshot_name(std::string_view name) {
  if (name.size() != kOffsetDigits + 1 + kEpochDigits + kSuffix.size() || !name.ends_with(kSuffix) ||
      name[kOffsetDigits] != '-')
    return std::nullopt;
  SnapshotId id;
  const auto parse = [](std::string_view digits, auto& value) {
    if (digits.find_first_not_of("0123456789") != digits.npos) return false;
    return std::from_chars(digits.data(), digits.data() + digits.size(), value).ec == std::errc();
  };
  if (!parse(name.substr(0, kOffsetDigits), id.end.value) ||
      !parse(name.substr(kOffsetDigits + 1, kEpochDigits), id.epoch.value))
    return std::nullopt;
  return id;
}

Result<std::vector<std::byte>> encode_snapshot(const MetadataImage& image, int64_t last_timestamp_ms) {
  SnapshotWriter out(image.last_applied_epoch, last_timestamp_ms);
  protocol::SnapshotHeaderRecord header;
  header.version = kMarkVersion;
  header.last_contained_log_timestamp = last_timestamp_ms;
  TRY(out.add_mark(ControlType::snapshot_header, header));
  TRY(add_records(image, out));
  protocol::SnapshotFooterRecord footer;
  footer.version = kMarkVersion;
  TRY(out.add_mark(ControlType::snapshot_footer, footer));
  return out.take_bytes();
}

Result<std::shared_ptr<const MetadataImage>> decode_snapshot(std::span<const std::byte> bytes, SnapshotId id,
                                                             std::string cluster_id) {
  const auto decode = [&]() -> Result<std::shared_ptr<const MetadataImage>> {
    TRY(check_marks(bytes));
    auto empty = std::make_shared<MetadataImage>();
    empty->cluster_id = std::move(cluster_id);
    ImageBuilder builder(std::move(empty));
    TRY(replay_batches(bytes, builder));
    TRY_ASSIGN(const ImageDelta delta, std::move(builder).finish());
    if (delta.after->last_applied_epoch != id.epoch)
      return fail(Error::corruption("its batches are of another epoch than its name"));
    auto image = std::make_shared<MetadataImage>(*delta.after);
    image->last_applied = id.end + (-1);
    return std::shared_ptr<const MetadataImage>(std::move(image));
  };
  auto image = decode();
  if (image) return image;
  const std::string message = fmt::format("{}: {}", snapshot_name(id), image.error().message());
  if (image.error().kind() == ErrorKind::format) return fail(Error::format(message));
  return fail(Error::corruption(message));
}

}  // namespace tidemark::replication
