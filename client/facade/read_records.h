// From the core's records, which are views, to an application's, which it owns. On the client's loop.
#pragma once

#include "client/core/partition_records.h"
#include "client/facade/client_impl.h"
#include "tidemark/record.h"

namespace tidemark_client {

// Moves records from `open` to `out` until there are `at_most`; an `open` that has no more is reset. An error
// ends it too. `next`, if any, is set to where reading goes on.
std::optional<tidemark::Error> read_records(std::unique_ptr<core::PartitionRecords>& open, size_t at_most,
                                            std::vector<Record>& out, core::FetchPosition* next = nullptr);

}  // namespace tidemark_client
