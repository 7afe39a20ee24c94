// What partitions hold, as the shell has asked their logs: a committed offset does not expire while what it
// points into is there to be read. Values.
#pragma once

#include <map>
#include <set>
#include <string>

#include "protocol/ids.h"

namespace tidemark::coordinator {

struct Extent {
  Offset start;
  Offset end;  // the high watermark
};

struct TopicExtents {
  Uuid id;  // zero: there is no such topic
  std::map<PartitionId, Extent> partitions;
};

// By topic. A partition that is not there may be of any extent: nobody knows.
using Extents = std::map<std::string, TopicExtents, std::less<>>;
using Partitions = std::map<std::string, std::set<PartitionId>, std::less<>>;

}  // namespace tidemark::coordinator
