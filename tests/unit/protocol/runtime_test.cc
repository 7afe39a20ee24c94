// The coroutine primitives on virtual time.
#include <catch2/catch.hpp>

#include <chrono>
#include <string>
#include <vector>

#include "protocol/runtime/milliseconds.h"
#include "protocol/runtime/task.h"
#include "tests/simulation/virtual_time.h"

using namespace tidemark;
using namespace tidemark::runtime;
using namespace std::chrono_literals;
using simulation::VirtualScheduler;
using simulation::VirtualTime;

namespace {

struct Noted {
  explicit Noted(std::vector<std::string>& l, std::string n) : log(l), name(std::move(n)) {}
  ~Noted() { log.push_back("destroyed " + name); }
  std::vector<std::string>& log;
  std::string name;
};

Task<int> add_later(Scheduler& s, int a, int b) {
  co_await sleep_for(s, 5ms);
  co_return a + b;
}

Task<void> sum_into(Scheduler& s, int& out) {
  out = co_await add_later(s, 1, 2);
  out += co_await add_later(s, 3, 4);
}

Task<void> wait_for(Signal& signal, MonoTime deadline, std::vector<std::string>& log, std::string name) {
  Noted noted(log, name);
  const bool notified = co_await signal.wait_until(deadline);
  log.push_back(name + (notified ? " notified" : " timed out"));
}

Task<void> call_across(Scheduler& home, Scheduler& target, TaskScope& scope, int& out) {
  auto make = [&target] { return add_later(target, 20, 22); };
  out = co_await run_on(target, scope, home, make);
}

}  // namespace

TEST_CASE("a task awaits tasks and returns their values in virtual time") {
  VirtualTime time(1);
  VirtualScheduler loop(time);
  TaskScope scope;
  int sum = 0;
  const MonoTime start = time.mono();
  scope.spawn(sum_into(loop, sum));
  CHECK(scope.size() == 1);
  time.run();
  CHECK(sum == 10);
  CHECK(scope.size() == 0);
  CHECK(time.mono() - start == 10ms);
}

TEST_CASE("a signal wakes its waiters or their deadlines do") {
  VirtualTime time(2);
  VirtualScheduler loop(time);
  TaskScope scope;
  Signal signal(loop);
  std::vector<std::string> log;
  scope.spawn(wait_for(signal, time.mono() + 1ms, log, "short"));
  scope.spawn(wait_for(signal, kNever, log, "long"));
  loop.after(2ms, [&] { signal.notify_all(); });
  time.run();
  CHECK(log ==
        std::vector<std::string>{"short timed out", "destroyed short", "long notified", "destroyed long"});
}

TEST_CASE("destroying a scope destroys suspended frames, and nothing wakes them afterwards") {
  VirtualTime time(3);
  VirtualScheduler loop(time);
  std::vector<std::string> log;
  Signal signal(loop);
  {
    TaskScope scope;
    scope.spawn(wait_for(signal, time.mono() + 1ms, log, "a"));
    scope.spawn(wait_for(signal, kNever, log, "b"));
    signal.notify_all();  // posted, not yet resumed
  }
  CHECK(log == std::vector<std::string>{"destroyed b", "destroyed a"});
  time.run();
  CHECK(log.size() == 2);
}

TEST_CASE("run_on carries a value from another loop home") {
  VirtualTime time(4);
  VirtualScheduler home(time), target(time);
  TaskScope home_scope, target_scope;
  int out = 0;
  home_scope.spawn(call_across(home, target, target_scope, out));
  time.run();
  CHECK(out == 42);
  CHECK(home_scope.size() == 0);
  CHECK(target_scope.size() == 0);
}

TEST_CASE("equal times are ordered by the seed, and a seed repeats") {
  auto order = [](uint64_t seed) {
    VirtualTime time(seed);
    VirtualScheduler loop(time);
    std::string result;
    for (char c = 'a'; c < 'i'; ++c) loop.after(1ms, [&result, c] { result.push_back(c); });
    time.run();
    return result;
  };
  CHECK(order(7) == order(7));
  CHECK(order(7) != order(8));
}

TEST_CASE("milliseconds beyond what a duration holds mean a century, not the opposite") {
  STATIC_REQUIRE(saturating_ms(0) == 0ms);
  STATIC_REQUIRE(saturating_ms(86'400'001) == 86'400'001ms);
  STATIC_REQUIRE(saturating_ms(-5) == -5ms);
  for (const int64_t ms : {INT64_MAX, INT64_MAX - 1, int64_t{9'223'372'036'855}}) {
    CHECK(saturating_ms(ms) == kLongestWait);
    CHECK(saturating_ms(-ms) == -kLongestWait);
  }
  CHECK(saturating_ms(INT64_MIN) == -kLongestWait);
}

TEST_CASE("a sleep of INT64_MAX milliseconds does not end") {
  VirtualTime time(6);
  VirtualScheduler loop(time);
  TaskScope scope;
  bool woke = false;
  auto sleep = [](Scheduler& s, bool& ended) -> Task<void> {
    co_await sleep_for(s, saturating_ms(INT64_MAX));
    ended = true;
  };
  scope.spawn(sleep(loop, woke));
  time.run_until(time.mono() + 24h);
  CHECK(!woke);
}
