// Asks a Cluster for what it remembers, one question at a time, as often as somebody finds a partition
// without a leader, and never faster than the back-off. Owned by a producer or consumer, on its loop; `done`
// is notified after each answer.
#pragma once

#include "client/core/cluster.h"

namespace tidemark::client {

class MetadataRefresher {
 public:
  MetadataRefresher(Cluster& cluster, runtime::Signal& done) : cluster_(cluster), done_(done) {}

  // Unless a question is under way.
  void request();

 private:
  runtime::Task<void> ask();

  Cluster& cluster_;
  runtime::Signal& done_;
  bool asking_ = false;
  int failures_ = 0;
  runtime::TaskScope scope_;
};

}  // namespace tidemark::client
