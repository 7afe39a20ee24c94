#include "client/cli/complete.h"

#include "client/cli/session.h"
#include "client/core/group_admin.h"

namespace tidemark::cli {
namespace {

using runtime::Task;

constexpr int32_t kPatienceMs = 1'000;
constexpr size_t kMostNames = 5'000;
constexpr size_t kWhatBytes = 100;  // of a description

Task<void> fetch_names(Session& session, Names kind, std::vector<std::string>& names, runtime::Signal& done) {
  if (kind == Names::topic) {
    client::Cluster::Interest everything;
    everything.all = true;
    Task<Result<void>> asking = session.cluster.refresh(std::move(everything));
    (void)co_await asking;
    for (const auto& [name, topic] : session.cluster.metadata().topics()) {
      if (!topic.is_internal) names.push_back(name);
    }
  } else {
    client::GroupAdmin groups(session.cluster);
    std::vector<std::string> any_state;
    auto listing = groups.list(any_state);
    const auto listed = co_await listing;
    for (size_t i = 0; listed && i < listed->groups.size(); ++i) names.push_back(listed->groups[i].id);
  }
  done.notify_all();
}

// What is there after a second.
Task<Result<int>> fetch_in_time(Session& session, Names kind, std::vector<std::string>& names) {
  runtime::Signal done(session.loop);
  runtime::TaskScope scope;
  scope.spawn(fetch_names(session, kind, names, done));
  auto waiting = done.wait_until(session.cluster.scheduler().mono() + std::chrono::milliseconds(kPatienceMs));
  (void)co_await waiting;
  co_return kDone;
}

std::vector<std::string> names_of_cluster(GlobalOptions global, Names kind) {
  global.cluster.connection.connect_timeout_ms = kPatienceMs;
  global.cluster.connection.request_timeout_ms = kPatienceMs;
  global.cluster.api_timeout_ms = kPatienceMs;
  Session session(global);
  std::vector<std::string> names;
  (void)client::run_task(session.loop, fetch_in_time(session, kind, names));
  return names;
}

// A line a name: others cannot be offered.
bool is_printable(std::string_view name) {
  return std::none_of(name.begin(), name.end(),
                      [](char c) { return static_cast<uint8_t>(c) < 0x20 || c == 0x7F; });
}

void add_names(Completion& completion, const std::string& typed, const FindCluster& find) {
  if (completion.named != Names::topic && completion.named != Names::group) return;
  const auto global = find(completion.bootstrap, completion.config_file);
  if (!global) return;
  for (const std::string& name : names_of_cluster(*global, completion.named)) {
    std::string word = completion.before + name;
    if (completion.candidates.size() >= kMostNames || !is_printable(name) || !word.starts_with(typed))
      continue;
    // It would be taken for an option.
    if (completion.before.empty() && name.starts_with('-')) continue;
    completion.candidates.push_back({std::move(word), {}});
  }
}

// What a line says of an option or a verb.
std::string_view brief(std::string_view what) {
  what = what.substr(0, what.find_first_of(";\n"));
  if (what.size() <= kWhatBytes) return what;
  return what.substr(0, what.rfind(' ', kWhatBytes));
}

}  // namespace

int complete(const Verb& root, const std::vector<std::string>& arguments, const FindCluster& find) {
  if (arguments.empty()) return kDone;
  const bool is_bash = arguments[0] == "bash";
  std::vector<std::string> words(arguments.begin() + 1, arguments.end());
  BashLine line;
  if (is_bash) {
    line = split_bash(words.empty() ? "" : words[0], words.size() > 1 ? words[1] : "");
    words.assign(line.words.begin() + (line.words.empty() ? 0 : 1), line.words.end());
  }
  if (words.empty()) return kDone;
  Completion completion = complete_words(root, words);
  add_names(completion, words.back(), find);
  std::string out = "offer";
  if (completion.named == Names::file) out += " files";
  if (completion.named == Names::folder) out += " folders";
  if (!completion.candidates.empty() && completion.candidates.front().word.ends_with('=')) out += " nospace";
  out += '\n';
  for (const Candidate& candidate : completion.candidates) {
    // Between double quotes nothing keeps bash from putting its history there.
    if (is_bash && line.quote == '"' && candidate.word.find('!') != std::string::npos) continue;
    out += is_bash ? quote_bash(line, candidate.word) : candidate.word;
    if (!is_bash && !candidate.what.empty()) out += fmt::format("\t{}", brief(candidate.what));
    out += '\n';
  }
  write_stdout(out);
  flush_stdout();
  return kDone;
}

}  // namespace tidemark::cli
