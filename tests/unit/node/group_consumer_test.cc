// The client's own group members on a whole broker, in virtual time: they come, go, sleep, die, and the
// broker with them; what each record's fate is, is judged.
#include "client/core/group_consumer.h"

#include "tests/unit/node/one_broker.h"

using namespace tidemark;
using namespace tidemark::simulation;
using namespace std::chrono_literals;
using client::Assignor;
using client::GroupConsumer;
using runtime::Task;
using Event = GroupConsumer::Event;

namespace {

constexpr int32_t kGroupPartitions = 5;
constexpr const char* kGroupTopic = "tide";

struct GroupWorld;

// An application that reads with a group: it keeps what it was told to keep, and notes what it reads.
class Reader {
 public:
  Reader(GroupWorld& world, int number, client::GroupOptions group, Reader* shares_with,
         client::OffsetReset reset);
  ~Reader() { stop_now(); }

  // Leaves the group, and is done with it afterwards.
  void leave() { leaving_ = true; }
  // Dies without a word.
  void stop_now() {
    scope_.destroy_all();
    consumer_.reset();
  }
  void sleep_for(runtime::Duration duration) { asleep_until_ = loop_.clock().mono() + duration; }
  [[nodiscard]] bool gone() const { return gone_; }
  [[nodiscard]] client::Cluster& cluster() { return *cluster_; }
  [[nodiscard]] const std::set<TopicPartition>& owned() const { return owned_; }
  [[nodiscard]] int32_t generation() const { return consumer_->membership().generation(); }
  [[nodiscard]] const std::optional<Error>& failure() const { return failure_; }

 private:
  Task<void> run();
  void take(Event& event);

  GroupWorld& world_;
  VirtualScheduler loop_;
  runtime::SeededRandom random_;
  std::unique_ptr<runtime::Connector> connector_;
  std::shared_ptr<client::Cluster> cluster_;
  std::unique_ptr<GroupConsumer> consumer_;
  runtime::MonoTime asleep_until_{};
  bool leaving_ = false;
  bool gone_ = false;
  std::optional<Error> failure_;
  std::set<TopicPartition> owned_;
  runtime::TaskScope scope_;
};

struct GroupWorld : OneBroker {
  explicit GroupWorld(bool makes_topic = true) {
    start();
    if (makes_topic) REQUIRE(create_topic(kGroupTopic, kGroupPartitions) == ErrorCode::NONE);
  }
  // Some stand on the connections of those before them.
  ~GroupWorld() {
    while (!readers.empty()) readers.pop_back();
  }
  void produce_some(int count) {
    for (int i = 0; i < count; ++i)
      REQUIRE(produce(kGroupTopic, static_cast<int32_t>(written++ % kGroupPartitions), 10) ==
              ErrorCode::NONE);
  }
  void pass(runtime::Duration duration) { time.run_until(time.mono() + duration); }
  // Everything is read, and the group rests.
  [[nodiscard]] bool settled() const {
    std::set<TopicPartition> all;
    for (const auto& reader : readers) all.insert(reader->owned().begin(), reader->owned().end());
    return all.size() == kGroupPartitions && seen.size() == written;
  }
  // Within two virtual minutes.
  void settle() {
    for (int i = 0; i < 1'200 && !settled(); ++i) pass(100ms);
    INFO(seen.size() << " of " << written << " records were read");
    CHECK(settled());
  }
  Reader& join(client::GroupOptions group, Reader* shares_with = nullptr,
               client::OffsetReset reset = client::OffsetReset::earliest) {
    return *readers.emplace_back(
        std::make_unique<Reader>(*this, ++joined, std::move(group), shares_with, reset));
  }
  [[nodiscard]] size_t read_twice() const {
    size_t count = 0;
    for (const auto& [place, times] : seen) count += times > 1 ? 1 : 0;
    return count;
  }

  uint64_t written = 0;
  int joined = 0;
  bool from_start = true;
  bool exclusive = true;  // nobody may be thrown out without knowing it
  std::map<std::pair<TopicPartition, Offset>, int> seen;
  std::map<TopicPartition, Reader*> owners;
  std::vector<std::unique_ptr<Reader>> readers;
};

client::ClusterOptions cluster_options() {
  client::ClusterOptions options;
  options.bootstrap = {SimBroker::address()};
  options.connection.request_timeout_ms = 5'000;
  options.connection.connect_timeout_ms = 2'000;
  return options;
}

client::ConsumerOptions consumer_options(client::OffsetReset reset) {
  client::ConsumerOptions options;
  options.offset_reset = reset;
  return options;
}

client::GroupOptions group_options(std::vector<Assignor> assignors) {
  client::GroupOptions options;
  options.id = "readers";
  options.session_timeout_ms = 6'000;
  options.heartbeat_interval_ms = 500;
  options.max_poll_interval_ms = 20'000;
  options.auto_commit_interval_ms = 700;
  options.assignors = std::move(assignors);
  return options;
}

Reader::Reader(GroupWorld& world, int number, client::GroupOptions group, Reader* shares_with,
               client::OffsetReset reset)
    : world_(world),
      loop_(world.time),
      random_(static_cast<uint64_t>(number)),
      connector_(world.network.connector(fmt::format("reader-{}", number), loop_)),
      cluster_(shares_with != nullptr
                   ? shares_with->cluster_
                   : std::make_shared<client::Cluster>(loop_, *connector_, random_, cluster_options())),
      consumer_(std::make_unique<GroupConsumer>(*cluster_, consumer_options(reset), std::move(group))) {
  consumer_->subscribe({kGroupTopic});
  scope_.spawn(run());
}

Task<void> Reader::run() {
  while (!leaving_) {
    if (loop_.clock().mono() < asleep_until_) {
      auto sleeping = runtime::sleep_until(loop_, asleep_until_);
      co_await sleeping;
    }
    auto polling = consumer_->poll(loop_.clock().mono() + 300ms);
    Result<Event> event = co_await polling;
    if (!event) {
      failure_ = event.error();
      co_return;
    }
    take(*event);
  }
  auto closing = consumer_->close(loop_.clock().mono() + 30s, runtime::MonoTime::min());
  co_await closing;
  for (const TopicPartition& tp : owned_) world_.owners.erase(tp);
  owned_.clear();
  gone_ = true;
}

void Reader::take(Event& event) {
  switch (event.kind) {
    case Event::Kind::nothing: return;
    case Event::Kind::assigned:
      for (const TopicPartition& tp : event.partitions) {
        CHECK(owned_.insert(tp).second);
        if (world_.exclusive) {
          INFO(tp.topic << " " << tp.partition.value);
          CHECK(world_.owners.emplace(tp, this).second);
        }
      }
      return;
    case Event::Kind::revoked:
    case Event::Kind::lost:
      CHECK((event.kind == Event::Kind::revoked || !world_.exclusive));
      for (const TopicPartition& tp : event.partitions) {
        CHECK(owned_.erase(tp) == 1);
        if (world_.exclusive) CHECK(world_.owners.erase(tp) == 1);
      }
      return;
    case Event::Kind::records: break;
  }
  client::PartitionRecords& records = *event.records;
  CHECK(owned_.contains(records.partition()));
  for (auto record = records.next(); record && *record; record = records.next()) {
    const Offset offset = (*record)->offset;
    // In order, without a gap.
    if (offset > Offset(0) && world_.from_start)
      CHECK(world_.seen.contains({records.partition(), offset + -1}));
    ++world_.seen[{records.partition(), offset}];
  }
  consumer_->processed(records.partition(), {records.position(), records.leader_epoch()});
}

const std::vector<std::vector<Assignor>> kStrategies = {
    {Assignor::range}, {Assignor::round_robin}, {Assignor::cooperative_sticky}};

}  // namespace

TEST_CASE("members that come and go read every record once, and never two of them a partition") {
  for (const auto& strategies : kStrategies) {
    INFO(client::name_of(strategies.front()));
    GroupWorld world;
    world.produce_some(20);
    runtime::SeededRandom random(5);
    for (int round = 0; round < 14; ++round) {
      const bool comes = world.readers.size() < 2 || (world.readers.size() < 7 && random.chance(0.5));
      if (comes) {
        world.join(group_options(strategies));
      } else {
        world.readers.at(random.below(world.readers.size()))->leave();
      }
      world.produce_some(static_cast<int>(random.below(30)));
      world.pass(std::chrono::milliseconds(random.below(4'000)));
      std::erase_if(world.readers, [](const auto& reader) { return reader->gone(); });
    }
    world.settle();
    CHECK(world.read_twice() == 0);
  }
}

TEST_CASE("members of both protocols meet in one group") {
  GroupWorld world;
  world.join(group_options({Assignor::cooperative_sticky}));
  world.produce_some(20);
  world.pass(5s);
  // It gives up everything whenever it joins, and knows the strategy of the others.
  world.join(group_options({Assignor::range, Assignor::cooperative_sticky}));
  world.produce_some(20);
  world.pass(10s);
  world.settle();
  CHECK(world.readers[0]->owned().size() + world.readers[1]->owned().size() == kGroupPartitions);
  CHECK_FALSE(world.readers[0]->owned().empty());
  CHECK_FALSE(world.readers[1]->owned().empty());
  CHECK(world.read_twice() == 0);
}

TEST_CASE("members that die, sleep for too long or lose their broker leave no record unread") {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    INFO("seed " << seed);
    runtime::SeededRandom random(seed);
    const auto& strategies = kStrategies[seed % kStrategies.size()];
    GroupWorld world;
    world.exclusive = false;  // who sleeps does not know that it was thrown out
    for (int i = 0; i < 3; ++i) world.join(group_options(strategies));
    for (int round = 0; round < 10; ++round) {
      world.produce_some(static_cast<int>(random.below(20)));
      Reader& some = *world.readers.at(random.below(world.readers.size()));
      switch (random.below(5)) {
        case 0: some.sleep_for(std::chrono::seconds(random.below(40))); break;
        case 1:
          std::erase_if(world.readers, [&](const auto& reader) { return reader.get() == &some; });
          world.join(group_options(strategies));
          break;
        case 2: world.network.cut_off(fmt::format("reader-{}", world.joined), world.time.mono() + 12s); break;
        case 3:
          world.crash(random.chance(0.5) ? CrashKind::kill : CrashKind::power);
          world.start();
          break;
        default: break;
      }
      world.pass(std::chrono::milliseconds(random.below(15'000)));
    }
    world.pass(40s);
    world.settle();
    for (const auto& reader : world.readers) {
      INFO((reader->failure() ? reader->failure()->message() : ""));
      CHECK_FALSE(reader->failure().has_value());
    }
  }
}

TEST_CASE("a static member that comes back finds its partitions, and nobody rebalances") {
  GroupWorld world;
  std::vector<client::GroupOptions> options;
  for (const char* name : {"first", "second"}) {
    options.push_back(group_options({Assignor::range}));
    options.back().instance_id = name;
    options.back().session_timeout_ms = 30'000;
    world.join(options.back());
  }
  world.produce_some(20);
  world.pass(10s);
  world.settle();
  const auto before = world.readers[1]->owned();
  const int32_t generation = world.readers[0]->generation();
  world.readers[1]->leave();
  world.pass(2s);
  REQUIRE(world.readers[1]->gone());
  world.readers.pop_back();
  world.join(options[1]);
  world.produce_some(20);
  world.pass(5s);
  world.settle();
  CHECK(world.readers[1]->owned() == before);
  CHECK(world.readers[0]->generation() == generation);
  CHECK(world.read_twice() == 0);
}

TEST_CASE("two members of one client do not stand in each other's way") {
  GroupWorld world;
  Reader& first = world.join(group_options({Assignor::range}));
  world.produce_some(20);
  world.pass(5s);
  world.join(group_options({Assignor::range}), &first);
  world.produce_some(20);
  world.pass(6s);
  CHECK(world.settled());
  CHECK_FALSE(world.readers[1]->owned().empty());
  CHECK(world.read_twice() == 0);
}

TEST_CASE("what is written while partitions move is read, also where a group begins at the end") {
  GroupWorld world;
  world.from_start = false;
  world.produce_some(20);
  world.join(group_options({Assignor::range}), nullptr, client::OffsetReset::latest);
  world.pass(10s);
  CHECK(world.seen.empty());
  // Nothing has been read yet; and before the next one has what it gets, there is something.
  world.join(group_options({Assignor::range}), nullptr, client::OffsetReset::latest);
  for (int i = 0; i < 40; ++i) {
    world.produce_some(1);
    world.pass(100ms);
  }
  world.pass(5s);
  CHECK(world.seen.size() == 40);
  CHECK(world.read_twice() == 0);
}

TEST_CASE("a topic that is made after its readers came is read soon, and so are more partitions") {
  GroupWorld world(false);
  world.join(group_options({Assignor::range}));
  world.join(group_options({Assignor::cooperative_sticky, Assignor::range}));
  world.pass(8s);
  REQUIRE(world.create_topic(kGroupTopic, kGroupPartitions) == ErrorCode::NONE);
  world.produce_some(20);
  world.pass(8s);
  CHECK(world.settled());
}

TEST_CASE("who is destroyed while the broker is away leaves a client that works when it is back") {
  GroupWorld world;
  Reader& first = world.join(group_options({Assignor::range}));
  world.pass(5s);
  Reader& second = world.join(group_options({Assignor::range}), &first);
  world.exclusive = false;
  world.crash(CrashKind::kill);
  world.pass(std::chrono::milliseconds(1'234));
  second.stop_now();
  first.stop_now();
  world.pass(10s);
  world.start();
  world.readers.push_back(std::make_unique<Reader>(world, 9, group_options({Assignor::range}), &first,
                                                   client::OffsetReset::earliest));
  world.produce_some(20);
  world.pass(20s);
  CHECK(world.seen.size() == world.written);
}

TEST_CASE("two of one name: the one before is told that it is fenced") {
  GroupWorld world;
  world.exclusive = false;
  client::GroupOptions options = group_options({Assignor::range});
  options.instance_id = "only";
  world.join(options);
  world.pass(5s);
  world.join(options);
  world.pass(5s);
  REQUIRE(world.readers[0]->failure().has_value());
  CHECK(world.readers[0]->failure()->code() == ErrorCode::FENCED_INSTANCE_ID);
  CHECK_FALSE(world.readers[1]->failure().has_value());
}
