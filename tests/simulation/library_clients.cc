#include "tests/simulation/library_clients.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "client/core/admin.h"
#include "client/core/group_consumer.h"
#include "client/core/producer.h"
#include "tests/simulation/library_model.h"
#include "tests/simulation/sim_broker.h"

namespace tidemark::simulation {

using namespace std::chrono_literals;
using runtime::MonoTime;
using runtime::Task;

namespace {

constexpr runtime::Duration kClose = 2s;

client::ClusterOptions cluster_options(const NodeWorkload& w) {
  client::ClusterOptions options;
  options.bootstrap = {SimBroker::address()};
  options.connection.connect_timeout_ms = 2'000;
  options.connection.request_timeout_ms = w.request_timeout_ms;
  options.metadata_max_age_ms = 5'000;
  options.api_timeout_ms = 10'000;
  return options;
}

// What a record is known by, and as much behind it as it is large.
std::string value_of(uint64_t number, size_t bytes) {
  std::string value = fmt::format("{}:", number);
  value.resize(std::max(bytes, value.size()), 'x');
  return value;
}
uint64_t number_of(const protocol::NullableBytes& value) {
  uint64_t number = 0;
  if (!value) return 0;
  const auto* text = reinterpret_cast<const char*>(value->data());
  std::from_chars(text, text + value->size(), number);
  return number;
}

TopicPartition place_of(int32_t partition) {
  return {std::string(LibraryClients::kTopic), PartitionId(partition)};
}

}  // namespace

struct LibraryClients::Shared {
  Shared(NodeRun& r, uint64_t seed)
      : run(r), draws(seed ^ 0x11B0), model(1 + static_cast<int32_t>(draws.below(3))) {}

  NodeRun& run;
  runtime::SeededRandom draws;
  LibraryModel model;
  bool topic_made = false;
  bool finishing = false;
  bool written = false;  // the last record is settled
};

class LibraryClients::Host {
 public:
  Host(Shared& shared, std::string name)
      : shared_(shared),
        name_(std::move(name)),
        loop_(shared.run.time),
        random_(shared.draws.next()),
        connector_(shared.run.network.connector(name_, loop_)),
        cluster_(loop_, *connector_, random_, cluster_options(shared.run.workload)) {}
  virtual ~Host() { scope_.destroy_all(); }
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  void begin() {
    idle_ = false;
    loop_.post([this] { scope_.spawn(live()); });
  }
  [[nodiscard]] bool idle() const { return idle_; }
  [[nodiscard]] const std::string& name() const { return name_; }

 protected:
  virtual Task<void> work() = 0;

  [[nodiscard]] NodeRun& run() { return shared_.run; }
  [[nodiscard]] LibraryModel& model() { return shared_.model; }
  [[nodiscard]] MonoTime now() const { return shared_.run.time.mono(); }
  [[nodiscard]] bool over() const { return shared_.run.violation.has_value(); }
  [[nodiscard]] bool draw(double probability) { return random_.chance(probability); }
  Task<void> pause(runtime::Duration mean) {
    return runtime::sleep_for(loop_,
                              runtime::Duration(random_.below(2 * static_cast<uint64_t>(mean.count()))));
  }

  // Every record of it, which follow each other from `next` on without a gap: nothing is trimmed or cleaned.
  void read(client::PartitionRecords& records, Offset& next) {
    for (;;) {
      const auto record = records.next();
      if (!record) return run().violate("library: " + record.error().to_string());
      if (!*record) return;
      if ((*record)->offset != next)
        return run().violate(fmt::format("library: {} reads {} of {}, and {} was next", name_,
                                         (*record)->offset, records.partition(), next));
      next = Offset(next.value + 1);
      run().judge(model().saw(records.partition().partition, (*record)->offset, number_of((*record)->value)));
    }
  }
  // What a reader may be told, on a disk that may fail.
  void judge_error(const Error& error) {
    run().note("{}: {}", name_, error.to_string());
    if (is_retriable(error.code())) return;
    run().violate(fmt::format("library: {} is told {}", name_, error.to_string()));
  }

  Shared& shared_;
  const std::string name_;
  VirtualScheduler loop_;
  runtime::SeededRandom random_;
  std::unique_ptr<runtime::Connector> connector_;
  client::Cluster cluster_;

 private:
  Task<void> live() {
    auto working = work();
    co_await working;
    idle_ = true;
  }

  bool idle_ = true;
  runtime::TaskScope scope_;  // goes first
};

class LibraryClients::Writer final : public Host {
 public:
  using Host::Host;

 private:
  Task<void> work() override {
    auto making = make_topic();
    co_await making;
    while (!over() && !shared_.written) {
      auto writing = write_as_one();
      co_await writing;
    }
  }

  Task<void> make_topic() {
    client::Admin admin(cluster_);
    while (!over() && !shared_.topic_made) {
      client::NewTopic topic;
      topic.name = kTopic;
      topic.partitions = model().partitions();
      std::vector<client::NewTopic> topics{std::move(topic)};
      auto creating = admin.create_topics(std::move(topics), false);
      const auto created = co_await creating;
      if (created && created->size() == 1) {
        const auto& error = created->front().error;
        shared_.topic_made = !error || error->code() == ErrorCode::TOPIC_ALREADY_EXISTS;
      }
      if (shared_.topic_made) break;
      auto waiting = pause(300ms);
      co_await waiting;
    }
  }

  // The life of one Producer: it may be forgotten with records under way.
  Task<void> write_as_one() {
    using protocol::CompressionType;
    client::ProducerOptions options;
    options.codec = std::array{CompressionType::none, CompressionType::gzip, CompressionType::snappy,
                               CompressionType::lz4, CompressionType::zstd}[random_.below(5)];
    options.linger_ms = static_cast<int32_t>(random_.below(50));
    options.batch_bytes = draw(0.5) ? 200 : 16'384;
    options.delivery_timeout_ms = draw(0.3) ? 3'000 : 120'000;
    options.request_timeout_ms = run().workload.request_timeout_ms;
    const uint64_t number = ++producers_;
    const bool compresses = options.codec != CompressionType::none;
    std::map<client::RecordNumber, uint64_t> sent;
    client::Producer producer(cluster_, options, [this, &sent, compresses](const client::Delivery& delivery) {
      settle(delivery, sent, compresses);
    });
    do {
      auto thinking = pause(run().workload.think);
      co_await thinking;
      for (uint64_t more = random_.below(8); more > 0 && !over(); --more) {
        client::OutgoingRecord record;
        record.topic = kTopic;
        record.partition =
            PartitionId(static_cast<int32_t>(random_.below(static_cast<uint64_t>(model().partitions()))));
        const uint64_t id = model().sends(number, *record.partition);
        const std::string value = value_of(id, random_.below(run().workload.max_value_bytes));
        record.value = std::as_bytes(std::span(value));
        auto sending = producer.send(std::move(record));
        const auto taken = co_await sending;
        if (taken) {
          sent[*taken] = id;
        } else {
          run().judge(model().refused(id));
          judge_error(taken.error());
        }
      }
    } while (!over() && !shared_.finishing && !draw(0.01));
    if (!shared_.finishing && draw(0.5)) {
      run().count("library: producer forgotten");
      co_return;
    }
    auto flushing = producer.flush();
    co_await flushing;
    shared_.written = shared_.finishing;
  }

  void settle(const client::Delivery& delivery, std::map<client::RecordNumber, uint64_t>& sent,
              bool compressed) {
    for (size_t i = 0; i < delivery.records.size(); ++i) {
      const auto known = sent.find(delivery.records[i]);
      if (known == sent.end()) return run().violate("library: a record is settled twice, or was never sent");
      const uint64_t id = known->second;
      sent.erase(known);
      if (delivery.base_offset) {
        const Offset base = *delivery.base_offset;
        const Offset at(base.value + static_cast<int64_t>(i));
        run().count(compressed ? "library: compressed record delivered" : "library: record delivered");
        run().judge(model().delivered(id, base == kNoOffset ? std::nullopt : std::optional(at)));
        continue;
      }
      const Error& error = delivery.base_offset.error();
      run().note("library: record {} of {}: {}", id, delivery.partition, error.to_string());
      run().counters.count("library: record not delivered");
      if (!error.possibly_persisted()) run().judge(model().refused(id));
    }
  }

  uint64_t producers_ = 0;
};

class LibraryClients::Reader final : public Host {
 public:
  using Host::Host;

 private:
  Task<void> work() override {
    const auto count = static_cast<size_t>(model().partitions());
    std::vector<Offset> ends(count, Offset(0));
    for (bool last = false; !over();) {
      if (!shared_.topic_made) {
        auto waiting = pause(200ms);
        co_await waiting;
        continue;
      }
      // Once more from the beginning, at the end.
      if (last) {
        run().judge(model().unmet());
        co_return;
      }
      last = shared_.written;
      client::ConsumerOptions options;
      options.fetch_max_wait_ms = 300;
      options.max_partition_fetch_bytes = draw(0.5) ? 500 : 1 << 20;
      client::Consumer consumer(cluster_, options);
      std::vector<Offset> next = ends;
      for (size_t p = 0; p < count; ++p) {
        if (last || draw(0.5))
          next[p] = Offset(
              static_cast<int64_t>(last ? 0 : random_.below(static_cast<uint64_t>(ends[p].value) + 1)));
        consumer.assign(place_of(static_cast<int32_t>(p)), next[p]);
      }
      while (!over() && (last ? !at_end(next) : !shared_.written && !draw(0.01))) {
        auto polling = consumer.poll(now() + 500ms);
        const auto polled = co_await polling;
        if (!polled) {
          judge_error(polled.error());
        } else if (*polled) {
          run().count("library: fetched");
          read(**polled, next[static_cast<size_t>((*polled)->partition().partition.value)]);
        }
      }
      for (size_t p = 0; p < count; ++p) ends[p] = std::max(ends[p], next[p]);
      auto closing = consumer.close(now() + kClose);
      co_await closing;
    }
  }

  bool at_end(const std::vector<Offset>& next) {
    for (size_t p = 0; p < next.size(); ++p)
      if (next[p] < model().certain_end(PartitionId(static_cast<int32_t>(p)))) return false;
    return true;
  }
};

class LibraryClients::Member final : public Host {
 public:
  using Host::Host;

 private:
  Task<void> work() override {
    while (!over() && !is_done()) {
      if (shared_.topic_made) {
        auto living = live_as_one();
        co_await living;
      }
      auto waiting = pause(300ms);
      co_await waiting;
    }
  }
  bool is_done() { return shared_.written && model().all_processed(); }

  // The life of one GroupConsumer, which leaves its group in the end, or does not get to it.
  Task<void> live_as_one() {
    client::ConsumerOptions options;
    options.offset_reset = client::OffsetReset::earliest;
    options.fetch_max_wait_ms = 300;
    client::GroupOptions group;
    group.id = kGroup;
    group.session_timeout_ms = 6'000;
    group.heartbeat_interval_ms = 1'000;
    group.max_poll_interval_ms = 20'000;
    group.auto_commit = false;
    if (draw(0.5)) group.assignors = {client::Assignor::cooperative_sticky, client::Assignor::range};
    client::GroupConsumer consumer(cluster_, options, group);
    consumer.subscribe({std::string(kTopic)});
    next_.clear();
    while (!over() && !is_done() && !draw(0.005)) {
      auto polling = consumer.poll(now() + 500ms);
      const auto polled = co_await polling;
      if (!polled) {
        judge_error(polled.error());
        auto waiting = pause(100ms);
        co_await waiting;
        continue;
      }
      auto taking = take(consumer, *polled);
      co_await taking;
    }
    if (!is_done() && draw(0.5)) {
      run().count("library: member forgotten");
      co_return;
    }
    auto committing = commit(consumer);
    co_await committing;
    auto closing = consumer.close(now() + kClose, now() + kClose);
    co_await closing;
    run().count("library: member left");
  }

  Task<void> take(client::GroupConsumer& consumer, const client::GroupConsumer::Event& event) {
    using Kind = client::GroupConsumer::Event::Kind;
    switch (event.kind) {
      case Kind::nothing: break;
      case Kind::assigned:
        for (const TopicPartition& tp : event.partitions) {
          const auto found = event.committed.find(tp);
          const bool is_new = found == event.committed.end();
          run().count(is_new ? "library: member begins at the beginning"
                             : "library: member begins where committed");
          run().note("{}: {} from {}", name_, tp, is_new ? -1 : found->second.offset.value);
          run().judge(
              model().begins(tp.partition, is_new ? std::nullopt : std::optional(found->second.offset)));
          next_[tp] = is_new ? Offset(0) : found->second.offset;
        }
        break;
      case Kind::revoked: {
        auto committing = commit(consumer);
        co_await committing;
        for (const TopicPartition& tp : event.partitions) next_.erase(tp);
        break;
      }
      case Kind::lost:
        for (const TopicPartition& tp : event.partitions) next_.erase(tp);
        break;
      case Kind::records: {
        const TopicPartition& tp = event.records->partition();
        const auto held = next_.find(tp);
        if (held == next_.end()) {
          run().violate(fmt::format("library: {} is given records of {}, which it does not hold", name_, tp));
          break;
        }
        read(*event.records, held->second);
        model().processed(tp.partition, held->second);
        run().count("library: read in a group");
        if (!draw(0.3)) break;
        auto committing = commit(consumer);
        co_await committing;
        break;
      }
    }
  }

  Task<void> commit(client::GroupConsumer& consumer) {
    client::GroupAdmin::Offsets offsets;
    std::vector<std::pair<PartitionId, uint64_t>> attempts;
    for (const auto& [tp, next] : next_) {
      offsets[tp].offset = next;
      attempts.emplace_back(tp.partition, model().commits(tp.partition, next));
    }
    if (offsets.empty()) co_return;
    auto committing = consumer.commit(std::move(offsets));
    const auto committed = co_await committing;
    run().note("{}: commit: {}", name_, committed ? "done" : committed.error().to_string());
    for (const auto& [partition, attempt] : attempts)
      if (committed) model().committed(partition, attempt);
    run().count(committed ? "library: committed" : "library: not committed");
  }

  std::map<TopicPartition, Offset> next_;  // of what is held
};

LibraryClients::LibraryClients(NodeRun& run, uint64_t seed) : shared_(std::make_unique<Shared>(run, seed)) {
  hosts_.push_back(std::make_unique<Writer>(*shared_, "library-writer"));
  hosts_.push_back(std::make_unique<Reader>(*shared_, "library-reader"));
  for (int i = 0; i < 2; ++i)
    hosts_.push_back(std::make_unique<Member>(*shared_, fmt::format("library-member-{}", i)));
}

LibraryClients::~LibraryClients() = default;

void LibraryClients::declare_counters(FaultCounters& counters) {
  for (const char* name :
       {"library: record delivered", "library: compressed record delivered", "library: record not delivered",
        "library: producer forgotten", "library: fetched", "library: read in a group", "library: committed",
        "library: not committed", "library: member begins at the beginning",
        "library: member begins where committed", "library: member forgotten", "library: member left"})
    counters.declare(name);
}

void LibraryClients::begin() {
  for (const auto& host : hosts_) host->begin();
}

void LibraryClients::finish() { shared_->finishing = true; }

bool LibraryClients::idle() const {
  return std::ranges::all_of(hosts_, [](const auto& host) { return host->idle(); });
}

std::string LibraryClients::busy() const {
  std::string names;
  for (const auto& host : hosts_)
    if (!host->idle()) names += " " + host->name();
  return names;
}

}  // namespace tidemark::simulation
