// A client of one Kafka-compatible cluster: a thread, and the connections that producers, consumers and
// admins made from it share. A handle that is copied freely; the thread ends with the last of them and of
// what was made from it. Any thread may use it, except the client's own: what blocks must not be called from
// an on_delivery.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "tidemark/status.h"

namespace tidemark_client {

// Settings by Kafka's names: "bootstrap.servers", "acks", "linger.ms", "auto.offset.reset", ...
using Properties = std::map<std::string, std::string>;

class Client {
 public:
  // REQUIRES: bootstrap.servers among the properties. Connects when something is asked. INVALID_CONFIG names
  // the setting, and the nearest one that there is.
  static Answer<Client> open(const Properties& properties);

  Client() = default;  // none: only good to be assigned to
  class Impl;
  [[nodiscard]] const std::shared_ptr<Impl>& impl() const { return impl_; }

 private:
  explicit Client(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<Impl> impl_;
};

}  // namespace tidemark_client
