#include "tests/bench/load/runs.h"

#include <deque>
#include <stdexcept>

#include "tests/bench/load/run_parts.h"

namespace tidemark::bench {
namespace {

constexpr size_t kPacedInFlight = 64;  // of a connection

}  // namespace

size_t records_in(size_t batch_bytes, size_t record_bytes) {
  const size_t one = build_batch({.record_bytes = record_bytes}, 1).size();
  const size_t two = build_batch({.record_bytes = record_bytes, .records = 2}, 1).size();
  size_t count = batch_bytes <= one ? 1 : 1 + (batch_bytes - one) / (two - one);
  // Lengths are of variable size: the estimate may be one too many.
  while (count > 1 && build_batch({.record_bytes = record_bytes, .records = count}, 1).size() > batch_bytes)
    --count;
  return count;
}

nlohmann::json run_max(const Load& load) {
  const size_t per_batch = records_in(load.batch_bytes, load.record_bytes);
  const auto batch = build_batch({load.record_bytes, per_batch, load.codec}, 1);
  const size_t in_request = std::min(load.batches, static_cast<size_t>(load.partitions));
  std::vector<Frame> frames;
  for (size_t first = 0; first < static_cast<size_t>(load.partitions); first += in_request) {
    std::vector<int32_t> partitions;
    for (size_t i = 0; i < in_request; ++i)
      partitions.push_back(static_cast<int32_t>((first + i) % static_cast<size_t>(load.partitions)));
    frames.push_back(produce_frame(load.topic, load.acks, partitions, batch));
  }
  const size_t records = per_batch * in_request;
  const size_t bytes = batch.size() * in_request;

  Wires wires(load.bootstrap, load.connections);
  Window window(load.broker);
  Phases phases(load, window);
  Latencies latencies;
  Errors errors;
  uint64_t answered = 0;
  size_t next_frame = 0;
  const auto send = [&](Wire& wire) {
    wire.send(frames[next_frame], now_ns());
    next_frame = (next_frame + 1) % frames.size();
  };
  for (const auto& wire : wires.all) {
    for (size_t i = 0; i < load.in_flight; ++i) send(*wire);
  }
  Nanos give_up = 0;
  while (wires.in_flight() > 0) {
    wires.poller.wait(phases.closed() ? give_up : phases.next());
    const Nanos now = now_ns();
    phases.look(now, answered * bytes >= load.max_bytes);
    if (phases.closed() && give_up == 0) give_up = now + kDrain;
    if (give_up != 0 && now >= give_up) throw std::runtime_error("requests are not answered");
    Wire::Answer answer;
    for (const auto& wire : wires.all) {
      while (wire->next(answer)) {
        errors.see(produce_error(answer.frame));
        if (phases.measuring()) {
          ++answered;
          latencies.add(now_ns() - answer.since);
        }
        if (!phases.closed()) send(*wire);
      }
    }
  }
  auto report = window.report(answered * records, answered * bytes);
  report["request_latency_us"] = latencies.percentiles();
  report["requests_per_second"] = static_cast<double>(answered) / report["seconds"].get<double>();
  report["records_in_batch"] = per_batch;
  report["batches_in_request"] = in_request;
  errors.into(report);
  return report;
}

nlohmann::json run_paced(const Load& load) {
  const auto batch = build_batch({.record_bytes = load.record_bytes}, 1);
  std::vector<Frame> frames;
  for (int32_t p = 0; p < load.partitions; ++p)
    frames.push_back(produce_frame(load.topic, load.acks, std::span(&p, 1), batch));

  Wires wires(load.bootstrap, load.connections);
  struct Due {
    Nanos since;
    size_t partition;
  };
  std::vector<std::deque<Due>> lines(load.connections);  // what waits for room on a connection
  Window window(load.broker);
  Phases phases(load, window);
  Latencies latencies;
  Latencies oversleeping;
  Errors errors;
  const Nanos gap = nanos(1 / load.rate);
  const Nanos start = now_ns();
  uint64_t sent = 0;
  uint64_t due_in_window = 0;
  uint64_t acknowledged = 0;
  Nanos give_up = 0;
  for (;;) {
    const Nanos due = start + static_cast<Nanos>(sent) * gap;
    wires.poller.wait(phases.closed() ? give_up : std::min(due, phases.next()));
    const Nanos now = now_ns();
    phases.look(now, false);
    if (phases.closed() && give_up == 0) give_up = now + kDrain;
    for (; !phases.closed(); ++sent) {
      const Nanos at = start + static_cast<Nanos>(sent) * gap;
      if (at > now) break;
      const size_t partition = sent % frames.size();
      // From now, not from when it was due: the generator's own oversleeping is reported apart.
      lines[partition % lines.size()].push_back({now, partition});
      if (!phases.measuring()) continue;
      ++due_in_window;
      oversleeping.add(now - at);
    }
    Wire::Answer answer;
    for (size_t c = 0; c < lines.size(); ++c) {
      Wire& wire = *wires.all[c];
      while (wire.next(answer)) {
        const ErrorCode error = produce_error(answer.frame);
        errors.see(error);
        if (phases.measuring() && error == ErrorCode::NONE) ++acknowledged;
        if (!phases.measuring() && !phases.closed()) continue;
        if (answer.since >= phases.opened_at()) latencies.add(now_ns() - answer.since);
      }
      while (!phases.closed() && !lines[c].empty() && wire.in_flight() < kPacedInFlight) {
        wire.send(frames[lines[c].front().partition], lines[c].front().since, lines[c].front().partition);
        lines[c].pop_front();
      }
      if (wire.wants_write()) wire.flush();
    }
    if (phases.closed() && (wires.in_flight() == 0 || now >= give_up)) break;
  }
  // What was due and never sent has waited at least until now.
  uint64_t never = 0;
  for (const auto& line : lines) {
    for (const Due& d : line) {
      if (d.since < phases.opened_at()) continue;
      ++never;
      latencies.add(now_ns() - d.since);
    }
  }
  auto report = window.report(acknowledged, acknowledged * batch.size());
  report["wanted_per_second"] = load.rate;
  report["latency_us"] = latencies.percentiles();
  report["generator_late_us"] = oversleeping.percentiles();
  report["due"] = due_in_window;
  report["not_sent"] = never;
  errors.into(report);
  return report;
}

nlohmann::json run_end_to_end(const Load& load) {
  Wires wires(load.bootstrap, 2);
  Wire& producer = *wires.all[0];
  Wire& consumer = *wires.all[1];
  const std::array<int32_t, 1> partition{0};
  std::deque<Frame> frames;  // in flight
  std::array<int64_t, 1> offsets{0};
  Frame fetch = fetch_frame(load.topic, offsets);

  Window window(load.broker);
  Phases phases(load, window);
  Latencies latencies;
  Latencies acknowledgements;
  Latencies oversleeping;
  Errors errors;
  const Nanos gap = nanos(1 / load.rate);
  const Nanos start = now_ns();
  uint64_t sent = 0;
  uint64_t received = 0;
  uint64_t read_in_window = 0;
  Nanos give_up = 0;
  consumer.send(fetch, start);
  while (!phases.closed() || received < sent) {
    const Nanos due = start + static_cast<Nanos>(sent) * gap;
    wires.poller.wait(phases.closed() ? give_up : std::min(due, phases.next()));
    const Nanos now = now_ns();
    phases.look(now, false);
    if (phases.closed() && give_up == 0) give_up = now + kDrain;
    if (give_up != 0 && now >= give_up) break;
    while (!phases.closed() && start + static_cast<Nanos>(sent) * gap <= now) {
      if (phases.measuring()) oversleeping.add(now - (start + static_cast<Nanos>(sent) * gap));
      const Nanos since = now_ns();
      const auto batch = build_batch({.record_bytes = load.record_bytes}, static_cast<uint64_t>(since));
      frames.push_back(produce_frame(load.topic, load.acks, partition, batch));
      producer.send(frames.back(), since);
      ++sent;
    }
    producer.flush();
    Wire::Answer answer;
    while (consumer.next(answer)) {
      const Nanos arrived = now_ns();
      read_fetch(answer.frame, offsets, [&](const ReadBatch& batch) {
        if (batch.mark < kNotOurs) return;
        ++received;
        const auto since = static_cast<Nanos>(batch.mark);
        if (phases.measuring()) ++read_in_window;
        if ((phases.measuring() || phases.closed()) && since >= phases.opened_at())
          latencies.add(arrived - since);
      });
      fetch = fetch_frame(load.topic, offsets);
      consumer.send(fetch, arrived);
      consumer.flush();
    }
    while (producer.next(answer)) {
      errors.see(produce_error(answer.frame));
      if (phases.measuring()) acknowledgements.add(now_ns() - answer.since);
      frames.pop_front();
    }
  }
  // What was not read back has waited at least until now. One partition: the records come in order.
  for (uint64_t i = received; i < sent; ++i) {
    const Nanos since = start + static_cast<Nanos>(i) * gap;
    if (since >= phases.opened_at()) latencies.add(now_ns() - since);
  }
  auto report = window.report(read_in_window, read_in_window * load.record_bytes);
  report["wanted_per_second"] = load.rate;
  report["not_read_back"] = sent - received;
  report["sent"] = sent;
  report["latency_us"] = latencies.percentiles();
  report["acknowledged_us"] = acknowledgements.percentiles();
  report["generator_late_us"] = oversleeping.percentiles();
  errors.into(report);
  return report;
}

}  // namespace tidemark::bench
