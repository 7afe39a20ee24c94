// Package lines speaks the drivers' language: one JSON request a line in, one JSON answer a line out (see ../../README.md).
package lines

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"sync"
)

// Header is [name, value].
type Header struct {
	Name  string
	Value []byte
}

// Record is [partition, key, value, headers, timestamp].
type Record struct {
	Partition int32
	Key       []byte
	Value     []byte
	Headers   []Header
	Timestamp *int64
}

// Request has the fields of every verb.
type Request struct {
	Verb, Topic, Acks, Codec, Group string
	Idempotent                      bool
	Partition, Partitions, Total    int32
	Offset, Start, Time             int64
	Count                           int
	Seconds                         float64
	Configs, Set                    map[string]string
	Delete                          []string
	Records                         []Record
}

// Answer is what a verb gives back, by field.
type Answer map[string]any

// Settings of a member.
type Settings struct {
	Group, Topic, Assignor string
	SessionTimeoutMs       int64 `json:"session_timeout_ms"`
}

func (h *Header) UnmarshalJSON(data []byte) error {
	return json.Unmarshal(data, &[]any{&h.Name, &h.Value})
}

func (h Header) MarshalJSON() ([]byte, error) {
	return json.Marshal([]any{h.Name, h.Value})
}

func (r *Record) UnmarshalJSON(data []byte) error {
	return json.Unmarshal(data, &[]any{&r.Partition, &r.Key, &r.Value, &r.Headers, &r.Timestamp})
}

var printing sync.Mutex

// Print writes one line.
func Print(value any) {
	data, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	printing.Lock()
	defer printing.Unlock()
	os.Stdout.Write(append(data, '\n'))
}

// Main runs a driver: a member, or verbs until standard input ends.
func Main(verbs map[string]func(Request) (Answer, error), open func(bootstrap string), member func(string, Settings, <-chan struct{}) error) {
	bootstrap := os.Args[1]
	if len(os.Args) > 3 && os.Args[2] == "member" {
		var settings Settings
		if err := json.Unmarshal([]byte(os.Args[3]), &settings); err != nil {
			panic(err)
		}
		leave := make(chan struct{})
		go func() {
			bufio.NewReader(os.Stdin).ReadByte()
			close(leave)
		}()
		if err := member(bootstrap, settings, leave); err != nil {
			Print([]any{"error", err.Error()})
			os.Exit(1)
		}
		Print([]any{"left"})
		return
	}
	open(bootstrap)
	input := bufio.NewReader(os.Stdin)
	for {
		line, err := input.ReadBytes('\n')
		if err != nil {
			return
		}
		var request Request
		if err := json.Unmarshal(line, &request); err != nil {
			Print(Answer{"error": err.Error()})
			continue
		}
		verb, ok := verbs[request.Verb]
		if !ok {
			Print(Answer{"missing": fmt.Sprintf("this client has no %s", request.Verb)})
			continue
		}
		answer, err := verb(request)
		if err != nil {
			Print(Answer{"error": err.Error()})
			continue
		}
		if answer == nil {
			answer = Answer{}
		}
		Print(answer)
	}
}
