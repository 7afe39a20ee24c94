#include "broker/telemetry/client_instances.h"

#include <catch2/catch.hpp>

using namespace tidemark;
using namespace tidemark::broker;
using namespace std::chrono_literals;

namespace {

Uuid id_of(uint64_t n) { return Uuid::from_halves(7, 100 + n); }

Subscriptions subscriptions(std::map<std::string, replication::ConfigMap> settings) {
  replication::MetadataImage image;
  for (auto& [name, configs] : settings) {
    image.configs.set({replication::ConfigResourceType::client_metrics, name},
                      std::make_shared<replication::ConfigMap>(std::move(configs)));
  }
  return Subscriptions::of(image);
}

TelemetryClient client(uint64_t n = 1, std::string client_id = "someone") {
  return {id_of(n), std::move(client_id), "apache-kafka-java", "4.3.1", "127.0.0.1", 4711};
}

struct World {
  ClientInstances clients{1'000};
  runtime::MonoTime now = runtime::MonoTime() + 1h;

  ClientInstances::Subscribed subscribe(uint64_t n = 1) { return clients.subscribe(client(n), now); }
  ErrorCode push(int32_t subscription, bool terminating = false, int8_t compression = 0, size_t bytes = 5,
                 uint64_t n = 1) {
    return clients.push(client(n), {subscription, terminating, compression, bytes}, now);
  }
};

}  // namespace

TEST_CASE("a subscription is for the clients that its match names") {
  const auto all = subscriptions(
      {{"everybody", {{"metrics", "a"}}},
       {"one", {{"metrics", "b"}, {"match", "client_id=some.*,client_software_version=4\\..*"}}},
       {"port", {{"metrics", "c"}, {"match", "client_source_port=47..,client_source_address=127.*"}}},
       {"other", {{"metrics", "d"}, {"match", "client_id=other"}}},
       {"none", {{"metrics", "e"}, {"match", "client_instance_id=x,client_software_name=y"}}}});
  CHECK(all.size() == 5);
  CHECK(all.wanted_by(client()).metrics == std::vector<std::string>{"a", "b", "c"});
  CHECK(all.wanted_by(client(1, "other")).metrics == std::vector<std::string>{"a", "c", "d"});
  CHECK(subscriptions({{"me", {{"metrics", "a"}, {"match", "client_instance_id=" + id_of(1).to_string()}}}})
            .wanted_by(client())
            .metrics.size() == 1);
}

TEST_CASE("a client is asked for the metrics of all its subscriptions, each once; a star is all of them") {
  auto all = subscriptions({{"one", {{"metrics", "a,b"}}}, {"two", {{"metrics", "b,c"}}}});
  CHECK(all.wanted_by(client()).metrics == std::vector<std::string>{"a", "b", "c"});
  all = subscriptions({{"one", {{"metrics", "a,b"}}}, {"two", {{"metrics", "*"}}}});
  CHECK(all.wanted_by(client()).metrics == std::vector<std::string>{"*"});
  CHECK(Subscriptions().wanted_by(client()).metrics.empty());
  CHECK(Subscriptions().wanted_by(client()).interval_ms == 300'000);
}

TEST_CASE("a client pushes as often as the shortest interval of its subscriptions says") {
  World world;
  world.clients.set_subscriptions(
      subscriptions({{"slow", {{"interval.ms", "60000"}}}, {"quick", {{"interval.ms", "1000"}}}}));
  const auto subscribed = world.subscribe();
  REQUIRE(subscribed.error == ErrorCode::NONE);
  CHECK(subscribed.instance == id_of(1));
  CHECK(subscribed.wanted.interval_ms == 1'000);
  CHECK(world.push(subscribed.subscription_id) == ErrorCode::NONE);
  world.now += 999ms;
  CHECK(world.push(subscribed.subscription_id) == ErrorCode::THROTTLING_QUOTA_EXCEEDED);
  world.now += 1ms;
  CHECK(world.push(subscribed.subscription_id) == ErrorCode::NONE);
  CHECK(world.subscribe().error == ErrorCode::THROTTLING_QUOTA_EXCEEDED);
  world.now += 1s;
  CHECK(world.subscribe().subscription_id == subscribed.subscription_id);
  CHECK(world.push(subscribed.subscription_id) == ErrorCode::NONE);
}

TEST_CASE("a change of the subscriptions ends the old ones' id, and may be asked for at once") {
  World world;
  const auto before = world.subscribe();
  world.clients.set_subscriptions(subscriptions({{"new", {{"metrics", "a"}}}}));
  CHECK(world.push(before.subscription_id) == ErrorCode::UNKNOWN_SUBSCRIPTION_ID);
  world.now += 1ms;
  const auto after = world.subscribe();
  CHECK(after.error == ErrorCode::NONE);
  CHECK(after.subscription_id != before.subscription_id);
  CHECK(world.push(after.subscription_id) == ErrorCode::NONE);
}

TEST_CASE("the id of a client's subscriptions does not change with the broker's life") {
  World one, two;
  CHECK(one.subscribe().subscription_id == two.subscribe().subscription_id);
  CHECK(one.subscribe(2).subscription_id != two.subscribe(3).subscription_id);
}

TEST_CASE("wrong pushes are told apart") {
  World world;
  const int32_t id = world.subscribe().subscription_id;
  CHECK(world.clients.push({Uuid{}, "", "", "", "", 0}, {id}, world.now) == ErrorCode::INVALID_REQUEST);
  CHECK(world.clients.push({Uuid::from_halves(0, 1), "", "", "", "", 0}, {id}, world.now) ==
        ErrorCode::INVALID_REQUEST);
  CHECK(world.push(id + 1) == ErrorCode::UNKNOWN_SUBSCRIPTION_ID);
  world.now += 5min;
  CHECK(world.push(id, false, 5) == ErrorCode::UNSUPPORTED_COMPRESSION_TYPE);
  world.now += 5min;
  CHECK(world.push(id, false, -1) == ErrorCode::UNSUPPORTED_COMPRESSION_TYPE);
  world.now += 5min;
  CHECK(world.push(id, false, 4, 1'001) == ErrorCode::TELEMETRY_TOO_LARGE);
  world.now += 5min;
  CHECK(world.push(id, false, 4, 1'000) == ErrorCode::NONE);
}

TEST_CASE("the last push may come early, and nothing comes behind it") {
  World world;
  const int32_t id = world.subscribe().subscription_id;
  CHECK(world.push(id) == ErrorCode::NONE);
  CHECK(world.push(id, true) == ErrorCode::NONE);
  world.now += 5min;
  CHECK(world.push(id) == ErrorCode::INVALID_REQUEST);
}

TEST_CASE("a client is forgotten three intervals after its last word, and not before a minute") {
  World world;
  world.clients.set_subscriptions(subscriptions({{"quick", {{"interval.ms", "100"}}}}));
  world.subscribe(1);
  world.now += 30s;
  world.subscribe(2);
  world.now += 29s;
  CHECK(world.clients.expire(world.now).empty());
  world.now += 1s;
  CHECK(world.clients.expire(world.now) == std::vector{id_of(1)});
  CHECK(world.clients.size() == 1);
  world.clients.set_subscriptions({});
  world.subscribe(2);
  world.now += 15min - 1ms;
  CHECK(world.clients.expire(world.now).empty());
  world.now += 1ms;
  CHECK(world.clients.expire(world.now) == std::vector{id_of(2)});
}

TEST_CASE("a client that has changed its subscriptions is still forgotten once, at its new time") {
  World world;
  world.subscribe(1);
  world.clients.set_subscriptions(subscriptions({{"quick", {{"interval.ms", "100"}}}}));
  world.now += 1s;
  world.subscribe(1);
  world.now += 60s;
  CHECK(world.clients.expire(world.now) == std::vector{id_of(1)});
  world.now += 1h;
  CHECK(world.clients.expire(world.now).empty());
}

TEST_CASE("a subscription whose match cannot be read is for nobody") {
  const auto all = subscriptions(
      {{"odd", {{"metrics", "a"}, {"match", "client_id=(?<=x)y"}}}, {"good", {{"metrics", "b"}}}});
  CHECK(all.wanted_by(client()).metrics == std::vector<std::string>{"b"});
}

TEST_CASE("a client more than is remembered makes the one go that would be forgotten first") {
  World world;
  for (uint64_t n = 0; n < ClientInstances::kMaxClients; ++n) {
    world.now += 1ms;
    world.subscribe(n);
  }
  CHECK(world.clients.expire(world.now).empty());
  world.subscribe(ClientInstances::kMaxClients);
  CHECK(world.clients.size() == ClientInstances::kMaxClients);
  CHECK(world.clients.expire(world.now) == std::vector{id_of(0)});
}
