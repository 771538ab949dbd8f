#!/bin/bash
# A user of a NATS server may do all that a bucket needs ($JS.API.>, $KV.>, _INBOX.>), watches a bucket, and all is well
# for hours. After two megabytes in all, however slowly they came, the watch hears nothing more: the server asks whether
# it keeps up (flow control), and the client answers at $JS.FC.>, which the user may not. The watch has no error, its
# channel stays open, reads and writes go on, and the client does not begin afresh.
# Seen with nats.go 1.55.0 and nats-server 2.15.2. Needs go; fetches the pinned modules into a temporary folder. Ends
# with 1 when that changes, 2 when it can't run.
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
	"strings"
	"sync/atomic"
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

func watch(url, user string) {
	nc, err := nats.Connect(strings.Replace(url, "nats://", "nats://"+user+":x@", 1),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	check(err)
	defer nc.Close()
	js, err := jetstream.New(nc)
	check(err)
	ctx := context.Background()
	kv, err := js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: "b"})
	check(err)
	w, err := kv.WatchAll(ctx)
	check(err)
	var heard atomic.Int64
	closed := make(chan bool)
	go func() {
		for e := range w.Updates() {
			if e != nil {
				heard.Add(1)
			}
		}
		close(closed)
	}()
	const puts, size = 1000, 4096
	for i := range puts {
		_, err := kv.Put(ctx, fmt.Sprintf("%s%d", user, i), make([]byte, size))
		check(err)
		time.Sleep(5 * time.Millisecond)
	}
	time.Sleep(15 * time.Second) // three idle heartbeats
	end := "open"
	select {
	case <-closed:
		end = "closed"
	default:
	}
	e, err := kv.Get(ctx, fmt.Sprintf("%s%d", user, puts-1))
	check(err)
	fmt.Printf("%s: all %d heard: %v, stopped within 2.5 MB: %v, channel %s, key has %d bytes\n", user, puts,
		heard.Load() >= puts, heard.Load()*size < 2_500_000, end, len(e.Value()))
	fmt.Fprintln(os.Stderr, "heard:", heard.Load())
}

func main() {
	users := []*server.User{}
	for user, more := range map[string][]string{"without": nil, "with": {"$JS.FC.>"}} {
		users = append(users, &server.User{Username: user, Password: "x", Permissions: &server.Permissions{
			Publish:   &server.SubjectPermission{Allow: append([]string{"$JS.API.>", "$KV.>", "_INBOX.>"}, more...)},
			Subscribe: &server.SubjectPermission{Allow: []string{"_INBOX.>"}}}})
	}
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: os.Args[1],
		NoLog: true, NoSigs: true, Users: users})
	check(err)
	s.Start()
	defer s.Shutdown()
	if !s.ReadyForConnections(20 * time.Second) {
		os.Exit(2)
	}
	watch(s.ClientURL(), "with")
	watch(s.ClientURL(), "without")
}
E2
{ go mod init try && go get github.com/nats-io/nats.go@v1.55.0 github.com/nats-io/nats-server/v2@v2.15.2 &&
	go mod tidy; } >log 2>&1 || { cat log; exit 2; }
grep -oE 'nats-io/(nats.go|nats-server/v2) v[0-9.]*' go.mod
go run . "$work/store" | tee out
cat >want <<'E2'
with: all 1000 heard: true, stopped within 2.5 MB: false, channel open, key has 4096 bytes
without: all 1000 heard: false, stopped within 2.5 MB: true, channel open, key has 4096 bytes
E2
diff want out || { echo "CHANGED"; exit 1; }
