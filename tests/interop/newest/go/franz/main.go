// A driver of franz-go: kgo for records and groups, kadm for admin calls.
package main

import (
	"context"
	"fmt"
	"sort"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tidemark.tests/newest/lines"
)

type (
	request = lines.Request
	answer  = lines.Answer
)

var (
	seed      string
	admin     *kadm.Client
	producers = map[string]*kgo.Client{} // one for each way to produce: it outlives the broker
	ctx       = context.Background()

	codecs = map[string]kgo.CompressionCodec{"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(),
		"snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression()}
	acks      = map[string]kgo.Acks{"0": kgo.NoAck(), "1": kgo.LeaderAck(), "all": kgo.AllISRAcks()}
	balancers = map[string]kgo.GroupBalancer{"range": kgo.RangeBalancer(), "roundrobin": kgo.RoundRobinBalancer(),
		"sticky": kgo.StickyBalancer(), "cooperative-sticky": kgo.CooperativeStickyBalancer()}
)

func newClient(options ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(seed)}, options...)...)
}

func open(bootstrap string) {
	seed = bootstrap
	client, err := newClient()
	if err != nil {
		panic(err)
	}
	admin = kadm.NewClient(client)
}

func producer(r request) (*kgo.Client, error) {
	key := fmt.Sprint(r.Acks, r.Codec, r.Idempotent)
	if found, ok := producers[key]; ok {
		return found, nil
	}
	options := []kgo.Opt{kgo.RequiredAcks(acks[r.Acks]), kgo.ProducerBatchCompression(codecs[r.Codec]), kgo.ProducerLinger(2 * time.Millisecond),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchMaxBytes(1_048_588)}
	if !r.Idempotent {
		options = append(options, kgo.DisableIdempotentWrite())
	}
	client, err := newClient(options...)
	if err == nil {
		producers[key] = client
	}
	return client, err
}

func produce(r request) (answer, error) {
	client, err := producer(r)
	if err != nil {
		return nil, err
	}
	sent := make([]*kgo.Record, 0, len(r.Records))
	for _, entry := range r.Records {
		record := &kgo.Record{Topic: r.Topic, Partition: entry.Partition, Key: entry.Key, Value: entry.Value}
		if entry.Timestamp != nil {
			record.Timestamp = time.UnixMilli(*entry.Timestamp)
		}
		for _, header := range entry.Headers {
			record.Headers = append(record.Headers, kgo.RecordHeader{Key: header.Name, Value: header.Value})
		}
		sent = append(sent, record)
	}
	patience, cancel := context.WithTimeout(ctx, time.Minute) // kgo's own limit counts from a record's timestamp
	defer cancel()
	if err := client.ProduceSync(patience, sent...).FirstErr(); err != nil {
		return nil, err
	}
	offsets := make([]any, len(sent))
	for i, record := range sent {
		if r.Acks != "0" {
			offsets[i] = record.Offset
		}
	}
	return answer{"offsets": offsets}, nil
}

func consume(r request) (answer, error) {
	client, err := newClient(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{r.Topic: {r.Partition: kgo.NewOffset().At(r.Start)}}),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()), kgo.FetchMaxWait(100*time.Millisecond))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	patience, cancel := context.WithTimeout(ctx, time.Duration(r.Seconds*float64(time.Second)))
	defer cancel()
	found := [][]any{}
	for len(found) < r.Count && patience.Err() == nil {
		fetches := client.PollFetches(patience)
		for _, failed := range fetches.Errors() {
			if patience.Err() == nil {
				return nil, failed.Err
			}
		}
		fetches.EachRecord(func(record *kgo.Record) {
			headers := []lines.Header{}
			for _, header := range record.Headers {
				headers = append(headers, lines.Header{Name: header.Key, Value: header.Value})
			}
			found = append(found, []any{record.Offset, record.Timestamp.UnixMilli(), record.Key, record.Value, headers})
		})
	}
	return answer{"records": found[:min(r.Count, len(found))]}, nil
}

func listed(offsets kadm.ListedOffsets, err error, r request) (kadm.ListedOffset, error) {
	if err != nil {
		return kadm.ListedOffset{}, err
	}
	found, ok := offsets.Lookup(r.Topic, r.Partition)
	if !ok {
		return found, fmt.Errorf("no such partition")
	}
	return found, found.Err
}

func offsetForTime(r request) (answer, error) {
	// kadm puts the end where there is nothing so late, but without a timestamp.
	offsets, err := admin.ListOffsetsAfterMilli(ctx, r.Time, r.Topic)
	found, err := listed(offsets, err, r)
	if err != nil {
		return nil, err
	}
	if found.Timestamp < 0 {
		return answer{"offset": nil}, nil
	}
	return answer{"offset": found.Offset}, nil
}

func watermarks(r request) (answer, error) {
	starts, err := admin.ListStartOffsets(ctx, r.Topic)
	low, err := listed(starts, err, r)
	if err != nil {
		return nil, err
	}
	ends, err := admin.ListEndOffsets(ctx, r.Topic)
	high, err := listed(ends, err, r)
	return answer{"low": low.Offset, "high": high.Offset}, err
}

// member reads until it is told to leave. Rebalances wait while it handles what it polled.
func member(bootstrap string, settings lines.Settings, leave <-chan struct{}) error {
	seed = bootstrap
	share := map[int32]bool{}
	tell := func() {
		listed := []int32{}
		for partition := range share {
			listed = append(listed, partition)
		}
		sort.Slice(listed, func(i, j int) bool { return listed[i] < listed[j] })
		lines.Print([]any{"share", listed})
	}
	change := func(partitions []int32, mine bool) {
		for _, partition := range partitions {
			if mine {
				share[partition] = true
			} else {
				delete(share, partition)
			}
		}
		tell()
	}
	client, err := newClient(kgo.ConsumerGroup(settings.Group), kgo.ConsumeTopics(settings.Topic), kgo.Balancers(balancers[settings.Assignor]),
		kgo.SessionTimeout(time.Duration(settings.SessionTimeoutMs)*time.Millisecond), kgo.HeartbeatInterval(200*time.Millisecond),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(100*time.Millisecond), kgo.DisableAutoCommit(),
		kgo.BlockRebalanceOnPoll(),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, taken map[string][]int32) { change(taken[settings.Topic], true) }),
		kgo.OnPartitionsRevoked(func(c context.Context, client *kgo.Client, given map[string][]int32) {
			if err := client.CommitUncommittedOffsets(c); err != nil {
				lines.Print([]any{"complaint", err.Error()})
			}
			change(given[settings.Topic], false)
		}),
		kgo.OnPartitionsLost(func(_ context.Context, _ *kgo.Client, lost map[string][]int32) { change(lost[settings.Topic], false) }))
	if err != nil {
		return err
	}
	for {
		select {
		case <-leave:
			client.AllowRebalance()
			client.Close() // revokes, which commits, and leaves
			return nil
		default:
		}
		patience, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
		fetches := client.PollFetches(patience)
		cancel()
		fetches.EachRecord(func(record *kgo.Record) { lines.Print([]any{"read", record.Partition, record.Offset}) })
		if fetches.NumRecords() > 0 {
			patience, cancel := context.WithTimeout(ctx, 2*time.Second)
			if err := client.CommitUncommittedOffsets(patience); err != nil {
				lines.Print([]any{"complaint", err.Error()})
			}
			cancel()
		}
		client.AllowRebalance()
	}
}

func main() {
	verbs := map[string]func(request) (answer, error){
		"produce": produce, "consume": consume, "offset_for_time": offsetForTime, "watermarks": watermarks}
	for name, verb := range adminVerbs {
		verbs[name] = verb
	}
	lines.Main(verbs, open, member)
}
