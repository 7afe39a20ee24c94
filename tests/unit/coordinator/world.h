// A coordinator, its log and its clock in memory: what the shell does for a coordinator, without disk or
// waiting. Records are committed at once. After every call the log is replayed, whole and compacted, and has
// to give the same image; what runs and is settled has to be what the image says.
#pragma once

#include <catch2/catch.hpp>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "broker/coordinator/coordinator.h"
#include "protocol/runtime/random.h"

// A REQUIRE that costs nothing while it holds: for what is checked millions of times.
#define MUST(...)                           \
  do {                                      \
    if (!(__VA_ARGS__)) FAIL(#__VA_ARGS__); \
  } while (false)

namespace tidemark::coordinator::testing {

[[nodiscard]] Bytes bytes(std::string_view text);
[[nodiscard]] std::string text(const Bytes& bytes);
// A consumer's subscription to these topics, as Kafka's clients write it.
[[nodiscard]] Bytes subscription(const std::vector<std::string>& topics);

// How the log takes what the next call decides.
enum class Fate { committed, refused, lost_with_the_leader };

class World {
 public:
  explicit World(GroupSettings settings = {}, uint64_t seed = 1);
  // Copies share the source of member ids.
  World(const World& other) = default;
  World& operator=(const World&) = delete;

  [[nodiscard]] const GroupCoordinator& coordinator() const { return coordinator_; }
  [[nodiscard]] const Image& image() const { return coordinator_.image(); }
  [[nodiscard]] const Group& group(const std::string& id) const { return coordinator_.groups().at(id); }
  [[nodiscard]] const RecordList& log() const { return log_; }
  [[nodiscard]] Now now() const { return now_; }

  // The next call's records, and, but for lost_with_the_leader, everything after them.
  void set_fate(Fate fate) { fate_ = fate; }
  RequestToken send(const Request& request);
  // nullptr: parked.
  [[nodiscard]] const ReplyBody* reply(RequestToken token) const;
  [[nodiscard]] size_t parked() const { return parked_.size(); }
  // The requests that have their reply, in the order of the replies.
  [[nodiscard]] const std::vector<RequestToken>& answered() const { return answered_; }
  template <class SomeReply>
  [[nodiscard]] const SomeReply& answer(RequestToken token) const {
    const ReplyBody* body = reply(token);
    if (body == nullptr) FAIL("request " << token.value << " is still parked");
    return std::get<SomeReply>(*body);
  }
  // What has been told since the last time.
  [[nodiscard]] std::vector<Event> take_events() { return std::exchange(events_, {}); }
  template <class SomeEvent>
  std::vector<SomeEvent> take_events() {
    std::vector<SomeEvent> found;
    for (Event& event : take_events())
      if (auto* some = std::get_if<SomeEvent>(&event)) found.push_back(std::move(*some));
    return found;
  }
  // Sends, and gives the reply, which has to be there at once.
  template <class SomeReply>
  SomeReply ask(const Request& request) {
    return answer<SomeReply>(send(request));
  }

  // Time passes, with every tick that is due on the way.
  void pass_ms(int64_t ms);
  // To the next deadline. False: there is none but the expiry's.
  bool pass_to_next_deadline();
  void delete_topic(std::string_view topic, const Uuid& id = {});
  // What partitions hold from now on; all others are empty. nullopt: nobody knows.
  void set_extent(const std::string& topic, PartitionId partition, std::optional<Extent> extent);
  // Another node takes over: its image is what the log says.
  void fail_over();
  // The steps of it.
  void demote();
  void restart_from_log();

 private:
  [[nodiscard]] Extents extents_of_unused() const;
  void commit(Decision decision);
  void deliver(std::vector<Reply> replies);
  // No assignment is given out that the log does not say.
  void check_assigned(const SyncRequest& request, const SyncReply& reply) const;
  void check() const;

  GroupSettings settings_;
  std::shared_ptr<runtime::SeededRandom> random_;
  GroupCoordinator coordinator_;
  RecordList log_;
  Now now_;
  Fate fate_ = Fate::committed;
  std::map<std::pair<std::string, PartitionId>, std::optional<Extent>> extents_;
  uint64_t next_token_ = 1;
  std::map<RequestToken, Request> parked_;
  std::map<RequestToken, ReplyBody> replies_;
  std::vector<RequestToken> answered_;
  std::vector<Event> events_;
};

// The coordinator that these records alone give: a follower.
[[nodiscard]] Image replayed(const RecordList& log);
// The last record of each key, in the order of the log; without tombstones, which compaction drops in time.
[[nodiscard]] RecordList compacted(const RecordList& log);

}  // namespace tidemark::coordinator::testing
