// The admin of the node world: creates topics, deletes them by name or id and makes them again under the same
// name, adds partitions, trims logs, alters settings; and looks at what the node says of itself. One
// operation at a time on a name: what happens to it must be told apart from what might have.
#pragma once

#include "tests/simulation/node_reader.h"

namespace tidemark::simulation {

class NodeAdmin : public NodeReader {
 public:
  using NodeReader::NodeReader;

 protected:
  // Asks for all topics and judges what comes.
  runtime::Task<bool> look_at_topics();
  runtime::Task<bool> look_at_settings(std::string name);
  // The metadata log's term.
  runtime::Task<bool> look_at_term();

 private:
  using Pending = NameModel::Pending;
  using Settings = std::map<std::string, std::string>;
  enum class Outcome : uint8_t { done, refused, unknown };

  runtime::Task<void> operate() override;
  runtime::Task<void> create(std::string name);
  runtime::Task<void> erase(std::string name);
  runtime::Task<void> grow(std::string name);
  runtime::Task<void> alter(std::string name);
  runtime::Task<void> trim(std::string name);
  // What a response's code means; `wrong`: codes that cannot be right.
  Outcome judge(const std::string& name, const char* what, ErrorCode code);
  void unanswered(const std::string& name, Pending pending);
  Settings some_settings();
};

}  // namespace tidemark::simulation
