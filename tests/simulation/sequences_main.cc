// tidemark-sequences: small models of the log, exhaustively. Exit: 0 nothing wrong (with --plant: the bug was
// caught), 1 a violation (with --plant: not caught), 2 a wrong argument.
#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/simulation/log_sequences.h"

namespace {

using namespace tidemark;
using namespace tidemark::simulation;

constexpr std::string_view kUsage =
    "usage: tidemark-sequences [--steps N] [--overlapped N] [--recoveries N] [--plant NAME]\n"
    "       tidemark-sequences --sequence TEXT [--plant NAME]\n"
    "\n"
    "  --steps N        of the longest sequence (3)\n"
    "  --overlapped N   of the longest whose last two steps run at once (2)\n"
    "  --recoveries N   of the longest whose recovery dies at each of its disk operations (1)\n"
    "  --plant NAME     switch one known bug on, and stop at the first sequence that catches it\n"
    "  --sequence TEXT  one of them, as a violation names it, and everything that happens in it\n";

struct Arguments {
  LogSequencesOptions options;
  std::optional<LogSequence> sequence;
  std::string_view planted;
};

std::optional<Arguments> parse(const std::vector<std::string_view>& words) {
  Arguments arguments;
  if (words.size() % 2 != 0) return std::nullopt;
  for (size_t i = 0; i < words.size(); i += 2) {
    const std::string_view word = words[i], value = words[i + 1];
    if (word == "--plant") {
      const auto planted = storage::parse_planted(value);
      if (!planted) return std::nullopt;
      arguments.planted = value;
      arguments.options.planted = *planted;
      continue;
    }
    if (word == "--sequence") {
      arguments.sequence = parse_log_sequence(value);
      if (!arguments.sequence) return std::nullopt;
      continue;
    }
    size_t* const target = word == "--steps"        ? &arguments.options.steps
                           : word == "--overlapped" ? &arguments.options.overlapped
                           : word == "--recoveries" ? &arguments.options.recoveries
                                                    : nullptr;
    if (target == nullptr) return std::nullopt;
    const auto parsed = std::from_chars(value.data(), value.data() + value.size(), *target);
    if (parsed.ec != std::errc() || parsed.ptr != value.data() + value.size()) return std::nullopt;
  }
  return arguments;
}

int run_one(const LogSequence& sequence, storage::Planted planted) {
  const auto show = [](const std::string& what) { fmt::print("{}\n", what); };
  const LogSequenceResult result = run_log_sequence(sequence, planted, show);
  fmt::print("{}: {}\n", to_string(sequence), result.violation.value_or("nothing wrong"));
  return result.violation ? 1 : 0;
}

int run_all(const Arguments& arguments) {
  const auto start = std::chrono::steady_clock::now();
  const LogSequencesResult result = run_log_sequences(arguments.options);
  const std::chrono::duration<double> real = std::chrono::steady_clock::now() - start;
  fmt::print("{} sequences, {} crash points, {} runs in {:.1f} s\n", result.sequences, result.crash_points,
             result.runs, real.count());
  if (result.wrong) fmt::print("{}: {}\n", to_string(*result.wrong), *result.violation);
  if (arguments.planted.empty()) {
    if (result.wrong) fmt::print("again: tidemark-sequences --sequence {}\n", to_string(*result.wrong));
    return result.wrong ? 1 : 0;
  }
  // Only what is right without the bug counts.
  const bool caught = result.wrong && !run_log_sequence(*result.wrong, storage::Planted::none).violation;
  fmt::print("{} is {}caught\n", arguments.planted, caught ? "" : "not ");
  return caught ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const auto arguments = parse({argv + 1, argv + argc});
  if (!arguments) {
    std::fputs(std::string(kUsage).c_str(), stderr);
    return 2;
  }
  return arguments->sequence ? run_one(*arguments->sequence, arguments->options.planted)
                             : run_all(*arguments);
}
