// What every Scheduler promises.
#include <catch2/catch.hpp>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tests/simulation/virtual_time.h"
#include "tests/unit/seams/asio_loop.h"

using namespace tidemark;
using namespace tidemark::runtime;
using namespace std::chrono_literals;

namespace {

struct Subject {
  virtual ~Subject() = default;
  virtual Scheduler& loop() = 0;
  // Runs jobs until `ready`.
  virtual void run_until(const std::function<bool()>& ready) = 0;
};

struct VirtualSubject final : Subject {
  Scheduler& loop() override { return loop_; }
  void run_until(const std::function<bool()>& ready) override {
    while (!ready()) REQUIRE(time_.step());
  }
  simulation::VirtualTime time_{7};
  simulation::VirtualScheduler loop_{time_};
};

struct AsioSubject final : Subject {
  Scheduler& loop() override { return loop_.scheduler(); }
  void run_until(const std::function<bool()>& ready) override { loop_.run_until(ready); }
  AsioLoop loop_;
};

struct Version {
  const char* name;
  std::function<std::unique_ptr<Subject>()> make;
};

const std::vector<Version>& versions() {
  static const std::vector<Version> all{
      {"virtual", [] { return std::make_unique<VirtualSubject>(); }},
      {"asio", [] { return std::make_unique<AsioSubject>(); }},
  };
  return all;
}

std::unique_ptr<Subject> each_version() {
  const auto index = GENERATE(range(size_t{0}, versions().size()));
  UNSCOPED_INFO("version " << versions()[index].name);
  return versions()[index].make();
}

}  // namespace

TEST_CASE("posted jobs run later, in the order posted, also those posted by a job") {
  auto subject = each_version();
  Scheduler& loop = subject->loop();
  std::string log;
  loop.post([&] {
    log += "a";
    loop.post([&] { log += "d"; });
    log += "b";
  });
  loop.post([&] { log += "c"; });
  CHECK(log.empty());
  subject->run_until([&] { return log.size() == 4; });
  CHECK(log == "abcd");
}

TEST_CASE(
    "of the jobs that take turns one runs in each round, and those that come back wait behind the rest") {
  auto subject = each_version();
  Scheduler& loop = subject->loop();
  std::string log;
  std::function<void()> other = [&] {
    log += ".";
    if (log.size() < 12) loop.post([&] { other(); });
  };
  loop.in_turn([&] {
    log += "a";
    loop.in_turn([&] { log += "d"; });
  });
  loop.in_turn([&] { log += "b"; });
  loop.in_turn([&] { log += "c"; });
  loop.post([&] { other(); });
  CHECK(log.empty());
  subject->run_until([&] { return log.size() >= 12; });
  CHECK(log == "a.b.c.d.....");
  loop.in_turn([&] { log += "z"; });  // a new line, after the last one has ended
  subject->run_until([&] { return log.size() == 13; });
  CHECK(log.back() == 'z');
}

TEST_CASE("who waits for a turn is dropped with what the loop has queued") {
  simulation::VirtualTime time(7);
  simulation::VirtualScheduler loop(time);
  auto held = std::make_shared<int>(1);
  loop.in_turn([held] {});
  loop.in_turn([held] {});
  CHECK(held.use_count() == 3);
  loop.drop_events();
  CHECK(held.use_count() == 1);
  bool ran = false;
  loop.in_turn([&] { ran = true; });
  time.run();
  CHECK(ran);
}

TEST_CASE("timers fire in the order of their times, never early") {
  auto subject = each_version();
  Scheduler& loop = subject->loop();
  std::string log;
  const MonoTime start = loop.mono();
  const auto note = [&](char name, Duration due) {
    return [&log, &loop, name, start, due] {
      CHECK(loop.mono() >= start + due);
      log.push_back(name);
    };
  };
  loop.at(start + 9ms, note('c', 9ms));
  loop.at(start + 3ms, note('a', 3ms));
  loop.at(start + 6ms, note('b', 6ms));
  loop.after(-5ms, note('0', 0ms));
  subject->run_until([&] { return log.size() == 4; });
  CHECK(log == "0abc");
}

TEST_CASE("a cancelled timer does not run, and cancelling anything else does nothing") {
  auto subject = each_version();
  Scheduler& loop = subject->loop();
  std::string log;
  const TimerId one = loop.after(1ms, [&] { log += "1"; });
  const TimerId two = loop.after(4ms, [&] { log += "2"; });
  loop.after(2ms, [&] { loop.cancel(two); });
  loop.after(8ms, [&] { log += "end"; });
  CHECK(one);
  loop.cancel({});
  loop.cancel(TimerId{UINT64_MAX});
  subject->run_until([&] { return log.ends_with("end"); });
  CHECK(log == "1end");
  loop.cancel(one);
}

TEST_CASE("what a cancelled timer holds is given up") {
  auto subject = each_version();
  auto held = std::make_shared<int>(1);
  const TimerId timer = subject->loop().after(1h, [held] {});
  CHECK(held.use_count() == 2);
  subject->loop().cancel(timer);
  bool later = false;
  subject->loop().post([&] { later = true; });
  subject->run_until([&] { return later; });
  CHECK(held.use_count() == 1);
}
