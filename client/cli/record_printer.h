// Records to the standard output, one by one, in the form that `consume` was asked for. Collects what it
// prints until it is a write's worth.
#pragma once

#include "client/cli/output.h"
#include "client/cli/record_format.h"

namespace tidemark::cli {

class RecordPrinter {
 public:
  // JSON and YAML as they are; otherwise, or with `format`, by that (record_format.h; without one each value
  // on a line). Error (config): a format that cannot be read.
  static Result<RecordPrinter> make(OutputFormat output, const std::optional<std::string>& format);

  void print(const TopicPartition& from, const protocol::RecordView& record);
  // All of it is written. False: nobody reads the output any more.
  bool flush();
  [[nodiscard]] bool good() const { return good_; }

 private:
  RecordPrinter(OutputFormat output, std::optional<RecordFormat> format)
      : output_(output), format_(std::move(format)) {}
  void write();

  OutputFormat output_;
  std::optional<RecordFormat> format_;
  std::string text_;
  bool good_ = true;
};

}  // namespace tidemark::cli
