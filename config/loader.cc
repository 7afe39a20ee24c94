#include "config/loader.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "config/listeners.h"
#include "config/resolver.h"
#include "config/settings.h"
#include "config/value.h"
#include "protocol/invariant.h"

namespace tidemark::config {
namespace {

constexpr size_t kMaxErrors = 20;
constexpr size_t kMaxNameShown = 200;

// A folder's name without what says nothing.
struct PlainPath {
  explicit PlainPath(std::string_view path) : absolute(path.starts_with('/')) {
    for (size_t at = 0; at <= path.size();) {
      const size_t end = std::min(path.find('/', at), path.size());
      const std::string_view part = path.substr(at, end - at);
      at = end + 1;
      if (part.empty() || part == ".") continue;
      if (part != "..") {
        parts.push_back(part);
      } else if (!parts.empty()) {
        parts.pop_back();
      } else if (!absolute) {
        ++ups;
      }
    }
  }
  // As far as names tell: not how a relative one and an absolute one lie to each other.
  [[nodiscard]] bool holds(const PlainPath& other) const {
    if (absolute != other.absolute || ups < other.ups) return false;
    if (ups > other.ups) return parts.empty();
    return parts.size() <= other.parts.size() && std::equal(parts.begin(), parts.end(), other.parts.begin());
  }
  bool absolute;
  size_t ups = 0;  // folders above the working directory that it begins with
  std::vector<std::string_view> parts;
};

bool are_apart(std::string_view one, std::string_view other) {
  const PlainPath a(one);
  const PlainPath b(other);
  return !a.holds(b) && !b.holds(a);
}

class NodeConfigMaker {
 public:
  Result<NodeConfig> make(std::span<const WrittenSetting> file, std::span<const WrittenSetting> overrides) {
    for (const WrittenSetting& written : file) take(written, true);
    for (const WrittenSetting& written : overrides) take(written, false);
    make_listeners();
    for (const auto& [name, written] : taken_) judge(written);
    make_identity();
    make_folders();
    make_http();
    check_quorum();
    check_agreement();
    if (!errors_.empty()) return fail(Error::config(fmt::format("{}", fmt::join(errors_, "\n"))));

    for (const auto& [name, written] : taken_) node_.properties.emplace(name, trimmed(written.value));
    mirror_node_id();
    node_.broker = resolve_broker_config({nullptr, nullptr, &node_.properties});
    return std::move(node_);
  }

 private:
  void error(const WrittenSetting& written, std::string_view what) {
    if (errors_.size() < kMaxErrors) errors_.push_back(fmt::format("{}: {}", written.where, what));
  }

  // The text written for `name`, else its default (empty for null).
  std::string_view text(std::string_view name) const {
    if (const WrittenSetting* written = find(name)) return trimmed(written->value);
    return find_setting(Scope::broker, name)->default_value.value_or(std::string_view());
  }
  const WrittenSetting* find(std::string_view name) const {
    const auto found = taken_.find(name);
    return found != taken_.end() ? &found->second : nullptr;
  }

  // Later entries win, as in Kafka; two in one file are worth a warning.
  void take(const WrittenSetting& written, bool from_file) {
    // A flag for one of two names that mean the same replaces the other.
    if (!from_file) {
      for (const auto& [name, other] : {std::pair<std::string_view, std::string_view>{"node.id", "broker.id"},
                                        {"broker.id", "node.id"},
                                        {"log.dirs", "log.dir"},
                                        {"log.dir", "log.dirs"}}) {
        const auto twin = written.name == name ? taken_.find(other) : taken_.end();
        if (twin != taken_.end()) taken_.erase(twin);
      }
    }
    const auto [entry, inserted] = taken_.try_emplace(written.name, written);
    if (inserted) return;
    if (from_file) {
      node_.warnings.push_back(fmt::format("{}: {} is set again; the value at {} is not used", written.where,
                                           written.name.substr(0, kMaxNameShown), entry->second.where));
    }
    entry->second = written;
  }

  void judge(const WrittenSetting& written) {
    const Setting* setting = find_setting(Scope::broker, written.name);
    if (setting == nullptr) return judge_unknown(written);
    if (setting->status == Status::ignored) {
      node_.warnings.push_back(
          fmt::format("{}: {} is ignored: {}", written.where, setting->name, setting->note));
      return;
    }
    // Any listener of this node may be named: there is no other broker that would use it.
    if (setting->name == "inter.broker.listener.name" && names_own_listener(written.value)) return;
    if (const auto checked = check_accepted(*setting, written.value); !checked) {
      error(written, checked.error().message());
    }
  }

  void judge_unknown(const WrittenSetting& written) {
    if (errors_.size() == kMaxErrors) return;  // looking for the nearest name has its price
    const std::string_view name = std::string_view(written.name).substr(0, kMaxNameShown);
    if (name.starts_with("listener.name.")) {
      // Some of these protect (TLS, SASL), so none is passed over.
      return error(written,
                   fmt::format("Refused configuration {}: settings of one listener alone come with a "
                               "later release",
                               name));
    }
    if (name.starts_with("rsm.config.") || name.starts_with("rlmm.config.")) {
      return error(written,
                   fmt::format("Refused configuration {}: tiered storage does not exist here", name));
    }
    if (name.starts_with("zookeeper.")) {
      node_.warnings.push_back(fmt::format("{}: {} is ignored: ZooKeeper is gone", written.where, name));
      return;
    }
    const Setting* topic = find_setting(Scope::topic, name);
    if (topic != nullptr && !topic->broker_synonym.empty()) {
      return error(written, fmt::format("Unknown configuration {}: it is a topic's; the broker's is {}", name,
                                        topic->broker_synonym));
    }
    error(written, fmt::format("Unknown configuration {}{}", name,
                               did_you_mean(nearest_setting(Scope::broker, name))));
  }

  bool names_own_listener(std::string_view name) const {
    return std::ranges::find(node_.listeners, trimmed(name), &Listener::name) != node_.listeners.end();
  }

  void make_listeners() {
    const WrittenSetting* map = find("listener.security.protocol.map");
    const auto parsed = parse_listeners({text("listeners"), text("advertised.listeners"),
                                         map != nullptr ? trimmed(map->value) : std::string_view(),
                                         text("controller.listener.names")});
    if (!parsed) {
      // Whichever of the settings it names; the message has the name.
      const std::string& message = parsed.error().message();
      const WrittenSetting nowhere{"listeners", "", "default"};
      const WrittenSetting* blamed = find("listeners");
      if (message.find("configuration advertised.listeners") != std::string::npos)
        blamed = find("advertised.listeners");
      // A map that leaves out the listener which is there by default, too.
      if (blamed == nullptr || message.find("configuration listener.security") != std::string::npos)
        blamed = map;
      return error(blamed != nullptr ? *blamed : nowhere, message);
    }
    node_.listeners = parsed->listeners;
    const WrittenSetting* written = find("listeners");
    for (const std::string& name : parsed->not_opened) {
      node_.warnings.push_back(fmt::format(
          "{}: the listener {} is for controllers; a cluster of one does not open it", written->where, name));
    }
    for (const Listener& listener : node_.listeners) {
      if (is_loopback(listener.address.host)) continue;
      node_.exposures.push_back(
          fmt::format("listener {} on {} can be reached from other machines, and this release has neither "
                      "encryption nor access control",
                      listener.name, listener.address.to_string()));
    }
  }

  // REQUIRES: judged. The number of a setting that is right; nullopt if it is wrong (and was told).
  std::optional<int64_t> number(std::string_view name) const {
    const Setting& setting = *find_setting(Scope::broker, name);
    if (!check_value(setting, text(name))) return std::nullopt;
    return integer_value(setting, text(name));
  }

  void make_identity() {
    const WrittenSetting* node_id = find("node.id");
    const WrittenSetting* broker_id = find("broker.id");
    const auto by_node_id = number("node.id");
    const auto by_broker_id = number("broker.id");
    if (!by_node_id || !by_broker_id) return;
    const bool broker_id_counts = broker_id != nullptr && *by_broker_id != -1;
    if (broker_id_counts && *by_broker_id < 0) {
      return error(*broker_id,
                   fmt::format("Invalid value {} for configuration broker.id: Value must be at least 0",
                               *by_broker_id));
    }
    if (node_id != nullptr && broker_id_counts && *by_node_id != *by_broker_id) {
      return error(*broker_id,
                   fmt::format("Invalid value {} for configuration broker.id: node.id at {} is {}; set "
                               "both to the same",
                               *by_broker_id, node_id->where, *by_node_id));
    }
    node_.node_id =
        BrokerId(static_cast<int32_t>(node_id == nullptr && broker_id_counts ? *by_broker_id : *by_node_id));
    if (const WrittenSetting* rack = find("broker.rack"); rack != nullptr && !trimmed(rack->value).empty()) {
      node_.rack = std::string(trimmed(rack->value));
    }
  }

  void make_folders() {
    const WrittenSetting* written = find("log.dirs");
    if (written == nullptr || trimmed(written->value).empty()) written = find("log.dir");
    if (written == nullptr) return;  // the struct's default is the table's
    node_.data_dirs.clear();
    for (const std::string_view folder : list_elements(written->value)) {
      if (folder.empty())
        return error(*written,
                     fmt::format("Invalid value for configuration {}: an empty path", written->name));
      node_.data_dirs.emplace_back(folder);
    }
    if (node_.data_dirs.empty()) {
      return error(*written, fmt::format("Invalid value for configuration {}: name a folder", written->name));
    }
    for (auto one = node_.data_dirs.begin(); one != node_.data_dirs.end(); ++one) {
      for (auto other = one + 1; other != node_.data_dirs.end(); ++other) {
        if (!are_apart(*one, *other))
          return error(*written,
                       fmt::format("Invalid value for configuration {}: {} and {} are one folder, or "
                                   "one is in the other",
                                   written->name, *one, *other));
      }
    }
  }

  void make_http() {
    // A wrong one was told by judge().
    if (auto endpoint = parse_endpoint(text("http.address"))) node_.http = std::move(*endpoint);
  }

  void check_quorum() {
    if (const WrittenSetting* voters = find("controller.quorum.voters")) {
      const auto listed = list_elements(voters->value);
      if (listed.size() > 1) {
        error(*voters,
              "Refused configuration controller.quorum.voters: a cluster of several controllers comes with a "
              "later release");
      } else if (listed.size() == 1) {
        check_only_voter(*voters, listed.front());
      }
    }
    const WrittenSetting* bootstrap = find("controller.quorum.bootstrap.servers");
    if (bootstrap != nullptr && list_elements(bootstrap->value).size() > 1) {
      error(*bootstrap,
            "Refused configuration controller.quorum.bootstrap.servers: a cluster of several controllers "
            "comes with a later release");
    }
  }

  void check_only_voter(const WrittenSetting& written, std::string_view voter) {
    const size_t at = voter.find('@');
    const auto wrong = [&](std::string_view why) {
      error(written, fmt::format("Invalid value {} for configuration controller.quorum.voters: {}",
                                 voter.substr(0, kMaxNameShown), why));
    };
    if (at == std::string_view::npos) return wrong("it must be ID@HOST:PORT");
    if (const auto endpoint = parse_endpoint(voter.substr(at + 1)); !endpoint)
      return wrong(endpoint.error().message());
    if (voter.substr(0, at) != fmt::format("{}", node_.node_id.value)) {
      wrong(
          fmt::format("a cluster of one has itself as its voter, and this is node {}", node_.node_id.value));
    }
  }

  void check_agreement() {
    const auto queued = number("queued.max.request.bytes");
    const auto largest = number("socket.request.max.bytes");
    if (queued && largest && *queued > 0 && *queued < *largest) {
      const WrittenSetting* written = find("queued.max.request.bytes");
      error(*written,
            fmt::format("Invalid value {} for configuration queued.max.request.bytes: it must be at least "
                        "socket.request.max.bytes ({}), or -1",
                        *queued, *largest));
    }
  }

  // DescribeConfigs shows both names, as Kafka does.
  void mirror_node_id() {
    const bool by_node_id = find("node.id") != nullptr;
    const bool by_broker_id = find("broker.id") != nullptr;
    if (!by_node_id && !by_broker_id) return;
    if (!by_node_id) node_.mirrored = "node.id";
    if (!by_broker_id) node_.mirrored = "broker.id";
    const std::string id = fmt::format("{}", node_.node_id.value);
    node_.properties.insert_or_assign("node.id", id);
    node_.properties.insert_or_assign("broker.id", id);
  }

  NodeConfig node_;
  std::map<std::string, WrittenSetting, std::less<>> taken_;
  std::vector<std::string> errors_;
};

}  // namespace

Result<NodeConfig> make_node_config(std::span<const WrittenSetting> file,
                                    std::span<const WrittenSetting> overrides) {
  return NodeConfigMaker().make(file, overrides);
}

}  // namespace tidemark::config
