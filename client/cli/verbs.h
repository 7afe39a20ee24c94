// The families whose part of the command line has a file of its own: what each holds before it is understood,
// and what declares it.
#pragma once

#include "client/cli/commands.h"
#include "client/cli/syntax.h"

namespace tidemark::cli {

struct GroupLine {
  GroupList list;
  GroupDescribe describe;
  GroupReset reset;
  GroupDelete remove;
  GroupDeleteOffsets remove_offsets;
};
void add_group(Verb& app, GroupLine& line);

struct QuotaLine {
  QuotaList list;
  QuotaDescribe describe;
  QuotaSet set;
  QuotaDelete remove;
};
void add_quota(Verb& app, QuotaLine& line);

struct PerfLine {
  PerfProduce produce;
  PerfConsume consume;
  PerfLatency latency;
};
void add_perf(Verb& app, PerfLine& line);

}  // namespace tidemark::cli
