// The real daemon on four shards in this process: threads, sockets, files, RocksDB. Made for ThreadSanitizer,
// which sees here what the simulator's one thread cannot show; whatever is asked of the daemon in these two
// seconds is asked by several clients at once.
#include "broker/daemon.h"

#include <arpa/inet.h>
#include <signal.h>
#include <sys/socket.h>
#include <tidemark/admin.h>
#include <tidemark/consumer.h>
#include <tidemark/group_consumer.h>
#include <tidemark/producer.h>
#include <unistd.h>
#include <catch2/catch.hpp>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "config/loader.h"
#include "tests/unit/seams/temporary_folder.h"

using namespace tidemark_client;
using namespace std::chrono_literals;
using tidemark::broker::LogField;
using tidemark::broker::LogLevel;

namespace {

constexpr int kPartitions = 8;
constexpr auto kLoad = 2s;
// What was acknowledged is read back within this time, with another to spare for a sanitizer on a busy
// machine.
constexpr auto kPatience = 60s;

using Clock = std::chrono::steady_clock;

// What went wrong, on any thread: Catch's macros are the main thread's.
class Complaints {
 public:
  void that(bool holds, const std::string& what) {
    if (holds) return;
    const std::lock_guard lock(mutex_);
    if (all_.size() < 20) all_.push_back(what);
  }
  void that(const Status& status, const std::string& what) {
    that(status.ok(), what + ": " + status.to_string());
  }
  std::vector<std::string> all() {
    const std::lock_guard lock(mutex_);
    return all_;
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> all_;
};

class KeptLog final : public tidemark::broker::Log {
 public:
  void write(LogLevel level, std::string_view event, std::span<const LogField> fields) override {
    const std::lock_guard lock(mutex_);
    if (level >= LogLevel::error)
      errors_.push_back(format_event(tidemark::broker::LogFormat::text, event, fields));
    last_ = event;
    if (event != "ready") return;
    for (const LogField& field : fields) ready_.emplace(field.key, field.value);
    came_.notify_all();
  }
  // A field of the line `ready`, once it is there; empty: the daemon ended without it.
  std::string ready(const std::string& field) {
    std::unique_lock lock(mutex_);
    came_.wait(lock, [this] { return !ready_.empty() || ended_; });
    return ready_[field];
  }
  void end() {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    came_.notify_all();
  }
  std::string last() {
    const std::lock_guard lock(mutex_);
    return last_;
  }
  std::vector<std::string> errors() {
    const std::lock_guard lock(mutex_);
    return errors_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable came_;
  std::map<std::string, std::string> ready_;
  std::vector<std::string> errors_;
  std::string last_;
  bool ended_ = false;
};

class RunningDaemon {
 public:
  explicit RunningDaemon(const std::string& folder) {
    using namespace tidemark::config;
    std::vector<WrittenSetting> settings{flag_setting("--data-dir", folder),
                                         flag_setting("--listen", "127.0.0.1:0"),
                                         flag_setting("--http", "127.0.0.1:0")};
    for (const char* set : {"shards=4", "journal.size=16777216", "group.initial.rebalance.delay.ms=0",
                            "offsets.topic.num.partitions=4", "log.retention.check.interval.ms=100",
                            "log.cleaner.backoff.ms=100", "group.min.session.timeout.ms=500"})
      settings.push_back(*parse_override(set));
    config_ = *load_node_config(std::nullopt, settings);
    tidemark::broker::block_stop_signals();
    thread_ = std::thread([this] {
      status_ = tidemark::broker::run_daemon(config_, log, tidemark::storage::Planted::none);
      log.end();
    });
  }
  ~RunningDaemon() { (void)stop(); }
  int stop() {
    if (thread_.joinable()) {
      if (!log.ready("kafka").empty()) ::kill(::getpid(), SIGTERM);
      thread_.join();
    }
    return status_;
  }

  KeptLog log;

 private:
  tidemark::config::NodeConfig config_;
  int status_ = -1;
  std::thread thread_;
};

Client client_of(const std::string& bootstrap, Properties properties = {}) {
  properties["bootstrap.servers"] = bootstrap;
  return *Client::open(properties);
}

// The whole answer to a GET.
std::string http_get(const std::string& address, const std::string& path) {
  const size_t colon = address.rfind(':');
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<uint16_t>(std::stoi(address.substr(colon + 1))));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  std::string answer;
  const std::string request = "GET " + path + " HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n";
  if (::connect(socket, reinterpret_cast<sockaddr*>(&to), sizeof(to)) == 0 &&
      ::send(socket, request.data(), request.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(request.size())) {
    std::vector<char> buffer(65536);
    for (ssize_t n; (n = ::recv(socket, buffer.data(), buffer.size(), 0)) > 0;)
      answer.append(buffer.data(), static_cast<size_t>(n));
  }
  ::close(socket);
  return answer;
}

// What was acknowledged, by place.
class Acknowledged {
 public:
  void add(int32_t partition, int64_t offset, std::string value) {
    const std::lock_guard lock(mutex_);
    values_[{partition, offset}] = std::move(value);
  }
  std::map<std::pair<int32_t, int64_t>, std::string> values() {
    const std::lock_guard lock(mutex_);
    return values_;
  }

 private:
  std::mutex mutex_;
  std::map<std::pair<int32_t, int64_t>, std::string> values_;
};

// The clients, each with a thread of its own, and all of them until the load ends.
struct Load {
  std::string kafka;
  std::string http;
  Complaints complaints{};
  Acknowledged acknowledged{};
  std::atomic<bool> producing = true;
  std::atomic<bool> running = true;
  std::atomic<bool> done = false;  // nothing more will be acknowledged
  std::atomic<int> topics = 0;
  std::atomic<int> commits = 0;
  std::atomic<int> scrapes = 0;

  void produce(const std::string& name) {
    Producer producer(client_of(kafka));
    for (int i = 0; producing; ++i) {
      const std::string value = name + " " + std::to_string(i);
      producer.send({.topic = "rows", .value = value, .partition = i % kPartitions},
                    [this, value](const Delivery& delivery) {
                      complaints.that(delivery.status, "produce");
                      if (delivery.status.ok()) acknowledged.add(delivery.partition, delivery.offset, value);
                    });
      if (i % 100 == 99) producer.flush();
    }
    producer.flush();
  }

  // From the start, one fetch session over the partitions of all shards, until everything was read that was
  // acknowledged; each partition's offsets without a gap.
  void read() {
    Consumer consumer(client_of(kafka));
    for (int p = 0; p < kPartitions; ++p) consumer.assign("rows", p, Start::earliest());
    std::vector<std::vector<std::string>> rows(kPartitions);
    std::map<std::pair<int32_t, int64_t>, std::string> wanted;
    const auto is_read = [&](const auto& one) {
      const auto& [place, value] = one;
      const auto& log = rows[static_cast<size_t>(place.first)];
      return static_cast<size_t>(place.second) < log.size() &&
             log[static_cast<size_t>(place.second)] == value;
    };
    const auto began = Clock::now();
    while (Clock::now() - began < kPatience) {
      if (done && wanted.empty()) wanted = acknowledged.values();
      if (done && std::all_of(wanted.begin(), wanted.end(), is_read)) return;
      const auto some = consumer.poll(100ms);
      complaints.that(some.status(), "read");
      for (const Record& record : *some) {
        auto& log = rows[static_cast<size_t>(*record.partition)];
        complaints.that(record.offset == static_cast<int64_t>(log.size()), "an offset is left out");
        log.push_back(*record.value);
      }
    }
    complaints.that(false, "an acknowledged record was not read");
  }

  void administer(const std::string& name) {
    const Client client = client_of(kafka);
    Admin admin(client);
    for (int i = 0; running; ++i) {
      const std::string topic = name + "-" + std::to_string(i);
      complaints.that(
          admin.create_topic({.name = topic,
                              .partitions = 3,
                              .configs = {{"cleanup.policy", i % 2 == 0 ? "compact,delete" : "delete"},
                                          {"segment.ms", "50"},
                                          {"min.cleanable.dirty.ratio", "0"}}}),
          "create");
      {
        Producer producer(client);
        for (int record = 0; record < 12; ++record)
          producer.send(
              {.topic = topic, .key = std::to_string(record % 2), .value = "x", .partition = record % 3},
              [this](const Delivery& delivery) { complaints.that(delivery.status, "to a young topic"); });
      }
      complaints.that(admin.create_partitions(topic, 4), "grow");
      complaints.that(admin.alter_topic_configs("rows", {{"write.caching", i % 2 == 0 ? "true" : "false"},
                                                         {"segment.ms", std::to_string(100 + i)}}),
                      "alter");
      complaints.that(admin.topic_configs("rows").status(), "look at settings");
      complaints.that(admin.delete_records(topic, 0, -1).status(), "trim");
      complaints.that(admin.describe_topic("rows").status(), "describe");
      complaints.that(admin.list_groups().status(), "list groups");
      complaints.that(admin.delete_topic(topic), "delete");
      ++topics;
    }
  }

  // Comes, reads, commits, goes, and comes again, while others do. Who goes before its join is answered is
  // missed by its heartbeats alone: hence the short session.
  void be_a_member() {
    while (running || commits == 0) {
      GroupConsumer member(client_of(kafka, {{"group.id", "readers"},
                                             {"auto.offset.reset", "earliest"},
                                             {"enable.auto.commit", "false"},
                                             {"heartbeat.interval.ms", "50"},
                                             {"session.timeout.ms", "1500"},
                                             {"max.poll.interval.ms", "1500"}}),
                           {"rows"});
      for (int i = 0; i < 10 && (running || commits == 0); ++i) {
        const auto some = member.poll(50ms);
        complaints.that(some.status(), "read as a member");
        if (!some->empty() && member.commit().ok()) ++commits;  // else the group has gone on: no fault
      }
      member.close(1s);
    }
  }

  void scrape() {
    while (running) {
      const std::string metrics = http_get(http, "/metrics");
      complaints.that(metrics.find("tidemark_connections ") != std::string::npos, "metrics");
      complaints.that(http_get(http, "/readyz").find(" 200 ") != std::string::npos, "ready");
      ++scrapes;
      std::this_thread::sleep_for(10ms);
    }
  }
};

}  // namespace

TEST_CASE("a daemon of four shards under every kind of request at once loses nothing and stops in order") {
  const tidemark::tests::TemporaryFolder folder;
  RunningDaemon daemon(folder.path() + "/data");
  Load load{.kafka = daemon.log.ready("kafka"), .http = daemon.log.ready("http")};
  REQUIRE(!load.kafka.empty());
  const Status created =
      Admin(client_of(load.kafka)).create_topic({.name = "rows", .partitions = kPartitions});
  REQUIRE(created.to_string() == "ok");

  std::vector<std::thread> threads;
  threads.emplace_back([&] { load.produce("a"); });
  threads.emplace_back([&] { load.produce("b"); });
  std::thread reader([&] { load.read(); });
  threads.emplace_back([&] { load.administer("left"); });
  threads.emplace_back([&] { load.administer("right"); });
  threads.emplace_back([&] { load.be_a_member(); });
  threads.emplace_back([&] { load.be_a_member(); });
  threads.emplace_back([&] { load.scrape(); });
  std::this_thread::sleep_for(kLoad);
  load.producing = load.running = false;
  for (std::thread& thread : threads) thread.join();
  load.done = true;
  reader.join();

  const std::vector<std::string> none;
  CHECK(load.complaints.all() == none);
  CHECK(load.acknowledged.values().size() > 100);
  CHECK(load.topics > 1);
  CHECK(load.commits > 0);
  CHECK(load.scrapes > 0);
  CHECK(daemon.stop() == 0);
  CHECK(daemon.log.last() == "stopped");
  CHECK(daemon.log.errors() == none);
}
