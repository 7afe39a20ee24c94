// Which clients are counted: each by itself, a bounded number, and none for longer than it matters.
#include "broker/quota/usages.h"

#include <fmt/format.h>
#include <catch2/catch.hpp>

namespace tidemark::broker {
namespace {

using namespace std::chrono_literals;
using runtime::MonoTime;

constexpr MonoTime kStart{1'000s};

struct World {
  explicit World(size_t most) : usages(QuotaWindows(11, 1), QuotaWindows(11, 1), 2, most) {}
  std::shared_ptr<Usage> produce(std::string_view client, MonoTime now = kStart) {
    return usages.find(QuotaKind::produce, "", client, now);
  }
  Usages usages;
};

}  // namespace

TEST_CASE("the same client is found again, on any shard, and no other") {
  World world(10);
  CHECK(world.produce("a") == world.produce("a"));
  CHECK(world.produce("a") != world.produce("b"));
  CHECK(world.produce("a") != world.usages.find(QuotaKind::fetch, "", "a", kStart));
  CHECK(world.produce("a") != world.usages.find(QuotaKind::produce, "a", "", kStart));
}

TEST_CASE("a client that went over its quota and comes back on another connection is known") {
  World world(10);
  world.produce("a")->rate.add(1, 1e6, kStart);
  for (int i = 0; i < 20; ++i) (void)world.produce(fmt::format("other {}", i), kStart + 5s);
  CHECK(world.produce("a", kStart + 5s)->rate.sum(kStart + 5s) == 1e6);
}

TEST_CASE("who has used nothing for as long as is counted is forgotten, unless a connection holds it") {
  World world(3);
  const auto held = world.produce("held");
  world.produce("used")->rate.add(0, 1, kStart);
  (void)world.produce("idle");
  CHECK(world.usages.tracked() == 3);
  (void)world.produce("new", kStart + 2s);
  CHECK(world.usages.tracked() == 3);  // in place of the idle one
  CHECK(world.usages.overflows() == 0);
  CHECK(world.produce("held", kStart + 2s) == held);
  (void)world.produce("newer", kStart + 11s);
  CHECK(world.usages.overflows() == 0);  // in place of the used one, and of the new one
}

TEST_CASE("clients beyond the bound count together") {
  World world(2);
  const auto a = world.produce("a"), b = world.produce("b");
  const auto c = world.produce("c"), d = world.produce("d");
  CHECK(c == d);
  CHECK(c != a);
  CHECK(world.usages.overflows() == 2);
  CHECK(world.usages.tracked() == 2);
  CHECK(world.usages.find(QuotaKind::fetch, "", "c", kStart) != c);
}

TEST_CASE("a debt of topic changes is not forgotten before it is paid") {
  World world(1);
  const auto mutation = [&](std::string_view client, MonoTime now) {
    return world.usages.find(QuotaKind::controller_mutation, "", client, now);
  };
  {
    const auto usage = mutation("a", kStart);
    usage->bucket_full_ns = (kStart + 1h).time_since_epoch().count();
  }
  (void)mutation("b", kStart + 59min);
  CHECK(world.usages.overflows() == 1);
  (void)mutation("b", kStart + 61min);
  CHECK(world.usages.overflows() == 1);
}

TEST_CASE("a name of any length is kept in a bounded one of its own") {
  const std::string name(128, 'x');
  CHECK(bounded_name(name) == name);
  const std::string longer = name + "y", longest(30'000, 'x');
  CHECK(bounded_name(longer).size() == Usages::kLongestName);
  CHECK(bounded_name(longer) == bounded_name(longer));
  CHECK(bounded_name(longer) != bounded_name(name + "z"));
  CHECK(bounded_name(longest).size() == Usages::kLongestName);
}

}  // namespace tidemark::broker
