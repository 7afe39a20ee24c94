package main

import (
	"fmt"

	"github.com/IBM/sarama"
)

var adminVerbs = map[string]func(request) (answer, error){
	"create_topic": func(r request) (answer, error) {
		configs := map[string]*string{}
		for name, value := range r.Configs {
			configs[name] = &value
		}
		detail := &sarama.TopicDetail{NumPartitions: r.Partitions, ReplicationFactor: 1, ConfigEntries: configs}
		if err := admin.CreateTopic(r.Topic, detail, false); err != nil {
			return nil, err
		}
		return nil, client.RefreshMetadata(r.Topic)
	},
	"topics": func(request) (answer, error) {
		found, err := admin.ListTopics()
		names := []string{}
		for name := range found {
			names = append(names, name)
		}
		return answer{"names": names}, err
	},
	"delete_topic": func(r request) (answer, error) {
		return nil, admin.DeleteTopic(r.Topic)
	},
	"create_partitions": func(r request) (answer, error) {
		if err := admin.CreatePartitions(r.Topic, r.Total, nil, false); err != nil {
			return nil, err
		}
		return nil, client.RefreshMetadata(r.Topic)
	},
	"topic_configs": func(r request) (answer, error) {
		found, err := admin.DescribeConfig(sarama.ConfigResource{Type: sarama.TopicResource, Name: r.Topic})
		configs := map[string]string{}
		for _, entry := range found {
			configs[entry.Name] = entry.Value
		}
		return answer{"configs": configs}, err
	},
	"alter_topic_configs": func(r request) (answer, error) {
		changes := map[string]sarama.IncrementalAlterConfigsEntry{}
		for name, value := range r.Set {
			changes[name] = sarama.IncrementalAlterConfigsEntry{Operation: sarama.IncrementalAlterConfigsOperationSet, Value: &value}
		}
		for _, name := range r.Delete {
			changes[name] = sarama.IncrementalAlterConfigsEntry{Operation: sarama.IncrementalAlterConfigsOperationDelete}
		}
		return nil, admin.IncrementalAlterConfig(sarama.TopicResource, r.Topic, changes, false)
	},
	"delete_records": func(r request) (answer, error) {
		if err := admin.DeleteRecords(r.Topic, map[int32]int64{r.Partition: r.Offset}); err != nil {
			return nil, err
		}
		low, err := client.GetOffset(r.Topic, r.Partition, sarama.OffsetOldest)
		return answer{"low": low}, err
	},
	"groups": func(request) (answer, error) {
		found, err := admin.ListConsumerGroups()
		names := []string{}
		for name := range found {
			names = append(names, name)
		}
		return answer{"names": names}, err
	},
	"describe_group": func(r request) (answer, error) {
		found, err := admin.DescribeConsumerGroups([]string{r.Group})
		if err != nil {
			return nil, err
		}
		if found[0].Err != sarama.ErrNoError {
			return nil, found[0].Err
		}
		return answer{"state": found[0].State, "members": len(found[0].Members)}, nil
	},
	"group_offsets": func(r request) (answer, error) {
		found, err := admin.ListConsumerGroupOffsets(r.Group, nil)
		if err != nil {
			return nil, err
		}
		offsets := [][]any{}
		for topic, partitions := range found.Blocks {
			for partition, block := range partitions {
				offsets = append(offsets, []any{topic, partition, block.Offset})
			}
		}
		return answer{"offsets": offsets}, nil
	},
	"alter_group_offset": func(r request) (answer, error) {
		manager, err := sarama.NewOffsetManagerFromClient(r.Group, client)
		if err != nil {
			return nil, err
		}
		defer manager.Close()
		partition, err := manager.ManagePartition(r.Topic, r.Partition)
		if err != nil {
			return nil, err
		}
		defer partition.AsyncClose() // Close would wait for the manager's
		partition.ResetOffset(r.Offset, "")
		manager.Commit()
		select {
		case failed := <-partition.Errors():
			return nil, fmt.Errorf("commit: %w", failed.Err)
		default:
			return nil, nil
		}
	},
	"delete_group_offset": func(r request) (answer, error) {
		return nil, admin.DeleteConsumerGroupOffset(r.Group, r.Topic, r.Partition)
	},
	"delete_group": func(r request) (answer, error) {
		return nil, admin.DeleteConsumerGroup(r.Group)
	},
}
