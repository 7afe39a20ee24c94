#include "config/reference/page.h"

#include <fmt/format.h>

#include "config/report.h"
#include "config/settings.h"
#include "config/value.h"

namespace tidemark::config {
namespace {

constexpr Scope kScopes[] = {Scope::topic, Scope::broker, Scope::group, Scope::client_metrics};
constexpr Status kStatuses[] = {Status::honoured, Status::refused, Status::ignored};

// A bar would end a table's cell.
std::string cell(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '|') out += '\\';
    out += c;
  }
  return out;
}

std::string default_cell(const Setting& setting) {
  if (!setting.default_value) return "null";
  std::string text =
      setting.default_value->empty() ? std::string("(empty)") : fmt::format("`{}`", *setting.default_value);
  if (setting.kafka_default) text += fmt::format(" (Kafka: `{}`)", *setting.kafka_default);
  return text;
}

std::string meaning_cell(const Setting& setting) {
  std::string text(setting.doc);
  if (setting.status != Status::honoured) text += fmt::format(" *{}.*", setting.note);
  if (!setting.also_accepted.empty()) text += fmt::format(" Also accepted: `{}`.", setting.also_accepted);
  if (!setting.broker_synonym.empty())
    text += fmt::format(" Default from the broker's `{}`.", setting.broker_synonym);
  return text;
}

std::string_view title(Scope scope) {
  switch (scope) {
    case Scope::topic: return "Topic settings";
    case Scope::broker: return "Broker settings";
    case Scope::group: return "Group settings";
    case Scope::client_metrics: return "Client metrics subscriptions";
  }
  return "";
}

std::string_view heading(Status status) {
  switch (status) {
    case Status::honoured: return "Honoured";
    case Status::refused: return "Refused: accepted at their defaults only";
    case Status::ignored: return "Ignored: accepted with a warning";
  }
  return "";
}

void add_table(std::string& page, Scope scope, Status status) {
  std::string rows;
  for (const Setting* setting : settings_of(scope)) {
    if (setting->status != status) continue;
    rows += fmt::format("| `{}` | {} | {} | {} | {} | {} |\n", setting->name, type_name(setting->type),
                        cell(default_cell(*setting)), cell(valid_text(setting->valid)),
                        scope == Scope::broker ? dynamic_name(setting->dynamic) : "dynamic",
                        cell(meaning_cell(*setting)));
  }
  if (rows.empty()) return;
  page += fmt::format(
      "\n### {}\n\n| setting | type | default | valid | change | meaning |\n|---|---|---|---|---|---|\n",
      heading(status));
  page += rows;
}

std::string kafka_default_text(const Setting& setting) {
  if (setting.kafka_default) {
    const std::string_view text = *setting.kafka_default;
    return setting.is_list() && text != "(required)" ? fmt::format("[{}]", text) : std::string(text);
  }
  if (!setting.default_value) return "null";
  if (setting.is_list()) return fmt::format("[{}]", fmt::join(list_elements(*setting.default_value), ", "));
  if (setting.type == Type::kClass) return fmt::format("class {}", *setting.default_value);
  return std::string(*setting.default_value);
}

}  // namespace

std::string reference_page() {
  const StatusCounts counts = count_table();
  std::string page = fmt::format(
      "# Settings\n\n"
      "Made from the table in `config/settings/` by `tidemark-config-reference`; edit the table, not this "
      "page.\n\n"
      "Names, types, defaults and ranges are Kafka 4.3's. {} settings are honoured, {} refused, {} ignored. "
      "A refused\n"
      "setting is accepted at its default, because tools write defaults; anything else is an error that says "
      "why. What\n"
      "protects (TLS, SASL, access control) is refused until it works.\n",
      counts.honoured, counts.refused, counts.ignored);
  for (const Scope scope : kScopes) {
    page += fmt::format("\n## {}\n", title(scope));
    for (const Status status : kStatuses) add_table(page, scope, status);
  }
  return page;
}

std::string honoured_tests() {
  std::string lines;
  for (const Scope scope : kScopes) {
    for (const Setting* setting : settings_of(scope)) {
      if (setting->status != Status::honoured) continue;
      lines += fmt::format("{}\t{}\t{}\n", scope_name(scope), setting->name, setting->note);
    }
  }
  return lines;
}

std::string kafka_facts() {
  std::string lines;
  for (const Scope scope : {Scope::broker, Scope::topic, Scope::group, Scope::client_metrics}) {
    for (const Setting* setting : settings_of(scope)) {
      if (!setting->kafka) continue;
      lines += fmt::format("{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\n", scope_name(scope), setting->name,
                           type_name(setting->type), kafka_default_text(*setting), valid_text(setting->valid),
                           importance_name(setting->importance),
                           scope == Scope::broker ? dynamic_name(setting->dynamic) : "",
                           scope == Scope::topic ? setting->broker_synonym : "");
    }
  }
  return lines;
}

}  // namespace tidemark::config
