// One client's connection, on the shard that accepted it. It reads frames, starts requests in the order they
// came, and sends the answers in that order, whatever order they are ready in. Owned by its ShardServer;
// never leaves its loop; knows nothing of any API but ApiVersions' special case.
//
//   reader:  frame -> memory -> header -> exchanges_ (at most max_in_flight, then it stops reading)
//   pump():  starts the next exchange when the one before has let it (RequestContext::release_order, or done)
//   writer:  takes finished exchanges off the front
//
// A client over its quota is answered at once and told for how long it is throttled (KIP-219); until then its
// connection reads no further frame. Frames that it had read are still served: their memory is never held by
// a pause. For a while afterwards it has one request under way at a time, so that there is none.
//
// It ends when the client has gone, when it broke the protocol, or when the node drains: in each case what
// has started runs to its end, and the answers that can still be sent are. Then finished() holds.
#pragma once

#include <deque>
#include <memory>

#include "broker/observe/log.h"
#include "broker/server/admission.h"
#include "broker/server/frame_reader.h"
#include "broker/server/request_handler.h"
#include "broker/server/request_queue.h"
#include "broker/server/response_writer.h"
#include "broker/server/server_metrics.h"
#include "broker/server/server_options.h"

namespace tidemark::broker {

// What all connections of a shard use; the ShardServer's.
struct ConnectionServices {
  runtime::Scheduler& loop;
  RequestHandler& handler;
  Admission& admission;
  Log& log;
  LogLimiter& log_limiter;  // for lines that a stranger can cause
  ServerMetrics& metrics;
  const ServerOptions& options;
  WritePins& pins;
  RequestQueue& queue;
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  // `on_finished` is called once, from the loop, when finished().
  Connection(const ConnectionServices& services, std::unique_ptr<runtime::Stream> stream, ConnectionInfo info,
             runtime::Job on_finished);
  ~Connection();

  void start();
  // Reads no more; hurries what is parked; closes when everything has been answered.
  void drain();
  // Closes now. What has started still runs to its end.
  void abort();
  // Closes if nothing moved for too long, or if it holds memory that others wait for and makes no progress.
  void sweep(runtime::MonoTime now, bool memory_pressed);

  [[nodiscard]] const ConnectionInfo& info() const { return info_; }
  [[nodiscard]] size_t in_flight() const { return exchanges_.size(); }

  // Under pressure a frame must bring kLeastProgress in kProgressTime, or give its memory back.
  static constexpr size_t kLeastProgress = 32 << 10;
  static constexpr runtime::Duration kProgressTime = std::chrono::milliseconds(300);
  // A request starts only while no more than this of earlier answers waits to be sent: a client that reads
  // nothing must not have them pile up.
  static constexpr size_t kMostUnsent = 1 << 20;
  // Behind a pause requests are read one at a time for so long.
  static constexpr runtime::Duration kCareful = std::chrono::seconds(10);

 private:
  // One request and its answer.
  struct Exchange {
    Exchange(ConnectionInfo& info, runtime::BufferSlice frame, runtime::MonoTime now, RequestQueue& queue)
        : request(info, std::move(frame), now), place(queue) {}
    RequestContext request;
    RequestQueue::Place place;
    std::optional<Result<Response>> answer;
    runtime::MonoTime started{};
    runtime::MonoTime answered{};
  };

  runtime::Task<void> read_requests();
  runtime::Task<void> write_answers();
  runtime::Task<Result<void>> send(Exchange& exchange);
  runtime::Task<void> serve(Exchange& exchange);
  void accept_frame(runtime::BufferSlice frame);
  Result<void> decode_header(RequestContext& request);
  void pump();
  // The exchange that holds the order waits for others: JoinGroup. Those behind it wait for it, and not for
  // the node.
  void park();
  // What has come and not started waits for its own client, and not for the node: it holds up nobody else.
  void hold_up();
  // From now on it waits for the node again, as if it had just come.
  void end_hold_up();
  // Reads nothing until so much time has passed.
  void mute(const Throttle& throttle);
  [[nodiscard]] bool is_muted(runtime::MonoTime now) const { return now < muted_until_; }
  // How many requests may be under way now.
  [[nodiscard]] size_t most_in_flight() const;
  void stop_working(RequestContext& request);
  // All stages up to the answer.
  void record_stages(const ServerMetrics::Api& api, const Exchange& exchange);
  void hurry_all();
  // Nothing more can be written, and whoever would read it has gone.
  void lose();
  void stop_reading();
  // One rate-limited line; the writer closes when all before is answered.
  void break_off(Counter& counter, std::string_view event, std::string_view cause);

  ConnectionServices services_;
  std::unique_ptr<runtime::Stream> stream_;
  ConnectionInfo info_;
  runtime::Job on_finished_;
  FrameReader reader_;
  ResponseWriter writer_;

  // In order of arrival. Invariant: the first started_ have been started; only the front is ever removed,
  // and only once answered, except that exchanges never started may be dropped from the back.
  std::deque<std::unique_ptr<Exchange>> exchanges_;
  size_t started_ = 0;
  bool order_free_ = true;   // the next exchange may start
  bool parked_ = false;      // the one that holds the order waits for others' requests: nothing more is read
  bool held_up_ = false;     // since exchanges wait for what is not the node's doing
  size_t unsent_bytes_ = 0;  // of answers that the client has not taken yet
  bool pumping_ = false;

  runtime::MonoTime muted_until_{};  // in the past: it is not, or has never been

  bool reading_ = true;            // false: no further frame is taken
  bool lost_ = false;              // the stream is closed or broken
  bool writing_ = false;           // inside a write
  runtime::MonoTime last_moved_;   // when bytes last went in or out
  uint64_t written_seen_ = 0;      // writer_.bytes_written() at the last sweep
  size_t progress_bytes_ = 0;      // of the frame under way, ...
  runtime::MonoTime progress_at_;  // ... as of then
  runtime::Signal room_;           // exchanges_ shrank, or reading_ ended
  runtime::Signal changed_;        // for the writer
  runtime::TaskScope tasks_;       // last: its frames use all of the above
};

}  // namespace tidemark::broker
