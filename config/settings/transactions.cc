// Producer ids and transactions.
#include "config/settings/rows.h"

namespace tidemark::config {
namespace {

using namespace rows;

constexpr Setting kSettings[] = {
    broker("producer.id.expiration.ms", kInt, "86400000", at_least(1), kLow, kClusterWide,
           honoured("settings/broker_test.py: test_producer_id_expiration_ms"),
           "How long an idle producer's sequence numbers are remembered."),
    broker("add.partitions.to.txn.retry.backoff.max.ms", kInt, "100", at_least(0), kHigh, kReadOnly,
           refused(kNoTransactions), "Longest pause before a transaction's partition is added again."),
    broker("add.partitions.to.txn.retry.backoff.ms", kInt, "20", at_least(1), kHigh, kReadOnly,
           refused(kNoTransactions), "First pause before a transaction's partition is added again."),
    broker("transaction.abort.timed.out.transaction.cleanup.interval.ms", kInt, "10000", at_least(1), kLow,
           kReadOnly, refused(kNoTransactions), "How often overdue transactions are looked for."),
    broker("transaction.max.timeout.ms", kInt, "900000", at_least(1), kHigh, kReadOnly,
           refused(kNoTransactions), "Longest timeout that a transactional producer may ask for."),
    broker("transaction.partition.verification.enable", kBoolean, "true", kAny, kLow, kClusterWide,
           refused(kNoTransactions),
           "Whether a partition asks the coordinator before a transaction's first write."),
    broker("transaction.remove.expired.transaction.cleanup.interval.ms", kInt, "3600000", at_least(1), kLow,
           kReadOnly, refused(kNoTransactions), "How often forgotten transactional ids are removed."),
    broker("transaction.state.log.load.buffer.size", kInt, "5242880", at_least(1), kHigh, kReadOnly,
           refused(kNoTransactions), "Bytes read at once when the transaction log is loaded."),
    accepting(broker("transaction.state.log.min.isr", kInt, "2", at_least(1), kHigh, kReadOnly,
                     refused(kNoTransactions), "min.insync.replicas of the transaction log."),
              "1"),
    broker("transaction.state.log.num.partitions", kInt, "50", at_least(1), kHigh, kReadOnly,
           refused(kNoTransactions), "Partitions of the transaction log."),
    accepting(broker("transaction.state.log.replication.factor", kShort, "3", at_least(1), kHigh, kReadOnly,
                     refused(kNoTransactions), "Replicas of the transaction log."),
              "1"),
    broker("transaction.state.log.segment.bytes", kInt, "104857600", at_least(1), kHigh, kReadOnly,
           refused(kNoTransactions), "Segment size of the transaction log."),
    broker("transaction.two.phase.commit.enable", kBoolean, "false", kAny, kLow, kReadOnly,
           refused(kNoTransactions),
           "Whether producers may prepare transactions for an outside coordinator."),
    broker("transactional.id.expiration.ms", kInt, "604800000", at_least(1), kHigh, kReadOnly,
           refused(kNoTransactions), "How long an idle transactional id is remembered."),
};

}  // namespace

std::span<const Setting> transaction_settings() { return kSettings; }

}  // namespace tidemark::config
