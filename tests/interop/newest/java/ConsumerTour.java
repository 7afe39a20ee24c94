import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.CommitFailedException;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.FencedInstanceIdException;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** What only the genuine consumer shows, one named step each: "ok NAME" or "failed NAME: WHY". Topics hold 3 partitions of
 *  100 records, a second apart. */
class ConsumerTour {
    private static final long START_MS = 1_767_000_000_000L;
    private static final Duration PATIENCE = Duration.ofSeconds(60);

    private final String bootstrap;
    private final String topic = "tour-" + UUID.randomUUID();
    private final String group = "group-" + UUID.randomUUID();
    private final TopicPartition[] partitions = {new TopicPartition(topic, 0), new TopicPartition(topic, 1), new TopicPartition(topic, 2)};

    private interface Step {
        void run(ConsumerTour tour) throws Exception;
    }

    private interface Condition {
        boolean holds() throws Exception;
    }

    private ConsumerTour(String bootstrap) throws Exception {
        this.bootstrap = bootstrap;
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap));
             var producer = new KafkaProducer<>(Map.of("bootstrap.servers", bootstrap), new ByteArraySerializer(), new ByteArraySerializer())) {
            admin.createTopics(List.of(new NewTopic(topic, 3, (short) 1))).all().get();
            for (int i = 0; i < 100; i++) {
                for (int partition = 0; partition < 3; partition++) {
                    producer.send(new ProducerRecord<>(topic, partition, START_MS + 1000 * i, null, new byte[] {(byte) i}));
                }
            }
        }
    }

    private KafkaConsumer<byte[], byte[]> consumer(Map<String, Object> settings) {
        Map<String, Object> all = new java.util.HashMap<>(Map.of("group.id", group, "auto.offset.reset", "earliest",
            "heartbeat.interval.ms", 200));
        all.putAll(settings);
        return GenuineClient.consumer(bootstrap, all);
    }

    private static void check(boolean holds, Object... what) {
        if (!holds) {
            throw new IllegalStateException(List.of(what).toString());
        }
    }

    private static void await(Condition condition, Object what) throws Exception {
        long deadline = System.nanoTime() + PATIENCE.toNanos();
        while (!condition.holds()) {
            check(System.nanoTime() < deadline, what);
        }
    }

    private static List<ConsumerRecord<byte[], byte[]>> read(KafkaConsumer<byte[], byte[]> consumer, int count) throws Exception {
        List<ConsumerRecord<byte[], byte[]>> found = new ArrayList<>();
        await(() -> {
            consumer.poll(Duration.ofMillis(100)).forEach(found::add);
            return found.size() >= count;
        }, "records");
        check(found.size() == count, "read", found.size(), "not", count);
        return found;
    }

    // --- steps -----------------------------------------------------------------------------------------------------
    private void seekAndPosition() throws Exception {
        try (var consumer = consumer(Map.of())) {
            consumer.assign(List.of(partitions));
            consumer.seek(partitions[0], 97);
            consumer.seek(partitions[1], new OffsetAndMetadata(98, "with metadata"));
            consumer.seekToEnd(List.of(partitions[2]));
            check(consumer.position(partitions[2]) == 100);
            check(read(consumer, 5).stream().map(each -> each.partition() + "/" + each.offset()).toList()
                .containsAll(List.of("0/97", "0/98", "0/99", "1/98", "1/99")));
            consumer.seekToBeginning(List.of(partitions[2]));
            check(consumer.position(partitions[2]) == 0);
            check(consumer.currentLag(partitions[0]).orElse(-1) == 0, consumer.currentLag(partitions[0]));
        }
    }

    private void offsetsForTimes() {
        try (var consumer = consumer(Map.of())) {
            var found = consumer.offsetsForTimes(Map.of(partitions[0], START_MS + 41_500, partitions[1], START_MS - 1, partitions[2], START_MS + 99_001));
            check(found.get(partitions[0]).offset() == 42 && found.get(partitions[0]).timestamp() == START_MS + 42_000, found);
            check(found.get(partitions[1]).offset() == 0 && found.get(partitions[2]) == null, found);
            check(found.get(partitions[0]).leaderEpoch().isPresent(), found);
            check(consumer.beginningOffsets(List.of(partitions)).values().stream().allMatch(each -> each == 0));
            check(consumer.endOffsets(List.of(partitions)).values().stream().allMatch(each -> each == 100));
        }
    }

    private void everyOffsetSpec() throws Exception {
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
            for (var expected : Map.of(OffsetSpec.earliest(), 0L, OffsetSpec.latest(), 100L, OffsetSpec.maxTimestamp(), 99L,
                OffsetSpec.forTimestamp(START_MS + 1), 1L, OffsetSpec.earliestLocal(), 0L, OffsetSpec.latestTiered(), -1L).entrySet()) {
                long found = admin.listOffsets(Map.of(partitions[1], expected.getKey())).partitionResult(partitions[1]).get().offset();
                check(found == expected.getValue(), expected.getKey().getClass().getSimpleName(), found);
            }
        }
    }

    private void committed() throws Exception {
        try (var consumer = consumer(Map.of()); var other = consumer(Map.of())) {
            consumer.assign(List.of(partitions));
            check(consumer.committed(Set.of(partitions)).values().stream().allMatch(each -> each == null));
            consumer.commitSync(Map.of(partitions[0], new OffsetAndMetadata(7, java.util.Optional.of(0), "seven, прилив")));
            List<Exception> failures = new ArrayList<>();
            boolean[] done = {false};
            consumer.commitAsync(Map.of(partitions[1], new OffsetAndMetadata(9)), (offsets, failure) -> {
                done[0] = true;
                if (failure != null) {
                    failures.add(failure);
                }
            });
            await(() -> {
                consumer.poll(Duration.ofMillis(50));
                return done[0];
            }, "the answer to commitAsync");
            check(failures.isEmpty(), failures);
            var found = other.committed(Set.of(partitions));
            check(found.get(partitions[0]).equals(new OffsetAndMetadata(7, java.util.Optional.of(0), "seven, прилив")), found);
            check(found.get(partitions[1]).offset() == 9 && found.get(partitions[2]) == null, found);
        }
    }

    private void pauseAndResume() throws Exception {
        try (var consumer = consumer(Map.of())) {
            consumer.subscribe(List.of(topic));
            await(() -> {
                consumer.poll(Duration.ofMillis(100));
                return consumer.assignment().size() == 3;
            }, "the assignment");
            consumer.pause(consumer.assignment());
            consumer.seekToBeginning(consumer.assignment());
            for (int i = 0; i < 10; i++) {
                check(consumer.poll(Duration.ofMillis(100)).isEmpty(), "records of paused partitions");
            }
            consumer.resume(List.of(partitions[1]));
            check(read(consumer, 100).stream().allMatch(each -> each.partition() == 1));
            consumer.resume(consumer.paused());
            read(consumer, 200);
            consumer.commitSync();
        }
    }

    /** What is not given up goes on being read while the group rebalances. */
    private void cooperativeSticky() throws Exception {
        Map<String, Object> settings = Map.of("partition.assignment.strategy", GenuineClient.ASSIGNORS.get("cooperative-sticky"));
        List<String> events = new ArrayList<>();
        try (var first = consumer(settings)) {
            first.subscribe(List.of(topic), new ConsumerRebalanceListener() {
                @Override
                public void onPartitionsAssigned(Collection<TopicPartition> assigned) {
                    events.add("+" + assigned.size());
                }

                @Override
                public void onPartitionsRevoked(Collection<TopicPartition> revoked) {
                    events.add("-" + revoked.size());
                }
            });
            await(() -> {
                first.poll(Duration.ofMillis(50));
                return first.assignment().size() == 3;
            }, "everything");
            try (var second = consumer(settings)) {
                second.subscribe(List.of(topic));
                await(() -> {
                    first.poll(Duration.ofMillis(50));
                    second.poll(Duration.ofMillis(50));
                    return first.assignment().size() == 2 && second.assignment().size() == 1;
                }, "shares");
                Set<TopicPartition> all = new HashSet<>(first.assignment());
                all.addAll(second.assignment());
                check(all.size() == 3, all);
            }
            await(() -> {
                first.poll(Duration.ofMillis(50));
                return first.assignment().size() == 3;
            }, "everything again");
            check(events.stream().filter(each -> !each.equals("+0")).toList().equals(List.of("+3", "-1", "+1")), events);
        }
    }

    /** KIP-345: a seat that is taken again within its session keeps its share, and the one that sat there is fenced. */
    private void staticMembers() throws Exception {
        Map<String, Object> seat = Map.of("group.instance.id", "seat", "session.timeout.ms", 20_000);
        var first = consumer(seat);
        first.subscribe(List.of(topic));
        await(() -> {
            first.poll(Duration.ofMillis(50));
            return first.assignment().size() == 3;
        }, "everything");
        int generation = first.groupMetadata().generationId();
        try (var second = consumer(seat)) {
            second.subscribe(List.of(topic));
            await(() -> {
                second.poll(Duration.ofMillis(50));
                return second.assignment().size() == 3;
            }, "the seat");
            check(second.groupMetadata().generationId() == generation, "a rebalance", second.groupMetadata());
            check(!second.groupMetadata().memberId().equals(first.groupMetadata().memberId()));
            try {
                first.seek(partitions[0], 1);
                first.commitSync(Map.of(partitions[0], new OffsetAndMetadata(1)));
                check(false, "the one fenced has committed");
            } catch (FencedInstanceIdException expected) {
                // so it is
            } catch (CommitFailedException expected) {
                check(expected.getCause() instanceof FencedInstanceIdException, expected);
            } finally {
                first.close();
            }
        }
    }

    private void groupsThroughTheAdmin() throws Exception {
        Map<String, Object> seat = Map.of("group.instance.id", "one", "client.id", "me", "session.timeout.ms", 20_000);
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap)); var consumer = consumer(seat)) {
            consumer.subscribe(List.of(topic));
            await(() -> {
                consumer.poll(Duration.ofMillis(50));
                return consumer.assignment().size() == 3;
            }, "everything");
            var found = admin.describeConsumerGroups(List.of(group)).all().get().get(group);
            var member = found.members().iterator().next();
            check(member.groupInstanceId().orElse("").equals("one") && member.clientId().equals("me"), member);
            check(member.assignment().topicPartitions().equals(Set.of(partitions)), member);
            check(found.partitionAssignor().equals("range"), found);
            try {
                admin.deleteConsumerGroupOffsets(group, Set.of(partitions[0])).all().get();
                check(false, "offsets of a topic that is read were deleted");
            } catch (ExecutionException expected) {
                check(expected.getCause().getClass().getSimpleName().equals("GroupSubscribedToTopicException"), expected);
            }
            admin.removeMembersFromConsumerGroup(group, new org.apache.kafka.clients.admin.RemoveMembersFromConsumerGroupOptions(
                Set.of(new org.apache.kafka.clients.admin.MemberToRemove("one")))).all().get();
            await(() -> admin.describeConsumerGroups(List.of(group)).all().get().get(group).members().isEmpty(), "nobody");
        }
    }

    static void main(String bootstrap) throws Exception {
        Map<String, Step> steps = new java.util.TreeMap<>(Map.of("seek and position", ConsumerTour::seekAndPosition,
            "offsetsForTimes", ConsumerTour::offsetsForTimes, "every OffsetSpec", ConsumerTour::everyOffsetSpec,
            "committed", ConsumerTour::committed, "pause and resume", ConsumerTour::pauseAndResume,
            "cooperative sticky", ConsumerTour::cooperativeSticky, "static members", ConsumerTour::staticMembers,
            "groups through the admin", ConsumerTour::groupsThroughTheAdmin));
        for (var step : steps.entrySet()) {
            try {
                step.getValue().run(new ConsumerTour(bootstrap));
                System.out.println("ok " + step.getKey());
            } catch (Throwable problem) {
                System.out.println("failed " + step.getKey() + ": " + problem);
                problem.printStackTrace();
            }
        }
    }
}
