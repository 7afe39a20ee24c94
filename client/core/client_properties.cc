#include "client/core/client_properties.h"

#include <charconv>

#include "client/core/nearest.h"
#include "protocol/batch/codec.h"

namespace tidemark::client {
namespace {

using Apply = Result<void> (*)(std::string_view value, ClientOptions& out);

struct Setting {
  std::string_view name;
  Apply apply;
};

// Between the commas, without the spaces around; none that is empty.
std::vector<std::string_view> list_items(std::string_view text) {
  std::vector<std::string_view> items;
  while (!text.empty()) {
    std::string_view one = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), one.size() + 1));
    while (one.starts_with(' ')) one.remove_prefix(1);
    while (one.ends_with(' ')) one.remove_suffix(1);
    if (!one.empty()) items.push_back(one);
  }
  return items;
}

template <class Number>
Result<void> number(std::string_view value, Number& out, int64_t least) {
  TRY_ASSIGN(const int64_t parsed, parse_number(value, "value", least, std::numeric_limits<Number>::max()));
  out = static_cast<Number>(parsed);
  return {};
}

Result<void> choice(std::string_view value, std::initializer_list<std::string_view> known) {
  for (const std::string_view each : known) {
    if (value == each) return {};
  }
  return fail(Error::config(fmt::format("value '{}' is none of {}", value, fmt::join(known, ", "))));
}

// By name.
constexpr Setting kSettings[] = {
    {"acks",
     [](std::string_view value, ClientOptions& out) -> Result<void> {
       TRY(choice(value, {"all", "-1", "0", "1"}));
       out.producer.acks = value == "0" ? Acks::none : value == "1" ? Acks::leader : Acks::all;
       return {};
     }},
    {"auto.commit.interval.ms",
     [](auto value, auto& out) { return number(value, out.group.auto_commit_interval_ms, 1); }},
    {"auto.offset.reset",
     [](std::string_view value, ClientOptions& out) -> Result<void> {
       TRY(choice(value, {"earliest", "latest", "none"}));
       out.consumer.offset_reset = value == "earliest" ? OffsetReset::earliest
                                   : value == "latest" ? OffsetReset::latest
                                                       : OffsetReset::none;
       return {};
     }},
    {"batch.size", [](auto value, auto& out) { return number(value, out.producer.batch_bytes, 1); }},
    {"bootstrap.servers",
     [](std::string_view value, ClientOptions& out) -> Result<void> {
       TRY_ASSIGN(out.cluster.bootstrap, parse_bootstrap(value));
       return {};
     }},
    {"buffer.memory", [](auto value, auto& out) { return number(value, out.producer.buffer_bytes, 1); }},
    {"check.crcs",
     [](std::string_view value, ClientOptions& out) -> Result<void> {
       TRY(choice(value, {"true", "false"}));
       out.consumer.check_crcs = value == "true";
       return {};
     }},
    {"client.id",
     [](std::string_view value, ClientOptions& out) -> Result<void> {
       out.cluster.connection.client_id = std::string(value);
       return {};
     }},
    {"compression.type",
     [](std::string_view value, ClientOptions& out) -> Result<void> {
       TRY(choice(value, {"none", "gzip", "snappy", "lz4", "zstd"}));
       for (int bits = 0; bits <= 4; ++bits) {
         const auto codec = static_cast<protocol::CompressionType>(bits);
         if (value == protocol::codec_name(codec)) out.producer.codec = codec;
       }
       return {};
     }},
    {"default.api.timeout.ms",
     [](auto value, auto& out) { return number(value, out.cluster.api_timeout_ms, 1); }},
    {"delivery.timeout.ms",
     [](auto value, auto& out) { return number(value, out.producer.delivery_timeout_ms, 1); }},
    {"enable.auto.commit",
     [](std::string_view value, ClientOptions& out) -> Result<void> {
       TRY(choice(value, {"true", "false"}));
       out.group.auto_commit = value == "true";
       return {};
     }},
    {"enable.idempotence",
     [](std::string_view value, ClientOptions& out) -> Result<void> {
       TRY(choice(value, {"true", "false"}));
       out.producer.idempotent = value == "true";
       return {};
     }},
    {"fetch.max.bytes", [](auto value, auto& out) { return number(value, out.consumer.fetch_max_bytes, 1); }},
    {"fetch.max.wait.ms",
     [](auto value, auto& out) { return number(value, out.consumer.fetch_max_wait_ms, 0); }},
    {"fetch.min.bytes", [](auto value, auto& out) { return number(value, out.consumer.fetch_min_bytes, 0); }},
    {"group.id",
     [](std::string_view value, ClientOptions& out) -> Result<void> {
       out.group.id = std::string(value);
       return {};
     }},
    {"group.instance.id",
     [](std::string_view value, ClientOptions& out) -> Result<void> {
       out.group.instance_id = std::string(value);
       return {};
     }},
    {"heartbeat.interval.ms",
     [](auto value, auto& out) { return number(value, out.group.heartbeat_interval_ms, 1); }},
    {"isolation.level",
     [](std::string_view value, ClientOptions& out) -> Result<void> {
       TRY(choice(value, {"read_uncommitted", "read_committed"}));
       out.consumer.isolation =
           value == "read_committed" ? Isolation::read_committed : Isolation::read_uncommitted;
       return {};
     }},
    {"linger.ms", [](auto value, auto& out) { return number(value, out.producer.linger_ms, 0); }},
    {"max.in.flight.requests.per.connection",
     [](std::string_view value, ClientOptions& out) -> Result<void> {
       TRY_ASSIGN(const int64_t parsed, parse_number(value, "value", 1, 5));
       out.producer.max_in_flight_per_partition = static_cast<int32_t>(parsed);
       return {};
     }},
    {"max.partition.fetch.bytes",
     [](auto value, auto& out) { return number(value, out.consumer.max_partition_fetch_bytes, 1); }},
    {"max.poll.interval.ms",
     [](auto value, auto& out) { return number(value, out.group.max_poll_interval_ms, 1); }},
    {"max.request.size",
     [](auto value, auto& out) { return number(value, out.producer.max_request_bytes, 1); }},
    {"metadata.max.age.ms",
     [](auto value, auto& out) { return number(value, out.cluster.metadata_max_age_ms, 0); }},
    {"partition.assignment.strategy",
     [](std::string_view value, ClientOptions& out) -> Result<void> {
       TRY_ASSIGN(out.group.assignors, parse_assignors(value));
       return {};
     }},
    {"request.timeout.ms",
     [](std::string_view value, ClientOptions& out) -> Result<void> {
       TRY(number(value, out.cluster.connection.request_timeout_ms, 1));
       out.producer.request_timeout_ms = out.cluster.connection.request_timeout_ms;
       return {};
     }},
    {"retry.backoff.max.ms",
     [](auto value, auto& out) { return number(value, out.cluster.retry_backoff_max_ms, 1); }},
    {"retry.backoff.ms",
     [](std::string_view value, ClientOptions& out) -> Result<void> {
       TRY(number(value, out.cluster.retry_backoff_ms, 1));
       out.producer.retry_backoff_ms = out.consumer.retry_backoff_ms = out.cluster.retry_backoff_ms;
       return {};
     }},
    {"security.protocol",
     [](std::string_view value, ClientOptions&) -> Result<void> {
       if (value == "PLAINTEXT") return {};
       return fail(Error::config(fmt::format("{} is not supported yet, only PLAINTEXT", value)));
     }},
    {"session.timeout.ms",
     [](auto value, auto& out) { return number(value, out.group.session_timeout_ms, 1); }},
    {"socket.connection.setup.timeout.ms",
     [](auto value, auto& out) { return number(value, out.cluster.connection.connect_timeout_ms, 1); }},
};

}  // namespace

Result<int64_t> parse_number(std::string_view text, std::string_view what, int64_t least, int64_t most) {
  int64_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size() || number < least || number > most)
    return fail(Error::config(fmt::format("{} '{}' is no number from {} to {}", what, text, least, most)));
  return number;
}

std::vector<std::string_view> client_property_names() {
  std::vector<std::string_view> names;
  for (const Setting& setting : kSettings) names.push_back(setting.name);
  return names;
}

Result<void> apply_property(std::string_view name, std::string_view value, ClientOptions& out) {
  const auto found = std::find_if(std::begin(kSettings), std::end(kSettings),
                                  [&](const Setting& setting) { return setting.name == name; });
  if (found == std::end(kSettings)) {
    const std::string_view nearest = nearest_word(name, client_property_names());
    return fail(
        Error::config(fmt::format("unknown or unsupported setting {}{}", name,
                                  nearest.empty() ? "" : fmt::format("; the nearest is {}", nearest))));
  }
  const Result<void> applied = found->apply(value, out);
  if (!applied) return fail(Error::config(fmt::format("{}: {}", name, applied.error().message())));
  return {};
}

Result<std::vector<runtime::Endpoint>> parse_bootstrap(std::string_view text) {
  std::vector<runtime::Endpoint> endpoints;
  for (const std::string_view one : list_items(text)) {
    const size_t colon = one.rfind(':');
    std::string_view host = one.substr(0, colon);
    const bool bracketed = host.starts_with('[') && host.ends_with(']');
    if (colon == std::string_view::npos || host.empty() ||
        (!bracketed && host.find(':') != std::string_view::npos)) {
      return fail(Error::config(fmt::format("broker address '{}' is not of the form HOST:PORT", one)));
    }
    if (bracketed) host = host.substr(1, host.size() - 2);
    TRY_ASSIGN(const int64_t port, parse_number(one.substr(colon + 1), "port", 1, 65'535));
    endpoints.push_back({std::string(host), static_cast<uint16_t>(port)});
  }
  if (endpoints.empty()) return fail(Error::config("no broker address"));
  return endpoints;
}

Result<std::vector<Assignor>> parse_assignors(std::string_view text) {
  std::vector<Assignor> found;
  for (const std::string_view one : list_items(text)) {
    const auto assignor = find_assignor(one);
    if (!assignor)
      return fail(Error::config(fmt::format("'{}' is none of range, roundrobin, cooperative-sticky", one)));
    if (std::find(found.begin(), found.end(), *assignor) == found.end()) found.push_back(*assignor);
  }
  if (found.empty()) return fail(Error::config("no strategy: range, roundrobin, cooperative-sticky"));
  return found;
}

}  // namespace tidemark::client
