package fleet

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

func (f *Fleet) subject(key string) string { return "$KV." + f.o.Name + "." + key }

func slotKey(mailbox string, n int) string { return "slot." + encode(mailbox) + "." + strconv.Itoa(n) }

func (f *Fleet) hostKey() string { return "host." + encode(f.o.Host) + "." + f.id }

// tokens begins the subjects of what a stream counts. Each part is a token of its own, since permissions have wildcards
// for whole tokens only.
func (f *Fleet) tokens(stream string) string {
	kind, mailbox, _ := strings.Cut(strings.TrimPrefix(stream, f.o.Name+"-"), "-")
	return f.o.Name + "." + kind + "." + mailbox
}

// A header of a key.
type header [2]string

func ttl(d time.Duration) header {
	return header{jetstream.MsgTTLHeader, strconv.Itoa(int(d/time.Second)) + "s"}
}

// after has the servers refuse what does not follow that sequence; 0 is none.
func after(sequence uint64) header {
	return header{jetstream.ExpectedLastSubjSeqHeader, strconv.FormatUint(sequence, 10)}
}

var del = header{"KV-Operation", "DEL"}

// put writes a key by a plain publish: what the client has for keys drops their TTL when it changes them.
func (f *Fleet) put(ctx context.Context, key string, value []byte, headers ...header) (sequence uint64, err error) {
	js := f.stream()
	if js == nil {
		return 0, nats.ErrDisconnected
	}
	m := nats.NewMsg(f.subject(key))
	m.Data = value
	for _, h := range headers {
		m.Header.Set(h[0], h[1])
	}
	ack, err := js.PublishMsg(ctx, m)
	if err != nil {
		return 0, err
	}
	return ack.Sequence, nil
}
