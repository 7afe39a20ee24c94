// The controller against every short history and many long ones: the image's invariants hold after each step
// (World checks them), a replay of the log gives the same image, and restarts use no leader epoch again.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <functional>
#include <map>

#include "world.h"

namespace tidemark::replication::testing {

namespace {

// What a correct controller must remember of two topics: a second, much simpler implementation.
class Model {
 public:
  void create(const std::string& topic) { partitions_.try_emplace(topic, 1); }
  void remove(const std::string& topic) { partitions_.erase(topic); }
  void grow(const std::string& topic) {
    if (partitions_.contains(topic)) ++partitions_[topic];
  }
  void check(const MetadataImage& image) const {
    MUST(image.topics.size() == partitions_.size());
    for (const auto& [name, count] : partitions_) {
      const TopicImage* topic = image.topic(name);
      MUST(topic != nullptr);
      MUST(topic->partition_count() == count);
      for (const auto& partition : topic->partitions) MUST(partition->leader == BrokerId(1));
    }
  }

 private:
  std::map<std::string, int> partitions_;
};

// The highest leader epoch that each partition's leader has had: none may be led in twice by two lives.
class EpochWitness {
 public:
  void restarted(const MetadataImage& before, const MetadataImage& after) {
    for (const auto& [id, topic] : before.topics_by_id) {
      for (size_t p = 0; p < topic->partitions.size(); ++p) {
        const TopicImage* now = after.topic(id);
        MUST(now != nullptr);
        MUST(now->partitions[p]->leader_epoch > topic->partitions[p]->leader_epoch);
      }
    }
  }
};

constexpr int kOperations = 7;
constexpr int kRestart = 6;

void run(World& world, Model& model, int operation) {
  const std::string topic = operation % 2 == 0 ? "a" : "b";
  switch (operation) {
    case 0:
    case 1: {
      const bool is_new = world.image().topic(topic) == nullptr;
      NewTopic request;
      request.name = topic;
      request.partitions = 1;
      const CreatedTopic created = world.create(request);
      MUST(created.error.code == (is_new ? ErrorCode::NONE : ErrorCode::TOPIC_ALREADY_EXISTS));
      model.create(topic);
      break;
    }
    case 2:
    case 3: {
      const bool is_there = world.image().topic(topic) != nullptr;
      MUST(world.remove(topic).error.ok() == is_there);
      model.remove(topic);
      break;
    }
    case 4:
    case 5: {
      const TopicImage* present = world.image().topic(topic);
      const GrownTopic grown = world.grow(topic, present != nullptr ? present->partition_count() + 1 : 1);
      MUST(grown.error.ok() == (present != nullptr));
      model.grow(topic);
      break;
    }
    case kRestart: {
      const auto before = world.controller().image();
      world.start_term();
      world.start_broker();
      EpochWitness().restarted(*before, world.image());
      break;
    }
    default: FAIL("no such operation");
  }
  model.check(world.image());
}

// The topics are alike: a history that touches b first is one that touches a first, renamed.
bool starts_with_b(int history) {
  while (history % kOperations == kRestart && history > 0) history /= kOperations;
  return history % kOperations % 2 == 1;
}

}  // namespace

TEST_CASE(
    "every history of six creations, deletions, growths and restarts of two topics replays to the same "
    "image") {
#ifdef __SANITIZE_ADDRESS__
  constexpr int kLength = 5;  // an instrumented build takes a minute for six
#else
  constexpr int kLength = 6;
#endif

  int histories = 1;
  for (int i = 0; i < kLength; ++i) histories *= kOperations;
  for (int history = 0; history < histories; ++history) {
    if (starts_with_b(history)) continue;
    ClusterOfOne world;
    Model model;
    for (int step = 0, rest = history; step < kLength; ++step, rest /= kOperations)
      run(world, model, rest % kOperations);
    MUST(*world.replay() == world.image());
  }
}

TEST_CASE("long random histories of several brokers keep every invariant and replay to the same image") {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    World world(seed);
    INFO("seed " << seed);
    runtime::SeededRandom random(seed * 7919);
    world.start_term();
    world.start_broker(BrokerId(1));
    const auto topic_name = [&] { return fmt::format("t{}", random.below(8)); };
    const auto broker_id = [&] { return BrokerId(static_cast<int32_t>(random.between(1, 4))); };
    const auto epoch_of = [&](BrokerId id) {
      const BrokerImage* broker = world.image().broker(id);
      return broker != nullptr ? broker->epoch : BrokerEpoch(0);
    };
    const std::vector<std::function<void()>> operations = {
        [&] {
          NewTopic topic;
          topic.name = topic_name();
          topic.partitions = static_cast<int32_t>(random.between(1, 4));
          topic.replication_factor = static_cast<int16_t>(random.between(1, 3));
          if (random.chance(0.3)) topic.configs.emplace_back("write.caching", "true");
          world.create(topic);
        },
        [&] { world.remove(topic_name()); },
        [&] { world.grow(topic_name(), static_cast<int32_t>(random.between(1, 8))); },
        [&] { world.alter_topic(topic_name(), "retention.ms", std::to_string(random.below(3))); },
        [&] { world.alter_topic(topic_name(), "retention.ms", std::nullopt); },
        [&] {
          const BrokerId id = broker_id();
          BrokerRegistration request = registration_of(id, world.random().uuid());
          request.unfenced = random.chance(0.5);
          if (random.chance(0.5)) request.clean_stop_of = epoch_of(id);
          world.commit(world.controller().register_broker(request));
        },
        [&] {
          const BrokerId id = broker_id();
          world.commit(world.controller().unfence_broker(id, epoch_of(id)));
        },
        [&] {
          const BrokerId id = broker_id();
          world.commit(world.controller().fence_broker(id, epoch_of(id)));
        },
        [&] {
          const BrokerId id = broker_id();
          world.commit(world.controller().begin_controlled_shutdown(id, epoch_of(id)));
        },
        [&] {
          const BrokerId id = broker_id();
          world.commit(world.controller().allocate_producer_ids(id, epoch_of(id)));
        },
        [&] { world.start_term(); },
    };
    for (int step = 0; step < 150; ++step) operations[random.below(operations.size())]();
    REQUIRE(*world.replay() == world.image());
    REQUIRE(*world.replay(1) == world.image());
    REQUIRE(*world.replay(7) == world.image());
    REQUIRE(to_json(*world.replay()) == to_json(world.image()));
  }
}

TEST_CASE("a broker with an active in-sync companion never keeps a leadership through its fencing") {
  World world;
  world.start_term();
  for (int id = 1; id <= 3; ++id) world.start_broker(BrokerId(id));
  NewTopic topic;
  topic.name = "t";
  topic.partitions = 30;
  topic.replication_factor = 2;
  REQUIRE(world.create(topic).error.ok());
  for (int id = 1; id <= 2; ++id) {
    const BrokerId broker(id);
    const BrokerState state =
        world.commit(world.controller().fence_broker(broker, world.image().broker(broker)->epoch));
    CHECK(state.leaderships == 0);
    for (const auto& partition : world.image().topic("t")->partitions) CHECK(partition->leader != broker);
  }
}

}  // namespace tidemark::replication::testing
