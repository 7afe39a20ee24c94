#include "client/core/produce_outcome.h"

namespace tidemark::client {

Judgement judge_produce(ErrorCode code) {
  switch (code) {
    case ErrorCode::NONE:
    // It is there already; which offset it has, nobody says.
    case ErrorCode::DUPLICATE_SEQUENCE_NUMBER: return {Verdict::delivered};
    // The leader had appended it and waited for its replicas, or was deposed while it waited.
    case ErrorCode::NOT_LEADER_OR_FOLLOWER:
    case ErrorCode::FENCED_LEADER_EPOCH:
    case ErrorCode::NETWORK_EXCEPTION: return {Verdict::move, true};
    case ErrorCode::REQUEST_TIMED_OUT:
    case ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND: return {Verdict::retry, true};
    // The disk failed under the append, before or after the bytes were in place.
    case ErrorCode::KAFKA_STORAGE_ERROR: return {Verdict::move, true};
    case ErrorCode::UNKNOWN_SERVER_ERROR: return {Verdict::refused, true};
    case ErrorCode::UNKNOWN_TOPIC_OR_PARTITION:
    case ErrorCode::UNKNOWN_TOPIC_ID:
    case ErrorCode::INCONSISTENT_TOPIC_ID:
    case ErrorCode::LEADER_NOT_AVAILABLE:
    case ErrorCode::REPLICA_NOT_AVAILABLE: return {Verdict::move};
    case ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER: return {Verdict::out_of_turn};
    case ErrorCode::UNKNOWN_PRODUCER_ID: return {Verdict::state_lost};
    case ErrorCode::INVALID_PRODUCER_EPOCH:
    case ErrorCode::INVALID_PRODUCER_ID_MAPPING:
    case ErrorCode::PRODUCER_FENCED: return {Verdict::fenced};
    // Every other code: the protocol's own table of what is worth another try.
    default: return {is_retriable(code) ? Verdict::retry : Verdict::refused};
  }
}

}  // namespace tidemark::client
