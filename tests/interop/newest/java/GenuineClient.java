import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.Future;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.consumer.CommitFailedException;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** A driver of the genuine client (../README.md). Its admin verbs are in GenuineAdmin, its own tour in ConsumerTour. */
public class GenuineClient {
    static final ObjectMapper JSON = new ObjectMapper();
    static final Map<String, String> ASSIGNORS = Map.of(
        "range", "org.apache.kafka.clients.consumer.RangeAssignor",
        "roundrobin", "org.apache.kafka.clients.consumer.RoundRobinAssignor",
        "sticky", "org.apache.kafka.clients.consumer.StickyAssignor",
        "cooperative-sticky", "org.apache.kafka.clients.consumer.CooperativeStickyAssignor");

    final String bootstrap;
    final Map<String, KafkaProducer<byte[], byte[]>> producers = new HashMap<>(); // one for each way to produce: it outlives the broker
    final KafkaConsumer<byte[], byte[]> reader;
    final GenuineAdmin admin;

    GenuineClient(String bootstrap) {
        this.bootstrap = bootstrap;
        reader = consumer(bootstrap, Map.of("auto.offset.reset", "none"));
        admin = new GenuineAdmin(Admin.create(Map.of("bootstrap.servers", bootstrap)));
    }

    static KafkaConsumer<byte[], byte[]> consumer(String bootstrap, Map<String, Object> settings) {
        Map<String, Object> all = new HashMap<>(Map.of("bootstrap.servers", bootstrap, "enable.auto.commit", false,
            "fetch.max.wait.ms", 100, "max.partition.fetch.bytes", 2_000_000));
        all.putAll(settings);
        return new KafkaConsumer<>(all, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    KafkaProducer<byte[], byte[]> producer(JsonNode request) {
        Map<String, Object> settings = Map.of("bootstrap.servers", bootstrap, "acks", request.get("acks").asText(),
            "compression.type", request.get("codec").asText(), "enable.idempotence", request.get("idempotent").asBoolean(),
            "linger.ms", 2, "max.request.size", 2_000_000);
        return producers.computeIfAbsent(settings.toString(),
            key -> new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer()));
    }

    static byte[] decoded(JsonNode node) throws IOException {
        return node.isNull() ? null : node.binaryValue();
    }

    JsonNode produce(JsonNode request) throws Exception {
        KafkaProducer<byte[], byte[]> producer = producer(request);
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        for (JsonNode entry : request.get("records")) {
            List<Header> headers = new ArrayList<>();
            for (JsonNode header : entry.get(3)) {
                headers.add(new RecordHeader(header.get(0).asText(), decoded(header.get(1))));
            }
            sent.add(producer.send(new ProducerRecord<>(request.get("topic").asText(), entry.get(0).asInt(),
                entry.get(4).isNull() ? null : entry.get(4).asLong(), decoded(entry.get(1)), decoded(entry.get(2)), headers)));
        }
        producer.flush();
        ObjectNode answer = JSON.createObjectNode();
        ArrayNode offsets = answer.putArray("offsets");
        for (Future<RecordMetadata> each : sent) {
            RecordMetadata metadata = each.get();
            if (metadata.hasOffset()) {
                offsets.add(metadata.offset());
            } else {
                offsets.addNull();
            }
        }
        return answer;
    }

    static TopicPartition partition(JsonNode request) {
        return new TopicPartition(request.get("topic").asText(), request.get("partition").asInt());
    }

    JsonNode consume(JsonNode request) {
        TopicPartition partition = partition(request);
        reader.assign(List.of(partition));
        reader.seek(partition, request.get("start").asLong());
        ObjectNode answer = JSON.createObjectNode();
        ArrayNode found = answer.putArray("records");
        long deadline = System.nanoTime() + (long) (1e9 * request.get("seconds").asDouble());
        while (found.size() < request.get("count").asInt() && System.nanoTime() < deadline) {
            for (ConsumerRecord<byte[], byte[]> record : reader.poll(Duration.ofMillis(200))) {
                if (found.size() == request.get("count").asInt()) {
                    break;
                }
                ArrayNode entry = found.addArray().add(record.offset()).add(record.timestamp()).add(record.key()).add(record.value());
                ArrayNode headers = entry.addArray();
                record.headers().forEach(header -> headers.addArray().add(header.key()).add(header.value()));
            }
        }
        return answer;
    }

    JsonNode offsetForTime(JsonNode request) {
        TopicPartition partition = partition(request);
        var found = reader.offsetsForTimes(Map.of(partition, request.get("time").asLong())).get(partition);
        ObjectNode answer = JSON.createObjectNode();
        return found == null ? answer.putNull("offset") : answer.put("offset", found.offset());
    }

    JsonNode watermarks(JsonNode request) {
        Set<TopicPartition> asked = Set.of(partition(request));
        return JSON.createObjectNode().put("low", reader.beginningOffsets(asked).values().iterator().next())
            .put("high", reader.endOffsets(asked).values().iterator().next());
    }

    JsonNode answer(JsonNode request) throws Exception {
        return switch (request.get("verb").asText()) {
            case "produce" -> produce(request);
            case "consume" -> consume(request);
            case "offset_for_time" -> offsetForTime(request);
            case "watermarks" -> watermarks(request);
            default -> admin.answer(request);
        };
    }

    // --- a member ------------------------------------------------------------------------------------------------
    static void say(Object... words) {
        try {
            System.out.println(JSON.writeValueAsString(words));
        } catch (IOException impossible) {
            throw new IllegalStateException(impossible);
        }
    }

    static void member(String bootstrap, JsonNode settings) throws IOException {
        var consumer = consumer(bootstrap, Map.of("group.id", settings.get("group").asText(), "auto.offset.reset", "earliest",
            "heartbeat.interval.ms", 200, "session.timeout.ms", settings.get("session_timeout_ms").asInt(),
            "partition.assignment.strategy", ASSIGNORS.get(settings.get("assignor").asText())));
        Set<Integer> share = new TreeSet<>();
        consumer.subscribe(List.of(settings.get("topic").asText()), new ConsumerRebalanceListener() {
            @Override
            public void onPartitionsAssigned(Collection<TopicPartition> assigned) {
                assigned.forEach(each -> share.add(each.partition()));
                say("share", share);
            }

            @Override
            public void onPartitionsRevoked(Collection<TopicPartition> revoked) {
                commit(consumer);
                onPartitionsLost(revoked);
            }

            @Override
            public void onPartitionsLost(Collection<TopicPartition> lost) {
                lost.forEach(each -> share.remove(each.partition()));
                say("share", share);
            }
        });
        while (!ended) {
            var read = consumer.poll(Duration.ofMillis(100));
            read.forEach(record -> say("read", record.partition(), record.offset()));
            if (!read.isEmpty()) {
                commit(consumer);
            }
        }
        commit(consumer);
        consumer.close();
        say("left");
    }

    static volatile boolean ended;

    static void awaitEnd() {
        Thread listener = new Thread(() -> {
            try {
                while (System.in.read() >= 0) { }
            } catch (IOException gone) {
                // as good as its end
            }
            ended = true;
        });
        listener.setDaemon(true);
        listener.start();
    }

    /** A group that has gone on refuses it, and a broker may be dead: then what was read is read again. */
    static void commit(KafkaConsumer<byte[], byte[]> consumer) {
        try {
            consumer.commitSync(Duration.ofSeconds(5));
        } catch (CommitFailedException refused) {
            say("complaint", refused.toString());
        } catch (KafkaException failed) {
            say("complaint", failed.toString());
        }
    }

    public static void main(String[] arguments) throws Exception {
        if (arguments.length > 2 && arguments[1].equals("member")) {
            awaitEnd();
            member(arguments[0], JSON.readTree(arguments[2]));
            return;
        }
        if (arguments.length > 1 && arguments[1].equals("tour")) {
            ConsumerTour.main(arguments[0]);
            return;
        }
        GenuineClient client = new GenuineClient(arguments[0]);
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            JsonNode answer;
            try {
                answer = client.answer(JSON.readTree(line));
            } catch (Exception error) {
                answer = JSON.createObjectNode().put("error", String.valueOf(error.getCause() == null ? error : error.getCause()));
            }
            System.out.println(JSON.writeValueAsString(answer));
        }
        System.exit(0);
    }
}
