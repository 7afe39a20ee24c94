// `tidemark group`: what people type, where offsets go, how groups are shown.
#include <catch2/catch.hpp>

#include "client/cli/group_choice.h"
#include "client/cli/group_view.h"
#include "client/cli/reset_plan.h"
#include "client/cli/timestamp.h"

using namespace tidemark;
using namespace tidemark::cli;

namespace {

using Kind = ResetTarget::Kind;

const TopicPartition kFirst{"tides", PartitionId(0)};
const TopicPartition kSecond{"tides", PartitionId(1)};

// The first has the records 10 to 99 and is committed at 50, the second has none and is not.
ResetFacts facts() {
  ResetFacts facts;
  facts.committed = {{kFirst, Offset(50)}};
  facts.start = {{kFirst, Offset(10)}, {kSecond, Offset(0)}};
  facts.end = {{kFirst, Offset(100)}, {kSecond, Offset(0)}};
  return facts;
}

// "50>10", with "!" where there is a warning; or the error.
std::string planned(ResetTarget target, const TopicPartition& tp = kFirst,
                    const ResetFacts& known = facts()) {
  const auto plan = plan_reset(target, {tp}, known);
  if (!plan) return plan.error().message();
  const PlannedOffset& one = plan->at(tp);
  return fmt::format("{}>{}{}", one.committed ? fmt::format("{}", *one.committed) : "-", one.offset,
                     one.warning ? "!" : "");
}

Result<ResetTarget> target_of(const std::function<void(GroupReset&)>& set) {
  GroupReset command;
  set(command);
  return parse_reset_target(command);
}

}  // namespace

TEST_CASE("where a reset puts offsets, held within the log") {
  CHECK(planned({Kind::earliest}) == "50>10");
  CHECK(planned({Kind::latest}) == "50>100");
  CHECK(planned({Kind::offset, 70}) == "50>70");
  CHECK(planned({Kind::offset, 100}) == "50>100");
  CHECK(planned({Kind::offset, 101}) == "50>100!");
  CHECK(planned({Kind::offset, 9}) == "50>10!");
  CHECK(planned({Kind::shift, -20}) == "50>30");
  CHECK(planned({Kind::shift, -90}) == "50>10!");
  CHECK(planned({Kind::shift, INT64_MAX}) == "50>100!");
  CHECK(planned({Kind::shift, 1}, kSecond) == "tides-1 has no committed offset to shift");
  CHECK(planned({Kind::current}) == "50>50");
  CHECK(planned({Kind::current}, kSecond) == "->0!");
}

TEST_CASE("a reset to a time goes to the log's end where no record is as young") {
  ResetFacts known = facts();
  known.at_time = {{kFirst, Offset(42)}, {kSecond, kNoOffset}};
  CHECK(planned({Kind::time, 1}, kFirst, known) == "50>42");
  CHECK(planned({Kind::duration, 1}, kSecond, known) == "->0!");
}

TEST_CASE("a reset from a file") {
  const auto read = parse_offsets_csv("tides,0,70\r\n\n\"readers\",\"tides\",1,5\n", "readers");
  REQUIRE(read);
  ResetFacts known = facts();
  known.file = *read;
  CHECK(planned({Kind::file}, kFirst, known) == "50>70");
  CHECK(planned({Kind::file}, kSecond, known) == "->0!");
  const auto why = [](std::string_view text) { return parse_offsets_csv(text, "readers").error().message(); };
  CHECK(why("tides,0") == "line 1: 'tides,0' is not topic,partition,offset");
  CHECK(why("tides,0,1\ntides,0,2") == "line 2: tides-0 for the second time");
  CHECK(why("others,tides,0,1") == "line 1: an offset of group others, not of readers");
  CHECK(why("tides,0,-1") == "line 1: 'tides,0,-1' is not topic,partition,offset");
  CHECK(why("\n") == "no line with topic,partition,offset");
}

TEST_CASE("a reset is told exactly one target") {
  CHECK(target_of([](GroupReset& c) { c.to_earliest = true; })->kind == Kind::earliest);
  CHECK(target_of([](GroupReset& c) { c.shift_by = -5; })->value == -5);
  CHECK(target_of([](GroupReset& c) { c.by_duration = "PT1M"; })->value == 60'000);
  CHECK(target_of([](GroupReset& c) { c.to_datetime = "1970-01-01T00:00:01Z"; })->value == 1'000);
  CHECK(target_of([](GroupReset& c) { c.to = "@1970-01-01T00:00:01Z"; })->kind == Kind::time);
  CHECK(target_of([](GroupReset& c) { c.to = "end"; })->kind == Kind::latest);
  CHECK(target_of([](GroupReset& c) { c.to = "7"; })->value == 7);
  CHECK_FALSE(target_of([](GroupReset& c) { c.to = "ende"; }));
  CHECK_FALSE(target_of([](GroupReset&) {}));
  CHECK_FALSE(target_of([](GroupReset& c) {
    c.to_latest = true;
    c.to_offset = 0;
  }));
}

TEST_CASE("durations as Java writes them") {
  CHECK(*parse_duration("PT0S") == 0);
  CHECK(*parse_duration("P7D") == 7 * 86'400'000);
  CHECK(*parse_duration("P1DT2H3M4.5S") == 93'784'500);
  CHECK(*parse_duration("PT90M") == 5'400'000);
  for (const char* bad : {"", "P", "PT", "P1", "1D", "P1DT", "PT-1S", "PT1D", "P1H", "PT1S2", "PT1M1H",
                          "P99999999999999D", "PT.5S", "PT1.S"}) {
    INFO(bad);
    CHECK_FALSE(parse_duration(bad));
  }
}

TEST_CASE("partitions of a topic are listed behind a colon") {
  CHECK(parse_topic_choice("tides")->partitions.empty());
  CHECK(parse_topic_choice("tides:0,12")->partitions == std::vector<int32_t>{0, 12});
  for (const char* bad : {"", ":1", "tides:", "tides:1,", "tides:x", "tides:-1"})
    CHECK_FALSE(parse_topic_choice(bad));
}

TEST_CASE("a group that is in use is refused with who uses it") {
  client::GroupDescription group;
  group.id = "readers";
  group.state = "Stable";
  group.members = {{"m", {}, "a", "/10.0.0.1", {}}};
  CHECK(still_active(group).message() ==
        "readers is Stable and has 1 member (a at /10.0.0.1): stop it first");
  group.members.resize(5, group.members.front());
  CHECK(
      still_active(group).message() ==
      "readers is Stable and has 5 members (a at /10.0.0.1, a at /10.0.0.1, a at /10.0.0.1, ...): stop them "
      "first");
}

TEST_CASE("how a group is shown") {
  GroupReport report;
  report.group.id = "readers";
  report.group.type = "classic";
  report.group.state = "Stable";
  report.group.protocol_type = "consumer";
  report.group.protocol = "range";
  report.group.coordinator = {BrokerId(1), {"h", 9092}, {}};
  report.group.members = {{"m-1", "one", "app", "/10.0.0.1", {kFirst, kSecond}},
                          {"m-2", {}, "app", "/10.0.0.2", {}}};
  const TopicPartition gone{"gone", PartitionId(0)};
  report.committed.emplace(kFirst, client::CommittedOffset{Offset(50), LeaderEpoch(2), "note"});
  report.committed.emplace(gone, client::CommittedOffset{Offset(3), LeaderEpoch(0), ""});
  report.ends = {{kFirst, Offset(100)}, {kSecond, Offset(7)}};
  report.first_unread_ms = {{kFirst, 1'767'322'800'001}};
  report.now_ms = 1'767'322'812'000;

  CHECK(
      group_document(report).json() ==
      R"({"group":"readers","type":"classic","state":"Stable","protocol_type":"consumer","protocol":"range",)"
      R"("coordinator":{"id":1,"host":"h","port":9092},"total_lag":50,)"
      R"("max_lag_seconds":12,"members":[)"
      R"({"member_id":"m-1","instance_id":"one","client_id":"app","host":"/10.0.0.1",)"
      R"("assignment":[{"topic":"tides","partitions":[0,1]}]},)"
      R"({"member_id":"m-2","instance_id":null,"client_id":"app","host":"/10.0.0.2","assignment":[]}],)"
      R"("partitions":[)"
      R"({"topic":"gone","partition":0,"committed_offset":3,"end_offset":null,"lag":null,"lag_seconds":null,)"
      R"("member_id":null,"client_id":null,"host":null,"metadata":null},)"
      R"({"topic":"tides","partition":0,"committed_offset":50,"end_offset":100,"lag":50,"lag_seconds":12,)"
      R"("member_id":"m-1","client_id":"app","host":"/10.0.0.1","metadata":"note"},)"
      R"({"topic":"tides","partition":1,"committed_offset":null,"end_offset":7,"lag":null,"lag_seconds":null,)"
      R"("member_id":"m-1","client_id":"app","host":"/10.0.0.1","metadata":null}],)"
      R"("rebalance_loop":null,"rebalances":null})");
  CHECK(
      group_row(report).json() ==
      R"({"group":"readers","type":"classic","state":"Stable","protocol_type":"consumer","protocol":"range",)"
      R"-("coordinator":"1 (h:9092)","members":2,"partitions":3,"total_lag":50,)-"
      R"-("max_lag_seconds":12})-");
  Value::List members;
  add_member_rows(report, members);
  REQUIRE(members.size() == 2);
  CHECK(members[0].fields()->back().second.cell() == "tides:0,1");
  CHECK(members[1].fields()->back().second.cell() == "-");
  Value::List lags;
  add_lag_rows(report, true, lags);
  REQUIRE(lags.size() == 4);
  CHECK(lags[2].json() ==
        R"({"group":"readers","topic":"tides","partition":1,"committed_offset":null,"end_offset":7,)"
        R"("lag":null,"lag_seconds":null,"member_id":"m-1","client_id":"app","host":"/10.0.0.1"})");
  CHECK(lags[3].json() ==
        R"({"group":"readers","topic":"total","partition":null,"committed_offset":null,"end_offset":null,)"
        R"("lag":50,"lag_seconds":12,"member_id":null,"client_id":null,"host":null})");
}

TEST_CASE("a group without offsets has no total") {
  GroupReport report;
  report.group.state = "Empty";
  CHECK(group_row(report).fields()->back().second.cell() == "-");
}

TEST_CASE("what is past its end does not make up for another partition's lag, and is no age") {
  GroupReport report;
  report.committed.emplace(kFirst, client::CommittedOffset{Offset(50), LeaderEpoch(0), ""});
  report.committed.emplace(kSecond, client::CommittedOffset{Offset(90), LeaderEpoch(0), ""});
  report.ends = {{kFirst, Offset(60)}, {kSecond, Offset(7)}};
  Value::List lags;
  add_lag_rows(report, true, lags);
  REQUIRE(lags.size() == 3);
  const auto cell = [&](size_t row, std::string_view name) {
    for (const auto& [field, value] : *lags[row].fields())
      if (field == name) return value.cell();
    return std::string("no such field");
  };
  CHECK(cell(0, "lag") == "10");
  CHECK(cell(0, "lag_seconds") == "-");  // nobody could tell
  CHECK(cell(1, "lag") == "-83");
  CHECK(cell(1, "lag_seconds") == "0");
  CHECK(cell(2, "lag") == "10");
  // A clock that is behind the producer's.
  report.first_unread_ms = {{kFirst, 1'000'000}};
  report.now_ms = 5'000;
  lags.clear();
  add_lag_rows(report, false, lags);
  CHECK(cell(0, "lag_seconds") == "0");
}

TEST_CASE("how the history of a group's rebalances is shown") {
  GroupReport report;
  report.group.id = "readers";
  Value::List rows;
  add_rebalance_rows(report, rows);
  CHECK(rows.empty());
  CHECK_FALSE(loop_note(report));
  auto& all = report.group.rebalances.emplace();
  CHECK(group_document(report).json().find(R"("rebalance_loop":null,"rebalances":[]})") != std::string::npos);

  client::GroupRebalance one;
  one.cause = "timeout";
  one.reason = "member m-3 was not heard of for its session timeout";
  one.outcome = "stable";
  one.started_ms = 1'767'322'800'123;
  one.joining_ms = 3'000;
  one.assigning_ms = 40;
  one.generation = 7;
  one.members = 2;
  one.changes = {{"timed out", 6, {"m-3", "m-4"}}};
  all.recent.push_back(one);
  one.outcome = "running";
  one.generation = -1;
  all.recent.push_back(one);
  add_rebalance_rows(report, rows);
  REQUIRE(rows.size() == 2);
  CHECK(rows[0].json() ==
        R"({"group":"readers","started":"2026-01-02T03:00:00.123Z","outcome":"stable","cause":"timeout",)"
        R"("generation":7,"members":2,"joining_ms":3000,"assigning_ms":40,"joined":null,"left":null,)"
        R"("timed_out":"6: m-3, m-4, ...","reason":"member m-3 was not heard of for its session timeout"})");
  CHECK(rows[1].json().find(R"("generation":null)") != std::string::npos);
  CHECK_FALSE(loop_note(report));

  all.loop_rebalances = 5;
  all.loop_since_ms = 1'767'322'800'000;
  CHECK(loop_note(report) ==
        "readers goes on rebalancing: 5 times in a row since 2026-01-02T03:00:00.000Z; the last time: member "
        "m-3 "
        "was not heard of for its session timeout");
  CHECK(group_document(report).json().find(
            R"("rebalance_loop":{"rebalances":5,"since":"2026-01-02T03:00:00.000Z"})") != std::string::npos);
}
