// `tidemark log`: dump, verify. Offline; exit status 1 if something is damaged.
#include "client/cli/commands.h"
#include "client/cli/log_files.h"
#include "storage/posix/posix_file_system.h"

namespace tidemark::cli {
namespace {

int report_trouble(const Output& out, const FileReport& report, const std::string& where) {
  if (report.reason.empty()) return kDone;
  const bool damaged = report.health == Health::damaged;
  out.note(fmt::format("{}: {}{}", where, report.health == Health::torn ? "torn at its end: " : "",
                       report.reason));
  return damaged ? kRefused : kDone;
}

}  // namespace

int log_dump(const GlobalOptions& global, const LogDump& command) {
  storage::PosixFileSystem files;
  const Output out(global.format);
  Value::List documents;
  int status = kDone;
  for (const std::string& path : command.files) {
    const Result<FileReport> report = dump_file(files, path, command.records);
    if (!report) {
      out.error(report.error());
      return exit_status(report.error());
    }
    documents.push_back(report->document);
    const bool whole = global.format == OutputFormat::json || global.format == OutputFormat::yaml;
    if (!whole && command.files.size() > 1) out.note(path + ":");
    if (!whole) out.data(Value(report->rows));
    status = std::max(status, report_trouble(out, *report, path));
  }
  if (global.format == OutputFormat::json || global.format == OutputFormat::yaml) out.data(Value(documents));
  return flush_stdout() ? status : kRefused;
}

int log_verify(const GlobalOptions& global, const LogVerify& command) {
  storage::PosixFileSystem files;
  const Output out(global.format);
  const Result<FileReport> report = verify_folder(files, command.folder);
  if (!report) {
    out.error(report.error());
    return exit_status(report.error());
  }
  out.data(report->document);
  const int status = report_trouble(out, *report, command.folder);
  return flush_stdout() ? status : kRefused;
}

}  // namespace tidemark::cli
