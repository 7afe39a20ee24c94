// Reads the files of a data folder without a daemon: segments, their indexes, the journal's stretches. For
// `tidemark log`; blocks, changes nothing.
#pragma once

#include <string>

#include "client/cli/value.h"
#include "protocol/error.h"
#include "storage/file.h"

namespace tidemark::cli {

enum class Health : uint8_t {
  ok,
  torn,     // an unfinished write at the end, which the next start of the broker repairs
  damaged,  // bytes that are not what was written
};

struct FileReport {
  Value document;  // for JSON and YAML: the file with all that is in it
  Value::List rows;
  Health health = Health::ok;
  std::string reason;
};

// What a .log, .index, .timeindex or .journal file holds; `records`: those of each batch too. Error (config):
// no such file, or none of these kinds.
Result<FileReport> dump_file(storage::FileSystem& files, const std::string& path, bool records);

// Every segment below a folder (a data folder, or one partition's) against its checksums, its neighbours and
// its indexes; one row a partition folder.
Result<FileReport> verify_folder(storage::FileSystem& files, const std::string& path);

}  // namespace tidemark::cli
