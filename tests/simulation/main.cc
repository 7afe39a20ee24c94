// tidemark-sim: runs seeds of the simulated world, says what it found and how often each fault and each rare
// branch came up. Exit: 0 nothing wrong (with --plant: the bug was caught), 1 a violation (with --plant: not
// caught), 2 a wrong argument, 3 a seed did not repeat, 4 a fault or branch that never happened.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/simulation/node_simulation.h"
#include "tests/simulation/storage_simulation.h"

namespace {

using namespace tidemark;
using namespace tidemark::simulation;

// Fewer seeds cannot be expected to see every fault.
constexpr uint64_t kSeedsForEveryFault = 100;

constexpr std::string_view kUsage =
    "usage: tidemark-sim (--seed N | --seeds FROM..TO) [--world storage|node|all] [--operations N]\n"
    "                    [--seconds N] [--events M] [--twice] [--plant NAME] [--write-caching] [--verbose]\n"
    "                    [--show-disk]\n"
    "       tidemark-sim --list-planted\n"
    "\n"
    "  --seed, --seeds   which worlds to run\n"
    "  --world WHICH     storage: clients at the storage's API; node: a whole broker, clients that speak "
    "the\n"
    "                    protocol; all: each seed in both (all)\n"
    "  --operations N    client operations of a seed, at least (2000)\n"
    "  --seconds N       virtual seconds of a seed, at least (60)\n"
    "  --events M        end each seed after M events\n"
    "  --twice           run each seed twice: both must leave the same trace\n"
    "  --plant NAME      switch one known bug on, and stop at the first seed that catches it\n"
    "  --write-caching   in more worlds than otherwise, topics switch to write.caching and back\n"
    "  --verbose         say what happens in the world\n"
    "  --show-disk       and every disk operation\n";

using Simulate = SeedResult (*)(const SeedOptions&, FaultCounters&);
struct World {
  std::string_view name;
  Simulate simulate;
};
constexpr World kWorlds[] = {{"storage", simulate_storage}, {"node", simulate_node}};

struct Arguments {
  uint64_t from = 0;
  uint64_t to = 0;
  std::string_view world = "all";
  bool twice = false;
  std::string_view planted;
  SeedOptions seed;
};

std::optional<uint64_t> number(std::string_view text) {
  uint64_t value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<Arguments> parse(const std::vector<std::string_view>& words) {
  Arguments arguments;
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string_view word = words[i];
    if (word == "--twice") {
      arguments.twice = true;
      continue;
    }
    if (word == "--verbose") {
      arguments.seed.verbose = true;
      continue;
    }
    if (word == "--write-caching") {
      arguments.seed.write_caching = true;
      continue;
    }
    if (word == "--show-disk") {
      arguments.seed.show_disk = true;
      continue;
    }
    if (i + 1 == words.size()) return std::nullopt;
    const std::string_view value = words[++i];
    if (word == "--world") {
      const bool known = value == "all" || std::any_of(std::begin(kWorlds), std::end(kWorlds),
                                                       [&](const World& w) { return w.name == value; });
      if (!known) return std::nullopt;
      arguments.world = value;
      continue;
    }
    if (word == "--plant") {
      const auto planted = storage::parse_planted(value);
      if (!planted) return std::nullopt;
      arguments.planted = value;
      arguments.seed.planted = *planted;
      continue;
    }
    if (word == "--seeds") {
      const size_t dots = value.find("..");
      if (dots == std::string_view::npos) return std::nullopt;
      const auto from = number(value.substr(0, dots));
      const auto to = number(value.substr(dots + 2));
      if (!from || !to) return std::nullopt;
      arguments.from = *from;
      arguments.to = *to;
      continue;
    }
    const auto parsed = number(value);
    if (!parsed) return std::nullopt;
    if (word == "--seed") {
      arguments.from = arguments.to = *parsed;
    } else if (word == "--operations") {
      arguments.seed.operations = *parsed;
    } else if (word == "--events") {
      arguments.seed.events = *parsed;
    } else if (word == "--seconds") {
      arguments.seed.duration = std::chrono::seconds(*parsed);
    } else {
      return std::nullopt;
    }
  }
  if (arguments.from == 0 || arguments.to < arguments.from) return std::nullopt;
  return arguments;
}

struct Totals {
  FaultCounters counters;
  uint64_t seeds = 0;
  uint64_t operations = 0;
  uint64_t disk_operations = 0;
  uint64_t events = 0;
  uint64_t crashes = 0;
  double virtual_seconds = 0;
};

void print_summary(const Totals& totals, double real_seconds) {
  fmt::print("\n{} seeds, {} client operations, {} disk operations, {} events, {} crashes\n", totals.seeds,
             totals.operations, totals.disk_operations, totals.events, totals.crashes);
  fmt::print("{:.0f} virtual seconds in {:.1f} s: {:.0f} times real time\n\n", totals.virtual_seconds,
             real_seconds, totals.virtual_seconds / std::max(real_seconds, 1e-9));
  for (const auto& [name, times] : totals.counters.all()) fmt::print("{:>12}  {}\n", times, name);
}

// One seed in one world: nothing if there is nothing to say, else how the run ends.
std::optional<int> run_seed(const Arguments& arguments, const World& world, uint64_t seed, Totals& totals) {
  const bool planted = arguments.seed.planted != storage::Planted::none;
  SeedOptions options = arguments.seed;
  options.seed = seed;
  const SeedResult result = world.simulate(options, totals.counters);
  ++totals.seeds;
  totals.operations += result.operations;
  totals.disk_operations += result.disk_operations;
  totals.events += result.events;
  totals.crashes += result.crashes;
  totals.virtual_seconds += std::chrono::duration<double>(result.virtual_time).count();
  if (result.violation) {
    fmt::print("seed {} of the {} world: {}\n", seed, world.name, *result.violation);
    if (planted) {
      // Only what the seed does not find anyway counts.
      options.planted = storage::Planted::none;
      FaultCounters without;
      if (world.simulate(options, without).violation) {
        fmt::print("seed {} fails without {} too\n", seed, arguments.planted);
        return std::nullopt;
      }
      fmt::print("{} is caught by seed {}\n", arguments.planted, seed);
      return 0;
    }
    fmt::print("again: tidemark-sim --world {} --seed {} --operations {} --seconds {} --verbose\n",
               world.name, seed, options.operations,
               std::chrono::duration_cast<std::chrono::seconds>(options.duration).count());
    return 1;
  }
  if (const auto small = too_small(options, result)) {
    fmt::print("seed {} of the {} world: {}\n", seed, world.name, *small);
    return 1;
  }
  if (arguments.twice) {
    FaultCounters again_counters;
    const SeedResult again = world.simulate(options, again_counters);
    if (again.trace != result.trace || again.events != result.events) {
      fmt::print("seed {} of the {} world does not repeat: trace {:016x}, then {:016x}\n", seed, world.name,
                 result.trace, again.trace);
      return 3;
    }
  }
  if (arguments.from == arguments.to)
    fmt::print("seed {} of the {} world: trace {:016x}\n", seed, world.name, result.trace);
  return std::nullopt;
}

int run(const Arguments& arguments) {
  Totals totals;
  const auto start = std::chrono::steady_clock::now();
  for (uint64_t seed = arguments.from; seed <= arguments.to; ++seed) {
    for (const World& world : kWorlds) {
      if (arguments.world != "all" && arguments.world != world.name) continue;
      if (const auto ended = run_seed(arguments, world, seed, totals)) return *ended;
    }
  }
  if (arguments.seed.planted != storage::Planted::none) {
    fmt::print("{} is not caught by the seeds {} to {}\n", arguments.planted, arguments.from, arguments.to);
    return 1;
  }
  const std::chrono::duration<double> real = std::chrono::steady_clock::now() - start;
  print_summary(totals, real.count());
  const auto never = totals.counters.never();
  const bool whole = arguments.seed.events == 0;
  if (whole && arguments.to - arguments.from + 1 >= kSeedsForEveryFault && !never.empty()) {
    for (const std::string& name : never) fmt::print("never happened: {}\n", name);
    return 4;
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string_view> words(argv + 1, argv + argc);
  if (words.size() == 1 && words[0] == "--list-planted") {
    for (const auto& [bug, name] : storage::kPlantedBugs) fmt::print("{}\n", name);
    return 0;
  }
  const auto arguments = parse(words);
  if (!arguments) {
    std::fputs(std::string(kUsage).c_str(), stderr);
    return 2;
  }
  return run(*arguments);
}
