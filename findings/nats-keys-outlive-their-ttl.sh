#!/bin/bash
# A key of a NATS bucket is given a TTL of its own, and lives longer than that, without an error: in a bucket with a history
# of two values it lives as long as the bucket's LimitMarkerTTL (1 s asked, 5 s had), and after Put or Update for ever. A
# lock that is made with Create and a TTL, and renewed with Update, is never free again when its holder is gone. Renewed by a
# plain publish with Nats-TTL and the expected sequence it expires. A TTL is cut to whole seconds: 1.9 s are 1 s.
# Seen with nats.go 1.55.0 and nats-server 2.15.2. Needs go; fetches the pinned modules into a temporary folder. Ends with 1
# when that changes, 2 when it can't run.
set -euo pipefail
command -v go >/dev/null || { echo "it needs go"; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat >main.go <<'E2'
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

func check(err error) {
	if err != nil {
		fmt.Println(err)
		os.Exit(2)
	}
}

func main() {
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: os.Args[1], NoLog: true, NoSigs: true})
	check(err)
	s.Start()
	defer s.Shutdown()
	if !s.ReadyForConnections(20 * time.Second) {
		os.Exit(2)
	}
	nc, err := nats.Connect(s.ClientURL())
	check(err)
	js, err := jetstream.New(nc)
	check(err)
	ctx := context.Background()
	bucket := func(name string, history uint8, marker time.Duration) jetstream.KeyValue {
		kv, err := js.CreateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: name, History: history, LimitMarkerTTL: marker})
		check(err)
		return kv
	}
	there := func(kv jetstream.KeyValue, key string) bool { _, err := kv.Get(ctx, key); return err == nil }
	create := func(kv jetstream.KeyValue, key string, ttl time.Duration) uint64 {
		seq, err := kv.Create(ctx, key, nil, jetstream.KeyTTL(ttl))
		check(err)
		return seq
	}
	one, two := bucket("one", 1, time.Second), bucket("two", 2, 5*time.Second)
	create(one, "plain", 2*time.Second)
	create(two, "history", time.Second)
	create(one, "cut", 1900*time.Millisecond)
	seq := create(one, "updated", 2*time.Second)
	_, err = one.Update(ctx, "updated", nil, seq)
	check(err)
	create(one, "put", 2*time.Second)
	_, err = one.Put(ctx, "put", nil)
	check(err)
	seq = create(one, "published", 2*time.Second)
	m := nats.NewMsg("$KV.one.published")
	m.Header.Set("Nats-TTL", "2s")
	m.Header.Set("Nats-Expected-Last-Subject-Sequence", fmt.Sprint(seq))
	_, err = js.PublishMsg(ctx, m)
	check(err)
	time.Sleep(1700 * time.Millisecond)
	fmt.Println("1.9 s asked, there after 1.7 s:", there(one, "cut"))
	time.Sleep(2300 * time.Millisecond)
	fmt.Println("2 s, there after 4 s:", there(one, "plain"), "updated:", there(one, "updated"), "put:", there(one, "put"),
		"published:", there(one, "published"))
	fmt.Println("history of two, 1 s, there after 4 s:", there(two, "history"))
}
E2
{ go mod init try && go get github.com/nats-io/nats.go@v1.55.0 github.com/nats-io/nats-server/v2@v2.15.2 && go mod tidy; } \
	>log 2>&1 || { cat log; exit 2; }
grep -oE 'nats-io/(nats.go|nats-server/v2) v[0-9.]*' go.mod
go run . "$work/store" | tee out
cat >want <<'E2'
1.9 s asked, there after 1.7 s: false
2 s, there after 4 s: false updated: true put: true published: false
history of two, 1 s, there after 4 s: true
E2
diff want out || { echo "CHANGED"; exit 1; }
