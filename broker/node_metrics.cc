#include "broker/node_metrics.h"

#include <algorithm>

#include "broker/api/fetch_session.h"
#include "broker/journal_watch.h"
#include "broker/quota/usages.h"
#include "broker/shard.h"
#include "broker/telemetry/client_series.h"

namespace tidemark::broker {

namespace {

// Topics with a series of their own: the largest; the rest is one series.
constexpr size_t kMaxTopicSeries = 100;
// The same of partitions, each of four series; divided evenly among the shards.
constexpr size_t kMaxPartitionSeries = 1'000;
constexpr int16_t kLeastCode = -1;
constexpr int16_t kMostCodes = 256;

}  // namespace

NodeMetrics::NodeMetrics(Metrics& metrics, size_t shards, size_t folders)
    : groups(metrics, shards),
      produce_bytes(
          metrics.counter("tidemark_produce_bytes_total", "Bytes of record batches appended for clients")),
      produce_records(metrics.counter("tidemark_produce_records_total", "Records appended for clients")),
      fetch_bytes(
          metrics.counter("tidemark_fetch_bytes_total", "Bytes of record batches that fetches returned")),
      client_series(std::make_unique<ClientSeries>(metrics)),
      samples_(shards),
      journals_(shards * folders + 1),
      named_(kMaxTopicSeries) {
  metrics.gauge("tidemark_partitions", "Partitions with a replica on this node",
                [this] { return sum(&Sample::partitions); });
  metrics.gauge("tidemark_offline_partitions", "Of those, the ones whose log cannot be used",
                [this] { return sum(&Sample::offline) + unopened_.load(std::memory_order_relaxed); });
  metrics.gauge("tidemark_partitions_unnamed", "Sound partitions without series of their offsets",
                [this] { return sum(&Sample::unnamed); });
  metrics.gauge("tidemark_fetch_sessions", "Incremental fetch sessions",
                [this] { return sum(&Sample::sessions); });
  metrics.gauge("tidemark_fetch_session_partitions", "Partitions that fetch sessions remember",
                [this] { return sum(&Sample::session_partitions); });
  add_memory(metrics, answer_memory_, "tidemark_answer",
             "Memory of answers that are larger than their requests");
  add_memory(metrics, element_memory_, "tidemark_request_element",
             "Memory of what requests with many elements are while they are served");
  add_memory(metrics, session_memory_, "tidemark_fetch_session", "Memory of fetch sessions");
  metrics.counter_of("tidemark_fetch_session_evictions_total", "Fetch sessions that made way for newer ones",
                     [this] { return sum(&Sample::evictions); });
  metrics.gauges("tidemark_topic_log_bytes",
                 "Bytes of a topic's logs on this node; the largest topics by name",
                 [this] { return topic_bytes(); });
  metrics.gauge("tidemark_quota_clients", "Clients, users and addresses whose use of a quota is counted",
                [this] { return quota_clients_.load(); });
  metrics.counter_of("tidemark_quota_overflows_total",
                     "Times that a client was counted with others, since there were too many",
                     [this] { return quota_overflows_.load(); });
  add_errors(metrics);
  add_traffic(metrics);
  add_offsets(metrics);
  add_cleaner(metrics);
  for (size_t i = 0; i < journals_.size(); ++i)
    add_journal(metrics, journals_[i], journal_name(i, journals_.size(), shards));
}

NodeMetrics::~NodeMetrics() = default;

void NodeMetrics::sample_quotas(const Usages& usages) {
  quota_clients_ = static_cast<double>(usages.tracked());
  quota_overflows_ = static_cast<double>(usages.overflows());
}

void NodeMetrics::Memory::sample(const runtime::ByteBudget& memory) {
  used = static_cast<double>(memory.used());
  limit = static_cast<double>(memory.limit());
}

void NodeMetrics::sample_memory(const runtime::ByteBudget& answers, const runtime::ByteBudget& elements,
                                const runtime::ByteBudget& sessions) {
  answer_memory_.sample(answers);
  element_memory_.sample(elements);
  session_memory_.sample(sessions);
}

void NodeMetrics::add_memory(Metrics& metrics, Memory& memory, const std::string& name,
                             const std::string& help) {
  metrics.gauge(name + "_memory_bytes", help, [&memory] { return memory.used.load(); });
  metrics.gauge(name + "_memory_limit_bytes", "Memory that they may take",
                [&memory] { return memory.limit.load(); });
}

void NodeMetrics::add_errors(Metrics& metrics) {
  errors_.resize(kMostCodes);
  for (int16_t code = kLeastCode; code < kMostCodes + kLeastCode; ++code) {
    const std::string_view name = error_name(static_cast<ErrorCode>(code));
    if (code == 0 || name.empty()) continue;
    for (size_t row = 0; row < kApiRows; ++row) {
      errors_[static_cast<size_t>(code - kLeastCode)][row] = &metrics.counter(
          "tidemark_response_errors_total", "Errors in responses, each partition's for itself",
          {{"api", std::string(api_row_name(row))}, {"error", std::string(name)}});
    }
  }
}

void NodeMetrics::add_offsets(Metrics& metrics) {
  const auto read = [this] {
    std::vector<std::pair<MetricLabels, std::vector<double>>> rows;
    for (const Sample& sample : samples_) {
      const std::lock_guard lock(sample.mutex);
      for (const PartitionOffsets& of : sample.offsets) {
        rows.emplace_back(
            MetricLabels{{"topic", of.topic}, {"partition", std::to_string(of.partition.value)}},
            std::vector{static_cast<double>(of.log_start.value), static_cast<double>(of.durable.value),
                        static_cast<double>(of.high_watermark.value), static_cast<double>(of.log_end.value)});
      }
    }
    return rows;
  };
  metrics.gauges({{"tidemark_partition_log_start_offset", "The first offset that the log has"},
                  {"tidemark_partition_durable_offset", "Records before it are synced"},
                  {"tidemark_partition_high_watermark", "Records before it are committed, and may be read"},
                  {"tidemark_partition_log_end_offset", "The offset of the next record"}},
                 read);
}

void NodeMetrics::add_traffic(Metrics& metrics) {
  const auto read = [this] {
    std::map<std::string, TopicTraffic> all;
    for (const Sample& sample : samples_) {
      const std::lock_guard lock(sample.mutex);
      for (const auto& [topic, traffic] : sample.topic_traffic) all[topic] += traffic;
    }
    std::vector<std::pair<MetricLabels, std::vector<double>>> rows;
    for (const auto& [topic, traffic] : named_.series(all)) {
      std::vector<double> values;
      for (const uint64_t value : {traffic.messages_in, traffic.bytes_in, traffic.bytes_out,
                                   traffic.bytes_rejected, traffic.produce_requests, traffic.fetch_requests,
                                   traffic.failed_produce_requests, traffic.failed_fetch_requests}) {
        values.push_back(static_cast<double>(value));
      }
      rows.emplace_back(MetricLabels{{"topic", topic}}, std::move(values));
    }
    return rows;
  };
  metrics.counters(
      {{"tidemark_topic_messages_in_total", "Records appended for clients, by topic"},
       {"tidemark_topic_bytes_in_total", "Bytes of record batches appended for clients, by topic"},
       {"tidemark_topic_bytes_out_total", "Bytes of record batches that fetches returned, by topic"},
       {"tidemark_topic_bytes_rejected_total", "Bytes of batches over max.message.bytes, by topic"},
       {"tidemark_topic_produce_requests_total", "Partitions of produce requests, by topic"},
       {"tidemark_topic_fetch_requests_total", "Partitions that fetches looked at, by topic"},
       {"tidemark_topic_failed_produce_requests_total",
        "Of those, the ones that failed other than a client expects, by topic"},
       {"tidemark_topic_failed_fetch_requests_total",
        "Of those, the ones that failed other than a client expects, by topic"}},
      read);
}

void NodeMetrics::add_cleaner(Metrics& metrics) {
  metrics.counter_of("tidemark_log_cleanings_total", "Logs of compacted topics that were cleaned",
                     [this] { return sum(&Sample::cleanings); });
  metrics.counter_of("tidemark_log_cleanings_given_up_total",
                     "Of those begun, the ones that a change of the log or the disk has ended",
                     [this] { return sum(&Sample::given_up); });
  metrics.counter_of("tidemark_log_cleaner_read_bytes_total", "Bytes of segments that were cleaned",
                     [this] { return sum(&Sample::cleaned_bytes); });
  metrics.counter_of("tidemark_log_cleaner_kept_bytes_total", "Of those, what stayed",
                     [this] { return sum(&Sample::kept_bytes); });
  metrics.gauge("tidemark_uncleanable_partitions",
                "Partitions that cannot be compacted: a segment is damaged",
                [this] { return sum(&Sample::uncleanable); });
  metrics.gauge("tidemark_log_cleaner_max_dirty_ratio",
                "The greatest share of a compacted log that was not cleaned yet",
                [this] { return greatest(&Sample::dirty_ratio); });
  metrics.gauge("tidemark_log_cleaner_max_overdue_seconds",
                "By how much a log exceeds its max.compaction.lag.ms",
                [this] { return greatest(&Sample::overdue); });
}

void NodeMetrics::add_journal(Metrics& metrics, Journal& journal, const std::string& name) {
  const auto read = [](const Value& value) {
    return [&value] { return value.load(std::memory_order_relaxed); };
  };
  const MetricLabels labels{{"journal", name}};
  metrics.gauge("tidemark_journal_live_bytes", "Bytes that a recovery would replay", read(journal.live_bytes),
                labels);
  metrics.gauge("tidemark_journal_limit_bytes", "What a journal may hold", read(journal.limit_bytes), labels);
  metrics.counter_of("tidemark_journal_syncs_total",
                     "Synced writes of a journal, each for a group of appends", read(journal.groups), labels);
  metrics.counter_of("tidemark_journal_records_total", "Records in those writes", read(journal.records),
                     labels);
  metrics.counter_of("tidemark_journal_written_bytes_total", "Bytes in those writes", read(journal.bytes),
                     labels);
  metrics.gauge("tidemark_journal_write_age_seconds",
                "How long the oldest append that is not synced, or the write of segments, has waited",
                read(journal.write_age), labels);
  metrics.gauge("tidemark_journal_starved", "1 while appends wait for a checkpoint to free the journal",
                read(journal.starved), labels);
  metrics.gauge("tidemark_journal_offline", "1 once the journal has failed: restart the node on a sound disk",
                read(journal.offline), labels);
  metrics.counter_of("tidemark_checkpoints_total", "Checkpoints: journaled data is synced in its segments",
                     read(journal.checkpoints), labels);
  metrics.gauge("tidemark_tail_cache_bytes", "Newest batches kept in memory for reads",
                read(journal.tail_bytes), labels);
  metrics.gauge("tidemark_unwritten_bytes", "Journaled batches on their way into segments",
                read(journal.unwritten_bytes), labels);
  metrics.counter_of("tidemark_scrubbed_bytes_total", "Bytes of sealed segments that the scrub has checked",
                     read(journal.scrubbed_bytes), labels);
  metrics.counter_of("tidemark_scrub_errors_total",
                     "Sealed segments that it found damaged, or could not read", read(journal.scrub_errors),
                     labels);
}

double NodeMetrics::sum(Value Sample::* member) const {
  double total = 0;
  for (const Sample& sample : samples_) total += (sample.*member).load(std::memory_order_relaxed);
  return total;
}

double NodeMetrics::greatest(Value Sample::* member) const {
  double most = 0;
  for (const Sample& sample : samples_)
    most = std::max(most, (sample.*member).load(std::memory_order_relaxed));
  return most;
}

void NodeMetrics::sample(Shard& shard, const FetchSessions& sessions) {
  Sample& sample = samples_[shard.index()];
  size_t offline = 0;
  size_t uncleanable = 0;
  std::map<std::string, double> bytes;
  for (const auto& [id, partition] : shard.partitions()) {
    if (partition->log().offline()) ++offline;
    if (partition->log().uncleanable()) ++uncleanable;
    bytes[partition->topic()] += static_cast<double>(partition->log().size_bytes());
  }
  sample.partitions = static_cast<double>(shard.partitions().size());
  sample.offline = static_cast<double>(offline);
  sample.uncleanable = static_cast<double>(uncleanable);
  sample.sessions = static_cast<double>(sessions.size());
  sample.session_partitions = static_cast<double>(sessions.partitions());
  sample.evictions = static_cast<double>(sessions.evictions());
  std::vector<PartitionOffsets> offsets = largest_offsets(shard, kMaxPartitionSeries / samples_.size());
  sample.unnamed = static_cast<double>(shard.partitions().size() - offline - offsets.size());
  {
    const std::lock_guard lock(sample.mutex);
    sample.topic_bytes = std::move(bytes);
    sample.offsets = std::move(offsets);
  }
  sample_traffic(shard);
  sample_cleaner(shard);
  for (size_t f = 0; f < shard.folders(); ++f) {
    if (shard.store(f) != nullptr)
      sample_store(*shard.store(f), journals_[f * samples_.size() + shard.index()], shard.loop().mono());
  }
}

// Topics that are gone take their counts with them.
void NodeMetrics::sample_traffic(Shard& shard) {
  Sample& sample = samples_[shard.index()];
  std::map<std::string, TopicTraffic> by_name;
  std::erase_if(sample.traffic, [&](const auto& entry) {
    const TopicView* topic = shard.view()->topic(entry.first);
    if (topic != nullptr) by_name[topic->image->name] = entry.second;
    return topic == nullptr;
  });
  const std::lock_guard lock(sample.mutex);
  sample.topic_traffic = std::move(by_name);
}

void NodeMetrics::sample_cleaner(Shard& shard) {
  storage::LogCleanerStats all;
  for (size_t f = 0; f < shard.folders(); ++f) {
    if (shard.cleaner(f) == nullptr) continue;
    const storage::LogCleanerStats& stats = shard.cleaner(f)->stats();
    all.cleanings += stats.cleanings;
    all.given_up += stats.given_up;
    all.done.bytes_read += stats.done.bytes_read;
    all.done.bytes_kept += stats.done.bytes_kept;
    all.max_dirty_ratio = std::max(all.max_dirty_ratio, stats.max_dirty_ratio);
    all.max_overdue_ms = std::max(all.max_overdue_ms, stats.max_overdue_ms);
  }
  Sample& sample = samples_[shard.index()];
  sample.cleanings = static_cast<double>(all.cleanings);
  sample.given_up = static_cast<double>(all.given_up);
  sample.cleaned_bytes = static_cast<double>(all.done.bytes_read);
  sample.kept_bytes = static_cast<double>(all.done.bytes_kept);
  sample.dirty_ratio = all.max_dirty_ratio;
  sample.overdue = static_cast<double>(all.max_overdue_ms) / 1000;
}

void NodeMetrics::sample_store(storage::LogStore& store, Journal& journal, runtime::MonoTime now) {
  const storage::Journal& from = store.journal();
  journal.live_bytes = static_cast<double>(from.live_bytes());
  journal.limit_bytes = static_cast<double>(from.max_bytes());
  journal.groups = static_cast<double>(from.stats().groups);
  journal.records = static_cast<double>(from.stats().records);
  journal.bytes = static_cast<double>(from.stats().bytes);
  journal.write_age = std::chrono::duration<double>(store.age(now)).count();
  journal.starved = from.starved() ? 1 : 0;
  journal.offline = store.offline() ? 1 : 0;
  journal.checkpoints = static_cast<double>(store.checkpoints());
  journal.tail_bytes = static_cast<double>(store.tail_bytes());
  journal.unwritten_bytes = static_cast<double>(store.unwritten_bytes());
  journal.scrubbed_bytes = static_cast<double>(store.scrub_stats().bytes);
  journal.scrub_errors = static_cast<double>(store.scrub_stats().errors);
}

void NodeMetrics::sample_metadata(storage::LogStore& store, size_t unopened, runtime::MonoTime now) {
  unopened_ = static_cast<double>(unopened);
  sample_store(store, journals_.back(), now);
}

void NodeMetrics::watch_folders(Metrics& metrics, const FolderInfos& folders) {
  for (const auto& folder : folders) {
    const MetricLabels labels{{"folder", folder->path()}};
    metrics.gauge(
        "tidemark_data_folder_offline", "1 once the data folder has failed, or cannot be opened",
        [folder] { return folder->offline() ? 1.0 : 0.0; }, labels);
    metrics.gauge(
        "tidemark_data_folder_free_bytes", "Free space on the data folder's disk",
        [folder] { return static_cast<double>(folder->free_bytes()); }, labels);
    metrics.gauge(
        "tidemark_data_folder_total_bytes", "Size of the data folder's disk",
        [folder] { return static_cast<double>(folder->total_bytes()); }, labels);
  }
}

std::vector<std::pair<MetricLabels, double>> NodeMetrics::topic_bytes() const {
  std::map<std::string, double> all;
  for (const Sample& sample : samples_) {
    const std::lock_guard lock(sample.mutex);
    for (const auto& [topic, bytes] : sample.topic_bytes) all[topic] += bytes;
  }
  std::vector<std::pair<double, std::string>> by_size;
  for (const auto& [topic, bytes] : all) by_size.emplace_back(bytes, topic);
  std::sort(by_size.rbegin(), by_size.rend());
  std::vector<std::pair<MetricLabels, double>> series;
  double others = 0;
  for (size_t i = 0; i < by_size.size(); ++i) {
    if (i < kMaxTopicSeries) {
      series.emplace_back(MetricLabels{{"topic", by_size[i].second}}, by_size[i].first);
    } else {
      others += by_size[i].first;
    }
  }
  if (by_size.size() > kMaxTopicSeries)
    series.emplace_back(MetricLabels{{"topic", std::string(kOtherTopics)}}, others);
  return series;
}

}  // namespace tidemark::broker
