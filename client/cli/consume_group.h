// `tidemark consume -g`, once consume.cc has read what both ways of it are told.
#pragma once

#include "client/cli/record_printer.h"
#include "client/cli/session.h"
#include "client/cli/start_offset.h"

namespace tidemark::cli {

// The process's exit status.
runtime::Task<Result<int>> consume_in_group(Session& session, const Consume& command,
                                            client::ConsumerOptions options, StartOffset start,
                                            RecordPrinter printer);

}  // namespace tidemark::cli
