// The client's loop on a thread of its own, and what hands it work.
#include <unistd.h>
#include <catch2/catch.hpp>

#include <atomic>

#include "client/runtime/loop_thread.h"

using namespace tidemark;
using namespace tidemark::client;
using namespace std::chrono_literals;
using runtime::Task;

namespace {

Task<int> add_later(PollLoop& loop, int a, int b) {
  auto pause = runtime::sleep_for(loop, 1ms);
  co_await pause;
  co_return a + b;
}

Task<bool> never(PollLoop& loop, std::atomic<int>& alive) {
  ++alive;
  struct Counted {
    std::atomic<int>& count;
    ~Counted() { --count; }
  } counted{alive};
  runtime::Signal nobody(loop);
  auto waiting = nobody.wait();
  co_await waiting;
  co_return true;
}

Task<void> read_one(PollLoop& loop, int descriptor, std::atomic<bool>& came) {
  auto readable = loop.readable(descriptor);
  co_await readable;
  came = true;
}

}  // namespace

TEST_CASE("several threads hand tasks to one loop and get their values") {
  LoopThread thread;
  std::vector<std::thread> callers;
  std::atomic<int> right = 0;
  for (int caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&, caller] {
      for (int i = 0; i < 50; ++i) {
        const int sum = thread.call<int>([&] { return add_later(thread.loop(), caller, i); });
        if (sum == caller + i) ++right;
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  CHECK(right == 200);
}

TEST_CASE("what still runs when the thread ends is destroyed on the loop") {
  std::atomic<int> alive = 0;
  runtime::TaskScope scope;
  {
    LoopThread thread;
    thread.run([&] {
      auto body = [](PollLoop& loop, std::atomic<int>& count) -> Task<void> {
        auto waiting = never(loop, count);
        (void)co_await waiting;
      };
      scope.spawn(body(thread.loop(), alive));
    });
    CHECK(alive == 1);
    thread.run([&] { scope.destroy_all(); });
    CHECK(alive == 0);
  }
}

TEST_CASE("jobs that come without end do not keep the loop from its descriptors") {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  std::atomic<bool> came = false;
  runtime::TaskScope scope;
  LoopThread thread;
  std::function<void()> again = [&] {
    if (!came) thread.loop().post([&] { again(); });
  };
  thread.run([&] {
    scope.spawn(read_one(thread.loop(), ends[0], came));
    again();
  });
  REQUIRE(::write(ends[1], "x", 1) == 1);
  for (int i = 0; i < 10'000 && !came; ++i) ::usleep(1'000);
  CHECK(came);
  thread.run([&] { scope.destroy_all(); });
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_CASE("the gate lets so many bytes through, and what is larger alone") {
  ByteGate gate(100);
  gate.take(60);
  gate.take(40);
  std::atomic<int> passed = 0;
  std::thread small([&] {
    gate.take(50);
    ++passed;
  });
  ::usleep(20'000);
  CHECK(passed == 0);
  gate.give(60);
  small.join();
  CHECK(passed == 1);
  std::thread large([&] {
    gate.take(1000);
    ++passed;
  });
  gate.give(40);
  ::usleep(20'000);
  CHECK(passed == 1);
  gate.give(50);
  large.join();
  CHECK(passed == 2);
}

TEST_CASE("an inbox tells of its first item, and gives all at once") {
  Inbox<int> inbox;
  CHECK(inbox.add(1));
  CHECK_FALSE(inbox.add(2));
  CHECK(inbox.take() == std::vector<int>{1, 2});
  CHECK(inbox.add(3));
}
