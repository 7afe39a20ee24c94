#include "broker/producer_ids.h"

namespace tidemark::broker {

runtime::Task<Result<ProducerId>> ProducerIds::next() {
  // Several callers may each fetch a block at the same time; the ids of all but the last block are then lost,
  // not given twice.
  while (next_ == end_) {
    MetadataService::Decide<replication::ProducerIdBlock> decision =
        [this](const replication::Controller& controller) {
          return controller.allocate_producer_ids(metadata_.node(), metadata_.broker_epoch());
        };
    auto deciding = metadata_.decide(loop_, std::move(decision));
    auto block = co_await deciding;
    if (!block) co_return fail(block.error());
    if (!block->error.ok())
      co_return fail(block->error.code, block->error.message.value_or("no producer ids"));
    next_ = block->first.value;
    end_ = next_ + block->count;
  }
  co_return ProducerId(next_++);
}

}  // namespace tidemark::broker
