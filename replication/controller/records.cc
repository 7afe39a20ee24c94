#include "replication/controller/records.h"

#include <fmt/format.h>

#include <cctype>

#include "protocol/invariant.h"
#include "protocol/json_writer.h"

namespace tidemark::replication {

namespace {

// "TopicRecord" -> "TOPIC_RECORD".
std::string upper_snake_case(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (std::isupper(static_cast<unsigned char>(c)) != 0 && !out.empty()) out += '_';
    out += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  return out;
}

struct Framed {
  MetadataRecord record;
  int16_t version;
};

// Tries the alternatives of MetadataRecord one by one.
template <size_t Index = 0>
Result<Framed> decode_body(uint32_t type, uint32_t version, protocol::Decoder& in) {
  if constexpr (Index == std::variant_size_v<MetadataRecord>) {
    return fail(
        Error::format(fmt::format("a metadata record of type {}, which this release does not know", type)));
  } else {
    using Record = std::variant_alternative_t<Index, MetadataRecord>;
    if (type != static_cast<uint32_t>(Record::kTypeId)) return decode_body<Index + 1>(type, version, in);
    if (version > INT16_MAX || !Record::kVersions.contains(static_cast<int>(version))) {
      return fail(Error::format(fmt::format("a {} of version {}; this release knows up to {}", Record::kName,
                                            version, Record::kVersions.max)));
    }
    auto record = Record::decode(in, static_cast<int16_t>(version));
    if (!record) return fail(Error::corruption("a metadata record: " + record.error().message()));
    if (in.remaining() != 0) {
      return fail(Error::corruption(fmt::format("{} bytes behind a {}", in.remaining(), Record::kName)));
    }
    return Framed{MetadataRecord(*std::move(record)), static_cast<int16_t>(version)};
  }
}

Result<Framed> decode_frame(std::span<const std::byte> value) {
  protocol::Decoder in(value);
  const uint32_t frame = in.read_uvarint();
  const uint32_t type = in.read_uvarint();
  const uint32_t version = in.read_uvarint();
  if (in.failed()) return fail(Error::corruption("a metadata record that is too short for its frame"));
  if (frame != kRecordFrameVersion) {
    return fail(Error::format(fmt::format("a metadata record in frame version {}; this release knows {}",
                                          frame, kRecordFrameVersion)));
  }
  return decode_body(type, version, in);
}

}  // namespace

void RecordList::add(const MetadataRecord& record, int16_t version) {
  std::visit(
      [&](const auto& r) {
        const protocol::Sizer body = r.measure(version);
        const auto encodable = body.check(r.kName, version);
        INVARIANT(encodable.has_value(), "{}", encodable.error().message());
        protocol::Encoder out(protocol::uvarint_size(kRecordFrameVersion) +
                              protocol::uvarint_size(static_cast<uint32_t>(r.kTypeId)) +
                              protocol::uvarint_size(static_cast<uint32_t>(version)) + body.buffer_bytes());
        out.put_uvarint(kRecordFrameVersion);
        out.put_uvarint(static_cast<uint32_t>(r.kTypeId));
        out.put_uvarint(static_cast<uint32_t>(version));
        r.encode(out, version);
        const std::vector<std::byte> framed = out.take_buffer();
        bytes_.insert(bytes_.end(), framed.begin(), framed.end());
      },
      record);
  ends_.push_back(bytes_.size());
}

void RecordList::append(const RecordList& other) {
  const size_t base = bytes_.size();
  bytes_.insert(bytes_.end(), other.bytes_.begin(), other.bytes_.end());
  for (const size_t end : other.ends_) ends_.push_back(base + end);
}

std::span<const std::byte> RecordList::operator[](size_t i) const {
  REQUIRES(i < ends_.size());
  const size_t begin = i == 0 ? 0 : ends_[i - 1];
  return std::span(bytes_).subspan(begin, ends_[i] - begin);
}

Result<MetadataRecord> decode_record(std::span<const std::byte> value) {
  TRY_ASSIGN(Framed framed, decode_frame(value));
  return std::move(framed.record);
}

Result<std::string> record_to_json(std::span<const std::byte> value) {
  TRY_ASSIGN(const Framed framed, decode_frame(value));
  protocol::JsonWriter out;
  std::visit(
      [&](const auto& record) {
        out.begin_object();
        out.key("type");
        out.value(std::string_view(upper_snake_case(record.kName)));
        out.key("version");
        out.value(framed.version);
        out.key("data");
        record.dump(out, framed.version);
        out.end_object();
      },
      framed.record);
  return out.take();
}

}  // namespace tidemark::replication
