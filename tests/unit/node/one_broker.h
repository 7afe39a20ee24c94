// A whole broker in virtual time for one test: on a simulated disk and network that do nothing wrong unless
// the test says so, and a client's connection to it.
#pragma once

#include <catch2/catch.hpp>

#include "client/core/connection.h"
#include "protocol/messages/create_topics_request.h"
#include "protocol/messages/create_topics_response.h"
#include "protocol/messages/delete_topics_request.h"
#include "protocol/messages/delete_topics_response.h"
#include "protocol/messages/metadata_request.h"
#include "protocol/messages/metadata_response.h"
#include "protocol/messages/produce_request.h"
#include "protocol/messages/produce_response.h"
#include "tests/simulation/sim_batch.h"
#include "tests/simulation/sim_broker.h"

namespace tidemark::simulation {

class OneBroker {
 public:
  OneBroker() : disk(2, counters), derived_(disk, counters), network(time, 3, counters), client_(time) {
    options.config.data_dirs = {"/data"};
    options.config.listeners = {{"PLAINTEXT", {"broker", 9092}, std::nullopt}};
  }
  ~OneBroker() {
    scope_.destroy_all();
    connection.reset();
    if (process_ && !process_->ended()) process_->crash(CrashKind::kill);
  }

  void start() {
    REQUIRE_FALSE(try_start().has_value());
    connector_ = network.connector("client", client_);
    connect();
  }
  // `connection` is a new one from then on.
  void connect() {
    client::ConnectionOptions connecting;
    auto opened = run(client::Connection::open(client_, *connector_, SimBroker::address(), connecting));
    REQUIRE(opened);
    connection = *opened;
  }

  // Why it does not start.
  std::optional<Error> try_start() {
    process_ = std::make_unique<SimProcess>(time, disk);
    broker = &process_->host<SimBroker>(*process_, network, options, derived_, seed.value_or(3 + ++lives_),
                                        [this](const std::string& line) { log.push_back(line); });
    broker->start();
    while (!broker->started() && !broker->failure()) REQUIRE(time.step());
    return broker->failure();
  }

  // The process or the machine dies; start() begins the next life.
  void crash(CrashKind kind) {
    connection.reset();
    connector_.reset();
    process_->crash(kind);
  }

  // Runs the world until the task is done.
  template <class T>
  T run(runtime::Task<T> task) {
    std::optional<T> value;
    scope_.spawn(keep(std::move(task), value));
    while (!value) REQUIRE(time.step());
    return std::move(*value);
  }

  template <class Response, class Request>
  client::Reply<Response> ask(const Request& request, int16_t version) {
    auto reply = run(connection->call<Request, Response>(request, version));
    REQUIRE(reply);
    return std::move(*reply);
  }

  static protocol::CreateTopicsRequest creation_of(std::string_view name, int32_t partitions) {
    protocol::CreateTopicsRequest request;
    auto& topic = request.topics.emplace_back();
    topic.name = name;
    topic.num_partitions = partitions;
    topic.replication_factor = 1;
    return request;
  }
  ErrorCode create_topic(std::string_view name, int32_t partitions) {
    const auto reply = ask<protocol::CreateTopicsResponse>(creation_of(name, partitions), 7);
    return static_cast<ErrorCode>(reply.body.topics.at(0).error_code);
  }
  static protocol::DeleteTopicsRequest deletion_of(std::string_view name) {
    protocol::DeleteTopicsRequest request;
    request.topics.emplace_back().name = name;
    return request;
  }
  ErrorCode delete_topic(std::string_view name) {
    const auto reply = ask<protocol::DeleteTopicsResponse>(deletion_of(name), 6);
    return static_cast<ErrorCode>(reply.body.responses.at(0).error_code);
  }
  // Asks for it and does not wait. What `request` points to must stay.
  template <class Response, class Request>
  void begin(Request request, int16_t version) {
    scope_.spawn(call_in<Response>(connection, std::move(request), version));
  }
  void begin_create_topic(std::string_view name) {
    begin<protocol::CreateTopicsResponse>(creation_of(name, 1), 7);
  }
  void begin_delete_topic(std::string_view name) {
    begin<protocol::DeleteTopicsResponse>(deletion_of(name), 6);
  }

  // One batch of one record with a value of `bytes`, acks=all.
  ErrorCode produce(std::string_view topic, int32_t partition, size_t bytes) {
    SimBatch batch;
    batch.value_bytes = bytes;
    return produce(topic, partition, batch);
  }
  ErrorCode produce(std::string_view topic, int32_t partition, SimBatch batch) {
    const auto reply = produce_reply(topic, partition, std::move(batch));
    return static_cast<ErrorCode>(reply.body.responses.at(0).partition_responses.at(0).error_code);
  }
  client::Reply<protocol::ProduceResponse> produce_reply(std::string_view topic, int32_t partition,
                                                         SimBatch batch) {
    batch.identity = ++identities_;
    batch.timestamp_ms = runtime::unix_ms(static_cast<runtime::Scheduler&>(client_).clock().wall());
    const runtime::BufferSlice slice = batch.encode();
    last_batch_bytes = slice.size();
    protocol::ProduceRequest request;
    request.acks = -1;
    request.timeout_ms = 5'000;
    auto& wanted = request.topic_data.emplace_back();
    wanted.name = topic;
    auto& p = wanted.partition_data.emplace_back();
    p.index = partition;
    p.records = protocol::Records(slice.bytes);
    return ask<protocol::ProduceResponse>(request, 9);
  }

  // For disk.faults.slowness: every sync from then on takes between 10 s and 400 s.
  static constexpr double kHangs = 200'000;

  FaultCounters counters;
  VirtualTime time{1};
  SimDisk disk;

 private:
  SimStoreContent derived_;

 public:
  SimNetwork network;
  SimBrokerOptions options;
  std::optional<uint64_t> seed;  // of what the next life draws; else no two draw alike
  SimBroker* broker = nullptr;
  size_t last_batch_bytes = 0;
  std::vector<std::string> log;  // what an operator would read

 private:
  template <class Response, class Request>
  static runtime::Task<void> call_in(std::shared_ptr<client::Connection> connection, Request request,
                                     int16_t version) {
    auto calling = connection->call<Request, Response>(request, version);
    (void)co_await calling;
  }
  template <class T>
  static runtime::Task<void> keep(runtime::Task<T> task, std::optional<T>& value) {
    value.emplace(co_await task);
  }

  std::unique_ptr<SimProcess> process_;
  VirtualScheduler client_;
  std::unique_ptr<runtime::Connector> connector_;
  uint64_t identities_ = 0;
  uint64_t lives_ = 0;

 public:
  std::shared_ptr<client::Connection> connection;

 private:
  runtime::TaskScope scope_;
};

}  // namespace tidemark::simulation
