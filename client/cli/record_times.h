// How old what a group has not read yet is: the time of the first record at or after an offset, as a broker
// counts it for its metrics. On the session's loop.
#pragma once

#include <map>

#include "client/cli/session.h"

namespace tidemark::cli {

// Of each partition, the time (ms since 1970) of the batch that holds its first record at or after the
// offset: of the batch's first record, or, where the log sets the times, of all. An offset before the log's
// start counts as the start. Partitions whose leader cannot tell are left out.
runtime::Task<std::map<TopicPartition, int64_t>> record_times(Session& session,
                                                              std::map<TopicPartition, Offset> offsets);

}  // namespace tidemark::cli
