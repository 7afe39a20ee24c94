#include "client/facade/read_records.h"

namespace tidemark_client {
namespace {

std::optional<std::string> text_of(const tidemark::protocol::NullableBytes& bytes) {
  if (!bytes) return std::nullopt;
  return std::string(reinterpret_cast<const char*>(bytes->data()), bytes->size());
}

Record record_of(const core::PartitionRecords& from, const tidemark::protocol::RecordView& view) {
  Record record;
  record.topic = from.partition().topic;
  record.partition = from.partition().partition.value;
  record.leader_epoch = from.leader_epoch().value;
  record.offset = view.offset.value;
  record.timestamp_ms = view.timestamp;
  record.key = text_of(view.key);
  record.value = text_of(view.value);
  for (const auto& header : view.headers)
    record.headers.push_back({std::string(header.key), text_of(header.value)});
  return record;
}

}  // namespace

std::optional<tidemark::Error> read_records(std::unique_ptr<core::PartitionRecords>& open, size_t at_most,
                                            std::vector<Record>& out, core::FetchPosition* next) {
  tidemark::LeaderEpoch epoch = tidemark::kNoLeaderEpoch;
  while (out.size() < at_most) {
    const auto record = open->next();
    const bool is_one = record && *record;
    if (is_one) epoch = open->leader_epoch();
    // Behind the last one there may be batches that are nobody's to see, as markers of transactions.
    if (next != nullptr && record) *next = {is_one ? (*record)->offset + 1 : open->position(), epoch};
    if (is_one) {
      out.push_back(record_of(*open, **record));
      continue;
    }
    open.reset();
    if (!record) return record.error();
    break;
  }
  return std::nullopt;
}

}  // namespace tidemark_client
