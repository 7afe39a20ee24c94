// Generated messages: defaults, what a version cannot carry, unknown tags, records that are not copied.
#include <catch2/catch.hpp>

#include "protocol/api_key.h"
#include "protocol/message_codec.h"
#include "protocol/messages.h"
#include "protocol/messages/api_versions_response.h"
#include "protocol/messages/consumer_group_member_metadata_value.h"
#include "protocol/messages/create_topics_response.h"
#include "protocol/messages/describe_topic_partitions_request.h"
#include "protocol/messages/fetch_request.h"
#include "protocol/messages/fetch_response.h"
#include "protocol/messages/list_offsets_request.h"
#include "protocol/messages/offset_commit_key.h"
#include "protocol/messages/topic_record.h"
#include "tests/vectors/vector_check.h"

using namespace tidemark;
using namespace tidemark::protocol;

namespace {

std::vector<std::byte> hex(std::string_view text) {
  auto bytes = vectors::parse_hex(text);
  REQUIRE(bytes);
  return *bytes;
}

template <class M>
std::string json_of(const M& message, int16_t version) {
  JsonWriter json;
  message.dump(json, version);
  return json.take();
}

FetchResponse response_of(std::vector<Records> records) {
  FetchResponse response;
  auto& topic = response.responses.emplace_back();
  for (const Records& each : records) topic.partitions.emplace_back().records = each;
  return response;
}

}  // namespace

TEST_CASE("members start at the schema's defaults") {
  const FetchRequest fetch;
  CHECK(fetch.replica_id == -1);
  CHECK(fetch.max_bytes == 0x7fffffff);
  CHECK_FALSE(fetch.cluster_id.has_value());
  CHECK(FetchRequest::FetchPartition().high_watermark == INT64_MAX);
  CHECK(FetchResponse::PartitionData().records.is_null());
  const ConsumerGroupMemberMetadataValue member;
  CHECK(member.rack_id == std::optional<std::string_view>(""));
  CHECK(member.classic_member_metadata.has_value());
}

TEST_CASE("constants say which message a struct is") {
  CHECK(FetchRequest::kApiKey == ApiKey::Fetch);
  CHECK(FetchRequest::kVersions == VersionRange{4, 18});
  CHECK_FALSE(FetchRequest::kFlexible.contains(11));
  CHECK(FetchRequest::kFlexible.contains(12));
  CHECK(TopicRecord::kTypeId == 2);
  CHECK(OffsetCommitKey::kTypeId == 1);
  CHECK(OffsetCommitKey::kFlexible.empty());
}

TEST_CASE("a value that a version lacks is dropped if ignorable, else refused by name") {
  FetchRequest request;
  request.rack_id = "r1";  // ignorable
  CHECK(request.check_encodable(4));
  request.replica_state.replica_id = 3;  // not
  const auto refused = encode_message(request, 12);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code() == ErrorCode::UNSUPPORTED_VERSION);
  CHECK(refused.error().message() ==
        "FetchRequest version 12: FetchRequest.ReplicaState holds a value that this version cannot carry");
  CHECK(request.check_encodable(15));
  CHECK_FALSE(request.check_encodable(19));
}

TEST_CASE("null and overlong strings are refused where a version has no place for them") {
  ListOffsetsRequest request;
  const std::string name(32768, 'x');
  request.topics.emplace_back().name = name;
  for (const int16_t version : {int16_t{1}, int16_t{6}}) {
    const auto refused = encode_message(request, version);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().message().find("ListOffsetsTopic.Name") != std::string::npos);
  }
}

TEST_CASE("the encoded size is what encoding writes") {
  ApiVersionsResponse response;
  for (int16_t key = 0; key < 200; ++key) response.api_keys.emplace_back().api_key = key;
  response.finalized_features_epoch = 7;
  for (int16_t version = 0; version <= 4; ++version) {
    const auto encoded = encode_message(response, version);
    REQUIRE(encoded);
    CHECK(encoded->bytes.size() == response.encoded_size(version));
    CHECK(encoded->wire_bytes == encoded->bytes.size());
  }
}

TEST_CASE("unknown tagged fields survive a round trip, at every level and in any order") {
  // SnapshotId's tag 2 comes before the unknown tag 9, and the topic has an unknown tag 4 of two bytes.
  const auto sent =
      hex("00000000"
          "0000"
          "00000000"
          "02"
          "00000000000000000000000000000000"
          "02"
          "00000001"
          "0000"
          "0000000000000005"
          "0000000000000005"
          "0000000000000000"
          "00"
          "ffffffff"
          "00"
          "02"
          "09"
          "01"
          "bb"
          "02"
          "0d"
          "0000000000000007"
          "00000003"
          "00"
          "01"
          "04"
          "02"
          "cafe"
          "00");
  Decoder in(sent);
  const auto response = FetchResponse::decode(in, 15);
  REQUIRE(response);
  CHECK(in.remaining() == 0);
  const auto& partition = response->responses.at(0).partitions.at(0);
  CHECK(partition.snapshot_id.end_offset == 7);
  REQUIRE(partition.unknown_tags.size() == 1);
  CHECK(partition.unknown_tags.all()[0].tag == 9);

  const auto again = encode_message(*response, 15);
  REQUIRE(again);
  // Encoded in ascending order, as KIP-482 asks.
  CHECK(vectors::to_hex(again->flatten()).find("02020d0000000000000007000000030009") != std::string::npos);
  CHECK(vectors::to_hex(again->flatten()).find("010402cafe00") != std::string::npos);
  CHECK(again->bytes.size() == sent.size());
  CHECK(json_of(*response, 15).find(R"("_unknownTags":[{"tag":4,"value":"yv4="}])") != std::string::npos);
}

TEST_CASE("an unknown tag below a known one keeps its place") {
  FetchResponse response = response_of({Records::empty()});
  auto& partition = response.responses[0].partitions[0];
  const auto value = hex("01");
  partition.unknown_tags.add({.tag = 7, .value = value});
  partition.snapshot_id.end_offset = 1;
  const auto encoded = encode_message(response, 15);
  REQUIRE(encoded);
  const auto flat = encoded->flatten();
  Decoder in(flat);
  const auto back = FetchResponse::decode(in, 15);
  REQUIRE(back);
  CHECK(back->responses[0].partitions[0].unknown_tags.all()[0].tag == 7);
  CHECK(encode_message(*back, 15)->flatten() == flat);
}

TEST_CASE("a copied message owns its unknown tags") {
  FetchRequest request;
  const auto value = hex("0102");
  request.unknown_tags.add({.tag = 30, .value = value});
  FetchRequest copy = request;
  request.unknown_tags.add({.tag = 31, .value = value});
  CHECK(copy.unknown_tags.size() == 1);
  CHECK(request.unknown_tags.size() == 2);
}

TEST_CASE("records are holes in the encoded buffer: deferred ones and views alike") {
  const auto bytes = hex("deadbeef");
  const FetchResponse response = response_of(
      {Records::deferred(1000), Records(), Records::empty(), Records(bytes), Records::deferred(5)});
  for (const int16_t version : {int16_t{4}, int16_t{12}}) {
    const auto encoded = encode_message(response, version);
    REQUIRE(encoded);
    REQUIRE(encoded->holes.size() == 3);
    CHECK(encoded->wire_bytes == encoded->bytes.size() + 1009);
    CHECK(encoded->wire_bytes == response.encoded_size(version));
    CHECK(encoded->holes[0].ordinal == 0);
    CHECK(encoded->holes[1].ordinal == 3);
    CHECK(encoded->holes[2].ordinal == 4);
    CHECK(encoded->holes[0].size == 1000);
    CHECK(encoded->holes[0].bytes.empty());
    CHECK(encoded->holes[1].bytes.data() == bytes.data());

    // What the sender puts together decodes to the records that it supplied.
    std::vector<std::byte> wire;
    size_t done = 0;
    for (const RecordsHole& hole : encoded->holes) {
      wire.insert(wire.end(), encoded->bytes.begin() + static_cast<long>(done),
                  encoded->bytes.begin() + static_cast<long>(hole.position));
      if (hole.bytes.empty()) wire.insert(wire.end(), hole.size, std::byte{0x5a});
      wire.insert(wire.end(), hole.bytes.begin(), hole.bytes.end());
      done = hole.position;
    }
    wire.insert(wire.end(), encoded->bytes.begin() + static_cast<long>(done), encoded->bytes.end());
    Decoder in(wire);
    const auto back = FetchResponse::decode(in, version);
    REQUIRE(back);
    CHECK(in.remaining() == 0);
    const auto& partitions = back->responses.at(0).partitions;
    CHECK(partitions[0].records.size() == 1000);
    CHECK(partitions[0].records.bytes()[999] == std::byte{0x5a});
    CHECK(partitions[1].records.is_null());
    CHECK_FALSE(partitions[2].records.is_null());
    CHECK(std::ranges::equal(partitions[3].records.bytes(), bytes));
    // Decoding copies no record either.
    CHECK(partitions[3].records.bytes().data() > wire.data());
    CHECK(partitions[3].records.bytes().data() < wire.data() + wire.size());
  }
}

TEST_CASE("a tagged nullable struct stands behind a varint, and null is told from its default") {
  ConsumerGroupMemberMetadataValue member;
  member.classic_member_metadata.reset();
  const auto encoded = encode_message(member, 0);
  REQUIRE(encoded);
  CHECK(vectors::to_hex(encoded->bytes).ends_with("01000100"));
  const auto back = decode_all<ConsumerGroupMemberMetadataValue>(encoded->bytes, 0);
  REQUIRE(back);
  CHECK_FALSE(back->classic_member_metadata.has_value());
}

TEST_CASE("a nullable struct stands behind a byte") {
  DescribeTopicPartitionsRequest request;
  const auto without = encode_message(request, 0);
  REQUIRE(without);
  CHECK(vectors::to_hex(without->bytes) ==
        "01"
        "000007d0"
        "ff"
        "00");
  request.cursor.emplace().topic_name = "t";
  request.cursor->partition_index = 3;
  const auto with = encode_message(request, 0);
  REQUIRE(with);
  CHECK(vectors::to_hex(with->bytes) ==
        "01"
        "000007d0"
        "01"
        "0274"
        "00000003"
        "00"
        "00");
  const auto back = decode_all<DescribeTopicPartitionsRequest>(with->bytes, 0);
  REQUIRE(back);
  CHECK(back->cursor->partition_index == 3);
}

TEST_CASE("dumps are JSON with the protocol's names") {
  TopicRecord record;
  record.name = "a\"\n\xff";
  record.topic_id = Uuid::from_halves(1, 2);
  CHECK(json_of(record, 0) == R"({"name":"a\"\n)"
                              "\xEF\xBF\xBD"
                              R"(","topicId":"AAAAAAAAAAEAAAAAAAAAAg"})");
  FetchResponse response = response_of({Records::deferred(12)});
  CHECK(json_of(response, 12).find(R"("records":{"deferredBytes":12})") != std::string::npos);
}

TEST_CASE("every message is found by name, and by key where keys are unique") {
  CHECK(all_message_types().size() == 272);
  for (const MessageType& type : all_message_types()) CHECK(find_message_type(type.name) == &type);
  CHECK(find_message_type("NoSuchRequest") == nullptr);
  for (const ApiInfo& api : all_apis()) {
    const auto key = static_cast<int16_t>(api.key);
    REQUIRE(find_message_type(MessageKind::request, key) != nullptr);
    CHECK(find_message_type(MessageKind::request, key)->name == std::string(api.name) + "Request");
    CHECK(find_message_type(MessageKind::response, key)->versions == api.versions);
  }
  CHECK(find_message_type(MessageKind::metadata, 3)->name == "PartitionRecord");
  CHECK(find_message_type(MessageKind::remote_log_metadata, 3)->name ==
        "RemoteLogSegmentMetadataSnapshotRecord");
}
