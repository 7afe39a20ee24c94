// Ctrl-C, for a command that has something to say before it ends: while one of these lives, the first SIGINT
// is only remembered, and the second ends the process as ever. One at a time; any thread.
#pragma once

namespace tidemark::client {

class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  [[nodiscard]] bool came() const;
};

}  // namespace tidemark::client
