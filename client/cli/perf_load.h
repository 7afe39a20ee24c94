// What `tidemark perf` writes and when: the producer's settings, the records' values, and the sender that
// hands records over as they come due. On the session's loop; a verb's task owns them.
#pragma once

#include "client/cli/outstanding.h"
#include "client/cli/pace.h"
#include "client/cli/perf_run.h"
#include "client/core/producer.h"

namespace tidemark::cli {

// Flags over the properties file over the defaults. Error (config): flags that contradict each other, sizes
// that do not fit.
Result<client::ProducerOptions> producer_options(const GlobalOptions& global, const PerfLoad& load);

// Values of random capital letters, which compress to a bit more than half. Those within a batch of half a
// megabyte are different.
class Filler {
 public:
  Filler(runtime::Random& random, size_t record_bytes);
  // Valid while the filler lives.
  [[nodiscard]] std::string_view next();

 private:
  const size_t record_bytes_;
  std::string letters_;
  size_t at_ = 0;
};

class LoadSender {
 public:
  // The n-th record (from 0 on), which was due then; what it views must live until the next call.
  using Make = std::function<client::OutgoingRecord(uint64_t n, runtime::MonoTime due)>;
  // `room` is notified whenever records are settled; `outstanding` is told of each record that was taken.
  LoadSender(Session& session, PerfRun& run, client::Producer& producer, Outstanding& outstanding,
             runtime::Signal& room)
      : session_(session), run_(run), producer_(producer), outstanding_(outstanding), room_(room) {}

  // Until the run breaks off, its time is up, or its records are sent. At a fixed rate everything that was
  // due in time is sent, unless that takes much longer: the rest is unsent() then.
  runtime::Task<void> send_all(Pace pace, Make make);
  [[nodiscard]] uint64_t sent() const { return sent_; }
  [[nodiscard]] uint64_t unsent() const { return unsent_; }
  [[nodiscard]] std::string why_unsent() const;

 private:
  [[nodiscard]] uint64_t wanted(const Pace& pace) const;
  // Takes the record, or waits a while for what it lacks.
  runtime::Task<void> send(client::OutgoingRecord record, runtime::MonoTime due);

  Session& session_;
  PerfRun& run_;
  client::Producer& producer_;
  Outstanding& outstanding_;
  runtime::Signal& room_;
  uint64_t sent_ = 0;
  uint64_t unsent_ = 0;
};

}  // namespace tidemark::cli
