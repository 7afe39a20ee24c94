// A driver of sarama: its synchronous producer, partition consumers, consumer groups and cluster admin.
package main

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"time"

	"github.com/IBM/sarama"

	"tidemark.tests/newest/lines"
)

type (
	request = lines.Request
	answer  = lines.Answer
)

var (
	seeds     []string
	client    sarama.Client
	admin     sarama.ClusterAdmin
	producers = map[string]sarama.SyncProducer{} // one for each way to produce: it outlives the broker

	codecs = map[string]sarama.CompressionCodec{"none": sarama.CompressionNone, "gzip": sarama.CompressionGZIP,
		"snappy": sarama.CompressionSnappy, "lz4": sarama.CompressionLZ4, "zstd": sarama.CompressionZSTD}
	acks       = map[string]sarama.RequiredAcks{"0": sarama.NoResponse, "1": sarama.WaitForLocal, "all": sarama.WaitForAll}
	strategies = map[string]sarama.BalanceStrategy{"range": sarama.NewBalanceStrategyRange(),
		"roundrobin": sarama.NewBalanceStrategyRoundRobin(), "sticky": sarama.NewBalanceStrategySticky()}
)

func newConfig() *sarama.Config {
	config := sarama.NewConfig()
	config.Version = sarama.MaxVersion
	config.Consumer.Return.Errors = true
	config.Consumer.MaxWaitTime = 100 * time.Millisecond
	config.Consumer.Fetch.Default = 2_000_000
	config.Consumer.Offsets.AutoCommit.Enable = false
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	return config
}

func open(bootstrap string) {
	seeds = []string{bootstrap}
	var err error
	if client, err = sarama.NewClient(seeds, newConfig()); err != nil {
		panic(err)
	}
	if admin, err = sarama.NewClusterAdminFromClient(client); err != nil {
		panic(err)
	}
}

func producer(r request) (sarama.SyncProducer, error) {
	key := fmt.Sprint(r.Acks, r.Codec, r.Idempotent)
	if found, ok := producers[key]; ok {
		return found, nil
	}
	config := newConfig()
	config.Producer.Return.Successes = true
	config.Producer.Partitioner = sarama.NewManualPartitioner
	config.Producer.RequiredAcks = acks[r.Acks]
	config.Producer.Compression = codecs[r.Codec]
	config.Producer.MaxMessageBytes = 1_048_588
	config.Producer.Retry.Max = 100
	config.Producer.Retry.Backoff = 100 * time.Millisecond
	config.Metadata.Retry.Max = 100
	config.Metadata.Retry.Backoff = 100 * time.Millisecond
	if r.Idempotent {
		config.Producer.Idempotent = true
		config.Net.MaxOpenRequests = 1
	}
	made, err := sarama.NewSyncProducer(seeds, config)
	if err == nil {
		producers[key] = made
	}
	return made, err
}

func encoder(data []byte) sarama.Encoder {
	if data == nil {
		return nil
	}
	return sarama.ByteEncoder(data)
}

func produce(r request) (answer, error) {
	producer, err := producer(r)
	if err != nil {
		return nil, err
	}
	sent := []*sarama.ProducerMessage{}
	for _, entry := range r.Records {
		message := &sarama.ProducerMessage{Topic: r.Topic, Partition: entry.Partition, Key: encoder(entry.Key), Value: encoder(entry.Value)}
		if entry.Timestamp != nil {
			message.Timestamp = time.UnixMilli(*entry.Timestamp)
		}
		for _, header := range entry.Headers {
			message.Headers = append(message.Headers, sarama.RecordHeader{Key: []byte(header.Name), Value: header.Value})
		}
		sent = append(sent, message)
	}
	if err := producer.SendMessages(sent); err != nil {
		var each sarama.ProducerErrors
		if errors.As(err, &each) {
			return nil, each[0].Err
		}
		return nil, err
	}
	offsets := make([]any, len(sent))
	for i, message := range sent {
		if r.Acks != "0" {
			offsets[i] = message.Offset
		}
	}
	return answer{"offsets": offsets}, nil
}

func consume(r request) (answer, error) {
	consumer, err := sarama.NewConsumer(seeds, newConfig())
	if err != nil {
		return nil, err
	}
	defer consumer.Close()
	partition, err := consumer.ConsumePartition(r.Topic, r.Partition, r.Start)
	if err != nil {
		return nil, err
	}
	defer partition.Close()
	patience := time.After(time.Duration(r.Seconds * float64(time.Second)))
	found := [][]any{}
	for len(found) < r.Count {
		select {
		case message := <-partition.Messages():
			headers := []lines.Header{}
			for _, header := range message.Headers {
				headers = append(headers, lines.Header{Name: string(header.Key), Value: header.Value})
			}
			found = append(found, []any{message.Offset, message.Timestamp.UnixMilli(), message.Key, message.Value, headers})
		case failed := <-partition.Errors():
			return nil, failed
		case <-patience:
			return answer{"records": found}, nil
		}
	}
	return answer{"records": found}, nil
}

func offsetForTime(r request) (answer, error) {
	offset, err := client.GetOffset(r.Topic, r.Partition, r.Time)
	if offset < 0 {
		return answer{"offset": nil}, err
	}
	return answer{"offset": offset}, err
}

func watermarks(r request) (answer, error) {
	low, err := client.GetOffset(r.Topic, r.Partition, sarama.OffsetOldest)
	if err != nil {
		return nil, err
	}
	high, err := client.GetOffset(r.Topic, r.Partition, sarama.OffsetNewest)
	return answer{"low": low, "high": high}, err
}

// handler is one session of the group: sarama ends it at each rebalance, and everything read is committed before.
type handler struct{}

func (*handler) Setup(session sarama.ConsumerGroupSession) error {
	share := []int32{}
	for _, partitions := range session.Claims() {
		share = append(share, partitions...)
	}
	sort.Slice(share, func(i, j int) bool { return share[i] < share[j] })
	lines.Print([]any{"share", share})
	return nil
}

func (*handler) Cleanup(session sarama.ConsumerGroupSession) error {
	session.Commit()
	lines.Print([]any{"share", []int32{}})
	return nil
}

func (*handler) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	commit := time.NewTicker(200 * time.Millisecond)
	defer commit.Stop()
	for {
		select {
		case message, ok := <-claim.Messages():
			if !ok {
				return nil
			}
			lines.Print([]any{"read", message.Partition, message.Offset})
			session.MarkMessage(message, "")
		case <-commit.C:
			session.Commit()
		case <-session.Context().Done():
			return nil
		}
	}
}

func member(bootstrap string, settings lines.Settings, leave <-chan struct{}) error {
	config := newConfig()
	config.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{strategies[settings.Assignor]}
	config.Consumer.Group.Session.Timeout = time.Duration(settings.SessionTimeoutMs) * time.Millisecond
	config.Consumer.Group.Heartbeat.Interval = 200 * time.Millisecond
	group, err := sarama.NewConsumerGroup([]string{bootstrap}, settings.Group, config)
	if err != nil {
		return err
	}
	go func() {
		for failed := range group.Errors() {
			lines.Print([]any{"complaint", failed.Error()})
		}
	}()
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		<-leave
		cancel()
	}()
	for ctx.Err() == nil {
		if err := group.Consume(ctx, []string{settings.Topic}, &handler{}); err != nil {
			lines.Print([]any{"complaint", err.Error()})
			time.Sleep(100 * time.Millisecond)
		}
	}
	return group.Close()
}

func main() {
	verbs := map[string]func(request) (answer, error){
		"produce": produce, "consume": consume, "offset_for_time": offsetForTime, "watermarks": watermarks}
	for name, verb := range adminVerbs {
		verbs[name] = verb
	}
	lines.Main(verbs, open, member)
}
