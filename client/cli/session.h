// Everything that one command against a cluster stands on: the loop, the connections, and how it speaks.
// Made by the command, on its stack.
#pragma once

#include "client/cli/commands.h"
#include "client/core/admin.h"
#include "client/core/client_properties.h"
#include "client/runtime/tcp.h"

namespace tidemark::cli {

struct Session {
  explicit Session(const GlobalOptions& options)
      : global(options),
        random(static_cast<uint64_t>(loop.clock().mono().time_since_epoch().count())),
        connector(loop),
        cluster(loop, connector, random, options.cluster),
        admin(cluster),
        out(options.format) {}

  const GlobalOptions& global;
  client::PollLoop loop;
  runtime::SeededRandom random;
  client::TcpConnector connector;
  client::Cluster cluster;
  client::Admin admin;
  Output out;
};

// Runs `body(session, command)`, a task that returns the exit status or the error that ends the command.
template <class Command>
int run_session(const GlobalOptions& global, const Command& command,
                runtime::Task<Result<int>> (*body)(Session&, const Command&)) {
  Session session(global);
  const Result<int> status = client::run_task(session.loop, body(session, command));
  if (status) return flush_stdout() ? *status : kRefused;
  flush_stdout();
  session.out.error(status.error());
  return exit_status(status.error());
}

// "key=value" taken apart. Error (config): no '=', or nothing before it.
Result<std::pair<std::string, std::string>> parse_pair(std::string_view text, std::string_view what);
using client::parse_number;
// Names of `topic` describe and the like that the cluster does not have are errors of their own.
runtime::Task<Result<const client::TopicMetadata*>> find_topic(Session& session, std::string name);

}  // namespace tidemark::cli
