// The command line of `tidemark group`.
#include "client/cli/verbs.h"

namespace tidemark::cli {
namespace {

constexpr const char* kTopicHelp = "TOPIC, or TOPIC:PARTITION,PARTITION...; may be repeated";

void add_reset(Verb& family, GroupReset& reset) {
  Verb& verb = family.verb(
      "reset", "move a group's offsets while nobody is in it: prints the offsets that it had and has",
      "tidemark group reset billing --topic orders:0,1 --to-datetime 2026-01-02T03:04:05Z --dry-run",
      [&reset](const GlobalOptions& g) { return group_reset(g, reset); });
  verb.option("GROUP", &reset.name, "the group; one that there is not is made")
      .required()
      .names(Names::group);
  verb.option("--topic", &reset.topics, kTopicHelp).names(Names::topic);
  verb.option("--all-topics", &reset.all_topics, "every partition that it has an offset of");
  verb.option("--dry-run", &reset.dry_run, "say what would happen, change nothing");
  constexpr const char* kWhere = "Where to, exactly one";
  verb.option("--to-earliest", &reset.to_earliest, "the logs' starts").under(kWhere);
  verb.option("--to-latest", &reset.to_latest, "the logs' ends").under(kWhere);
  verb.option("--to-offset", &reset.to_offset, "an offset").at_least(0).under(kWhere);
  verb.option("--shift-by", &reset.shift_by, "so many records on, or back where it is negative")
      .under(kWhere);
  verb.option("--to-datetime", &reset.to_datetime,
              "the first records at or after a time (ISO 8601, or ms since 1970)")
      .under(kWhere);
  verb.option("--by-duration", &reset.by_duration,
              "the first records at or after so long before now (PT30M, P7D, P1DT12H)")
      .under(kWhere);
  verb.option("--to-current", &reset.to_current, "where they are; the logs' ends where there is no offset")
      .under(kWhere);
  verb.option("--from-file", &reset.from_file, "lines topic,partition,offset, which name the partitions too")
      .names(Names::file)
      .under(kWhere);
  verb.option("--to", &reset.to,
              "start, end, N or @TIME, as consume --offset has them; every topic without --topic")
      .suggest({"start", "end"})
      .under(kWhere);
}

}  // namespace

void add_group(Verb& app, GroupLine& line) {
  Verb& family = app.family("group", "consumer groups: who reads, how far, and moving their offsets",
                            "tidemark group describe billing --lag");

  Verb& list = family.verb("list", "list groups of every broker", "tidemark group list --state Stable",
                           [&line](const GlobalOptions& g) { return group_list(g, line.list); });
  list.option("--state", &line.list.states, "only those in this state; may be repeated")
      .one_of_any_case({"Stable", "Empty", "Dead", "PreparingRebalance", "CompletingRebalance", "Assigning",
                        "Reconciling", "NotReady"});

  Verb& describe = family.verb("describe",
                               "state, coordinator, members and their partitions, committed offsets and "
                               "lag, the last rebalances; with "
                               "--members, --lag or --rebalances only these",
                               "tidemark group describe billing --members --lag",
                               [&line](const GlobalOptions& g) { return group_describe(g, line.describe); });
  describe.option("GROUP", &line.describe.names, "groups").required().names(Names::group);
  describe.option("--members", &line.describe.members, "a row for each member");
  describe.option("--lag", &line.describe.lag,
                  "a row for each partition: committed offset, log end, lag in records and in seconds");
  describe.option("--rebalances", &line.describe.rebalances,
                  "a row for each of the last rebalances: when, why, how long, who came and went");

  add_reset(family, line.reset);

  Verb& remove = family.verb("delete", "delete groups that nobody is in, with their offsets",
                             "tidemark group delete billing",
                             [&line](const GlobalOptions& g) { return group_delete(g, line.remove); });
  remove.option("GROUP", &line.remove.names, "groups").required().names(Names::group);

  Verb& offsets =
      family.verb("delete-offsets", "forget a group's offsets of topics that it does not read now",
                  "tidemark group delete-offsets billing --topic orders",
                  [&line](const GlobalOptions& g) { return group_delete_offsets(g, line.remove_offsets); });
  offsets.option("GROUP", &line.remove_offsets.name, "the group").required().names(Names::group);
  offsets.option("--topic", &line.remove_offsets.topics, kTopicHelp).required().names(Names::topic);
}

}  // namespace tidemark::cli
