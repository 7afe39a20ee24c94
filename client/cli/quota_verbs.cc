// The command line of `tidemark quota`.
#include "client/cli/verbs.h"

namespace tidemark::cli {
namespace {

constexpr const char* kQuotas =
    "producer_byte_rate, consumer_byte_rate (bytes a second), request_percentage (of a core's time), "
    "controller_mutation_rate (partitions a second); of an address connection_creation_rate";

std::vector<std::string> quota_keys(std::string_view behind) {
  std::vector<std::string> keys{"producer_byte_rate", "consumer_byte_rate", "request_percentage",
                                "controller_mutation_rate", "connection_creation_rate"};
  for (std::string& key : keys) key += behind;
  return keys;
}

void add_who(Verb& verb, QuotaWho& who) {
  constexpr const char* kWho = "Whose";
  verb.option("--user", &who.user, "a user; without authentication everybody is ANONYMOUS").under(kWho);
  verb.option("--user-defaults", &who.user_defaults, "each user without a quota of its own").under(kWho);
  verb.option("--client", &who.client, "a client id; with a user: that user's").under(kWho);
  verb.option("--client-defaults", &who.client_defaults, "each client id without a quota of its own")
      .under(kWho);
  verb.option("--ip", &who.ip, "an address").under(kWho);
  verb.option("--ip-defaults", &who.ip_defaults, "each address without a quota of its own").under(kWho);
}

}  // namespace

void add_quota(Verb& app, QuotaLine& line) {
  Verb& family = app.family("quota", "limits for users, client ids and addresses",
                            "tidemark quota set --client billing producer_byte_rate=1048576");

  Verb& list = family.verb("list", "list all quotas", "tidemark quota list --type user",
                           [&line](const GlobalOptions& g) { return quota_list(g, line.list); });
  list.option("--type", &line.list.type, "only those with such a part: user, client-id or ip")
      .one_of({"user", "client-id", "ip"});

  Verb& describe = family.verb("describe", "show the quotas of one user, client id, both, or address",
                               "tidemark quota describe --user alice --client-defaults",
                               [&line](const GlobalOptions& g) { return quota_describe(g, line.describe); });
  add_who(describe, line.describe.who);

  Verb& set = family.verb("set", "set quotas", "tidemark quota set --ip-defaults connection_creation_rate=20",
                          [&line](const GlobalOptions& g) { return quota_set(g, line.set); });
  add_who(set, line.set.who);
  set.option("KEY=VALUE", &line.set.quotas, kQuotas).required().suggest(quota_keys("="));
  set.option("--validate-only", &line.set.validate_only, "say what would happen, change nothing");

  Verb& remove = family.verb("delete", "delete quotas: those named, else all that it has",
                             "tidemark quota delete --client billing producer_byte_rate",
                             [&line](const GlobalOptions& g) { return quota_delete(g, line.remove); });
  add_who(remove, line.remove.who);
  remove.option("KEY", &line.remove.keys, "quotas").suggest(quota_keys(""));
}

}  // namespace tidemark::cli
