#include "client/core/client_properties.h"
#include "client/facade/client_impl.h"

namespace tidemark_client {

Client::Impl::OnLoop::OnLoop(core::PollLoop& loop, const core::ClusterOptions& given)
    : random(static_cast<uint64_t>(loop.clock().mono().time_since_epoch().count())),
      connector(loop),
      cluster(loop, connector, random, given),
      admin(cluster),
      groups(cluster) {}

Client::Impl::Impl(core::ClientOptions given) : options(std::move(given)) {
  thread.run([this] { on_loop = std::make_unique<OnLoop>(thread.loop(), options.cluster); });
}

Client::Impl::~Impl() {
  thread.run([this] { on_loop.reset(); });
}

Answer<Client> Client::open(const Properties& properties) {
  core::ClientOptions options;
  for (const auto& [name, value] : properties) {
    if (auto applied = core::apply_property(name, value, options); !applied)
      return status_of(applied.error());
  }
  if (options.cluster.bootstrap.empty())
    return status_of(tidemark::Error::config("bootstrap.servers names no broker"));
  return Client(std::make_shared<Impl>(std::move(options)));
}

Status status_of(const tidemark::Error& error) {
  return {static_cast<int16_t>(error.code()), std::string(tidemark::error_name(error.code())),
          error.message(), tidemark::is_retriable(error.code()), error.possibly_persisted()};
}

std::optional<int64_t> time_of(const Start& start) {
  switch (start.kind()) {
    case Start::Kind::earliest: return core::kEarliest;
    case Start::Kind::latest: return core::kLatest;
    case Start::Kind::time: return std::max<int64_t>(start.number(), 0);
    case Start::Kind::offset: break;
  }
  return std::nullopt;
}

}  // namespace tidemark_client
