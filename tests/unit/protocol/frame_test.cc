// Frames: which header belongs to which body, and whole frames there and back; the table of served APIs.
#include "protocol/frame.h"

#include <catch2/catch.hpp>

#include "protocol/api_versions.h"
#include "protocol/messages/api_versions_request.h"
#include "protocol/messages/api_versions_response.h"
#include "protocol/messages/fetch_response.h"
#include "protocol/messages/metadata_request.h"
#include "tests/vectors/vector_check.h"

using namespace tidemark;
using namespace tidemark::protocol;

TEST_CASE("header versions follow the body's flexibility") {
  const ApiInfo& metadata = *find_api(ApiKey::Metadata);
  CHECK(request_header_version(metadata, 8) == 1);
  CHECK(request_header_version(metadata, 9) == 2);
  CHECK(response_header_version(metadata, 8) == 0);
  CHECK(response_header_version(metadata, 9) == 1);
  const ApiInfo& sasl = *find_api(ApiKey::SaslHandshake);  // never flexible
  CHECK(request_header_version(sasl, 1) == 1);
  CHECK(response_header_version(sasl, 1) == 0);
}

TEST_CASE("ApiVersions answers with header 0, and a version that is too new still has a readable header") {
  const ApiInfo& api = *find_api(ApiKey::ApiVersions);
  CHECK(response_header_version(api, 3) == 0);
  CHECK(request_header_version(api, 99) == 2);
  const auto frame = vectors::parse_hex(
      "0012"
      "0063"
      "00000007"
      "0001"
      "61"
      "00"
      "ff");
  Decoder in(*frame);
  const auto header = decode_request_header(in);
  REQUIRE(header);
  CHECK(header->request_api_version == 99);
  CHECK(header->correlation_id == 7);
  CHECK(header->client_id == "a");
  CHECK(in.remaining() == 1);
}

TEST_CASE("the client id is never compact, and may be null") {
  MetadataRequest body;
  body.topics.reset();
  const auto frame = encode_request_frame(5, std::nullopt, body, 9);
  REQUIRE(frame);
  CHECK(vectors::to_hex(frame->bytes) ==
        "00000010"
        "0003"
        "0009"
        "00000005"
        "ffff"
        "00"
        "00"
        "01"
        "00"
        "00"
        "00");
  const auto named = encode_request_frame(5, "cli", body, 1);
  REQUIRE(named);
  CHECK(vectors::to_hex(named->bytes) ==
        "00000011"
        "0003"
        "0001"
        "00000005"
        "0003636c69"
        "ffffffff");
}

TEST_CASE("a request frame decodes to what was sent") {
  ApiVersionsRequest body;
  body.client_software_name = "tidemark";
  const auto frame = encode_request_frame(-1, "c", body, 3);
  REQUIRE(frame);
  Decoder in(std::span(frame->bytes).subspan(kFrameLengthBytes));
  CHECK(in.remaining() + kFrameLengthBytes == frame->wire_bytes);
  const auto header = decode_request_header(in);
  REQUIRE(header);
  CHECK(header->request_api_key == 18);
  CHECK(header->correlation_id == -1);
  const auto back = ApiVersionsRequest::decode(in, header->request_api_version);
  REQUIRE(back);
  CHECK(back->client_software_name == "tidemark");
}

TEST_CASE("a response frame's length counts its records, which stay outside") {
  FetchResponse body;
  body.responses.emplace_back().partitions.emplace_back().records = Records::deferred(100'000);
  const auto frame = encode_response_frame(9, body, 12);
  REQUIRE(frame);
  REQUIRE(frame->holes.size() == 1);
  Decoder in(frame->bytes);
  CHECK(static_cast<size_t>(in.read_int32()) == frame->bytes.size() - kFrameLengthBytes + 100'000);
  const auto header = decode_response_header(in, ApiKey::Fetch, 12);
  REQUIRE(header);
  CHECK(header->correlation_id == 9);
  // What stands before the hole is the records' compact length.
  CHECK(frame->bytes[frame->holes[0].position - 1] == std::byte{6});
}

TEST_CASE("unknown API keys and truncated headers are errors") {
  for (const char* text : {"03e7"
                           "0000"
                           "00000001"
                           "ffff",
                           "0003", "0003000100000001",
                           "ffff"
                           "0000"
                           "00000001"
                           "ffff"}) {
    const auto frame = vectors::parse_hex(text);
    Decoder in(*frame);
    const auto header = decode_request_header(in);
    REQUIRE_FALSE(header);
    CHECK(header.error().code() == ErrorCode::INVALID_REQUEST);
  }
}

TEST_CASE("each served version range lies within the schemas, and nothing unstable is served") {
  CHECK(served_apis().size() == 41);
  int16_t previous = -1;
  for (const ServedApi& served : served_apis()) {
    INFO(api_name(served.key));
    const ApiInfo* api = find_api(served.key);
    REQUIRE(api != nullptr);
    CHECK(static_cast<int16_t>(served.key) > previous);
    previous = static_cast<int16_t>(served.key);
    CHECK(served.min <= served.max);
    CHECK(std::max(served.min, served.refused_below) == api->versions.min);
    CHECK(api->stable_versions().contains(served.max));
    CHECK(api->broker);
    CHECK(find_served(served.key) == &served);
  }
  CHECK(find_served(ApiKey::Vote) == nullptr);
  CHECK(find_api(ApiKey::InitProducerId)->stable_versions() == VersionRange{0, 5});
}

TEST_CASE("Produce 0 to 2 are advertised and refused") {
  const ServedApi& produce = *find_served(ApiKey::Produce);
  CHECK(produce.min == 0);
  CHECK_FALSE(produce.serves(2));
  CHECK(produce.serves(3));
  CHECK(produce.serves(13));
  CHECK_FALSE(produce.serves(14));
}

TEST_CASE("APIs are found by name and key") {
  CHECK(find_api("Fetch")->key == ApiKey::Fetch);
  CHECK(find_api("fetch") == nullptr);
  CHECK(find_api(int16_t{4}) == nullptr);
  CHECK(find_api(int16_t{-1}) == nullptr);
  CHECK(api_name(ApiKey{999}) == "Unknown");
  CHECK(all_apis().size() == 89);
}
