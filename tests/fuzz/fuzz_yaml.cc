// A YAML configuration file. Whatever it holds, it is an error that names the file, or a configuration that
// the report can show; and the same text gives the same answer.
#include "config/loader.h"
#include "config/report.h"
#include "protocol/invariant.h"

using namespace tidemark;
using namespace tidemark::config;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto written = parse_yaml("f", text);
  const auto again = parse_yaml("f", text);
  INVARIANT(written.has_value() == again.has_value(), "one text, two answers");
  if (!written) {
    INVARIANT(written.error().message() == again.error().message(), "one text, two errors");
    INVARIANT(written.error().message().starts_with("f"), "no file in: {}", written.error().message());
    return 0;
  }
  INVARIANT(*written == *again, "one text, two lists");
  const auto node = make_node_config(*written, {});
  if (!node) {
    INVARIANT(node.error().code() == ErrorCode::INVALID_CONFIG, "{}", node.error().to_string());
    return 0;
  }
  INVARIANT(!node->listeners.empty() && !node->data_dirs.empty(), "a node without listener or folder");
  INVARIANT(!check_config(*node).empty(), "an empty report");
  return 0;
}
