package main

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"

	"tidemark.tests/newest/lines"
)

var adminVerbs = map[string]func(request) (answer, error){
	"create_topic": func(r request) (answer, error) {
		configs := map[string]*string{}
		for name, value := range r.Configs {
			configs[name] = kadm.StringPtr(value)
		}
		_, err := admin.CreateTopic(ctx, r.Partitions, 1, configs, r.Topic)
		return nil, err
	},
	"topics": func(request) (answer, error) {
		found, err := admin.ListTopics(ctx)
		return answer{"names": found.Names()}, err
	},
	"delete_topic": func(r request) (answer, error) {
		_, err := admin.DeleteTopic(ctx, r.Topic)
		return nil, err
	},
	"create_partitions": func(r request) (answer, error) {
		done, err := admin.UpdatePartitions(ctx, int(r.Total), r.Topic)
		if err == nil {
			err = done.Error()
		}
		return nil, err
	},
	"topic_configs": func(r request) (answer, error) {
		described, err := admin.DescribeTopicConfigs(ctx, r.Topic)
		if err != nil {
			return nil, err
		}
		found, err := described.On(r.Topic, nil)
		configs := map[string]string{}
		for _, entry := range found.Configs {
			configs[entry.Key] = entry.MaybeValue()
		}
		return answer{"configs": configs}, err
	},
	"alter_topic_configs": func(r request) (answer, error) {
		changes := []kadm.AlterConfig{}
		for name, value := range r.Set {
			changes = append(changes, kadm.AlterConfig{Op: kadm.SetConfig, Name: name, Value: kadm.StringPtr(value)})
		}
		for _, name := range r.Delete {
			changes = append(changes, kadm.AlterConfig{Op: kadm.DeleteConfig, Name: name})
		}
		done, err := admin.AlterTopicConfigs(ctx, changes, r.Topic)
		if err == nil {
			_, err = done.On(r.Topic, func(each *kadm.AlterConfigsResponse) error { return each.Err })
		}
		return nil, err
	},
	"delete_records": func(r request) (answer, error) {
		offsets := kadm.Offsets{}
		offsets.AddOffset(r.Topic, r.Partition, r.Offset, -1)
		done, err := admin.DeleteRecords(ctx, offsets)
		if err != nil {
			return nil, err
		}
		found, ok := done.Lookup(r.Topic, r.Partition)
		if !ok {
			return nil, fmt.Errorf("no answer for the partition")
		}
		return answer{"low": found.LowWatermark}, found.Err
	},
	"groups": func(request) (answer, error) {
		found, err := admin.ListGroups(ctx)
		return answer{"names": found.Groups()}, err
	},
	"describe_group": func(r request) (answer, error) {
		described, err := admin.DescribeGroups(ctx, r.Group)
		if err != nil {
			return nil, err
		}
		found := described[r.Group]
		return lines.Answer{"state": found.State, "members": len(found.Members)}, found.Err
	},
	"group_offsets": func(r request) (answer, error) {
		fetched, err := admin.FetchOffsets(ctx, r.Group)
		offsets := [][]any{}
		fetched.Each(func(each kadm.OffsetResponse) { offsets = append(offsets, []any{each.Topic, each.Partition, each.At}) })
		return answer{"offsets": offsets}, err
	},
	"alter_group_offset": func(r request) (answer, error) {
		offsets := kadm.Offsets{}
		offsets.AddOffset(r.Topic, r.Partition, r.Offset, -1)
		return nil, admin.CommitAllOffsets(ctx, r.Group, offsets)
	},
	"delete_group_offset": func(r request) (answer, error) {
		topics := kadm.TopicsSet{}
		topics.Add(r.Topic, r.Partition)
		done, err := admin.DeleteOffsets(ctx, r.Group, topics)
		if err == nil {
			err = done.Error()
		}
		return nil, err
	},
	"delete_group": func(r request) (answer, error) {
		_, err := admin.DeleteGroup(ctx, r.Group)
		return nil, err
	},
}
