/* A C program on librdkafka, as an application would be written: produces, reads back, seeks, asks for
 * offsets by time, and administers topics, against the broker in argv[1]. One line a check; exits 1 if any
 * failed. */
#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { kTimeoutMs = 30000, kErrorBytes = 512 };

static const char* bootstrap;
static const char* check_name;
static int failures;

static void fail(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  printf("not ok - %s: ", check_name);
  vprintf(format, arguments);
  printf("\n");
  va_end(arguments);
  ++failures;
}

#define EXPECT(condition, ...)           \
  do {                                   \
    if (!(condition)) fail(__VA_ARGS__); \
  } while (0)

static void die(const char* what, const char* why) {
  printf("not ok - %s: %s: %s\n", check_name, what, why);
  exit(1);
}

static void new_name(char* name, size_t size) {
  static int counter;
  snprintf(name, size, "c-%ld-%d", (long)getpid(), counter++);
}

/* settings: pairs of name and value, ended by NULL */
static rd_kafka_t* open_client(rd_kafka_type_t type, const char* const* settings,
                               void (*on_delivery)(rd_kafka_t*, const rd_kafka_message_t*, void*),
                               void* opaque) {
  char error[kErrorBytes];
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  rd_kafka_conf_set(conf, "bootstrap.servers", bootstrap, error, sizeof(error));
  rd_kafka_conf_set(conf, "log_level", "0", error, sizeof(error));
  for (; settings && settings[0]; settings += 2) {
    if (rd_kafka_conf_set(conf, settings[0], settings[1], error, sizeof(error)) != RD_KAFKA_CONF_OK)
      die("setting", error);
  }
  if (on_delivery) rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
  rd_kafka_conf_set_opaque(conf, opaque);
  rd_kafka_t* client = rd_kafka_new(type, conf, error, sizeof(error));
  if (!client) die("rd_kafka_new", error);
  return client;
}

/* --- producing
 * -------------------------------------------------------------------------------------------------- */

struct deliveries {
  int64_t count;
  int64_t errors;
  int64_t persisted;
  int64_t next_offset; /* of a single partition, in order; -1: not checked */
  int64_t out_of_order;
  rd_kafka_resp_err_t last_error;
};

static void on_delivery(rd_kafka_t* client, const rd_kafka_message_t* message, void* opaque) {
  struct deliveries* deliveries = opaque;
  (void)client;
  ++deliveries->count;
  if (message->err) {
    ++deliveries->errors;
    deliveries->last_error = message->err;
    return;
  }
  if (rd_kafka_message_status(message) == RD_KAFKA_MSG_STATUS_PERSISTED) ++deliveries->persisted;
  if (deliveries->next_offset >= 0 && message->offset != deliveries->next_offset++)
    ++deliveries->out_of_order;
}

static void send_record(rd_kafka_t* producer, const char* topic, int32_t partition, const void* key,
                        size_t key_size, const void* value, size_t value_size, int64_t timestamp_ms,
                        rd_kafka_headers_t* headers) {
  for (;;) {
    rd_kafka_headers_t* copy = headers ? rd_kafka_headers_copy(headers) : NULL;
    rd_kafka_vu_t fields[] = {
        {.vtype = RD_KAFKA_VTYPE_TOPIC, .u.cstr = topic},
        {.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = partition},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
        {.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {(void*)key, key_size}},
        {.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {(void*)value, value_size}},
        {.vtype = RD_KAFKA_VTYPE_TIMESTAMP, .u.i64 = timestamp_ms},
        {.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = copy},
    };
    rd_kafka_error_t* error =
        rd_kafka_produceva(producer, fields, sizeof(fields) / sizeof(fields[0]) - (copy ? 0 : 1));
    if (!error) return;
    if (copy) rd_kafka_headers_destroy(copy);
    int full = rd_kafka_error_code(error) == RD_KAFKA_RESP_ERR__QUEUE_FULL;
    if (!full) die("produce", rd_kafka_error_string(error));
    rd_kafka_error_destroy(error);
    rd_kafka_poll(producer, 50);
  }
}

/* --- reading
 * ------------------------------------------------------------------------------------------------------ */

static rd_kafka_t* open_consumer(void) {
  static const char* const settings[] = {"group.id",
                                         "by-assignment",
                                         "enable.auto.commit",
                                         "false",
                                         "auto.offset.reset",
                                         "error",
                                         "fetch.wait.max.ms",
                                         "100",
                                         NULL};
  rd_kafka_t* consumer = open_client(RD_KAFKA_CONSUMER, settings, NULL, NULL);
  rd_kafka_poll_set_consumer(consumer);
  return consumer;
}

static void assign(rd_kafka_t* consumer, const char* topic, int32_t partition, int64_t offset) {
  rd_kafka_topic_partition_list_t* list = rd_kafka_topic_partition_list_new(1);
  rd_kafka_topic_partition_list_add(list, topic, partition)->offset = offset;
  rd_kafka_resp_err_t error = rd_kafka_assign(consumer, list);
  if (error) die("assign", rd_kafka_err2str(error));
  rd_kafka_topic_partition_list_destroy(list);
}

/* The next record, or NULL after a patience. Errors end the check. */
static rd_kafka_message_t* next_record(rd_kafka_t* consumer) {
  for (int waited_ms = 0; waited_ms < kTimeoutMs; waited_ms += 500) {
    rd_kafka_message_t* message = rd_kafka_consumer_poll(consumer, 500);
    if (!message) continue;
    if (!message->err) return message;
    fail("consume: %s", rd_kafka_message_errstr(message));
    rd_kafka_message_destroy(message);
    return NULL;
  }
  fail("no record within %d ms", kTimeoutMs);
  return NULL;
}

static void close_consumer(rd_kafka_t* consumer) {
  rd_kafka_consumer_close(consumer);
  rd_kafka_destroy(consumer);
}

/* --- administration
 * ------------------------------------------------------------------------------------------------ */

/* Runs one admin call to its end; takes the queue's event, which the caller destroys. */
static rd_kafka_event_t* await_event(rd_kafka_queue_t* queue) {
  rd_kafka_event_t* event = rd_kafka_queue_poll(queue, kTimeoutMs);
  if (!event) die("admin call", "timed out");
  return event;
}

static rd_kafka_resp_err_t topic_error(rd_kafka_event_t* event, const rd_kafka_topic_result_t** results,
                                       size_t count) {
  rd_kafka_resp_err_t error = rd_kafka_event_error(event);
  if (!error && count == 1) error = rd_kafka_topic_result_error(results[0]);
  rd_kafka_event_destroy(event);
  return error;
}

static rd_kafka_resp_err_t create_topic(rd_kafka_t* client, const char* name, int partitions, int replicas,
                                        int validate_only, const char* key, const char* value) {
  char error[kErrorBytes];
  rd_kafka_queue_t* queue = rd_kafka_queue_new(client);
  rd_kafka_AdminOptions_t* options = rd_kafka_AdminOptions_new(client, RD_KAFKA_ADMIN_OP_CREATETOPICS);
  rd_kafka_AdminOptions_set_operation_timeout(options, kTimeoutMs, error, sizeof(error));
  rd_kafka_AdminOptions_set_validate_only(options, validate_only, error, sizeof(error));
  rd_kafka_NewTopic_t* topic = rd_kafka_NewTopic_new(name, partitions, replicas, error, sizeof(error));
  if (!topic) die("NewTopic", error);
  if (key) rd_kafka_NewTopic_set_config(topic, key, value);
  rd_kafka_CreateTopics(client, &topic, 1, options, queue);
  rd_kafka_event_t* event = await_event(queue);
  size_t count = 0;
  const rd_kafka_topic_result_t** results =
      rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count);
  rd_kafka_resp_err_t result = topic_error(event, results, count);
  rd_kafka_NewTopic_destroy(topic);
  rd_kafka_AdminOptions_destroy(options);
  rd_kafka_queue_destroy(queue);
  return result;
}

static rd_kafka_resp_err_t delete_topic(rd_kafka_t* client, const char* name) {
  rd_kafka_queue_t* queue = rd_kafka_queue_new(client);
  rd_kafka_DeleteTopic_t* topic = rd_kafka_DeleteTopic_new(name);
  rd_kafka_DeleteTopics(client, &topic, 1, NULL, queue);
  rd_kafka_event_t* event = await_event(queue);
  size_t count = 0;
  const rd_kafka_topic_result_t** results =
      rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event), &count);
  rd_kafka_resp_err_t result = topic_error(event, results, count);
  rd_kafka_DeleteTopic_destroy(topic);
  rd_kafka_queue_destroy(queue);
  return result;
}

static rd_kafka_resp_err_t create_partitions(rd_kafka_t* client, const char* name, size_t total) {
  char error[kErrorBytes];
  rd_kafka_queue_t* queue = rd_kafka_queue_new(client);
  rd_kafka_NewPartitions_t* partitions = rd_kafka_NewPartitions_new(name, total, error, sizeof(error));
  rd_kafka_CreatePartitions(client, &partitions, 1, NULL, queue);
  rd_kafka_event_t* event = await_event(queue);
  size_t count = 0;
  const rd_kafka_topic_result_t** results =
      rd_kafka_CreatePartitions_result_topics(rd_kafka_event_CreatePartitions_result(event), &count);
  rd_kafka_resp_err_t result = topic_error(event, results, count);
  rd_kafka_NewPartitions_destroy(partitions);
  rd_kafka_queue_destroy(queue);
  return result;
}

static void topic_config(rd_kafka_t* client, const char* name, const char* key, char* value, size_t size) {
  rd_kafka_queue_t* queue = rd_kafka_queue_new(client);
  rd_kafka_ConfigResource_t* resource = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, name);
  rd_kafka_DescribeConfigs(client, &resource, 1, NULL, queue);
  rd_kafka_event_t* event = await_event(queue);
  size_t count = 0, entries = 0;
  const rd_kafka_ConfigResource_t** found =
      rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(event), &count);
  value[0] = 0;
  if (count == 1) {
    const rd_kafka_ConfigEntry_t** configs = rd_kafka_ConfigResource_configs(found[0], &entries);
    for (size_t i = 0; i < entries; ++i) {
      if (strcmp(rd_kafka_ConfigEntry_name(configs[i]), key) == 0 && rd_kafka_ConfigEntry_value(configs[i])) {
        snprintf(value, size, "%s", rd_kafka_ConfigEntry_value(configs[i]));
      }
    }
  }
  rd_kafka_event_destroy(event);
  rd_kafka_ConfigResource_destroy(resource);
  rd_kafka_queue_destroy(queue);
}

/* --- the checks
 * ------------------------------------------------------------------------------------------------------ */

static void codecs_and_acks(rd_kafka_t* admin) {
  static const char* const codecs[] = {"none", "gzip", "snappy", "lz4", "zstd"};
  static const char* const acks[] = {"0", "1", "all"};
  enum { kRecords = 500 };
  for (size_t codec = 0; codec < 5; ++codec) {
    for (size_t ack = 0; ack < 3; ++ack) {
      char topic[64], value[256];
      new_name(topic, sizeof(topic));
      EXPECT(!create_topic(admin, topic, 1, 1, 0, NULL, NULL), "create %s", topic);
      const char* const settings[] = {"compression.codec", codecs[codec], "acks", acks[ack],
                                      "linger.ms",         "5",           NULL};
      struct deliveries deliveries = {.next_offset = strcmp(acks[ack], "0") == 0 ? -1 : 0};
      rd_kafka_t* consumer = open_consumer();
      assign(consumer, topic, 0, 0);
      int64_t low, high; /* what is sent with acks=0 before the partition is led would be lost */
      for (int i = 0;
           i < 100 && rd_kafka_query_watermark_offsets(consumer, topic, 0, &low, &high, kTimeoutMs); ++i)
        usleep(100000);
      rd_kafka_t* producer = open_client(RD_KAFKA_PRODUCER, settings, on_delivery, &deliveries);
      for (int i = 0; i < kRecords; ++i) {
        int size = snprintf(value, sizeof(value), "%s acks=%s %d %0100d", codecs[codec], acks[ack], i, i);
        send_record(producer, topic, 0, NULL, 0, value, (size_t)size, 0, NULL);
      }
      rd_kafka_flush(producer, kTimeoutMs);
      rd_kafka_destroy(producer);
      EXPECT(deliveries.count == kRecords && deliveries.errors == 0 && deliveries.out_of_order == 0,
             "%s acks=%s: %" PRId64 " reports, %" PRId64 " errors, %" PRId64 " out of order", codecs[codec],
             acks[ack], deliveries.count, deliveries.errors, deliveries.out_of_order);
      if (ack > 0) EXPECT(deliveries.persisted == kRecords, "%" PRId64 " persisted", deliveries.persisted);
      for (int i = 0; i < kRecords; ++i) {
        rd_kafka_message_t* message = next_record(consumer);
        if (!message) break;
        int size = snprintf(value, sizeof(value), "%s acks=%s %d %0100d", codecs[codec], acks[ack], i, i);
        EXPECT(message->offset == i && message->len == (size_t)size &&
                   memcmp(message->payload, value, message->len) == 0,
               "%s acks=%s: record %d differs", codecs[codec], acks[ack], i);
        rd_kafka_message_destroy(message);
      }
      close_consumer(consumer);
      printf("stored %s %d %s\n", topic, kRecords, codecs[codec]); /* librdkafka_test.py looks */
    }
  }
}

static void shapes_of_records(rd_kafka_t* admin) {
  char topic[64];
  new_name(topic, sizeof(topic));
  EXPECT(!create_topic(admin, topic, 1, 1, 0, NULL, NULL), "create");
  struct deliveries deliveries = {0};
  static const char* const settings[] = {"message.max.bytes", "2000000", "acks", "all", NULL};
  rd_kafka_t* producer = open_client(RD_KAFKA_PRODUCER, settings, on_delivery, &deliveries);
  rd_kafka_headers_t* headers = rd_kafka_headers_new(4);
  rd_kafka_header_add(headers, "trace", -1, "abc", 3);
  rd_kafka_header_add(headers, "trace", -1, "twice", 5);
  rd_kafka_header_add(headers, "empty", -1, "", 0);
  rd_kafka_header_add(headers, "null", -1, NULL, 0);
  enum { kMegabyte = 1000000 };
  char* large = malloc(kMegabyte);
  for (int i = 0; i < kMegabyte; ++i) large[i] = (char)((i * 2654435761u) >> 13);
  send_record(producer, topic, 0, "key", 3, "value", 5, 1700000000000, headers);
  send_record(producer, topic, 0, NULL, 0, "no key", 6, 1700000001000, NULL);
  send_record(producer, topic, 0, "no value", 8, NULL, 0, 1700000002000, NULL);
  send_record(producer, topic, 0, "", 0, "", 0, 1700000003000, NULL);
  send_record(producer, topic, 0, NULL, 0, large, kMegabyte, 1700000004000, NULL);
  rd_kafka_flush(producer, kTimeoutMs);
  EXPECT(deliveries.persisted == 5, "%" PRId64 " persisted: %s", deliveries.persisted,
         rd_kafka_err2name(deliveries.last_error));

  rd_kafka_t* consumer = open_consumer();
  assign(consumer, topic, 0, 0);
  for (int i = 0; i < 5; ++i) {
    rd_kafka_message_t* message = next_record(consumer);
    if (!message) break;
    rd_kafka_timestamp_type_t type;
    int64_t timestamp = rd_kafka_message_timestamp(message, &type);
    EXPECT(type == RD_KAFKA_TIMESTAMP_CREATE_TIME && timestamp == 1700000000000 + 1000 * i,
           "timestamp %" PRId64, timestamp);
    if (i == 0) {
      rd_kafka_headers_t* found = NULL;
      EXPECT(!rd_kafka_message_headers(message, &found) && rd_kafka_header_cnt(found) == 4, "four headers");
      const char* name;
      const void* value;
      size_t size;
      for (size_t at = 0; found && at < 4; ++at) {
        const char* expected_name;
        const void* expected;
        size_t expected_size;
        rd_kafka_header_get_all(found, at, &name, &value, &size);
        rd_kafka_header_get_all(headers, at, &expected_name, &expected, &expected_size);
        EXPECT(strcmp(name, expected_name) == 0 && size == expected_size && !value == !expected &&
                   (!value || memcmp(value, expected, size) == 0),
               "header %zu", at);
      }
    }
    if (i == 1) EXPECT(!message->key && message->len == 6, "null key");
    if (i == 2) EXPECT(!message->payload && message->key_len == 8, "null value");
    if (i == 4)
      EXPECT(message->len == kMegabyte && memcmp(message->payload, large, kMegabyte) == 0, "one megabyte");
    rd_kafka_message_destroy(message);
  }
  close_consumer(consumer);
  rd_kafka_headers_destroy(headers);
  rd_kafka_destroy(producer);
  free(large);
}

static void many_small_idempotent(rd_kafka_t* admin) {
  enum { kRecords = 50000, kPartitions = 50 };
  char topic[64], value[64];
  new_name(topic, sizeof(topic));
  EXPECT(!create_topic(admin, topic, kPartitions, 1, 0, NULL, NULL), "create");
  struct deliveries deliveries = {.next_offset = -1};
  static const char* const settings[] = {"enable.idempotence", "true", "linger.ms", "2",
                                         "compression.codec",  "zstd", NULL};
  rd_kafka_t* producer = open_client(RD_KAFKA_PRODUCER, settings, on_delivery, &deliveries);
  for (int i = 0; i < kRecords; ++i) {
    int size = snprintf(value, sizeof(value), "%d", i);
    send_record(producer, topic, i % kPartitions, NULL, 0, value, (size_t)size, 0, NULL);
    rd_kafka_poll(producer, 0);
  }
  rd_kafka_flush(producer, kTimeoutMs);
  EXPECT(deliveries.persisted == kRecords, "%" PRId64 " persisted", deliveries.persisted);
  rd_kafka_destroy(producer);

  int64_t next[kPartitions] = {0};
  rd_kafka_t* consumer = open_consumer();
  rd_kafka_topic_partition_list_t* list = rd_kafka_topic_partition_list_new(kPartitions);
  for (int partition = 0; partition < kPartitions; ++partition)
    rd_kafka_topic_partition_list_add(list, topic, partition)->offset = 0;
  rd_kafka_assign(consumer, list);
  rd_kafka_topic_partition_list_destroy(list);
  int seen = 0;
  for (; seen < kRecords; ++seen) {
    rd_kafka_message_t* message = next_record(consumer);
    if (!message) break;
    int64_t number = strtol((const char*)message->payload, NULL, 10);
    EXPECT(message->offset == next[message->partition] &&
               number == message->offset * kPartitions + message->partition,
           "partition %d offset %" PRId64 " holds %" PRId64, message->partition, message->offset, number);
    ++next[message->partition];
    rd_kafka_message_destroy(message);
  }
  EXPECT(seen == kRecords, "read %d", seen);
  close_consumer(consumer);
}

static void seeking(rd_kafka_t* admin) {
  enum { kRecords = 1000 };
  char topic[64], value[64];
  new_name(topic, sizeof(topic));
  EXPECT(!create_topic(admin, topic, 1, 1, 0, NULL, NULL), "create");
  struct deliveries deliveries = {0};
  static const char* const settings[] = {"acks", "all", "batch.num.messages", "100", NULL};
  rd_kafka_t* producer = open_client(RD_KAFKA_PRODUCER, settings, on_delivery, &deliveries);
  for (int i = 0; i < kRecords; ++i) {
    int size = snprintf(value, sizeof(value), "%d", i);
    send_record(producer, topic, 0, NULL, 0, value, (size_t)size, 1700000000000 + 1000 * i, NULL);
  }
  rd_kafka_flush(producer, kTimeoutMs);
  rd_kafka_destroy(producer);

  rd_kafka_t* consumer = open_consumer();
  int64_t low = -1, high = -1;
  EXPECT(!rd_kafka_query_watermark_offsets(consumer, topic, 0, &low, &high, kTimeoutMs) && low == 0 &&
             high == kRecords,
         "watermarks %" PRId64 " %" PRId64, low, high);
  static const int64_t offsets[] = {999, 0, 500, 499, 1};
  for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); ++i) {
    assign(consumer, topic, 0, offsets[i]);
    rd_kafka_message_t* message = next_record(consumer);
    if (!message) continue;
    EXPECT(message->offset == offsets[i] && strtol((const char*)message->payload, NULL, 10) == offsets[i],
           "offset %" PRId64, offsets[i]);
    rd_kafka_message_destroy(message);
  }
  static const int64_t times[][2] = {{-1000, 0},
                                     {0, 0},
                                     {500, 1},
                                     {499000, 499},
                                     {499001, 500},
                                     {999000, 999},
                                     {999001, RD_KAFKA_OFFSET_END}};
  for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); ++i) {
    rd_kafka_topic_partition_list_t* list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, 0)->offset = 1700000000000 + times[i][0];
    rd_kafka_resp_err_t error = rd_kafka_offsets_for_times(consumer, list, kTimeoutMs);
    EXPECT(!error && !list->elems[0].err && list->elems[0].offset == times[i][1],
           "time +%" PRId64 " gives %" PRId64, times[i][0], list->elems[0].offset);
    rd_kafka_topic_partition_list_destroy(list);
  }
  close_consumer(consumer);
}

static void administration(rd_kafka_t* admin) {
  char topic[64], other[64], value[128];
  new_name(topic, sizeof(topic));
  new_name(other, sizeof(other));
  EXPECT(!create_topic(admin, topic, 2, 1, 0, "retention.ms", "123456"), "create");
  topic_config(admin, topic, "retention.ms", value, sizeof(value));
  EXPECT(strcmp(value, "123456") == 0, "retention.ms is '%s'", value);
  EXPECT(!create_partitions(admin, topic, 4), "grow to four partitions");
  struct deliveries deliveries = {0};
  rd_kafka_t* producer = open_client(RD_KAFKA_PRODUCER, NULL, on_delivery, &deliveries);
  for (int i = 0; i < 10; ++i) send_record(producer, topic, 3, NULL, 0, "x", 1, 0, NULL);
  rd_kafka_flush(producer, kTimeoutMs);
  rd_kafka_destroy(producer);
  EXPECT(deliveries.persisted == 10, "ten records into the fourth partition");

  rd_kafka_queue_t* queue = rd_kafka_queue_new(admin);
  rd_kafka_topic_partition_list_t* before = rd_kafka_topic_partition_list_new(1);
  rd_kafka_topic_partition_list_add(before, topic, 3)->offset = 7;
  rd_kafka_DeleteRecords_t* trim = rd_kafka_DeleteRecords_new(before);
  rd_kafka_DeleteRecords(admin, &trim, 1, NULL, queue);
  rd_kafka_event_t* event = await_event(queue);
  EXPECT(!rd_kafka_event_error(event), "delete records: %s", rd_kafka_event_error_string(event));
  rd_kafka_event_destroy(event);
  rd_kafka_DeleteRecords_destroy(trim);
  rd_kafka_topic_partition_list_destroy(before);
  rd_kafka_queue_destroy(queue);
  int64_t low = -1, high = -1;
  EXPECT(
      !rd_kafka_query_watermark_offsets(admin, topic, 3, &low, &high, kTimeoutMs) && low == 7 && high == 10,
      "after the trim: %" PRId64 " %" PRId64, low, high);

  rd_kafka_resp_err_t error;
#define EXPECT_ERROR(call, expected)                                            \
  do {                                                                          \
    error = (call);                                                             \
    EXPECT(error == (expected), #call " answers %s", rd_kafka_err2name(error)); \
  } while (0)
  EXPECT_ERROR(create_topic(admin, topic, 2, 1, 0, NULL, NULL), RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS);
  EXPECT_ERROR(create_topic(admin, "not/a/name", 1, 1, 0, NULL, NULL), RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION);
  EXPECT_ERROR(create_topic(admin, other, 1, 3, 0, NULL, NULL), RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR);
  EXPECT_ERROR(create_topic(admin, other, 1, 1, 0, "retention.ms", "soon"), RD_KAFKA_RESP_ERR_INVALID_CONFIG);
  EXPECT_ERROR(create_topic(admin, other, 1, 1, 1, NULL, NULL), RD_KAFKA_RESP_ERR_NO_ERROR);
  EXPECT_ERROR(delete_topic(admin, other), RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
  EXPECT_ERROR(create_partitions(admin, topic, 3), RD_KAFKA_RESP_ERR_INVALID_PARTITIONS);
  EXPECT_ERROR(delete_topic(admin, topic), RD_KAFKA_RESP_ERR_NO_ERROR);
  EXPECT_ERROR(delete_topic(admin, topic), RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
#undef EXPECT_ERROR
}

static void refused_records(rd_kafka_t* admin) {
  char topic[64];
  new_name(topic, sizeof(topic));
  EXPECT(!create_topic(admin, topic, 1, 1, 0, "max.message.bytes", "1000"), "create");
  struct deliveries deliveries = {0};
  rd_kafka_t* producer = open_client(RD_KAFKA_PRODUCER, NULL, on_delivery, &deliveries);
  char value[5000];
  for (size_t i = 0; i < sizeof(value); ++i) value[i] = (char)(i * 7);
  send_record(producer, topic, 0, NULL, 0, value, sizeof(value), 0, NULL);
  rd_kafka_flush(producer, kTimeoutMs);
  EXPECT(deliveries.errors == 1 && deliveries.last_error == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE,
         "too large: %s", rd_kafka_err2name(deliveries.last_error));
  /* Refused at once: the program knows the topic's partitions by now. */
  rd_kafka_resp_err_t error = rd_kafka_producev(producer, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(5),
                                                RD_KAFKA_V_VALUE("x", 1), RD_KAFKA_V_END);
  EXPECT(error == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION, "no such partition: %s", rd_kafka_err2name(error));
  rd_kafka_destroy(producer);
}

int main(int argc, char** argv) {
  static const struct {
    const char* name;
    void (*run)(rd_kafka_t*);
  } checks[] = {
      {"every codec with every acks", codecs_and_acks},
      {"headers, null keys and values, timestamps, one megabyte", shapes_of_records},
      {"50,000 small records over 50 partitions, idempotent", many_small_idempotent},
      {"seeking by offset and by time", seeking},
      {"topics, partitions, settings, trims, and the errors of such calls", administration},
      {"records that are refused", refused_records},
  };
  if (argc != 2) {
    fprintf(stderr, "usage: %s HOST:PORT\n", argv[0]);
    return 2;
  }
  bootstrap = argv[1];
  setvbuf(stdout, NULL, _IOLBF, 0);
  check_name = "admin client";
  rd_kafka_t* admin = open_client(RD_KAFKA_PRODUCER, NULL, NULL, NULL);
  for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); ++i) {
    int failures_before = failures;
    check_name = checks[i].name;
    checks[i].run(admin);
    if (failures == failures_before) printf("ok - %s\n", check_name);
  }
  rd_kafka_destroy(admin);
  printf("%d failures\n", failures);
  return failures ? 1 : 0;
}
