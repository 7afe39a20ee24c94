// One row of the table of settings: name, type, default, valid values, where it applies, and what this
// release does with it. Rows are constants in settings/*.cc; settings.h finds them. Numbers of the enums that
// cross the wire (DescribeConfigs) are Kafka's.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace tidemark::config {

enum class Scope : uint8_t { broker, topic, group, client_metrics };

// DescribeConfigs' ConfigType.
enum class Type : int8_t {
  kBoolean = 1,
  kString = 2,
  kInt = 3,
  kShort = 4,
  kLong = 5,
  kDouble = 6,
  kList = 7,
  kClass = 8,
  kPassword = 9,
};

enum class Importance : uint8_t { kHigh, kMedium, kLow };

// Which dynamic change a broker setting takes; the other scopes are dynamic by nature.
enum class Dynamic : uint8_t { kReadOnly, kPerBroker, kClusterWide };

enum class Status : uint8_t {
  honoured,  // has its effect; `note` is the test that sets another value and sees it (empty: not yet)
  refused,   // only the default (or a value in `also_accepted`) is taken; `note` says why
  ignored,   // taken at any value with one warning; `note` says why it means nothing here
};

// What values a setting takes, beyond its type.
struct Valid {
  enum class Kind : uint8_t {
    any,
    at_least,            // low <= value
    between,             // low <= value <= high
    gzip_level,          // 1 to 9, or -1
    one_of,              // a word of `words`
    one_of_any_case,     // the same, whatever its case
    list_of,             // each element a word of `words`
    non_empty,           // a string that is not empty
    non_empty_list,      // each element is not empty
    non_null,            // any string, the empty one too
    throttled_replicas,  // "*", or partition:broker,partition:broker,...
    share_offset_reset,  // latest, earliest, by_duration:ISO-8601
    size,                // ours: bytes, with KiB, MiB, GiB as suffix if wanted; at least `low`
    address,             // ours: host:port
  };
  Kind kind = Kind::any;
  double low = 0;
  double high = 0;
  std::string_view words;  // "a, b, c"
};

struct Setting {
  std::string_view name;
  Scope scope;
  Type type;
  std::optional<std::string_view> default_value;  // nullopt: null
  Valid valid;
  Importance importance;
  Dynamic dynamic;
  Status status;
  std::string_view note;  // see Status
  std::string_view doc;
  // A topic's setting: the broker's that gives its default, or empty.
  std::string_view broker_synonym = {};
  // Refused ones: further values that are taken, separated by '|'. Honoured lists: none.
  std::string_view also_accepted = {};
  // Where our default is not Kafka's: Kafka's, as its documentation writes it.
  std::optional<std::string_view> kafka_default = {};
  // False: Kafka 4.3 does not document this name (ours, its plug-ins', or removed).
  bool kafka = true;

  [[nodiscard]] constexpr bool is_sensitive() const { return type == Type::kPassword; }
  [[nodiscard]] constexpr bool is_list() const { return type == Type::kList; }
};

std::string_view scope_name(Scope scope);            // "broker", "client-metrics"
std::string_view type_name(Type type);               // "LONG"
std::string_view importance_name(Importance value);  // "HIGH"
std::string_view dynamic_name(Dynamic dynamic);      // "cluster-wide"
std::string_view status_name(Status status);         // "honoured"
// The range as Kafka's documentation writes it: "[0,...]", "[a, b]", "" for any.
std::string valid_text(const Valid& valid);

}  // namespace tidemark::config
