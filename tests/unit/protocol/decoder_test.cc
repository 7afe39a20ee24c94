// The decoder's bounds: what a frame may claim, and what it may make us allocate.
#include "protocol/decoder.h"

#include <catch2/catch.hpp>

#include "protocol/message_codec.h"
#include "protocol/messages/alter_client_quotas_request.h"
#include "protocol/messages/metadata_request.h"
#include "protocol/messages/produce_request.h"
#include "tests/vectors/vector_check.h"

using namespace tidemark;
using namespace tidemark::protocol;

namespace {

std::vector<std::byte> hex(std::string_view text) {
  auto bytes = vectors::parse_hex(text);
  REQUIRE(bytes);
  return *bytes;
}

std::string error_of(const Decoder& in) {
  const auto result = in.finish("Frame");
  return result ? "" : result.error().message();
}

}  // namespace

TEST_CASE("a decoder reads Kafka's primitive types") {
  const auto frame =
      hex("ff"
          "fffe"
          "fffffffd"
          "fffffffffffffffc"
          "ffff"
          "ffffffff"
          "3ff8000000000000"
          "02"
          "ac02");
  Decoder in(frame);
  CHECK(in.read_int8() == -1);
  CHECK(in.read_int16() == -2);
  CHECK(in.read_int32() == -3);
  CHECK(in.read_int64() == -4);
  CHECK(in.read_uint16() == 65535);
  CHECK(in.read_uint32() == 4294967295u);
  CHECK(in.read_float64() == 1.5);
  CHECK(in.read_bool());
  CHECK(in.read_uvarint() == 300);
  CHECK(in.remaining() == 0);
  CHECK(in.finish("Frame"));
}

TEST_CASE("the first failure stays, names its place, and later reads give defaults") {
  const auto frame = hex("0001");
  Decoder in(frame);
  CHECK(in.read_int16() == 1);
  CHECK(in.read_int32() == 0);
  CHECK(in.read_string(true).empty());
  CHECK(error_of(in) == "Frame: the end of the frame inside a number (at byte 2 of 2)");
  CHECK(in.finish("Frame").error().code() == ErrorCode::INVALID_REQUEST);
}

TEST_CASE("counts beyond the frame are refused before anything is allocated") {
  for (const char* count : {"7fffffff", "00000003", "80000000", "fffffffe"}) {
    const auto frame = hex(std::string(count) + "0000000100000002");
    Decoder in(frame);
    std::vector<int32_t> values;
    read_array(in, values, false);
    CHECK(in.failed());
    CHECK(values.capacity() == 0);
    CHECK(in.memory_charged() == 0);
  }
  const auto honest = hex("000000020000000100000002");
  Decoder in(honest);
  std::vector<int32_t> values;
  read_array(in, values, false);
  CHECK_FALSE(in.failed());
  CHECK(values == std::vector<int32_t>{1, 2});
}

TEST_CASE("compact counts and lengths of every size are bounded by the frame") {
  for (const char* length : {"ffffffff0f", "8080808008", "03", "ffffff7f"}) {
    const auto frame = hex(std::string(length) + "61");
    Decoder text(frame);
    CHECK(text.read_string(true).empty());
    CHECK(text.failed());
    Decoder array(frame);
    std::vector<int8_t> values;
    read_array(array, values, true);
    CHECK(array.failed());
    CHECK(values.capacity() == 0);
    Decoder bytes(frame);
    CHECK(bytes.read_bytes(true).empty());
    CHECK(bytes.failed());
  }
}

TEST_CASE("a varint has at most five bytes and 32 bits") {
  for (const char* text : {"808080808000", "ffffffff7f", "8080808010", "80", ""}) {
    const auto frame = hex(text);
    Decoder in(frame);
    CHECK(in.read_uvarint() == 0);
    CHECK(in.failed());
  }
  const auto largest = hex("ffffffff0f");
  Decoder in(largest);
  CHECK(in.read_uvarint() == UINT32_MAX);
  CHECK_FALSE(in.failed());
}

TEST_CASE("null is an error where the schema has none") {
  const auto minus_one = hex("ffff");
  Decoder fixed(minus_one);
  CHECK(fixed.read_string(false).empty());
  CHECK(error_of(fixed) == "Frame: null where a string must be (at byte 2 of 2)");
  const auto zero = hex("00");
  Decoder compact(zero);
  CHECK_FALSE(compact.read_nullable_string(true));
  CHECK_FALSE(compact.failed());
  Decoder records(zero);
  CHECK(records.read_records(true, false).is_null());
  CHECK(records.failed());
  // MetadataRequest 0 has no null array of topics; version 1 asks for all topics with it.
  const auto null_topics = hex("ffffffff");
  CHECK_FALSE(decode_all<MetadataRequest>(null_topics, 0));
  const auto all = decode_all<MetadataRequest>(null_topics, 1);
  REQUIRE(all);
  CHECK_FALSE(all->topics.has_value());
}

TEST_CASE("a string of more than 32767 bytes is refused in compact form too") {
  std::vector<std::byte> frame = hex("818002");  // 32768 + 1
  frame.resize(frame.size() + 32768, std::byte{'a'});
  Decoder in(frame);
  CHECK(in.read_string(true).empty());
  CHECK(error_of(in).find("32767") != std::string::npos);
}

TEST_CASE("tagged fields are bounded, and none may come twice") {
  UnknownTags unknown;
  const auto twice =
      hex("02"
          "0500"
          "0500");
  Decoder in(twice);
  in.read_tags(unknown);
  CHECK(error_of(in).find("twice") != std::string::npos);

  UnknownTags none;
  const auto too_many = hex("ffff03");
  Decoder many(too_many);
  many.read_tags(none);
  CHECK(many.failed());
  CHECK(none.empty());

  const auto too_long =
      hex("01"
          "00"
          "05"
          "61");
  Decoder longer(too_long);
  longer.read_tags(none);
  CHECK(longer.failed());
}

TEST_CASE("a tagged field's size must be that of its value") {
  // FetchRequest's cluster id (tag 0) is the string "a" in two bytes; here three are announced.
  const auto frame =
      hex("01"
          "00"
          "03"
          "0261"
          "00");
  Decoder in(frame);
  UnknownTags unknown;
  std::string_view text;
  in.read_tags(unknown, [&](uint32_t tag) {
    text = in.read_string(true);
    return tag == 0;
  });
  CHECK(text == "a");
  CHECK(error_of(in).find("size") != std::string::npos);
}

TEST_CASE("decoded arrays are charged to the frame's memory budget") {
  // 2,000 empty topic names in flexible form: two bytes each on the wire.
  std::vector<std::byte> frame = hex("d10f");
  const auto element =
      hex("00000000000000000000000000000000"
          "0100");
  for (int i = 0; i < 2000; ++i) frame.insert(frame.end(), element.begin(), element.end());
  const auto tail = hex("000000");
  frame.insert(frame.end(), tail.begin(), tail.end());
  Decoder in(frame);
  REQUIRE(MetadataRequest::decode(in, 12));
  CHECK(in.memory_charged() == 2000 * sizeof(MetadataRequest::MetadataRequestTopic));
  CHECK(in.memory_charged() <= frame.size() * kMemoryPerFrameByte);

  Decoder tight(frame, 10'000);
  const auto refused = MetadataRequest::decode(tight, 12);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message().find("memory budget") != std::string::npos);
}

TEST_CASE("an array has at most a million elements") {
  std::vector<std::byte> frame = hex("000f4241");  // 1,000,001
  frame.resize(frame.size() + 1'000'001);
  Decoder in(frame);
  std::vector<int8_t> values;
  read_array(in, values, false);
  CHECK(error_of(in).find("million") != std::string::npos);
  CHECK(values.capacity() == 0);
}

TEST_CASE("nested counts that each fit the frame stay within the budget, and lying ones fail") {
  // AlterClientQuotas 0: entries, and the first entry's entities, each claim all that the rest of the frame
  // can hold.
  using Entry = AlterClientQuotasRequest::EntryData;
  using Entity = AlterClientQuotasRequest::EntityData;
  std::vector<std::byte> frame(4000, std::byte{0});
  const size_t entries = (frame.size() - 4) / Entry::kMinWireBytes;
  const size_t entities = (frame.size() - 8) / Entity::kMinWireBytes;
  frame[2] = static_cast<std::byte>(entries >> 8);
  frame[3] = static_cast<std::byte>(entries);
  frame[6] = static_cast<std::byte>(entities >> 8);
  frame[7] = static_cast<std::byte>(entities);
  Decoder in(frame);
  CHECK_FALSE(AlterClientQuotasRequest::decode(in, 0));
  CHECK(in.memory_charged() == entries * sizeof(Entry) + entities * sizeof(Entity));
  CHECK(in.memory_charged() <= frame.size() * kMemoryPerFrameByte);
}

TEST_CASE("bytes behind a message stay in the decoder, or are an error where nothing may follow") {
  const auto frame =
      hex("ffffffff"
          "aa");
  Decoder in(frame);
  CHECK(MetadataRequest::decode(in, 1));
  CHECK(in.remaining() == 1);
  const auto strict = decode_all<MetadataRequest>(frame, 1);
  REQUIRE_FALSE(strict);
  CHECK(strict.error().message().find("behind") != std::string::npos);
}

TEST_CASE("a version that the schema lacks is refused") {
  const auto frame = hex("00");
  for (const int16_t version : {int16_t{2}, int16_t{14}, int16_t{-1}}) {
    const auto result = decode_all<ProduceRequest>(frame, version);
    REQUIRE_FALSE(result);
    CHECK(result.error().code() == ErrorCode::UNSUPPORTED_VERSION);
  }
}
