// What the server hands requests to: broker/api implements it, one object per shard, called on that shard's
// loop. The server has checked the key and version against the table of served APIs, and nothing else.
#pragma once

#include "broker/server/request.h"
#include "broker/server/response.h"

namespace tidemark::broker {

class RequestHandler {
 public:
  virtual ~RequestHandler() = default;
  // Answers one request. An Error closes the connection, with one log line, once what came before is
  // answered: for a body that cannot be decoded, and for acks=0 that failed. Every error that has a place in
  // the API's response is a response. The task may outlive the connection's stream (the client has gone) but
  // not `request`; it is destroyed with the connection at a crash or after a drain that took too long.
  virtual runtime::Task<Result<Response>> handle(RequestContext& request) = 0;
  // Whether this request's working time counts: then its first stretch and that of its answer are measured.
  [[nodiscard]] virtual bool counts_work(const RequestContext&) const { return false; }
  // What it has worked since it was answered; called once, if counts_work() was true.
  virtual void answered(RequestContext&, runtime::Duration) {}
};

}  // namespace tidemark::broker
