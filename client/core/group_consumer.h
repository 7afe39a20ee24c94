// Reads topics as a member of a classic consumer group: joins it, lives in it, reads what it is assigned from
// where the group has committed, and commits what its owner has processed. Its Membership decides; this
// sends, fetches and waits. Lives on its Cluster's loop.
//
// Heartbeats go on while the owner works, as long as the loop turns. What the owner has not processed() when
// partitions are revoked, somebody else reads again: at least once, as with Kafka's own consumer.
#pragma once

#include "client/core/consumer.h"
#include "client/core/group_admin.h"
#include "client/core/membership.h"

namespace tidemark::client {

class GroupConsumer {
 public:
  GroupConsumer(Cluster& cluster, ConsumerOptions options, GroupOptions group,
                Consumer::OnTruncation on_truncation = {});
  ~GroupConsumer();
  GroupConsumer(const GroupConsumer&) = delete;
  GroupConsumer& operator=(const GroupConsumer&) = delete;

  // From now on these topics, once they exist.
  void subscribe(std::set<std::string, std::less<>> topics);

  struct Event {
    enum class Kind : uint8_t {
      nothing,   // by the deadline
      records,   // of a partition that is held
      assigned,  // these are read from now on; the owner may seek
      revoked,   // these are read no more; committed, with auto_commit
      lost,      // the same, but somebody else may read them already
    };
    Kind kind = Kind::nothing;
    std::unique_ptr<PartitionRecords> records;
    std::vector<TopicPartition> partitions;
    // Of those assigned, where the group has committed. The others begin where auto.offset.reset says, or,
    // where that says nothing, once the owner has placed them.
    std::map<TopicPartition, FetchPosition> committed;
  };
  // What comes next. Called again after `revoked` or `lost` it tells the group that the owner is done with
  // them. The owner has max.poll.interval.ms from call to call. Errors of a partition as in Consumer::poll().
  // FENCED_INSTANCE_ID, GROUP_AUTHORIZATION_FAILED and the like come again with every call.
  runtime::Task<Result<Event>> poll(runtime::MonoTime deadline);
  // The same of an owner that still has records: what else there is, without waiting.
  runtime::Task<Result<Event>> poll_changes();
  // And the records that are there.
  std::optional<Result<std::unique_ptr<PartitionRecords>>> take_records() { return reader_.take(); }

  // The owner is done with what lies below: that is what commits are of.
  void processed(const TopicPartition& partition, FetchPosition next);
  // Commits what was processed and is not committed yet. UNKNOWN_MEMBER_ID, ILLEGAL_GENERATION: the group has
  // gone on without this member. REBALANCE_IN_PROGRESS: may be tried again after poll().
  runtime::Task<Result<void>> commit();
  runtime::Task<Result<void>> commit(GroupAdmin::Offsets offsets);

  // A partition that is held is read from there, and that is committed in its time. False: it is not held.
  bool seek(const TopicPartition& partition, Offset offset, LeaderEpoch epoch = kNoLeaderEpoch);
  bool seek_to_time(const TopicPartition& partition, int64_t time_ms);  // as Consumer::assign_at()
  // It is held, and not read any more until the next assignment.
  void stop_reading(const TopicPartition& partition) { reader_.unassign(partition); }
  // Whether everything that is held has a place where reading goes on, or was told to have none.
  [[nodiscard]] bool is_placed() const { return unplaced_.empty() && placed_.empty(); }
  [[nodiscard]] const Membership& membership() const { return membership_; }

  // Commits with auto_commit, and leaves the group unless this is a static member. Nothing may be polled
  // after. Waits for the broker until `deadline`, and for the fetches under way until `fetches`.
  runtime::Task<void> close(runtime::MonoTime deadline, runtime::MonoTime fetches);

 private:
  runtime::Task<void> live();
  runtime::Task<Result<void>> exchange(Membership::Ask ask);
  template <class Response, class Request>
  runtime::Task<Result<Reply<Response>>> ask(GroupAdmin::Link link, const Request& request, int16_t version,
                                             int32_t extra_ms);
  runtime::Task<Result<void>> join(GroupAdmin::Link link);
  runtime::Task<Result<void>> sync(GroupAdmin::Link link);
  runtime::Task<Result<void>> heartbeat(GroupAdmin::Link link);
  runtime::Task<Result<void>> leave(std::string reason);
  // The topics of the group that nothing is known of.
  [[nodiscard]] std::set<std::string, std::less<>> unknown_topics() const;
  [[nodiscard]] PartitionCounts known_counts() const;
  // A leader asks for topics until they exist, and has the group divide anew when they change.
  void watch_topics();
  runtime::Task<Result<void>> ask_for_topics();
  runtime::Task<void> wait_for_topics();
  runtime::Task<Result<Event>> take_change(Membership::Change change);
  // Looks where what was assigned is to be read from.
  void place();
  runtime::Task<void> look_up_places();
  Event begin_to_read();
  void commit_in_time();
  runtime::Task<void> auto_commit();
  runtime::Task<Result<void>> commit_now(GroupAdmin::Offsets offsets);
  runtime::Task<void> await_commit();
  runtime::Task<void> say_goodbye();
  [[nodiscard]] runtime::MonoTime now() { return cluster_.scheduler().mono(); }
  // The owner's poll() and live() look again.
  void look_again();

  Cluster& cluster_;
  const ConsumerOptions options_;
  const Cluster::Lane member_lane_;    // of what a coordinator holds back
  const Cluster::Lane requests_lane_;  // of commits and the like, which no Fetch is to hold up either
  GroupAdmin groups_;
  Membership membership_;
  Consumer reader_;
  std::set<TopicPartition> unplaced_;                              // assigned, and not read yet
  std::map<TopicPartition, std::optional<FetchPosition>> placed_;  // found, and the owner not told yet
  bool placing_ = false;
  runtime::MonoTime place_at_{};  // not before
  std::optional<Error> place_error_;
  bool giving_up_ = false;                             // the owner has been told to, and has not come back
  std::map<TopicPartition, FetchPosition> processed_;  // not committed yet
  runtime::MonoTime commit_at_{};
  bool auto_committing_ = false;
  bool committing_ = false;  // one at a time: an older one that is tried again must not follow a newer
  runtime::Signal committed_;
  uint64_t seen_metadata_ = 0;
  PartitionCounts divided_;    // as this leader last knew them
  bool lacks_topics_ = false;  // there were some then that are not known
  bool asking_topics_ = false;
  runtime::MonoTime ask_topics_at_{};
  bool closing_ = false;
  bool gone_ = false;
  runtime::Signal wake_;
  runtime::TaskScope scope_;
};

}  // namespace tidemark::client
