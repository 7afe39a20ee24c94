// Producer ids for one shard, out of blocks of the metadata log: an id is given once in the life of the
// cluster, whatever crashes (KIP-730).
#pragma once

#include "broker/metadata_service.h"

namespace tidemark::broker {

class ProducerIds {
 public:
  ProducerIds(MetadataService& metadata, runtime::Scheduler& loop) : metadata_(metadata), loop_(loop) {}

  runtime::Task<Result<ProducerId>> next();

 private:
  MetadataService& metadata_;
  runtime::Scheduler& loop_;
  // Invariant: [next_, end_) was given to this shard by a committed record, and to nobody else.
  int64_t next_ = 0;
  int64_t end_ = 0;
};

}  // namespace tidemark::broker
