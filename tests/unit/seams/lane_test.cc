// What every Lane promises, and the thread lane's orderly stop.
#include <catch2/catch.hpp>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "broker/runtime/os_random.h"
#include "broker/runtime/system_clock.h"
#include "broker/runtime/thread_lane.h"
#include "protocol/runtime/lane.h"
#include "tests/simulation/sim_lane.h"

using namespace tidemark;
using namespace tidemark::runtime;
using namespace std::chrono_literals;

namespace {

// A loop that the test runs on its own thread: a scheduler without timers.
class TestLoop final : public Scheduler {
 public:
  void post(Job job) override {
    const std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(job));
    wake_.notify_one();
  }
  TimerId at(MonoTime, Job) override { return {}; }
  void cancel(TimerId) override {}
  [[nodiscard]] const Clock& clock() const override { return clock_; }

  void run_one() {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [this] { return !jobs_.empty(); });
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    job();
  }
  size_t queued() {
    const std::lock_guard lock(mutex_);
    return jobs_.size();
  }

 private:
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Job> jobs_;
  broker::SystemClock clock_;
};

struct Subject {
  virtual ~Subject() = default;
  virtual Lane& lane() = 0;
  virtual Scheduler& home() = 0;
  // Runs the home loop until `ready`.
  virtual void run_until(const std::function<bool()>& ready) = 0;
};

struct ThreadSubject final : Subject {
  Lane& lane() override { return lane_; }
  Scheduler& home() override { return home_; }
  void run_until(const std::function<bool()>& ready) override {
    while (!ready()) home_.run_one();
  }
  TestLoop home_;
  broker::ThreadLane lane_{"test-lane"};
};

struct SimulatedSubject final : Subject {
  Lane& lane() override { return lane_; }
  Scheduler& home() override { return home_; }
  void run_until(const std::function<bool()>& ready) override {
    while (!ready()) REQUIRE(time_.step());
  }
  simulation::VirtualTime time_{7};
  simulation::FaultCounters counters_;
  simulation::SimDisk disk_{7, counters_};
  simulation::VirtualScheduler home_{time_};
  simulation::SimLane lane_{time_, disk_};
};

struct Version {
  const char* name;
  std::function<std::unique_ptr<Subject>()> make;
};

const std::vector<Version>& versions() {
  static const std::vector<Version> all{
      {"thread", [] { return std::make_unique<ThreadSubject>(); }},
      {"simulated", [] { return std::make_unique<SimulatedSubject>(); }},
  };
  return all;
}

std::unique_ptr<Subject> each_version() {
  const auto index = GENERATE(range(size_t{0}, versions().size()));
  UNSCOPED_INFO("version " << versions()[index].name);
  return versions()[index].make();
}

Task<void> sum_on(Lane& lane, Scheduler& home, int& out) {
  auto one = [] { return 20; };
  const int a = co_await on_lane(lane, home, one);
  auto two = [a] { return a + 22; };
  out = co_await on_lane(lane, home, two);
}

Task<void> count_on(std::vector<Lane*> lanes, Scheduler& home, std::vector<int>& out) {
  auto next = std::make_shared<std::atomic<int>>(0);
  auto work = [next] { return next->fetch_add(1); };
  out = co_await on_lanes(std::move(lanes), home, std::move(work));
}

}  // namespace

TEST_CASE("a lane runs its work one at a time in order, and each done follows its work") {
  auto subject = each_version();
  std::vector<int> worked;  // the lane's, until it has nothing left
  std::atomic<int> finished{0};
  std::vector<int> done;
  for (int i = 0; i < 100; ++i) {
    subject->lane().submit(
        [&, i] {
          worked.push_back(i);
          finished = i + 1;
        },
        subject->home(),
        [&, i] {
          CHECK(finished > i);
          done.push_back(i);
        });
  }
  CHECK(done.empty());
  subject->run_until([&] { return done.size() == 100; });
  CHECK(subject->lane().depth() == 0);
  std::vector<int> expected;
  for (int i = 0; i < 100; ++i) expected.push_back(i);
  CHECK(worked == expected);
  CHECK(done == expected);
}

TEST_CASE("work may submit more work") {
  auto subject = each_version();
  std::string log;
  bool finished = false;
  std::promise<void> gate;  // holds the work back until the depth has been read
  subject->lane().submit(
      [&, opened = gate.get_future().share()] {
        opened.wait();
        log += "a";
      },
      subject->home(),
      [&] { subject->lane().submit([&] { log += "b"; }, subject->home(), [&] { finished = true; }); });
  CHECK(subject->lane().depth() == 1);
  gate.set_value();
  subject->run_until([&] { return finished; });
  CHECK(log == "ab");
}

TEST_CASE("a task awaits its work on a lane") {
  auto subject = each_version();
  TaskScope scope;
  int out = 0;
  scope.spawn(sum_on(subject->lane(), subject->home(), out));
  subject->run_until([&] { return out != 0; });
  CHECK(out == 42);
}

TEST_CASE("a task awaits its work on several lanes at once") {
  TestLoop home;
  broker::ThreadLane first("first");
  broker::ThreadLane second("second");
  TaskScope scope;
  std::vector<int> out;
  scope.spawn(count_on({&first, &second}, home, out));
  while (out.empty()) home.run_one();
  std::sort(out.begin(), out.end());
  CHECK(out == std::vector<int>{0, 1});
}

TEST_CASE("a task destroyed while its work is on the lane leaves the work its state") {
  auto subject = each_version();
  int out = 0;
  bool later = false;
  {
    TaskScope scope;
    scope.spawn(sum_on(subject->lane(), subject->home(), out));
  }
  subject->lane().submit([] {}, subject->home(), [&] { later = true; });
  subject->run_until([&] { return later; });
  CHECK(out == 0);
}

TEST_CASE("a stopping thread lane finishes what is queued and posts every done") {
  TestLoop home;
  int worked = 0;
  {
    broker::ThreadLane lane("test-lane");
    for (int i = 0; i < 50; ++i) lane.submit([&worked] { ++worked; }, home, [] {});
  }
  CHECK(worked == 50);
  CHECK(home.queued() == 50);
}

TEST_CASE("thread lanes do not wait for each other") {
  TestLoop home;
  std::mutex mutex;
  std::condition_variable wake;
  bool released = false;
  bool stalled_done = false;
  bool other_done = false;
  broker::ThreadLane stalled("stalled");
  broker::ThreadLane other("other");
  stalled.submit(
      [&] {
        std::unique_lock lock(mutex);
        wake.wait(lock, [&] { return released; });
      },
      home, [&] { stalled_done = true; });
  other.submit([] {}, home, [&] { other_done = true; });
  while (!other_done) home.run_one();
  CHECK(!stalled_done);
  {
    const std::lock_guard lock(mutex);
    released = true;
  }
  wake.notify_one();
  while (!stalled_done) home.run_one();
}

TEST_CASE("the system clock runs forward, and random seeds differ") {
  const broker::SystemClock clock;
  const MonoTime before = clock.mono();
  CHECK(clock.mono() >= before);
  CHECK(unix_ms(clock.wall()) > 1'600'000'000'000);
  CHECK(broker::os_random_seed() != broker::os_random_seed());
}
