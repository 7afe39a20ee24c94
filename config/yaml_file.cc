// Our YAML file. Each section is read by one function that knows its keys; everything ends up as settings, so
// that both file formats are judged by the same rules.
#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <set>
#include <sstream>

#include "config/settings.h"
#include "config/value.h"
#include "config/written.h"

namespace tidemark::config {
namespace {

constexpr size_t kMaxNesting = 64;
constexpr size_t kMaxErrors = 20;
constexpr size_t kMaxElements = 1000;

using Keys = std::span<const std::string_view>;

// A first pass over the events, before anything is built: nothing may be nested deeper than kMaxNesting. (The
// parser bounds its own recursion at 500.)
class NestingCheck : public YAML::EventHandler {
 public:
  [[nodiscard]] bool too_deep() const { return deepest_ > kMaxNesting; }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t, const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {
    enter();
  }
  void OnSequenceEnd() override { --depth_; }
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {
    enter();
  }
  void OnMapEnd() override { --depth_; }

 private:
  void enter() { deepest_ = std::max(deepest_, ++depth_); }

  size_t depth_ = 0;
  size_t deepest_ = 0;
};

class YamlFile {
 public:
  explicit YamlFile(std::string_view file_name) : file_(file_name) {}

  void read(const YAML::Node& root) {
    if (!root || root.IsNull()) return;  // an empty file: all defaults
    static constexpr std::array<std::string_view, 9> kSections{
        "node", "cluster", "listeners", "control", "http", "data", "memory", "journal", "properties"};
    for_each_key(root, "the file", kSections, [this](const std::string& section, const YAML::Node& node) {
      if (section == "node") return read_node(node);
      if (section == "cluster") return read_cluster(node);
      if (section == "listeners") return read_listeners(node);
      if (section == "control") {
        return error(node,
                     "control: node-to-node control comes with a later release; a cluster of one has none");
      }
      if (section == "http") return read_one_key(node, "http", "address", "http.address");
      if (section == "data") return read_data(node);
      if (section == "memory") return read_one_key(node, "memory", "limit", "memory.limit");
      if (section == "journal") return read_one_key(node, "journal", "size", "journal.size");
      read_properties(node);
    });
    map_listener_protocols();
  }

  Result<std::vector<WrittenSetting>> take() && {
    if (!errors_.empty()) return fail(Error::config(fmt::format("{}", fmt::join(errors_, "\n"))));
    return std::move(settings_);
  }

 private:
  static int line_of(const YAML::Node& node) { return node.Mark().line + 1; }
  std::string where(const YAML::Node& node) const {
    return node.Mark().is_null() ? file_ : fmt::format("{}:{}", file_, line_of(node));
  }
  void error(const YAML::Node& node, std::string_view what) {
    if (errors_.size() < kMaxErrors) errors_.push_back(fmt::format("{}: {}", where(node), what));
  }

  // f(key, value) for each key of a map; wrong shapes, unknown keys and repeated keys are errors.
  template <class F>
  void for_each_key(const YAML::Node& map, std::string_view name, Keys known, F&& f) {
    if (!map.IsMap()) return error(map, fmt::format("{} must be a map of keys", name));
    std::set<std::string> seen;
    for (const auto& entry : map) {
      if (!entry.first.IsScalar()) {
        error(entry.first, fmt::format("{}: a key must be a word", name));
        continue;
      }
      const std::string key = entry.first.Scalar();
      if (!known.empty() && std::ranges::find(known, key) == known.end()) {
        error(entry.first, fmt::format("{}: unknown key {}{}; known are {}", name, shortened(key),
                                       did_you_mean(nearest_name(key, known)), fmt::join(known, ", ")));
      } else if (!seen.insert(key).second) {
        error(entry.first, fmt::format("{}: {} is there twice", name, shortened(key)));
      } else if (!entry.second || entry.second.IsNull()) {
        error(entry.first, fmt::format("{}: {} has no value", name, shortened(key)));
      } else {
        f(key, entry.second);
      }
    }
  }

  static std::string_view shortened(std::string_view key) { return key.substr(0, 200); }

  // A word or number, or a list of them joined by commas where `list` allows it.
  std::optional<std::string> text_of(const YAML::Node& node, std::string_view name, bool list) {
    if (node.IsScalar()) return std::string(node.Scalar());
    if (!list || !node.IsSequence()) {
      error(node,
            fmt::format("{} must be {}", name, list ? "a value or a list of values" : "a single value"));
      return std::nullopt;
    }
    std::string joined;
    size_t elements = 0;
    for (const auto& element : node) {
      if (!element.IsScalar() || element.Scalar().find(',') != std::string::npos ||
          ++elements > kMaxElements) {
        error(element, fmt::format("{}: an element must be a value without a comma, and at most {} of them",
                                   name, kMaxElements));
        return std::nullopt;
      }
      if (elements > 1) joined.push_back(',');
      joined += element.Scalar();
    }
    return joined;
  }

  void add(const YAML::Node& node, std::string_view setting, std::string value) {
    const auto twin = std::ranges::find(settings_, setting, &WrittenSetting::name);
    if (twin != settings_.end()) {
      return error(node, fmt::format("{} is set twice, first at {}", setting, twin->where));
    }
    if (settings_.size() == kMaxWrittenSettings) return error(node, "more than 10000 settings");
    settings_.push_back({std::string(setting), std::move(value), where(node)});
  }

  void read_one_key(const YAML::Node& node, std::string_view section, std::string_view key,
                    std::string_view setting) {
    for_each_key(node, section, Keys(&key, 1), [&](const std::string&, const YAML::Node& value) {
      if (auto text = text_of(value, fmt::format("{}.{}", section, key), false)) add(value, setting, *text);
    });
  }

  void read_node(const YAML::Node& node) {
    static constexpr std::array<std::string_view, 3> kKeys{"id", "rack", "roles"};
    for_each_key(node, "node", kKeys, [this](const std::string& key, const YAML::Node& value) {
      const bool roles = key == "roles";
      const std::string_view setting = key == "id" ? "node.id" : roles ? "process.roles" : "broker.rack";
      if (auto text = text_of(value, fmt::format("node.{}", key), roles)) add(value, setting, *text);
    });
  }

  void read_data(const YAML::Node& node) {
    static constexpr std::string_view kKey = "dirs";
    for_each_key(node, "data", Keys(&kKey, 1), [this](const std::string&, const YAML::Node& value) {
      if (auto text = text_of(value, "data.dirs", true)) add(value, "log.dirs", *text);
    });
  }

  void read_cluster(const YAML::Node& node) {
    static constexpr std::string_view kKey = "controllers";
    for_each_key(node, "cluster", Keys(&kKey, 1), [this](const std::string&, const YAML::Node& list) {
      if (!list.IsSequence() || list.size() == 0) {
        return error(list, "cluster.controllers must be a list of {id, address}");
      }
      if (list.size() > 1) {
        return error(list,
                     "cluster.controllers: a cluster of several controllers comes with a later release");
      }
      static constexpr std::array<std::string_view, 2> kKeys{"id", "address"};
      std::string id;
      std::string address;
      for_each_key(list[0], "cluster.controllers", kKeys,
                   [&](const std::string& key, const YAML::Node& value) {
                     if (auto text = text_of(value, key, false)) (key == "id" ? id : address) = *text;
                   });
      if (id.empty() || address.empty())
        return error(list, "cluster.controllers: an entry has an id and an address");
      add(list, "controller.quorum.voters", fmt::format("{}@{}", id, address));
    });
  }

  void read_listeners(const YAML::Node& node) {
    if (!node.IsSequence() || node.size() == 0 || node.size() > kMaxElements) {
      return error(node, "listeners must be a list of {name, address, advertised}");
    }
    std::vector<std::string> listeners;
    std::vector<std::string> advertised;
    for (const auto& entry : node) read_listener(entry, listeners, advertised);
    add(node, "listeners", fmt::format("{}", fmt::join(listeners, ",")));
    if (!advertised.empty()) add(node, "advertised.listeners", fmt::format("{}", fmt::join(advertised, ",")));
    listeners_node_ = node;
  }

  void read_listener(const YAML::Node& entry, std::vector<std::string>& listeners,
                     std::vector<std::string>& advertised) {
    static constexpr std::array<std::string_view, 4> kKeys{"name", "address", "advertised", "protocol"};
    std::string name = "PLAINTEXT";
    std::string address;
    std::string advertised_address;
    std::string protocol;
    for_each_key(entry, "listeners", kKeys, [&](const std::string& key, const YAML::Node& value) {
      const auto text = text_of(value, fmt::format("listeners.{}", key), false);
      if (!text) return;
      if (text->find(',') != std::string::npos || text->find("://") != std::string::npos) {
        return error(value, fmt::format("listeners.{} must hold neither a comma nor ://", key));
      }
      (key == "name"         ? name
       : key == "address"    ? address
       : key == "advertised" ? advertised_address
                             : protocol) = *text;
    });
    if (address.empty()) return error(entry, "listeners: an entry needs an address, as 127.0.0.1:9092");
    listeners.push_back(fmt::format("{}://{}", name, address));
    if (!advertised_address.empty()) advertised.push_back(fmt::format("{}://{}", name, advertised_address));
    protocols_.emplace_back(std::move(name), std::move(protocol));
  }

  // A listener of the `listeners` section is PLAINTEXT unless it says otherwise, or its name or the map does.
  void map_listener_protocols() {
    constexpr std::string_view kMap = "listener.security.protocol.map";
    if (protocols_.empty() || std::ranges::find(settings_, kMap, &WrittenSetting::name) != settings_.end())
      return;
    std::string map(*find_setting(Scope::broker, kMap)->default_value);
    bool changed = false;
    for (const auto& [name, protocol] : protocols_) {
      const bool known =
          name == "PLAINTEXT" || name == "SSL" || name == "SASL_PLAINTEXT" || name == "SASL_SSL";
      if (known && protocol.empty()) continue;
      if (known) {
        if (protocol != name)
          error(listeners_node_, fmt::format("listeners: {} cannot speak {}", name, protocol));
        continue;
      }
      map += fmt::format(",{}:{}", name, protocol.empty() ? "PLAINTEXT" : protocol);
      changed = true;
    }
    if (changed) add(listeners_node_, kMap, std::move(map));
  }

  void read_properties(const YAML::Node& node) {
    for_each_key(node, "properties", {}, [this](const std::string& key, const YAML::Node& value) {
      auto text = text_of(value, fmt::format("properties.{}", shortened(key)), true);
      if (text) add(value, key, std::move(*text));
    });
  }

  std::string file_;
  std::vector<WrittenSetting> settings_;
  std::vector<std::string> errors_;
  std::vector<std::pair<std::string, std::string>> protocols_;  // name, protocol or empty
  YAML::Node listeners_node_;
};

}  // namespace

Result<std::vector<WrittenSetting>> parse_yaml(std::string_view file_name, std::string_view text) {
  if (text.size() > kMaxConfigFileBytes) {
    return fail(Error::config(fmt::format("{}: larger than {} bytes", file_name, kMaxConfigFileBytes)));
  }
  try {
    const std::string copy(text);
    std::istringstream stream(copy);
    YAML::Parser parser(stream);
    NestingCheck nesting;
    const bool any = parser.HandleNextDocument(nesting);
    if (nesting.too_deep()) {
      return fail(Error::config(fmt::format("{}: nested deeper than {} levels", file_name, kMaxNesting)));
    }
    // Asked once, not with LoadAll: that never ends on a stray closing bracket, which is for ever the next
    // document.
    if (any && parser.HandleNextDocument(nesting)) {
      return fail(
          Error::config(fmt::format("{}: more than one YAML document, or a stray bracket", file_name)));
    }
    YamlFile file(file_name);
    if (any) file.read(YAML::Load(copy));
    return std::move(file).take();
  } catch (const YAML::Exception& exception) {
    const int line = exception.mark.is_null() ? 1 : exception.mark.line + 1;
    return fail(Error::config(fmt::format("{}:{}: not YAML: {}", file_name, line, exception.msg)));
  }
}

}  // namespace tidemark::config
