#include "client/core/metadata_refresher.h"

namespace tidemark::client {

using runtime::Task;

void MetadataRefresher::request() {
  if (asking_) return;
  asking_ = true;
  scope_.spawn(ask());
}

Task<void> MetadataRefresher::ask() {
  Task<Result<void>> asking = cluster_.refresh_remembered(cluster_.metadata().version());
  const Result<void> asked = co_await asking;
  failures_ = asked ? 0 : failures_ + 1;
  // Whatever the answer: leaders take a moment to be elected.
  Task<void> pause = cluster_.back_off(failures_);
  co_await pause;
  asking_ = false;
  done_.notify_all();
}

}  // namespace tidemark::client
