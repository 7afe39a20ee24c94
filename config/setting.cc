#include "config/setting.h"

#include <fmt/format.h>

namespace tidemark::config {

std::string_view scope_name(Scope scope) {
  switch (scope) {
    case Scope::broker: return "broker";
    case Scope::topic: return "topic";
    case Scope::group: return "group";
    case Scope::client_metrics: return "client-metrics";
  }
  return "";
}

std::string_view type_name(Type type) {
  switch (type) {
    case Type::kBoolean: return "BOOLEAN";
    case Type::kString: return "STRING";
    case Type::kInt: return "INT";
    case Type::kShort: return "SHORT";
    case Type::kLong: return "LONG";
    case Type::kDouble: return "DOUBLE";
    case Type::kList: return "LIST";
    case Type::kClass: return "CLASS";
    case Type::kPassword: return "PASSWORD";
  }
  return "";
}

std::string_view importance_name(Importance value) {
  switch (value) {
    case Importance::kHigh: return "HIGH";
    case Importance::kMedium: return "MEDIUM";
    case Importance::kLow: return "LOW";
  }
  return "";
}

std::string_view dynamic_name(Dynamic dynamic) {
  switch (dynamic) {
    case Dynamic::kReadOnly: return "read-only";
    case Dynamic::kPerBroker: return "per-broker";
    case Dynamic::kClusterWide: return "cluster-wide";
  }
  return "";
}

std::string_view status_name(Status status) {
  switch (status) {
    case Status::honoured: return "honoured";
    case Status::refused: return "refused";
    case Status::ignored: return "ignored";
  }
  return "";
}

std::string valid_text(const Valid& valid) {
  const auto number = [](double value) { return fmt::format("{:.0f}", value); };
  switch (valid.kind) {
    case Valid::Kind::any: return "";
    case Valid::Kind::at_least: return fmt::format("[{},...]", number(valid.low));
    case Valid::Kind::between: return fmt::format("[{},...,{}]", number(valid.low), number(valid.high));
    case Valid::Kind::gzip_level: return "[1,...,9] or -1";
    case Valid::Kind::one_of:
    case Valid::Kind::list_of: return fmt::format("[{}]", valid.words);
    case Valid::Kind::one_of_any_case: return fmt::format("(case insensitive) [{}]", valid.words);
    case Valid::Kind::non_empty: return "non-empty string";
    case Valid::Kind::non_empty_list: return "non-empty list";
    case Valid::Kind::non_null: return "non-null string";
    case Valid::Kind::throttled_replicas: return "[partitionId]:[brokerId],[partitionId]:[brokerId],...";
    case Valid::Kind::share_offset_reset: return "[latest, earliest, by_duration:PnDTnHnMn.nS]";
    case Valid::Kind::size: return fmt::format("[{},...] bytes, or with KiB, MiB, GiB", number(valid.low));
    case Valid::Kind::address: return "host:port";
  }
  return "";
}

}  // namespace tidemark::config
