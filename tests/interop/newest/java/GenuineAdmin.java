import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ListGroupsOptions;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;

/** The admin verbs of the genuine client. */
class GenuineAdmin {
    private final Admin admin;

    GenuineAdmin(Admin admin) {
        this.admin = admin;
    }

    JsonNode answer(JsonNode request) throws Exception {
        ObjectNode answer = GenuineClient.JSON.createObjectNode();
        String topic = request.path("topic").asText();
        String group = request.path("group").asText();
        switch (request.get("verb").asText()) {
            case "create_topic" -> {
                Map<String, String> configs = new HashMap<>();
                request.get("configs").properties().forEach(each -> configs.put(each.getKey(), each.getValue().asText()));
                admin.createTopics(List.of(new NewTopic(topic, request.get("partitions").asInt(), (short) 1).configs(configs))).all().get();
            }
            case "topics" -> names(answer, admin.listTopics().names().get());
            case "delete_topic" -> admin.deleteTopics(List.of(topic)).all().get();
            case "create_partitions" ->
                admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(request.get("total").asInt()))).all().get();
            case "topic_configs" -> {
                var found = admin.describeConfigs(List.of(resource(topic))).all().get().get(resource(topic));
                ObjectNode configs = answer.putObject("configs");
                found.entries().forEach(each -> configs.put(each.name(), each.value()));
            }
            case "alter_topic_configs" -> {
                Collection<AlterConfigOp> changes = new ArrayList<>();
                request.get("set").properties().forEach(each -> changes.add(new AlterConfigOp(
                    new ConfigEntry(each.getKey(), each.getValue().asText()), AlterConfigOp.OpType.SET)));
                request.get("delete").forEach(each -> changes.add(new AlterConfigOp(
                    new ConfigEntry(each.asText(), null), AlterConfigOp.OpType.DELETE)));
                admin.incrementalAlterConfigs(Map.of(resource(topic), changes)).all().get();
            }
            case "delete_records" -> {
                TopicPartition partition = GenuineClient.partition(request);
                var done = admin.deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(request.get("offset").asLong())));
                answer.put("low", done.lowWatermarks().get(partition).get().lowWatermark());
            }
            case "groups" -> names(answer, admin.listGroups(ListGroupsOptions.forConsumerGroups()).all().get().stream()
                .map(each -> each.groupId()).toList());
            case "describe_group" -> {
                var found = admin.describeConsumerGroups(List.of(group)).all().get().get(group);
                answer.put("state", found.groupState().toString()).put("members", found.members().size());
            }
            case "group_offsets" -> {
                ArrayNode offsets = answer.putArray("offsets");
                admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().forEach((each, offset) ->
                    offsets.addArray().add(each.topic()).add(each.partition()).add(offset.offset()));
            }
            case "alter_group_offset" -> admin.alterConsumerGroupOffsets(group, Map.of(GenuineClient.partition(request),
                new OffsetAndMetadata(request.get("offset").asLong()))).all().get();
            case "delete_group_offset" ->
                admin.deleteConsumerGroupOffsets(group, Set.of(GenuineClient.partition(request))).all().get();
            case "delete_group" -> admin.deleteConsumerGroups(List.of(group)).all().get();
            default -> answer.put("missing", "this client has no such call");
        }
        return answer;
    }

    private static ConfigResource resource(String topic) {
        return new ConfigResource(ConfigResource.Type.TOPIC, topic);
    }

    private static void names(ObjectNode answer, Collection<String> names) {
        ArrayNode found = answer.putArray("names");
        names.forEach(found::add);
    }
}
