package fleet

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"o365-sendmail/internal/quota"
)

const (
	// maxRequest and maxPart bound what goes in one message, in bytes; a server takes 1 MB unless it is told otherwise.
	maxRequest = 512 << 10
	maxPart    = 64 << 10
	// partWait is how long either side waits for the other's next part.
	partWait = 10 * time.Second
	// maxAsked is how many requests of other hosts are answered at once.
	maxAsked = 4
)

// The first byte of a part says what follows.
const (
	partData  = 'd'
	partError = 'f' // the last part: the request could not be answered, and why
	partEnd   = 'e' // the last part
)

func (f *Fleet) askSubject(host string) string { return f.o.Name + ".ask." + encode(host) }

// Ask is quota.Member's.
func (f *Fleet) Ask(ctx context.Context, host string, request []byte, part func([]byte) error) error {
	js := f.stream()
	if err := f.Reach(); err != nil || js == nil {
		return err
	}
	if len(request) > maxRequest {
		return errors.New("a request to another host has too many ids")
	}
	nc := js.Conn()
	inbox := nc.NewInbox()
	sub, err := nc.SubscribeSync(inbox)
	if err != nil {
		return f.explain(err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	if err := nc.PublishRequest(f.askSubject(host), inbox, request); err != nil {
		return f.explain(err)
	}
	for {
		wait, cancel := context.WithTimeout(ctx, partWait)
		m, err := sub.NextMsgWithContext(wait)
		cancel()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil, m.Header.Get("Status") == "503", len(m.Data) == 0:
			return fmt.Errorf("host %s does not answer", host)
		}
		if err := m.Respond(nil); err != nil { // the next part, please
			return f.explain(err)
		}
		switch m.Data[0] {
		case partEnd:
			return nil
		case partError:
			return fmt.Errorf("host %s: %s", host, m.Data[1:])
		}
		if err := part(m.Data[1:]); err != nil {
			return err
		}
	}
}

// serveAsked answers what other hosts ask this one.
func (f *Fleet) serveAsked(nc *nats.Conn) error {
	if f.o.Answer == nil {
		return nil
	}
	free := make(chan struct{}, maxAsked)
	_, err := nc.Subscribe(f.askSubject(f.o.Host), func(m *nats.Msg) {
		select {
		case free <- struct{}{}:
		default:
			_ = m.Respond([]byte("f" + "it answers others; try again"))
			return
		}
		f.work.Go(func() {
			defer func() { <-free }()
			f.answer(nc, m)
		})
	})
	return err
}

// answer sends an answer in parts, each when the one before was taken.
func (f *Fleet) answer(nc *nats.Conn, m *nats.Msg) {
	send := func(kind byte, data []byte) error {
		ctx, cancel := context.WithTimeout(f.ctx, partWait)
		defer cancel()
		_, err := nc.RequestWithContext(ctx, m.Reply, append([]byte{kind}, data...))
		return err
	}
	err := f.o.Answer(f.ctx, m.Data, func(data []byte) error {
		for len(data) > 0 {
			n := min(len(data), maxPart)
			if err := send(partData, data[:n]); err != nil {
				return err
			}
			data = data[n:]
		}
		return nil
	})
	if err != nil {
		_ = send(partError, []byte(err.Error())) // a host that is gone needs no answer
		return
	}
	_ = send(partEnd, nil)
}

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
