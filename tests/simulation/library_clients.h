// The client library's own Producer, Consumer, GroupConsumer and Admin in the node world: hosts of their own,
// which outlive the broker's processes, on a topic and in a group that are theirs alone. They are used as an
// application uses them, and know no life: what they promise is judged by a LibraryModel.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "tests/simulation/node_run.h"

namespace tidemark::simulation {

class LibraryClients {
 public:
  static constexpr std::string_view kTopic = "of-the-library";
  static constexpr std::string_view kGroup = "group-of-the-library";

  LibraryClients(NodeRun& run, uint64_t seed);
  ~LibraryClients();
  LibraryClients(const LibraryClients&) = delete;
  LibraryClients& operator=(const LibraryClients&) = delete;

  static void declare_counters(FaultCounters& counters);
  void begin();
  // Everything that was sent is settled, read to its end, by the group too, and committed; then they are
  // idle.
  void finish();
  [[nodiscard]] bool idle() const;
  // Who is not, for a run that hangs.
  [[nodiscard]] std::string busy() const;

 private:
  class Host;
  class Writer;
  class Reader;
  class Member;
  struct Shared;

  std::unique_ptr<Shared> shared_;
  std::vector<std::unique_ptr<Host>> hosts_;
};

}  // namespace tidemark::simulation
