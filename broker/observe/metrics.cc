#include "broker/observe/metrics.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "protocol/invariant.h"

namespace tidemark::broker {

Histogram::Histogram(size_t shards, std::vector<double> bounds) : bounds_(std::move(bounds)), cells_(shards) {
  for (Cell& cell : cells_) cell.buckets = std::vector<std::atomic<uint64_t>>(bounds_.size() + 1);
}

void Histogram::record(size_t shard, double value) {
  Cell& cell = cells_[shard];
  const auto bucket = static_cast<size_t>(std::ranges::lower_bound(bounds_, value) - bounds_.begin());
  auto& count = cell.buckets[bucket];
  count.store(count.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  cell.sum.store(cell.sum.load(std::memory_order_relaxed) + value, std::memory_order_relaxed);
}

Histogram::Sum Histogram::total() const {
  Sum total;
  total.buckets.resize(bounds_.size() + 1);
  for (const Cell& cell : cells_) {
    for (size_t i = 0; i < total.buckets.size(); ++i) {
      total.buckets[i] += cell.buckets[i].load(std::memory_order_relaxed);
    }
    total.sum += cell.sum.load(std::memory_order_relaxed);
  }
  return total;
}

struct Metrics::Series {
  MetricLabels labels;
  std::unique_ptr<Counter> counter;
  std::unique_ptr<Histogram> histogram;
  std::function<double()> read;
};

struct Metrics::Family {
  std::string name;
  std::string help;
  Kind kind;
  std::vector<std::unique_ptr<Series>> series;
  ReadAll read_all;  // besides them
};

struct Metrics::Table {
  Kind kind;
  std::vector<std::pair<std::string, std::string>> names_and_help;
  ReadTable read;
};

Metrics::Metrics(size_t shards) : shards_(shards) {}
Metrics::~Metrics() = default;

// REQUIRES: mutex_ is held.
Metrics::Series& Metrics::series(const std::string& name, const std::string& help, Kind kind,
                                 MetricLabels labels) {
  auto family = std::ranges::find(families_, name, &Family::name);
  if (family == families_.end()) {
    families_.push_back(std::make_unique<Family>(Family{name, help, kind, {}, {}}));
    family = std::prev(families_.end());
  }
  INVARIANT((*family)->kind == kind, "metric {} is registered as two kinds", name);
  for (const auto& known : (*family)->series) {
    if (known->labels == labels) return *known;
  }
  auto added = std::make_unique<Series>();
  added->labels = std::move(labels);
  return *(*family)->series.emplace_back(std::move(added));
}

Counter& Metrics::counter(const std::string& name, const std::string& help, MetricLabels labels) {
  const std::lock_guard lock(mutex_);
  Series& found = series(name, help, Kind::counter, std::move(labels));
  if (!found.counter) found.counter = std::make_unique<Counter>(shards_);
  return *found.counter;
}

Histogram& Metrics::histogram(const std::string& name, const std::string& help, std::vector<double> bounds,
                              MetricLabels labels) {
  const std::lock_guard lock(mutex_);
  Series& found = series(name, help, Kind::histogram, std::move(labels));
  if (!found.histogram) found.histogram = std::make_unique<Histogram>(shards_, std::move(bounds));
  return *found.histogram;
}

void Metrics::gauge(const std::string& name, const std::string& help, std::function<double()> read,
                    MetricLabels labels) {
  const std::lock_guard lock(mutex_);
  series(name, help, Kind::gauge, std::move(labels)).read = std::move(read);
}

void Metrics::counter_of(const std::string& name, const std::string& help, std::function<double()> read,
                         MetricLabels labels) {
  const std::lock_guard lock(mutex_);
  series(name, help, Kind::counter, std::move(labels)).read = std::move(read);
}

void Metrics::gauges(const std::string& name, const std::string& help, ReadAll read) {
  const std::lock_guard lock(mutex_);
  families_.push_back(std::make_unique<Family>(Family{name, help, Kind::gauge, {}, std::move(read)}));
}

void Metrics::counters(std::vector<std::pair<std::string, std::string>> names_and_help, ReadTable read) {
  const std::lock_guard lock(mutex_);
  tables_.push_back(
      std::make_unique<Table>(Table{Kind::counter, std::move(names_and_help), std::move(read)}));
}

void Metrics::gauges(std::vector<std::pair<std::string, std::string>> names_and_help, ReadTable read) {
  const std::lock_guard lock(mutex_);
  tables_.push_back(std::make_unique<Table>(Table{Kind::gauge, std::move(names_and_help), std::move(read)}));
}

std::string Metrics::serialize() const {
  std::vector<prometheus::MetricFamily> families;
  const std::lock_guard lock(mutex_);
  for (const auto& family : families_) {
    prometheus::MetricFamily out;
    out.name = family->name;
    out.help = family->help;
    out.type = family->kind == Kind::counter ? prometheus::MetricType::Counter
               : family->kind == Kind::gauge ? prometheus::MetricType::Gauge
                                             : prometheus::MetricType::Histogram;
    for (const auto& one : family->series) {
      prometheus::ClientMetric metric;
      for (const auto& [key, value] : one->labels) metric.label.push_back({key, value});
      if (one->histogram) {
        const Histogram::Sum total = one->histogram->total();
        uint64_t cumulative = 0;
        for (size_t i = 0; i < total.buckets.size(); ++i) {
          cumulative += total.buckets[i];
          const bool last = i == one->histogram->bounds().size();
          metric.histogram.bucket.push_back(
              {cumulative, last ? std::numeric_limits<double>::infinity() : one->histogram->bounds()[i]});
        }
        metric.histogram.sample_count = cumulative;
        metric.histogram.sample_sum = total.sum;
      } else {
        const double value = one->counter ? static_cast<double>(one->counter->total()) : one->read();
        metric.counter.value = metric.gauge.value = value;
      }
      out.metric.push_back(std::move(metric));
    }
    if (family->read_all) {
      for (auto& [labels, value] : family->read_all()) {
        prometheus::ClientMetric metric;
        for (const auto& [key, text] : labels) metric.label.push_back({key, text});
        metric.gauge.value = value;
        out.metric.push_back(std::move(metric));
      }
    }
    families.push_back(std::move(out));
  }
  for (const auto& table : tables_) {
    const auto rows = table->read();
    for (size_t column = 0; column < table->names_and_help.size(); ++column) {
      prometheus::MetricFamily out;
      std::tie(out.name, out.help) = table->names_and_help[column];
      out.type =
          table->kind == Kind::counter ? prometheus::MetricType::Counter : prometheus::MetricType::Gauge;
      for (const auto& [labels, values] : rows) {
        if (std::isnan(values[column])) continue;
        prometheus::ClientMetric& metric = out.metric.emplace_back();
        for (const auto& [key, text] : labels) metric.label.push_back({key, text});
        metric.counter.value = metric.gauge.value = values[column];
      }
      families.push_back(std::move(out));
    }
  }
  return prometheus::TextSerializer().Serialize(families);
}

std::vector<double> latency_bounds() {
  return {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
          0.1,    0.25,    0.5,    1,     2.5,    5,     10,   30};
}

}  // namespace tidemark::broker
