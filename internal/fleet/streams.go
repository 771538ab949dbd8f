package fleet

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// count is a stream that counts up to a limit, for an age.
type count struct {
	stream string
	limit  int // 0 for no such stream
	age    time.Duration
}

// counts are a mailbox's of the minute and of the day.
func (f *Fleet) counts(mailbox string) [2]count {
	part := func(kind string) string { return f.o.Name + "-" + kind + "-" + encode(mailbox) }
	return [2]count{{part("minute"), f.o.Limits.MessagesPerMinute, f.o.Minute + f.slack()},
		{part("day"), f.o.Limits.RecipientsPerDay, f.o.Day + f.o.Minute}}
}

// countable makes sure that the streams of all mailboxes that were asked for can count, so that the servers are not
// back for somebody who then can't: the time for which nothing is known would begin afresh with each try.
func (f *Fleet) countable(js jetstream.JetStream) error {
	f.mu.Lock()
	names := slices.Collect(maps.Keys(f.names))
	f.mu.Unlock()
	for _, name := range names {
		for _, c := range f.counts(name) {
			if c.limit == 0 {
				continue
			}
			ctx, cancel := context.WithTimeout(f.ctx, callTimeout)
			_, err := f.ensureStream(ctx, js, c)
			if err == nil {
				m := nats.NewMsg(f.tokens(c.stream) + ".t")
				m.Header.Set(jetstream.ExpectedLastSeqHeader, strconv.FormatInt(math.MaxInt64, 10)) // which it never is
				_, err = js.PublishMsg(ctx, m)
			}
			cancel()
			if !isFull(err) && !isWrongSequence(err) {
				return f.unusable(c.stream, err)
			}
		}
	}
	return nil
}

func (f *Fleet) unusable(stream string, err error) error {
	return fmt.Errorf("the stream %s can't be used: %w", stream, f.explain(err))
}

// differs notes that this host's limit is not the fleet's.
func (f *Fleet) differs(key, mailbox string, own, fleet int) {
	var err error
	if own != fleet {
		err = fmt.Errorf("%s is %d here and %d for %s in the fleet, which counts: set it to %d, or delete the streams "+
			"%s-* to make this host's the fleet's", key, own, fleet, mailbox, fleet, f.o.Name)
	}
	f.note(key+" "+mailbox, err)
}

// makeStream makes the stream of a limit, or finds it; the limit that counts is the stream's. young reports whether it
// is not as old as a message in it may get: somebody may have deleted the one before.
func (f *Fleet) makeStream(ctx context.Context, c count) (n int, young bool, err error) {
	var info *jetstream.StreamInfo
	err = f.call(ctx, func(ctx context.Context, js jetstream.JetStream) (err error) {
		info, err = f.ensureStream(ctx, js, c)
		return err
	})
	if err != nil {
		return 0, false, f.known(c.stream, err)
	}
	f.otherReplicas("stream "+c.stream, info.Config.Replicas)
	return int(info.Config.MaxMsgs), info.TimeStamp.Sub(info.Created) < c.age, nil
}

// ensureStream has the servers make a stream, or finds one that can count.
func (f *Fleet) ensureStream(ctx context.Context, js jetstream.JetStream, c count) (*jetstream.StreamInfo, error) {
	s, err := js.CreateStream(ctx, jetstream.StreamConfig{Name: c.stream, Subjects: []string{f.tokens(c.stream) + ".>"},
		MaxMsgs: int64(c.limit), MaxAge: c.age, Discard: jetstream.DiscardNew, Storage: jetstream.FileStorage,
		Replicas: f.replicas(), AllowAtomicPublish: true, MaxMsgSize: 1024,
		Description: "o365-sendmail: what a mailbox has sent"})
	if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
		s, err = js.Stream(ctx, c.stream)
	}
	if err != nil {
		return nil, err
	}
	info := s.CachedInfo()
	if got := info.Config; got.MaxMsgs < 1 || got.Discard != jetstream.DiscardNew || got.MaxAge != c.age ||
		!got.AllowAtomicPublish || got.Sealed {
		return nil, wrongError("somebody changed it, so that it can't count: delete it")
	}
	return info, nil
}

func (f *Fleet) info(ctx context.Context, name string) (info *jetstream.StreamInfo, err error) {
	err = f.call(ctx, func(ctx context.Context, js jetstream.JetStream) error {
		s, err := js.Stream(ctx, name)
		if err == nil {
			info = s.CachedInfo()
		}
		return err
	})
	return info, f.known(name, err)
}
