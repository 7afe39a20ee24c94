// FetchSession alone: what each request names, whatever the broker says.
#include <catch2/catch.hpp>

#include "client/core/fetch_session.h"

using namespace tidemark;
using namespace tidemark::client;

namespace {

constexpr int16_t kVersion = 17;
const Uuid kOld = Uuid::from_halves(1, 1);
const Uuid kNew = Uuid::from_halves(2, 2);

FetchSession::Item item(int32_t partition, int64_t offset, Uuid id = kOld) {
  return {{"tide", PartitionId(partition)}, {id, Offset(offset), LeaderEpoch(0), 100}};
}

struct Named {
  int32_t id = 0;
  int32_t epoch = 0;
  std::vector<int32_t> partitions;
  std::vector<int32_t> forgotten;
  bool operator==(const Named&) const = default;
};

Named write(FetchSession& session, const std::vector<FetchSession::Item>& items, int16_t version = kVersion) {
  protocol::FetchRequest request;
  session.write(items, version, request);
  Named named{request.session_id, request.session_epoch, {}, {}};
  for (const auto& topic : request.topics) {
    for (const auto& partition : topic.partitions) named.partitions.push_back(partition.partition);
  }
  for (const auto& topic : request.forgotten_topics_data) {
    for (const int32_t partition : topic.partitions) named.forgotten.push_back(partition);
  }
  return named;
}

}  // namespace

TEST_CASE("a session names everything once, then what changed, and what it no longer wants") {
  FetchSession session;
  CHECK(write(session, {item(0, 0), item(1, 0), item(2, 0)}) == Named{0, 0, {0, 1, 2}, {}});
  CHECK(session.accept(ErrorCode::NONE, 7));
  CHECK(write(session, {item(0, 5), item(1, 0), item(2, 0)}) == Named{7, 1, {0}, {}});
  CHECK(session.incremental());
  CHECK(session.accept(ErrorCode::NONE, 7));
  CHECK(write(session, {item(0, 5), item(2, 0)}) == Named{7, 2, {}, {1}});
  CHECK(session.accept(ErrorCode::NONE, 7));
  CHECK(write(session, {item(0, 5), item(1, 0), item(2, 0)}) == Named{7, 3, {1}, {}});
}

TEST_CASE("after no answer a session names everything again and ends the old one") {
  FetchSession session;
  (void)write(session, {item(0, 0)});
  CHECK(session.accept(ErrorCode::NONE, 7));
  (void)write(session, {item(0, 5)});
  session.lost();
  CHECK(write(session, {item(0, 5)}) == Named{7, 0, {0}, {}});
  CHECK_FALSE(session.incremental());
}

TEST_CASE("a session that the broker lost or refuses begins anew") {
  for (const ErrorCode code : {ErrorCode::FETCH_SESSION_ID_NOT_FOUND, ErrorCode::INVALID_FETCH_SESSION_EPOCH,
                               ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR}) {
    FetchSession session;
    (void)write(session, {item(0, 0)});
    CHECK(session.accept(ErrorCode::NONE, 7));
    (void)write(session, {item(0, 0)});
    CHECK_FALSE(session.accept(code, 0));
    CHECK(write(session, {item(0, 0)}) ==
          Named{code == ErrorCode::FETCH_SESSION_ID_NOT_FOUND ? 0 : 7, 0, {0}, {}});
  }
}

TEST_CASE("without room for sessions, and in versions without them, everything is named every time") {
  FetchSession session;
  for (int i = 0; i < 3; ++i) {
    CHECK(write(session, {item(0, i), item(1, 0)}) == Named{0, 0, {0, 1}, {}});
    CHECK(session.accept(ErrorCode::NONE, 0));
  }
  FetchSession old;
  for (int i = 0; i < 3; ++i) {
    CHECK(write(old, {item(0, i)}, 6) == Named{0, -1, {0}, {}});
    CHECK(old.accept(ErrorCode::NONE, 0));
  }
}

TEST_CASE("a topic that was made anew is forgotten and named anew") {
  FetchSession session;
  (void)write(session, {item(0, 9)});
  CHECK(session.accept(ErrorCode::NONE, 7));
  CHECK(write(session, {item(0, 9, kNew)}) == Named{7, 1, {0}, {0}});
}

TEST_CASE("a session is ended by its id and the last epoch, once; one that the broker never gave is not") {
  FetchSession session;
  protocol::FetchRequest request;
  CHECK_FALSE(session.write_end(request));
  (void)write(session, {item(0, 0)});
  CHECK(session.accept(ErrorCode::NONE, 7));
  CHECK(session.write_end(request));
  CHECK(request.session_id == 7);
  CHECK(request.session_epoch == -1);
  CHECK(request.topics.empty());
  CHECK_FALSE(session.write_end(request));
  CHECK(write(session, {item(0, 0)}) == Named{0, 0, {0}, {}});
}

TEST_CASE("names and ids do not mix in one session") {
  FetchSession session;
  (void)write(session, {item(0, 0)}, 12);
  CHECK(session.accept(ErrorCode::NONE, 7));
  CHECK(write(session, {item(0, 0)}, 13) == Named{7, 0, {0}, {}});
}
