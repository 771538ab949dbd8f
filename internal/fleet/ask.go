package fleet

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
)

const (
	// maxRequest and maxPart bound what goes in one message, in bytes; a server takes 1 MB unless it is told otherwise.
	maxRequest = 512 << 10
	maxPart    = 64 << 10
	// maxReason bounds what another host says of why it can't answer.
	maxReason = 1 << 10
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
		if m.Reply != "" { // the next part, please
			if err := m.Respond(nil); err != nil {
				return f.explain(err)
			}
		}
		switch m.Data[0] {
		case partEnd:
			return nil
		case partError:
			return fmt.Errorf("host %s: %s", host, m.Data[1:min(len(m.Data), maxReason)])
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
