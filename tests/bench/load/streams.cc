#include <deque>
#include <numeric>
#include <stdexcept>

#include "tests/bench/load/group.h"
#include "tests/bench/load/run_parts.h"

namespace tidemark::bench {
namespace {

constexpr Nanos kCommitEvery = kSecond;

// Produces the same batch to every partition in each request, over one or more connections.
class Source {
 public:
  Source(const Load& load, Wires& wires)
      : load_(load),
        producers_(std::span(wires.all).first(load.connections)),
        frames_(load.connections),
        paced_(load.rate > 0),
        partitions_(static_cast<size_t>(load.partitions)),
        start_(now_ns()) {
    // Paced: what is due in `linger`, so that a request goes out that often.
    const double due = load.rate * load.linger_s / load.partitions;
    per_batch_ = paced_ ? std::max<size_t>(1, static_cast<size_t>(due + 0.5))
                        : records_in(load.batch_bytes, load.record_bytes);
    if (paced_) gap_ = nanos(static_cast<double>(records_in_request()) / load.rate);
    batch_ = build_batch({load.record_bytes, per_batch_}, 0);
    all_.resize(partitions_);
    std::iota(all_.begin(), all_.end(), 0);
  }
  // Of the next request; never where only an answer makes room for one.
  [[nodiscard]] Nanos due() const { return paced_ ? start_ + static_cast<Nanos>(requests_) * gap_ : kFar; }
  void send(Nanos now) {
    if (paced_) {
      for (; due() <= now; ++requests_) send_to(requests_ % producers_.size(), due());
    } else {
      for (size_t i = 0; i < producers_.size(); ++i) {
        while (producers_[i]->in_flight() < load_.in_flight) send_to(i, now_ns()), ++requests_;
      }
    }
    for (const auto& wire : producers_) wire->flush();
  }
  void take_answers(Errors& errors, Latencies* acknowledged) {
    Wire::Answer answer;
    for (size_t i = 0; i < producers_.size(); ++i) {
      while (producers_[i]->next(answer)) {
        errors.see(produce_error(answer.frame));
        if (acknowledged != nullptr) acknowledged->add(now_ns() - answer.since);
        frames_[i].pop_front();
      }
    }
  }
  [[nodiscard]] uint64_t sent() const { return requests_ * records_in_request(); }
  [[nodiscard]] size_t records_in_request() const { return per_batch_ * partitions_; }
  [[nodiscard]] size_t per_batch() const { return per_batch_; }

 private:
  static constexpr Nanos kFar = INT64_MAX;
  // A record's time begins when the oldest of its batch may first have waited for the others.
  void send_to(size_t connection, Nanos since) {
    mark_batch(batch_, static_cast<uint64_t>(paced_ ? since - gap_ : since));
    frames_[connection].push_back(produce_frame(load_.topic, load_.acks, all_, batch_));
    producers_[connection]->send(frames_[connection].back(), since);
  }

  const Load& load_;
  std::span<const std::unique_ptr<Wire>> producers_;
  std::vector<std::deque<Frame>> frames_;  // in flight, by connection
  const bool paced_;
  const size_t partitions_;
  const Nanos start_;
  size_t per_batch_ = 1;
  Nanos gap_ = 0;
  std::vector<std::byte> batch_;
  std::vector<int32_t> all_;
  uint64_t requests_ = 0;
};

}  // namespace

nlohmann::json run_stream(const Load& load) {
  Wires wires(load.bootstrap, load.connections + 2);
  Wire& consumer = *wires.all[load.connections];
  Wire& coordinator = *wires.all[load.connections + 1];
  const Member member = join_group(coordinator, load.topic + "-group", load.topic);

  Source source(load, wires);
  Window window(load.broker);
  Phases phases(load, window);
  Latencies latencies;
  Latencies acknowledgements;
  Latencies commits;
  Errors errors;
  std::vector<int64_t> offsets(static_cast<size_t>(load.partitions));
  Frame fetch = fetch_frame(load.topic, offsets);
  Frame commit;
  Nanos commit_at = now_ns() + kCommitEvery;
  Nanos give_up = 0;
  uint64_t received = 0;
  uint64_t read_in_window = 0;
  const uint64_t record_bytes = load.record_bytes;
  consumer.send(fetch, now_ns());
  source.send(now_ns());
  while (!phases.closed() || received < source.sent()) {
    wires.poller.wait(phases.closed() ? give_up : std::min({source.due(), phases.next(), commit_at}));
    const Nanos now = now_ns();
    phases.look(now, read_in_window * record_bytes >= load.max_bytes);
    if (phases.closed() && give_up == 0) give_up = now + kDrain;
    if (give_up != 0 && now >= give_up) break;
    if (!phases.closed()) source.send(now);
    Wire::Answer answer;
    while (consumer.next(answer)) {
      const Nanos arrived = now_ns();
      read_fetch(answer.frame, offsets, [&](const ReadBatch& batch) {
        if (batch.mark < kNotOurs) return;
        received += batch.records;
        if (!phases.measuring()) return;
        read_in_window += batch.records;
        const auto since = static_cast<Nanos>(batch.mark);
        if (since >= phases.opened_at()) latencies.add(arrived - since);
      });
      fetch = fetch_frame(load.topic, offsets);
      consumer.send(fetch, arrived);
      consumer.flush();
    }
    source.take_answers(errors, phases.measuring() ? &acknowledgements : nullptr);
    while (coordinator.next(answer)) {
      errors.see(commit_error(answer.frame));
      commits.add(now_ns() - answer.since);
    }
    if (now >= commit_at && coordinator.in_flight() == 0) {
      commit = commit_frame(member, load.topic, offsets);
      coordinator.send(commit, now);
      coordinator.flush();
      commit_at = now + kCommitEvery;
    }
  }
  auto report = window.report(read_in_window, read_in_window * record_bytes);
  report["wanted_per_second"] = load.rate;
  report["sent"] = source.sent();
  report["not_read_back"] = source.sent() - received;
  report["records_in_batch"] = source.per_batch();
  report["latency_us"] = latencies.percentiles();
  report["acknowledged_us"] = acknowledgements.percentiles();
  report["commits"] = commits.count();
  report["commit_us"] = commits.percentiles();
  errors.into(report);
  return report;
}

nlohmann::json run_catch_up(const Load& load) {
  Wires wires(load.bootstrap, 1);
  Wire& consumer = *wires.all[0];
  std::vector<int64_t> offsets(static_cast<size_t>(load.partitions));
  Window window(load.broker);
  Latencies latencies;
  uint64_t records = 0;
  uint64_t bytes = 0;
  window.open();
  const Nanos give_up = now_ns() + nanos(load.seconds);
  for (;;) {
    const Frame fetch = fetch_frame(load.topic, offsets);
    consumer.send(fetch, now_ns());
    consumer.flush();
    Wire::Answer answer;
    while (!consumer.next(answer)) {
      wires.poller.wait(give_up);
      if (now_ns() >= give_up) throw std::runtime_error("the topic is not read within the time");
    }
    latencies.add(now_ns() - answer.since);
    const uint64_t before = records;
    read_fetch(answer.frame, offsets, [&](const ReadBatch& batch) {
      records += batch.records;
      bytes += batch.bytes;
    });
    if (records == before) break;  // it has waited for more
    window.close();
  }
  auto report = window.report(records, bytes);
  report["request_latency_us"] = latencies.percentiles();
  report["bytes"] = bytes;
  return report;
}

}  // namespace tidemark::bench
