package fleet

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"o365-sendmail/internal/quota"
)

// Centre is quota.Member's.
func (f *Fleet) Centre(ctx context.Context) (c quota.Centre, err error) {
	err = f.call(ctx, func(ctx context.Context, js jetstream.JetStream) error {
		c.Server, c.Version = js.Conn().ConnectedUrlRedacted(), js.Conn().ConnectedServerVersion()
		s, err := js.Stream(ctx, "KV_"+f.o.Name)
		if err != nil {
			return err
		}
		info := s.CachedInfo()
		c.Replicas = info.Config.Replicas
		if info.Cluster != nil {
			c.Leader = info.Cluster.Leader
			for _, r := range info.Cluster.Replicas {
				if r.Offline || !r.Current {
					c.Behind = append(c.Behind, r.Name)
				}
			}
		}
		return nil
	})
	return c, err
}

// Used is quota.Member's.
func (f *Fleet) Used(ctx context.Context, mailbox string) (messages, recipients int, err error) {
	b, err := f.mailbox(ctx, mailbox)
	if err != nil {
		return 0, 0, err
	}
	for _, s := range []struct {
		name string
		n    *int
	}{{b.minute, &messages}, {b.day, &recipients}} {
		if s.name == "" {
			continue
		}
		info, err := f.info(ctx, s.name)
		if err != nil {
			return 0, 0, err
		}
		*s.n = int(info.State.Msgs)
	}
	return messages, recipients, nil
}

// Expires is quota.Member's. A server that is too old takes a time to live without an error and drops it, and so does
// a bucket that somebody has changed.
func (f *Fleet) Expires(ctx context.Context) error {
	const patience = 5 * time.Second
	key := "probe." + f.id
	if e := f.link.unknown(f.hosts()); e != nil {
		return e
	}
	if _, err := f.put(ctx, key, []byte("x"), ttl(time.Second)); err != nil {
		return f.explain(err)
	}
	kv, err := f.stream().KeyValue(ctx, f.o.Name)
	if err != nil {
		return f.explain(err)
	}
	for end := time.Now().Add(patience); time.Now().Before(end); {
		_, err := kv.Get(ctx, key)
		switch {
		case errors.Is(err, jetstream.ErrKeyNotFound):
			return nil
		case err != nil:
			return f.explain(err)
		case !f.pause(200*time.Millisecond, 0):
			return context.Canceled
		}
	}
	_, _ = f.put(ctx, key, nil, del)
	return fmt.Errorf("a key that should live for a second was there after %s, so the slots of a host that is gone "+
		"would stay taken: use nats-server %d.%d or later on every server, and delete the bucket %s", patience,
		leastMajor, leastMinor, f.o.Name)
}
