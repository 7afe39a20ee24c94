// The C++ client library as an application uses it, against the broker whose address is its argument.
// Includes nothing but the library's public headers, as C++20. Prints each check that fails; exit status 1 if
// any did.
#include <tidemark/admin.h>
#include <tidemark/consumer.h>
#include <tidemark/group_consumer.h>
#include <tidemark/producer.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <iostream>
#include <set>
#include <thread>

using namespace tidemark_client;

namespace {

int failures = 0;

void check(bool holds, const std::string& what) {
  if (holds) return;
  ++failures;
  std::cout << "FAILED: " << what << "\n";
}
void check(const Status& status, const std::string& what) {
  check(status.ok(), what + ": " + status.to_string());
}

// Genuine brokers learn of a change a moment after the controller has answered for it.
bool comes_true(const std::function<bool()>& what) {
  for (int i = 0; i < 500 && !what(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  return what();
}

Client client_of(Properties properties, const std::string& bootstrap) {
  properties["bootstrap.servers"] = bootstrap;
  auto client = Client::open(properties);
  check(client.status(), "open");
  return *client;
}

// `count` records of what is assigned, or fewer where an error or no record comes.
std::vector<Record> read(Consumer& consumer, size_t count, std::string* error = nullptr) {
  std::vector<Record> all;
  while (all.size() < count) {
    auto some = consumer.poll(std::chrono::seconds(10), count - all.size());
    if (!some && error != nullptr) *error = some.status().name;
    if (!some || some->empty()) break;
    for (Record& record : *some) all.push_back(std::move(record));
  }
  return all;
}

void test_settings() {
  const auto unknown = Client::open({{"bootstrap.servers", "a:1"}, {"linger.mss", "1"}});
  check(unknown.status().name == "INVALID_CONFIG" &&
            unknown.status().message.find("linger.ms") != std::string::npos,
        "an unknown setting is refused with the nearest one");
  check(!Client::open({}).ok(), "a client without brokers is refused");
  auto nobody = Client::open({{"bootstrap.servers", "127.0.0.1:1"}, {"default.api.timeout.ms", "2000"}});
  check(!Admin(*nobody).list_topics().ok(), "a cluster that is not there is an error");
}

void test_admin(const std::string& bootstrap) {
  Admin admin(client_of({}, bootstrap));
  check(admin.create_topic({.name = "admin", .partitions = 2, .configs = {{"retention.ms", "1000000"}}}),
        "create");
  check(admin.create_topic({.name = "admin"}).name == "TOPIC_ALREADY_EXISTS",
        "a second topic of the same name");
  check(admin.create_partitions("admin", 3), "grow");
  check(comes_true([&] {
          const auto topic = admin.describe_topic("admin");
          return topic.ok() && topic->partitions.size() == 3 && topic->partitions[2].leader >= 0;
        }),
        "describe");
  check(admin.describe_topic("never-was").status().name == "UNKNOWN_TOPIC_OR_PARTITION",
        "describe what is not there");
  auto configs = admin.topic_configs("admin");
  check(configs.ok() && configs->at("retention.ms") == "1000000", "configs");
  check(admin.alter_topic_configs("admin", {{"max.message.bytes", "5000"}}, {"retention.ms"}), "alter");
  check(comes_true([&] {
          configs = admin.topic_configs("admin");
          return configs.ok() && configs->at("retention.ms") == "604800000" &&
                 configs->at("max.message.bytes") == "5000";
        }),
        "altered configs");
  check(admin.alter_topic_configs("admin", {{"retention.ms", "soon"}}).name == "INVALID_CONFIG",
        "a wrong value");
  const auto cluster = admin.describe_cluster();
  check(cluster.ok() && cluster->brokers.size() == 1 && !cluster->id.empty(), "cluster");
  const auto names = admin.list_topics();
  check(names.ok() && std::set(names->begin(), names->end()).contains("admin"), "list");
  check(admin.delete_topic("admin"), "delete");
  check(admin.delete_topic("admin").name == "UNKNOWN_TOPIC_OR_PARTITION", "delete twice");
}

void test_groups(const std::string& bootstrap) {
  Admin admin(client_of({}, bootstrap));
  const auto none = admin.list_groups();
  if (none.status().name == "UNSUPPORTED_VERSION") {
    std::cout << "the broker has no groups: " << none.status().message << std::endl;
    return;
  }
  check(admin.create_topic({.name = "shared", .partitions = 2}), "create");
  check(comes_true([&] { return admin.offsets("shared", 1).ok(); }), "a topic to commit to");
  check(admin.describe_group("library").status().name == "GROUP_ID_NOT_FOUND", "a group that is not there");
  check(admin.group_offsets("library")->empty(), "offsets of a group that is not there");
  check(admin.commit_group_offsets("library", {{{"shared", 0}, 4}, {{"shared", 1}, 5}}), "commit");
  auto offsets = admin.group_offsets("library");
  check(offsets.ok() && *offsets == GroupOffsets{{{"shared", 0}, 4}, {{"shared", 1}, 5}}, "committed");
  const auto group = admin.describe_group("library");
  check(group.ok() && group->group.state == "Empty" && group->members.empty() && group->coordinator >= 0,
        "describe the group");
  const auto groups = admin.list_groups();
  check(groups.ok() && std::any_of(groups->begin(), groups->end(),
                                   [](const Group& each) { return each.id == "library"; }),
        "list");
  check(admin.delete_group_offsets("library", "shared", {1}), "delete offsets");
  offsets = admin.group_offsets("library");
  check(offsets.ok() && *offsets == GroupOffsets{{{"shared", 0}, 4}}, "what is left");
  check(admin.delete_group("library"), "delete");
  check(admin.delete_group("library").name == "GROUP_ID_NOT_FOUND", "delete twice");
  check(admin.delete_topic("shared"), "delete the topic");
}

void test_round_trip(const std::string& bootstrap) {
  const Client client = client_of({{"compression.type", "lz4"}, {"linger.ms", "1"}}, bootstrap);
  Admin admin(client);
  check(admin.create_topic({.name = "round", .partitions = 3}), "create");
  Producer producer(client);
  constexpr int kRecords = 20'000;
  std::atomic<int> delivered = 0;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 2; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 0; i < kRecords / 2; ++i) {
        producer.send(
            {.topic = "round", .value = std::to_string(thread) + " " + std::to_string(i), .partition = i % 3},
            [&](const Delivery& delivery) {
              if (delivery.status.ok() && delivery.offset >= 0) ++delivered;
            });
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  producer.flush();
  check(delivered == kRecords, "delivered " + std::to_string(delivered));

  Consumer consumer(client);
  for (int p = 0; p < 3; ++p) consumer.assign("round", p, Start::earliest());
  const auto records = read(consumer, kRecords);
  check(records.size() == kRecords, "read back " + std::to_string(records.size()));
  std::map<std::pair<int32_t, char>, int> last;  // by partition and thread: in the order sent
  std::map<int32_t, int64_t> next;
  std::set<std::string> values;
  for (const Record& record : records) {
    values.insert(*record.value);
    check(record.offset == next[*record.partition]++, "an offset out of place");
    const int number = std::stoi(record.value->substr(2));
    const auto key = std::pair(*record.partition, record.value->front());
    check(!last.contains(key) || last[key] < number, "out of order: " + *record.value);
    last[key] = number;
  }
  check(values.size() == kRecords, "each record once");
}

void test_a_record_whole(const std::string& bootstrap) {
  const Client client = client_of({}, bootstrap);
  check(Admin(client).create_topic({.name = "whole", .partitions = 1}), "create");
  Producer producer(client);
  const std::string bytes("\0\xff nul and more", 15);
  const Record sent{.topic = "whole",
                    .key = bytes,
                    .headers = {{"a", "1"}, {"a", std::nullopt}},
                    .partition = 0,
                    .timestamp_ms = 1'700'000'000'123};
  const Delivery delivery = producer.deliver(sent);
  check(delivery.status, "deliver");
  check(delivery.offset == 0 && delivery.partition == 0 && delivery.topic == "whole", "where it is");
  Consumer consumer(client);
  consumer.assign("whole", 0, Start::at(0));
  const auto records = read(consumer, 1);
  check(records.size() == 1, "it comes back");
  if (records.empty()) return;
  const Record& got = records.front();
  check(got.key == sent.key && !got.value && got.headers == sent.headers &&
            got.timestamp_ms == sent.timestamp_ms,
        "it is the same");
  check(producer.deliver({.topic = "whole", .value = std::string(2'000'000, 'x')}).status.name ==
            "MESSAGE_TOO_LARGE",
        "a record that is too large");
  check(producer.deliver({.topic = "whole", .value = "x", .partition = 9}).status.name ==
            "UNKNOWN_TOPIC_OR_PARTITION",
        "a partition that is not there");
}

void test_positions(const std::string& bootstrap) {
  const Client client = client_of({}, bootstrap);
  Admin admin(client);
  check(admin.create_topic({.name = "places", .partitions = 1}), "create");
  Producer producer(client);
  for (int i = 0; i < 10; ++i) {
    check(producer
              .deliver({.topic = "places", .value = std::to_string(i), .timestamp_ms = 1'700'000'000'000 + i})
              .status,
          "deliver");
  }
  const auto removed = admin.delete_records("places", 0, 4);
  check(removed.ok() && *removed == 4, "delete records");
  const auto offsets = admin.offsets("places", 0);
  check(offsets.ok() && offsets->first == 4 && offsets->next == 10, "offsets");

  const auto first_value = [&](const Client& of, Start start, std::string* error = nullptr) {
    Consumer consumer(of);
    consumer.assign("places", 0, start);
    const auto records = read(consumer, 1, error);
    return records.empty() ? std::string("nothing") : *records.front().value;
  };
  check(first_value(client, Start::earliest()) == "4", "from the start");
  check(first_value(client, Start::at(7)) == "7", "from an offset");
  check(first_value(client, Start::at_time(1'700'000'000'006)) == "6", "from a time");
  std::string error;
  first_value(client, Start::at(1), &error);
  check(error == "OFFSET_OUT_OF_RANGE", "an offset that is gone is an error: " + error);
  check(first_value(client_of({{"auto.offset.reset", "earliest"}}, bootstrap), Start::at(1)) == "4",
        "... or the start, if the policy says so");

  Consumer latest(client_of({{"auto.offset.reset", "latest"}}, bootstrap));
  latest.assign("places", 0, Start::at(99));
  const auto nothing = latest.poll(std::chrono::milliseconds(500));
  check(nothing.ok() && nothing->empty(), "... or the end");
  check(producer.deliver({.topic = "places", .value = "late"}).status, "deliver");
  const auto late = read(latest, 1);
  check(late.size() == 1 && late.front().value == "late", "what comes then is read");
  latest.unassign("places", 0);
  check(producer.deliver({.topic = "places", .value = "later"}).status, "deliver");
  const auto none = latest.poll(std::chrono::milliseconds(300));
  check(none.ok() && none->empty(), "what is not assigned is not read");
}

void test_a_topic_made_anew(const std::string& bootstrap) {
  // Of its own: a client that produces to a topic asks for its creation.
  const Client reader = client_of({{"auto.offset.reset", "earliest"}}, bootstrap);
  Admin admin(reader);
  Producer producer(client_of({}, bootstrap));
  check(admin.create_topic({.name = "anew", .partitions = 1}), "create");
  for (int i = 0; i < 3; ++i) check(producer.deliver({.topic = "anew", .value = "old"}).status, "deliver");
  Consumer consumer(reader);
  consumer.assign("anew", 0, Start::earliest());
  check(read(consumer, 3).size() == 3, "the old one is read");
  check(admin.delete_topic("anew"), "delete");
  check(admin.create_topic({.name = "anew", .partitions = 1}), "create again");
  Producer second(client_of({}, bootstrap));
  check(second.deliver({.topic = "anew", .value = "new"}).status, "deliver");
  const auto records = read(consumer, 1);
  check(records.size() == 1 && records.front().value == "new" && records.front().offset == 0,
        "the new one is read from its start");
}

// Reads 20 records, waits for a line while somebody takes the last ten off the log, and reads on.
int read_a_log_that_is_cut(const std::string& bootstrap, const std::string& topic,
                           const std::string& policy) {
  const Client client = client_of({{"auto.offset.reset", policy}}, bootstrap);
  Consumer consumer(client, [](const Truncation& truncation) {
    std::cout << "truncated: " << truncation.topic << "-" << truncation.partition << " was read up to "
              << truncation.position << ", diverged at " << truncation.diverged.value_or(-1) << std::endl;
  });
  consumer.assign(topic, 0, Start::earliest());
  const auto all = read(consumer, 20);
  check(all.size() == 20 && all.back().leader_epoch > all.front().leader_epoch, "20 records of two epochs");
  std::cout << "read" << std::endl;
  std::string line;
  std::getline(std::cin, line);
  std::string error;
  const auto more = read(consumer, 1, &error);
  std::cout << (more.empty() ? error : *more[0].value + " at " + std::to_string(more[0].offset)) << std::endl;
  return failures == 0 ? 0 : 1;
}

void test_group(const std::string& bootstrap) {
  const std::string topic = "grouped";
  Client admin = client_of({}, bootstrap);
  check(Admin(admin).create_topic({.name = topic, .partitions = 2}), "create a topic for a group");
  check(comes_true([&] { return Admin(admin).describe_topic(topic).ok(); }), "it is there");
  Producer producer(admin);
  for (int32_t i = 0; i < 20; ++i)
    producer.send({.topic = topic, .value = std::to_string(i), .partition = i % 2}, {});
  producer.flush();

  const Properties settings{{"group.id", "library"},
                            {"auto.offset.reset", "earliest"},
                            {"session.timeout.ms", "6000"},
                            {"heartbeat.interval.ms", "300"},
                            {"enable.auto.commit", "false"}};
  Client client = client_of(settings, bootstrap);
  std::set<PartitionPlace> owned;
  int revoked = 0;
  GroupConsumer first(client, {topic},
                      {.on_assigned = [&](const auto& places) { owned.insert(places.begin(), places.end()); },
                       .on_revoked =
                           [&](const auto& places) {
                             ++revoked;
                             for (const auto& place : places) owned.erase(place);
                             check(first.commit(), "commit what was read before it is given up");
                           }});
  const auto read_all = [](GroupConsumer& consumer, size_t count, size_t at_most) {
    std::vector<Record> all;
    for (int tries = 0; all.size() < count && tries < 100; ++tries) {
      auto some = consumer.poll(std::chrono::milliseconds(200), std::min(at_most, count - all.size()));
      check(some.status(), "poll as a member");
      for (Record& record : *some) all.push_back(std::move(record));
    }
    return all;
  };
  check(read_all(first, 7, 3).size() == 7, "a member reads what it is assigned");
  check(owned.size() == 2 && first.assignment().size() == 2, "it is told of its partitions");
  check(Admin(admin).group_offsets("library")->empty(), "nothing is committed by itself");
  check(first.commit(), "commit");
  int64_t committed = 0;
  const auto offsets = Admin(admin).group_offsets("library");
  for (const auto& [place, offset] : *offsets) committed += offset;
  check(committed == 7, "what was returned is committed");

  // A second one comes: each has a partition, and goes on where the first was.
  {
    Client another = client_of(settings, bootstrap);
    GroupConsumer second(another, {topic});
    std::vector<Record> rest;
    for (int tries = 0; rest.size() < 13 && tries < 300; ++tries) {
      for (GroupConsumer* each : {&first, &second}) {
        auto some = each->poll(std::chrono::milliseconds(30));
        check(some.status(), "poll as one of two");
        for (Record& record : *some) rest.push_back(std::move(record));
      }
    }
    for (int tries = 0; (owned.size() != 1 || second.assignment().size() != 1) && tries < 300; ++tries) {
      (void)first.poll(std::chrono::milliseconds(30));
      (void)second.poll(std::chrono::milliseconds(30));
    }
    std::set<std::string> values;
    for (const Record& record : rest) values.insert(*record.value);
    check(rest.size() == 13 && values.size() == 13, "two members read the rest once");
    check(owned.size() == 1 && second.assignment().size() == 1 && revoked == 1, "each has a partition");
    check(second.commit({{{topic, 0}, 4}, {{topic, 1}, 4}}), "commit offsets that are named");
  }
  check(Admin(admin).group_offsets("library")->at({topic, 0}) == 4, "they are committed");
  for (int tries = 0; owned.size() != 2 && tries < 300; ++tries)
    (void)first.poll(std::chrono::milliseconds(30), 1);
  check(owned.size() == 2, "who is left has everything");
  first.seek(topic, 0, Start::at(9));
  const auto last = read_all(first, 1, 1);
  check(!last.empty(), "it reads on");
  first.close(std::chrono::seconds(5));
  check(first.poll(std::chrono::milliseconds(1)).status().name == "NETWORK_EXCEPTION", "closed is closed");
  check(Admin(admin).describe_group("library")->group.state == "Empty", "it has left");

  Client nowhere = client_of({{"group.id", "nowhere"}, {"auto.offset.reset", "none"}}, bootstrap);
  GroupConsumer lost(nowhere, {topic});
  Status told;
  for (int tries = 0; told.ok() && tries < 100; ++tries)
    told = lost.poll(std::chrono::milliseconds(200)).status();
  check(told.name == "OFFSET_OUT_OF_RANGE", "without a place to begin it says so: " + told.to_string());
  lost.seek(topic, 0, Start::earliest());
  check(read_all(lost, 10, 10).size() == 10, "and begins where it is told");

  Client unnamed = client_of({}, bootstrap);
  GroupConsumer none(unnamed, {topic});
  check(none.poll(std::chrono::milliseconds(1)).status().name == "INVALID_GROUP_ID",
        "without group.id there is no group");
}

}  // namespace

int main(int count, char** argv) {
  const std::string bootstrap = argv[1];
  if (count == 4) return read_a_log_that_is_cut(bootstrap, argv[2], argv[3]);
  test_settings();
  test_admin(bootstrap);
  test_groups(bootstrap);
  test_round_trip(bootstrap);
  test_a_record_whole(bootstrap);
  test_positions(bootstrap);
  test_a_topic_made_anew(bootstrap);
  test_group(bootstrap);
  std::cout << (failures == 0 ? "all good" : "failed") << std::endl;
  return failures == 0 ? 0 : 1;
}
