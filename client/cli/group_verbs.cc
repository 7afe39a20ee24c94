// The command line of `tidemark group`.
#include "client/cli/verbs.h"

namespace tidemark::cli {
namespace {

constexpr const char* kTopicHelp = "TOPIC, or TOPIC:PARTITION,PARTITION...; may be repeated";

void add_reset(CLI::App& family, GroupReset& reset, Verb& chosen) {
  CLI::App* verb = add_verb(
      family, "reset", "move a group's offsets while nobody is in it: prints the offsets that it had and has",
      "tidemark group reset billing --topic orders:0,1 --to-datetime 2026-01-02T03:04:05Z --dry-run", chosen,
      [&reset](const GlobalOptions& g) { return group_reset(g, reset); });
  verb->add_option("GROUP", reset.name, "the group; one that there is not is made")->required();
  verb->add_option("--topic", reset.topics, kTopicHelp)->allow_extra_args(false);
  verb->add_flag("--all-topics", reset.all_topics, "every partition that it has an offset of");
  verb->add_flag("--dry-run", reset.dry_run, "say what would happen, change nothing");
  constexpr const char* kWhere = "Where to, exactly one";
  verb->add_flag("--to-earliest", reset.to_earliest, "the logs' starts")->group(kWhere);
  verb->add_flag("--to-latest", reset.to_latest, "the logs' ends")->group(kWhere);
  verb->add_option("--to-offset", reset.to_offset, "an offset")->check(CLI::NonNegativeNumber)->group(kWhere);
  verb->add_option("--shift-by", reset.shift_by, "so many records on, or back where it is negative")
      ->group(kWhere);
  verb->add_option("--to-datetime", reset.to_datetime,
                   "the first records at or after a time (ISO 8601, or ms since 1970)")
      ->group(kWhere);
  verb->add_option("--by-duration", reset.by_duration,
                   "the first records at or after so long before now (PT30M, P7D, P1DT12H)")
      ->group(kWhere);
  verb->add_flag("--to-current", reset.to_current, "where they are; the logs' ends where there is no offset")
      ->group(kWhere);
  verb->add_option("--from-file", reset.from_file,
                   "lines topic,partition,offset, which name the partitions too")
      ->group(kWhere);
  verb->add_option("--to", reset.to,
                   "start, end, N or @TIME, as consume --offset has them; every topic without --topic")
      ->group(kWhere);
}

}  // namespace

void add_group(CLI::App& app, GroupLine& line, Verb& chosen) {
  CLI::App& family =
      *add_family(app, "group", "consumer groups: who reads, how far, and moving their offsets",
                  "tidemark group describe billing --lag");

  CLI::App* list =
      add_verb(family, "list", "list groups of every broker", "tidemark group list --state Stable", chosen,
               [&line](const GlobalOptions& g) { return group_list(g, line.list); });
  list->add_option("--state", line.list.states, "only those in this state; may be repeated")
      ->allow_extra_args(false)
      ->check(CLI::IsMember({"Stable", "Empty", "Dead", "PreparingRebalance", "CompletingRebalance",
                             "Assigning", "Reconciling", "NotReady"},
                            CLI::ignore_case));

  CLI::App* describe = add_verb(
      family, "describe",
      "state, coordinator, members and their partitions, committed offsets and lag; with --members or --lag "
      "only these",
      "tidemark group describe billing --members --lag", chosen,
      [&line](const GlobalOptions& g) { return group_describe(g, line.describe); });
  describe->add_option("GROUP", line.describe.names, "groups")->required();
  describe->add_flag("--members", line.describe.members, "a row for each member");
  describe->add_flag("--lag", line.describe.lag, "a row for each partition: committed offset, log end, lag");

  add_reset(family, line.reset, chosen);

  CLI::App* remove = add_verb(family, "delete", "delete groups that nobody is in, with their offsets",
                              "tidemark group delete billing", chosen,
                              [&line](const GlobalOptions& g) { return group_delete(g, line.remove); });
  remove->add_option("GROUP", line.remove.names, "groups")->required();

  CLI::App* offsets =
      add_verb(family, "delete-offsets", "forget a group's offsets of topics that it does not read now",
               "tidemark group delete-offsets billing --topic orders", chosen,
               [&line](const GlobalOptions& g) { return group_delete_offsets(g, line.remove_offsets); });
  offsets->add_option("GROUP", line.remove_offsets.name, "the group")->required();
  offsets->add_option("--topic", line.remove_offsets.topics, kTopicHelp)->required()->allow_extra_args(false);
}

}  // namespace tidemark::cli
