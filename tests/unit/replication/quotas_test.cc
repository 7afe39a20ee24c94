// Client quotas: what genuine Kafka (4.3.1) was seen to answer.
#include "replication/controller/quotas.h"

#include <fmt/format.h>
#include <catch2/catch.hpp>

#include <limits>

#include "replication/controller/address.h"
#include "world.h"

namespace tidemark::replication::testing {

namespace {

const QuotaEntity kBob{{"user", "bob"}};

QuotaAlteration set(QuotaEntity entity, std::string key, double value) {
  return {std::move(entity), {{std::move(key), value}}};
}

std::string words_of(const ApiError& error) {
  return fmt::format("{}{}{}", error_name(error.code), error.message ? ": " : "", error.message.value_or(""));
}

struct Quotas : ClusterOfOne {
  std::vector<AlteredQuota> alter(std::vector<QuotaAlteration> alterations, bool validate_only = false) {
    return commit(controller().alter_client_quotas(alterations, validate_only));
  }
  std::string alter_one(QuotaAlteration alteration) {
    return words_of(alter({std::move(alteration)}).at(0).error);
  }
  // "user=bob: producer_byte_rate=5; ..."
  std::string described(const QuotaFilter& filter = {}) const {
    const auto found = describe_client_quotas(image(), filter);
    if (!found) return fmt::format("{}: {}", error_name(found.error().code()), found.error().message());
    std::string text;
    for (const auto& [entity, quotas] : *found) {
      text += text.empty() ? "" : "; ";
      for (const auto& [type, name] : entity) text += fmt::format("{}={} ", type, name.value_or("null"));
      for (const auto& [key, value] : *quotas) text += fmt::format("{}={} ", key, value);
      text.pop_back();
    }
    return text;
  }
  // How many records a change writes.
  size_t records(QuotaAlteration alteration) {
    const std::vector<QuotaAlteration> one{std::move(alteration)};
    auto decision = controller().alter_client_quotas(one, false);
    const size_t count = decision.records.size();
    commit(std::move(decision));
    return count;
  }
};

constexpr int8_t kExact = 0, kDefault = 1, kAny = 2;

}  // namespace

TEST_CASE("quotas are set, changed and removed, and only what changes is written") {
  Quotas world;
  CHECK(world.records(set(kBob, "producer_byte_rate", 5)) == 1);
  CHECK(world.records(set(kBob, "producer_byte_rate", 5)) == 0);
  CHECK(world.records({kBob, {{"producer_byte_rate", 6.0}, {"request_percentage", 1.5}}}) == 2);
  CHECK(world.described() == "user=bob producer_byte_rate=6 request_percentage=1.5");
  CHECK(world.records({kBob, {{"producer_byte_rate", std::nullopt}, {"consumer_byte_rate", std::nullopt}}}) ==
        1);
  CHECK(world.described() == "user=bob request_percentage=1.5");
  CHECK(world.records({kBob, {{"nonsense", std::nullopt}}}) == 0);
  CHECK(world.records({kBob, {{"request_percentage", std::nullopt}}}) == 1);
  CHECK(world.image().quotas.empty());
}

TEST_CASE("a change that is only to be validated changes nothing") {
  Quotas world;
  CHECK(world.alter({set(kBob, "producer_byte_rate", 5)}, true).at(0).error.ok());
  CHECK(world.described().empty());
  CHECK_FALSE(world.alter({set(kBob, "nonsense", 5)}, true).at(0).error.ok());
}

TEST_CASE("entities that cannot be") {
  Quotas world;
  const auto said = [&](QuotaEntity entity, std::string key = "producer_byte_rate") {
    return world.alter_one(set(std::move(entity), std::move(key), 5));
  };
  CHECK(said({}) == "INVALID_REQUEST: Invalid empty client quota entity");
  CHECK(said({{"user", ""}}) == "INVALID_REQUEST: Empty user not supported");
  CHECK(said({{"client-id", ""}}) == "INVALID_REQUEST: Empty client-id not supported");
  CHECK(said({{"team", "a"}}) == "INVALID_REQUEST: Unhandled client quota entity type: team");
  CHECK(said({{"ip", "1.2.3.4"}, {"user", "bob"}}) ==
        "INVALID_REQUEST: Invalid quota entity combination, IP entity shouldnot be combined with User or "
        "ClientId");
  CHECK(said({{"ip", "300.1.1.1"}}) == "INVALID_REQUEST: 300.1.1.1 is not a valid IP or resolvable host.");
  CHECK(said({{"ip", "::1"}}, "connection_creation_rate") == "NONE");
  CHECK(said({{"ip", std::nullopt}}, "connection_creation_rate") == "NONE");
  CHECK(said({{"user", std::nullopt}, {"client-id", "x"}}) == "NONE");
}

TEST_CASE("quotas that cannot be") {
  Quotas world;
  const auto said = [&](std::string key, double value) {
    return world.alter_one(set(kBob, std::move(key), value));
  };
  const auto of_ip = [&](std::string key, double value) {
    return world.alter_one(set({{"ip", "1.2.3.4"}}, std::move(key), value));
  };
  CHECK(said("nonsense", 5) == "INVALID_REQUEST: Invalid configuration key nonsense");
  CHECK(said("connection_creation_rate", 5) ==
        "INVALID_REQUEST: Invalid configuration key connection_creation_rate");
  CHECK(of_ip("producer_byte_rate", 5) == "INVALID_REQUEST: Invalid configuration key producer_byte_rate");
  CHECK(said("producer_byte_rate", 0) == "INVALID_REQUEST: Quota producer_byte_rate must be greater than 0");
  CHECK(said("request_percentage", -1) == "INVALID_REQUEST: Quota request_percentage must be greater than 0");
  CHECK(said("producer_byte_rate", 1.5) ==
        "INVALID_REQUEST: producer_byte_rate cannot be a fractional value.");
  CHECK(said("producer_byte_rate", 1e30) ==
        "INVALID_REQUEST: Proposed value for producer_byte_rate is too large for a LONG.");
  CHECK(of_ip("connection_creation_rate", 2147483648.0) ==
        "INVALID_REQUEST: Proposed value for connection_creation_rate is too large for an INT.");
  CHECK(said("request_percentage", 1.5) == "NONE");
  CHECK(said("request_percentage", std::numeric_limits<double>::infinity()) == "NONE");
  // Kafka takes it, and has no limit then.
  CHECK(said("producer_byte_rate", std::numeric_limits<double>::quiet_NaN()) ==
        "INVALID_REQUEST: Quota producer_byte_rate must be greater than 0");
}

TEST_CASE("one bad quota of an entity keeps back its others") {
  Quotas world;
  CHECK(world.alter_one({kBob, {{"producer_byte_rate", 1.0}, {"zz", 2.0}}}) ==
        "INVALID_REQUEST: Invalid configuration key zz");
  CHECK(world.described().empty());
}

TEST_CASE("an entity that is named twice is told so, and has what was asked for first") {
  Quotas world;
  const QuotaEntity pair{{"user", "twice"}, {"client-id", std::nullopt}};
  const auto answers = world.alter({set(pair, "producer_byte_rate", 11), set(kBob, "producer_byte_rate", 1),
                                    set(pair, "producer_byte_rate", 12)});
  REQUIRE(answers.size() == 2);
  CHECK(words_of(answers[0].error) ==
        "INVALID_REQUEST: Ignoring duplicate entity ClientQuotaEntity(entries={client-id=null, user=twice})");
  CHECK(answers[1].error.ok());
  CHECK(world.described() ==
        "client-id=null user=twice producer_byte_rate=11; user=bob producer_byte_rate=1");
}

TEST_CASE("a key that is named twice changes nothing") {
  Quotas world;
  CHECK(world.alter_one({kBob, {{"producer_byte_rate", 1.0}, {"producer_byte_rate", 2.0}}}) ==
        "INVALID_REQUEST: Ignoring duplicate entity ClientQuotaEntity(entries={user=bob})");
  CHECK(world.described().empty());
}

TEST_CASE("more changes than a batch of the metadata log takes are refused together") {
  Quotas world;
  std::vector<QuotaAlteration> many;
  for (size_t i = 0; i <= kMaxQuotaRecords + 1; ++i)
    many.push_back(set({{"user", std::to_string(i)}}, "producer_byte_rate", 1));
  const auto answers = world.alter(many);
  REQUIRE(answers.size() == many.size());
  CHECK(words_of(answers.back().error) ==
        "POLICY_VIOLATION: Request parameters do not satisfy the configured policy.");
  CHECK(world.image().quotas.empty());
  many.resize(kMaxQuotaRecords);
  CHECK(world.alter(many).back().error.ok());
  CHECK(world.image().quotas.size() == kMaxQuotaRecords);
}

TEST_CASE("what a filter lets through") {
  Quotas world;
  const std::vector<QuotaEntity> all{{{"user", "a"}},
                                     {{"user", std::nullopt}},
                                     {{"client-id", "x"}},
                                     {{"user", "a"}, {"client-id", "x"}},
                                     {{"user", "a"}, {"client-id", std::nullopt}}};
  for (const QuotaEntity& entity : all) world.alter({set(entity, "producer_byte_rate", 1)});
  world.alter({set({{"ip", "10.0.0.1"}}, "connection_creation_rate", 1)});
  const auto entities = [&](std::vector<QuotaFilterPart> parts, bool strict = false) {
    std::string text;
    const auto found = describe_client_quotas(world.image(), {std::move(parts), strict});
    for (const auto& [entity, quotas] : *found) {
      text += text.empty() ? "" : " ";
      for (const auto& [type, name] : entity) text += fmt::format("{}:{},", type, name.value_or("-"));
    }
    return text;
  };
  CHECK(entities({}, true).empty());
  CHECK(describe_client_quotas(world.image(), {})->size() == 6);
  CHECK(entities({{"user", kExact, "a"}}) == "client-id:-,user:a, client-id:x,user:a, user:a,");
  CHECK(entities({{"user", kExact, "a"}}, true) == "user:a,");
  CHECK(entities({{"user", kDefault, std::nullopt}}) == "user:-,");
  CHECK(entities({{"user", kAny, std::nullopt}}, true) == "user:-, user:a,");
  CHECK(entities({{"user", kAny, std::nullopt}, {"client-id", kAny, std::nullopt}}) ==
        "client-id:-,user:a, client-id:x,user:a,");
  CHECK(entities({{"user", kExact, "a"}, {"client-id", kDefault, std::nullopt}}) == "client-id:-,user:a,");
  CHECK(entities({{"ip", kAny, std::nullopt}}) == "ip:10.0.0.1,");
  CHECK(entities({{"ip", kExact, "nonsense host"}}).empty());
}

TEST_CASE("filters that cannot be") {
  Quotas world;
  const auto said = [&](std::vector<QuotaFilterPart> parts) {
    return world.described({std::move(parts), false});
  };
  CHECK(said({{"", kAny, std::nullopt}}) == "INVALID_REQUEST: Invalid empty entity type.");
  CHECK(said({{"team", kAny, std::nullopt}}) == "UNSUPPORTED_VERSION: Unsupported entity type team");
  CHECK(said({{"user", 7, std::nullopt}}) == "INVALID_REQUEST: Unknown match type 7");
  CHECK(said({{"user", kExact, std::nullopt}}) ==
        "INVALID_REQUEST: Request specified MATCH_TYPE_EXACT, but set match string to null.");
  CHECK(said({{"user", kDefault, "x"}}) ==
        "INVALID_REQUEST: Request specified MATCH_TYPE_DEFAULT, but also specified a match string.");
  CHECK(said({{"user", kAny, "x"}}) ==
        "INVALID_REQUEST: Request specified MATCH_TYPE_SPECIFIED, but also specified a match string.");
  CHECK(said({{"user", kAny, std::nullopt}, {"user", kAny, std::nullopt}}) ==
        "INVALID_REQUEST: Entity type user cannot appear more than once in the filter.");
  CHECK(said({{"ip", kAny, std::nullopt}, {"user", kAny, std::nullopt}}) ==
        "INVALID_REQUEST: Invalid entity filter component combination. IP filter component should not be "
        "used with "
        "user or clientId filter component.");
}

TEST_CASE("quotas are in the image's text, in a replay, and told as changes") {
  Quotas world;
  const std::vector<QuotaAlteration> one{
      set({{"user", "a"}, {"client-id", std::nullopt}}, "producer_byte_rate", 7)};
  const ImageDelta delta = world.append(world.controller().alter_client_quotas(one, false).records);
  REQUIRE(delta.quotas.size() == 1);
  CHECK(delta.quotas[0] == one[0].entity);
  CHECK_FALSE(delta.empty());
  CHECK(ImageDelta::between(delta.before, delta.after).quotas == delta.quotas);
  CHECK(to_json(world.image())
            .find(R"("quotas":[{"entity":{"client-id":null,"user":"a"},"producer_byte_rate":7)") !=
        std::string::npos);
  CHECK(*world.replay() == world.image());
  CHECK(
      world.transcript().find(
          R"("type":"CLIENT_QUOTA_RECORD","version":0,"data":{"entity":[{"entityType":"client-id","entityName":null},{"entityType":"user","entityName":"a"}],"key":"producer_byte_rate","value":7,"remove":false})") !=
      std::string::npos);
}

TEST_CASE("a quota of topic changes is asked for what would be done, in the request's order, and refuses") {
  ClusterOfOne world;
  std::vector<size_t> asked;
  const PartitionQuota two = [&](size_t partitions) {
    asked.push_back(partitions);
    return asked.size() <= 2;
  };
  const auto topic = [](std::string name, int32_t partitions) {
    NewTopic wanted;
    wanted.name = std::move(name);
    wanted.partitions = partitions;
    return wanted;
  };
  const std::vector<NewTopic> topics{topic("a", 3), topic("not a name", 1), topic("b", 2), topic("c", 5)};
  const auto created = world.commit(world.controller().create_topics(topics, false, two));
  CHECK(asked == std::vector<size_t>{3, 2, 5});
  CHECK(created.at(0).error.ok());
  CHECK(created.at(2).error.ok());
  CHECK(words_of(created.at(3).error) == "THROTTLING_QUOTA_EXCEEDED");
  CHECK(world.image().topic("c") == nullptr);

  asked = {0};
  const std::vector<MorePartitions> more{
      {"a", 4, std::nullopt}, {"b", 4, std::nullopt}, {"nowhere", 9, std::nullopt}};
  const auto grown = world.commit(world.controller().create_partitions(more, false, two));
  CHECK(asked == std::vector<size_t>{0, 1, 2});
  CHECK(grown.at(0).error.ok());
  CHECK(grown.at(1).error.code == ErrorCode::THROTTLING_QUOTA_EXCEEDED);
  CHECK(world.image().topic("b")->partition_count() == 2);

  asked = {0};
  const std::vector<TopicToDelete> gone{{"a", {}}, {"b", {}}};
  const auto deleted = world.commit(world.controller().delete_topics(gone, two));
  CHECK(asked == std::vector<size_t>{0, 4, 2});
  CHECK(deleted.at(0).error.ok());
  CHECK(deleted.at(1).error.code == ErrorCode::THROTTLING_QUOTA_EXCEEDED);
  CHECK(world.image().topic("a") == nullptr);
  CHECK(world.image().topic("b") != nullptr);
}

TEST_CASE("an address has one usual form") {
  CHECK(canonical_address("10.0.0.1") == "10.0.0.1");
  CHECK(canonical_address("::ffff:10.0.0.1") == "10.0.0.1");
  CHECK(canonical_address("2001:DB8:0::1") == "2001:db8::1");
  CHECK(canonical_address("localhost") == "127.0.0.1");
  CHECK_FALSE(canonical_address("10.0.0"));
  CHECK_FALSE(canonical_address("example.org"));
  CHECK_FALSE(canonical_address(""));
}

}  // namespace tidemark::replication::testing
