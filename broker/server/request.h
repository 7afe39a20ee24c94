// One request of a Kafka connection, from its frame to its answer. Owned by the connection, on its shard,
// and alive until the handler's task has ended. The frame's bytes (and so the header's strings, the body, and
// whatever is decoded from it) live as long as `frame` or a copy of that slice. Never crosses shards itself.
#pragma once

#include <memory>
#include <string>

#include "broker/quota/quota_kind.h"
#include "protocol/messages/request_header.h"
#include "protocol/runtime/buffer.h"
#include "protocol/runtime/scheduler.h"
#include "protocol/runtime/stream.h"

namespace tidemark::broker {

class ClientQuotas;
struct ClientLimits;
class PaidAnswer;
class NodeMetrics;

// Whose requests they are, until there is authentication: Kafka's name for such a user.
inline constexpr std::string_view kAnonymous = "ANONYMOUS";

// How long the connection reads nothing behind an answer, and which quota says so.
struct Throttle {
  runtime::Duration pause{};
  QuotaKind kind = QuotaKind::request;
  // The longest of several counts.
  void at_least(QuotaKind other, runtime::Duration duration) {
    if (duration > pause) *this = {duration, other};
  }
};

// What all requests of a connection share.
struct ConnectionInfo {
  uint64_t id = 0;                     // unique in this process
  size_t shard = 0;                    // the shard that it lives on, ...
  runtime::Scheduler* home = nullptr;  // ... and its loop
  std::string listener;                // the listener's name
  runtime::Endpoint local;             // the address that the client connected to
  runtime::Endpoint remote;
  // As ApiVersions v3+ told; empty before.
  std::string client_software_name;
  std::string client_software_version;
  std::shared_ptr<const ClientLimits> limits;  // of its last request; null: nobody has asked yet
};

class RequestContext {
 public:
  RequestContext(ConnectionInfo& info, runtime::BufferSlice slice, runtime::MonoTime arrival)
      : connection(info), frame(std::move(slice)), arrived(arrival) {}
  RequestContext(const RequestContext&) = delete;
  RequestContext& operator=(const RequestContext&) = delete;

  ConnectionInfo& connection;
  runtime::BufferSlice frame;  // header and body, without the length
  runtime::MonoTime arrived;   // when its last byte was read
  protocol::RequestHeader header;
  std::span<std::byte> body;  // of `frame`, behind the header
  // An ApiVersions of a version that is not served: header.request_api_version is 0, the body is of an
  // unknown form, and the answer is UNSUPPORTED_VERSION with the served ranges, in version 0 (KIP-511).
  bool unsupported_api_versions = false;
  NodeMetrics* metrics = nullptr;  // where its errors are counted; nullptr: nowhere
  // What its decoded form, and what is made of each element of it, is charged to; nullptr: nobody counts.
  const std::shared_ptr<runtime::ByteBudget>* memory = nullptr;
  std::shared_ptr<PaidAnswer> paid;  // where that is much
  ClientQuotas* quotas = nullptr;    // nullptr: it is not counted
  Throttle throttle;                 // what its answer told
  // How long it has kept loops and lanes busy, as far as that is measured (client_quotas.h).
  runtime::Duration worked{};
  runtime::MonoTime working_since = runtime::kNever;  // kNever: it does not work, or nobody measures
  bool settled = false;                               // its answer tells what its work cost until then

  // What is left of it is waiting: for the disk, for data, for a coordinator. Later calls do nothing.
  void waits() {
    if (waits_since_ == runtime::kNever) waits_since_ = connection.home->mono();
  }

  // Lets the connection's next request start before this one is answered: Produce once it has its place in
  // every partition, Fetch once it waits. The next one starts from the loop, not inside this call. Later
  // calls do nothing.
  void release_order() {
    waits();
    if (auto release = std::exchange(on_release_, nullptr)) release();
  }

  // It waits for others' requests, and holds up none but its connection's: JoinGroup while a rebalance goes
  // on. Later calls do nothing.
  void park() {
    if (auto parking = std::exchange(on_park_, nullptr)) parking();
  }

  // The answer is wanted now: the node drains, or the client has gone (then nobody reads it). A parked
  // request registers what wakes it; the hook runs at most once, at once if it is late already. Registering
  // nullptr takes it back, which a handler must do before what the hook touches goes away.
  void on_hurry(runtime::Job hook) {
    if (hurried_ && hook) return hook();
    hurry_ = std::move(hook);
  }
  [[nodiscard]] bool hurried() const { return hurried_; }

 private:
  friend class Connection;
  void hurry() {
    hurried_ = true;
    if (auto hook = std::exchange(hurry_, nullptr)) hook();
  }

  runtime::MonoTime waits_since_ = runtime::kNever;  // kNever: it has not waited
  runtime::Job on_release_;
  runtime::Job on_park_;
  runtime::Job hurry_;
  bool hurried_ = false;
};

}  // namespace tidemark::broker
