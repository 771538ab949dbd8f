package fleet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"o365-sendmail/internal/quota"
)

const mailbox = "noreply@contoso.com"

func ask(t *testing.T, f *Fleet, recipients int) (quota.Grant, *quota.Short, error) {
	return f.Reserve(t.Context(), quota.Request{Account: mailbox, Recipients: recipients, Limits: f.o.Limits, Now: time.Now()})
}

// admin is a connection of an administrator.
func admin(t *testing.T, url string) jetstream.JetStream {
	t.Helper()
	nc, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

func TestGoodVersion(t *testing.T) {
	t.Parallel()
	for version, good := range map[string]bool{"2.9.10": false, "2.11.9": false, "2.12.0": true, "2.15.3": true,
		"3.0.0": true, "1.40.0": false, "": false, "2": false, "x.y": false, "2.12.0-RC.1": true} {
		if err := goodVersion("nats://n1:4222", version); (err == nil) != good {
			t.Errorf("%s: %v", version, err)
		}
	}
}

func TestEncode(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"NoReply@contoso.com": "noreply=40contoso=2Ecom", "a b>*": "a=20b=3E=2A",
		"x=y": "x=3Dy", "ü@x": "=C3=BC=40x"} {
		if got := encode(in); got != want || decode(got) != strings.ToLower(in) {
			t.Errorf("%s: %s, back %s", in, got, decode(got))
		}
	}
}

// TestLimitsThatDiffer: the first host's limits are the fleet's, and the other is told.
func TestLimitsThatDiffer(t *testing.T) {
	t.Parallel()
	s := startServer(t, nil)
	one := join(t, Options{Servers: []string{s.ClientURL()}, Host: "h1",
		Limits: quota.Limits{MessagesPerMinute: 2, RecipientsPerDay: 100}})
	if _, short, err := ask(t, one, 1); short != nil || err != nil {
		t.Fatal(short, err)
	}
	var w warnings
	two := join(t, Options{Servers: []string{s.ClientURL()}, Host: "h2", Warn: w.warn,
		Limits: quota.Limits{MessagesPerMinute: 30, RecipientsPerDay: 100}})
	if _, short, err := ask(t, two, 1); short != nil || err != nil {
		t.Fatal(short, err)
	}
	if _, short, err := ask(t, two, 1); short == nil || err != nil {
		t.Errorf("a third of two a minute: %v", err)
	}
	if len(one.Faults()) != 0 || len(two.Faults()) != 1 || len(w.list()) != 1 ||
		!strings.Contains(w.list()[0], "messages_per_minute is 30 here and 2 for "+mailbox) {
		t.Errorf("%v, %v, %q", one.Faults(), two.Faults(), w.list())
	}
}

// TestCounts: what a host met in the fleet, for its metrics.
func TestCounts(t *testing.T) {
	t.Parallel()
	s := startServer(t, nil)
	f := join(t, Options{Servers: []string{s.ClientURL()}, Host: "h1", Limits: quota.Limits{MessagesPerMinute: 1}})
	two := join(t, Options{Servers: []string{s.ClientURL()}, Host: "h2", Limits: quota.Limits{MessagesPerMinute: 1}})
	slot, err := f.TrySlot(t.Context(), mailbox, 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := two.TrySlot(t.Context(), mailbox, 1); !errors.Is(err, quota.ErrTaken) {
		t.Fatal(err)
	}
	time.AfterFunc(200*time.Millisecond, slot.Release)
	slot, err = two.Slot(t.Context(), mailbox, 1)
	if err != nil {
		t.Fatal(err)
	}
	slot.Release()
	for range 2 {
		if _, _, err := ask(t, f, 1); err != nil {
			t.Fatal(err)
		}
	}
	if _, short, err := ask(t, two, 1); short == nil || err != nil {
		t.Fatal(short, err)
	}
	sum := func(c quota.Counts) (n int) {
		for _, k := range c.Waits {
			n += k
		}
		return n
	}
	one, other := f.Counts(), two.Counts()
	if sum(one) != 1 || sum(other) != 1 || other.Waits[0]+other.Waits[1] != 0 || other.Waited < 0.2 || other.Refused != 1 {
		t.Errorf("%+v, %+v", one, other)
	}
}

// TestSlotsThatDiffer: the first host's number of sessions is the fleet's, and the others are told, whether they have
// more or fewer.
func TestSlotsThatDiffer(t *testing.T) {
	t.Parallel()
	s := startServer(t, nil)
	o := Options{Servers: []string{s.ClientURL()}, Host: "h1", Connections: 2}
	one := join(t, o)
	take := func(f *Fleet, n int, want error) quota.Slot {
		slot, err := f.TrySlot(t.Context(), mailbox, n)
		if !errors.Is(err, want) {
			t.Fatalf("%s: %v", f.o.Host, err)
		}
		return slot
	}
	for range 2 {
		defer take(one, 2, nil).Release()
	}
	first := 2
	for host, n := range map[string]int{"h2": 6, "h3": 1} {
		var w warnings
		o.Host, o.Connections, o.Warn = host, n, w.warn
		f := join(t, o)
		for range 3 {
			take(f, n, quota.ErrTaken)
		}
		if all := w.list(); len(all) != 1 || !strings.Contains(all[0], fmt.Sprintf("connections is %d here and %d in", n, first)) {
			t.Errorf("%q", all)
		}
	}
	if len(one.Faults()) != 0 {
		t.Errorf("%v", one.Faults())
	}
}

// TestFewerConnections: a host that may have one session finds whichever slot is free.
func TestFewerConnections(t *testing.T) {
	t.Parallel()
	s := startServer(t, nil)
	o := Options{Servers: []string{s.ClientURL()}, Host: "h1", Connections: 3}
	one := join(t, o)
	o.Host, o.Connections = "h2", 1
	two := join(t, o)
	for range 2 {
		slot, err := one.TrySlot(t.Context(), mailbox, 3)
		if err != nil {
			t.Fatal(err)
		}
		defer slot.Release()
	}
	slot, err := two.TrySlot(t.Context(), mailbox, 1)
	if err != nil {
		t.Fatal(err)
	}
	slot.Release()
}

// TestNoThreeServers: three are configured and are no cluster.
func TestNoThreeServers(t *testing.T) {
	t.Parallel()
	s := startServer(t, nil)
	f := open(t, Options{Servers: []string{s.ClientURL(), s.ClientURL(), s.ClientURL()}, Host: "h1"})
	until(t, "the fault is told", func() bool {
		err := f.Reach()
		return err != nil && strings.Contains(err.Error(), "can't keep everything three times")
	})
}

func TestNoJetStream(t *testing.T) {
	t.Parallel()
	s := startServer(t, func(o *server.Options) { o.JetStream = false })
	f := open(t, Options{Servers: []string{s.ClientURL()}, Host: "h1"})
	until(t, "the fault is told", func() bool {
		err := f.Reach()
		return err != nil && (strings.Contains(err.Error(), "JetStream"))
	})
}

// TestWrongRights: a user that may not write, and one that does not exist.
func TestWrongRights(t *testing.T) {
	t.Parallel()
	s := startServer(t, func(o *server.Options) {
		o.Users = []*server.User{{Username: "reader", Password: "x", Permissions: &server.Permissions{
			Publish: &server.SubjectPermission{Deny: []string{"$KV.>", "$JS.API.>"}}}}}
	})
	addr := strings.TrimPrefix(s.ClientURL(), "nats://")
	for _, c := range []struct{ user, want string }{{"reader:x@", "lacks a right"}, {"", "refuse this host's NKey"}} {
		var w warnings
		f := open(t, Options{Servers: []string{"nats://" + c.user + addr}, Host: "h1", Warn: w.warn})
		until(t, "the fault is told: "+c.want, func() bool {
			err := f.Reach()
			return err != nil && strings.Contains(err.Error()+strings.Join(w.list(), " "), c.want)
		})
		if err := f.Reach(); strings.Contains(err.Error(), "\n") {
			t.Errorf("not one line: %q", err)
		}
	}
}

// TestWatchStalls: without a right to answer the servers when they ask whether it keeps up, a host is told so at once;
// it hears of the others all the same, also that one has left.
func TestWatchStalls(t *testing.T) {
	t.Parallel()
	s := startServer(t, func(o *server.Options) {
		o.Users = []*server.User{{Username: "admin", Password: "x"}, {Username: "host", Password: "x",
			Permissions: &server.Permissions{Publish: &server.SubjectPermission{Deny: []string{"$JS.FC.>"}}}}}
	})
	addr := strings.TrimPrefix(s.ClientURL(), "nats://")
	var w warnings
	o := Options{Servers: []string{"nats://host:x@" + addr}, Host: "h1", Warn: w.warn, TTL: 2 * time.Second}
	one := join(t, o)
	until(t, "it is told", func() bool { return strings.Contains(strings.Join(w.list(), " "), "$JS.FC.") })
	o.Host, o.Servers = "h2", []string{"nats://admin:x@" + addr}
	two := join(t, o)
	names := func() (all []string) {
		hosts, _ := one.Peers()
		for _, h := range hosts {
			all = append(all, h.Name)
		}
		return all
	}
	until(t, "the other is there", func() bool { return slices.Equal(names(), []string{"h1", "h2"}) })
	for range 60 {
		if _, err := two.put(t.Context(), "other.x", make([]byte, 64<<10)); err != nil {
			t.Fatal(err)
		}
	}
	two.Close()
	until(t, "the other is silent", func() bool {
		_, silent := one.Peers()
		return slices.Equal(names(), []string{"h1"}) && len(silent) == 1
	})
}

// TestCantCount: while a stream that counts can't be had or written, or counts wrongly, the answers stay unknown, and for
// how long, so that a host's share begins; the reason says what to change. All is well when that is done.
func TestCantCount(t *testing.T) {
	t.Parallel()
	name := "test-minute-" + encode(mailbox)
	made := jetstream.StreamConfig{Name: name, Subjects: []string{"test.minute." + encode(mailbox) + ".>"}}
	other := jetstream.StreamConfig{Name: "other", Subjects: []string{"test.>"}}
	for what, c := range map[string]struct {
		deny, want string
		wrong      *jetstream.StreamConfig
	}{
		"its subjects":  {wrong: &other, want: "set another fleet.name"},
		"made by hand":  {wrong: &made, want: name + " can't be used: somebody changed it"},
		"not its right": {deny: "test.minute.>", want: "do not answer in time"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			allow := &server.Permissions{Publish: &server.SubjectPermission{}}
			if c.deny != "" {
				allow.Publish.Deny = []string{c.deny}
			}
			s := startServer(t, func(o *server.Options) {
				o.Users = []*server.User{{Username: "admin", Password: "x"}, {Username: "host", Password: "x", Permissions: allow}}
			})
			addr := strings.TrimPrefix(s.ClientURL(), "nats://")
			js := admin(t, "nats://admin:x@"+addr)
			if c.wrong != nil {
				if _, err := js.CreateStream(t.Context(), *c.wrong); err != nil {
					t.Fatal(err)
				}
			}
			f := join(t, Options{Servers: []string{"nats://host:x@" + addr}, Host: "h1",
				Limits: quota.Limits{MessagesPerMinute: 5}, Wait: 500 * time.Millisecond,
				TTL: 12 * time.Second}) // the pauses after each question are not shorter here
			begun := boottime()
			_, _, err := ask(t, f, 1)
			var unknown *quota.UnknownError
			for ; boottime()-begun < testMinute; _, _, err = ask(t, f, 1) {
				if !errors.As(err, &unknown) {
					t.Fatal(err)
				}
				time.Sleep(20 * time.Millisecond)
			}
			if !errors.As(err, &unknown) || unknown.For < testMinute*3/4 || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("%v for %v", err, unknown.For)
			}
			if hosts, silent := f.Peers(); len(hosts) != 1 || len(silent) != 0 || unknown.Hosts != 1 {
				t.Errorf("the host is not there any more: %v, %v, %d hosts", hosts, silent, unknown.Hosts)
			}
			if c.wrong == nil {
				return
			}
			if err := js.DeleteStream(t.Context(), c.wrong.Name); err != nil {
				t.Fatal(err)
			}
			until(t, "it counts", func() bool { _, short, err := ask(t, f, 1); return short == nil && err == nil })
		})
	}
}

// TestStreamDeleted: it is made again, and what this host has sent counts in it.
func TestStreamDeleted(t *testing.T) {
	t.Parallel()
	s := startServer(t, nil)
	f := join(t, Options{Servers: []string{s.ClientURL()}, Host: "h1", Limits: quota.Limits{MessagesPerMinute: 5}})
	for range 3 {
		if _, short, err := ask(t, f, 1); short != nil || err != nil {
			t.Fatal(short, err)
		}
	}
	if err := admin(t, s.ClientURL()).DeleteStream(t.Context(), "test-minute-"+encode(mailbox)); err != nil {
		t.Fatal(err)
	}
	granted := 0
	until(t, "the stream is there again", func() bool {
		_, short, err := ask(t, f, 1)
		if short == nil && err == nil {
			granted++
		}
		return granted > 0
	})
	for range 5 {
		if _, short, err := ask(t, f, 1); short == nil && err == nil {
			granted++
		}
	}
	if granted > 2 {
		t.Errorf("%d more than 3 of 5", granted)
	}
}

// TestSetBack: a stream that is purged, or deleted and made again by another host, is noticed by each host, which counts
// again what it has sent.
func TestSetBack(t *testing.T) {
	t.Parallel()
	limits := quota.Limits{MessagesPerMinute: 20, RecipientsPerDay: 40}
	for what, spoil := range map[string]func(js jetstream.JetStream, name string) error{
		"purged": func(js jetstream.JetStream, name string) error {
			s, err := js.Stream(t.Context(), name)
			if err != nil {
				return err
			}
			return s.Purge(t.Context())
		},
		"deleted": func(js jetstream.JetStream, name string) error {
			s, err := js.Stream(t.Context(), name)
			if err != nil {
				return err
			}
			cfg := s.CachedInfo().Config
			if err := js.DeleteStream(t.Context(), name); err != nil {
				return err
			}
			_, err = js.CreateStream(t.Context(), cfg)
			return err
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			s := startServer(t, nil)
			js := admin(t, s.ClientURL())
			var w warnings
			o := Options{Servers: []string{s.ClientURL()}, Limits: limits, Warn: w.warn, Minute: time.Minute}
			var fleets []*Fleet
			for _, host := range []string{"h1", "h2"} {
				o.Host = host
				f := join(t, o)
				fleets = append(fleets, f)
				for range 3 {
					if _, short, err := ask(t, f, 4); short != nil || err != nil {
						t.Fatal(short, err)
					}
				}
			}
			counted := func(kind string) int {
				s, err := js.Stream(t.Context(), "test-"+kind+"-"+encode(mailbox))
				if err != nil {
					return -1
				}
				return int(s.CachedInfo().State.Msgs)
			}
			if counted("minute") != 6 || counted("day") != 24 {
				t.Fatal(counted("minute"), counted("day"))
			}
			for _, kind := range []string{"minute", "day"} {
				if err := spoil(js, "test-"+kind+"-"+encode(mailbox)); err != nil {
					t.Fatal(err)
				}
			}
			until(t, "all is counted again", func() bool {
				for _, f := range fleets { // one that looked while the stream was not there begins afresh when it sends
					_, _ = f.mailbox(t.Context(), mailbox)
				}
				return counted("minute") == 6 && counted("day") == 24
			})
			time.Sleep(testTTL / 2) // and no more than once
			if counted("minute") != 6 || counted("day") != 24 || len(w.list()) < 2 || len(w.list()) > 4 {
				t.Errorf("%d and %d, %q", counted("minute"), counted("day"), w.list())
			}
		})
	}
}

// TestSetBackLate: a purge is noticed although the first message's time is over before this host looks.
func TestSetBackLate(t *testing.T) {
	t.Parallel()
	s := startServer(t, nil)
	js := admin(t, s.ClientURL())
	var w warnings
	f := join(t, Options{Servers: []string{s.ClientURL()}, Host: "h1", Warn: w.warn, Minute: time.Minute, TTL: time.Minute,
		Limits: quota.Limits{MessagesPerMinute: 20}})
	name := "test-minute-" + encode(mailbox)
	send := func() {
		t.Helper()
		if _, short, err := ask(t, f, 1); short != nil || err != nil {
			t.Fatal(short, err)
		}
	}
	send()
	if f.setBack(t.Context(), name) {
		t.Fatal("nothing was purged", w.list())
	}
	send()
	f.mu.Lock()
	m := f.marks[name]
	m.seen.until = boottime()
	f.marks[name] = m
	f.mu.Unlock()
	stream, err := js.Stream(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	send()
	if !f.setBack(t.Context(), name) || len(w.list()) != 1 {
		t.Error("not noticed", w.list())
	}
	if f.setBack(t.Context(), name) {
		t.Error("noticed twice", w.list())
	}
}

// TestBucketDeleted: the slots end, since another host may have them.
func TestBucketDeleted(t *testing.T) {
	t.Parallel()
	s := startServer(t, nil)
	f := join(t, Options{Servers: []string{s.ClientURL()}, Host: "h1"})
	slot, err := f.TrySlot(t.Context(), mailbox, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer slot.Release()
	if err := admin(t, s.ClientURL()).DeleteKeyValue(t.Context(), "test"); err != nil {
		t.Fatal(err)
	}
	select {
	case <-slot.Lost.Done():
	case <-time.After(testTTL * 3 / 4):
		t.Error("the slot is not lost")
	}
	until(t, "the bucket is there again", func() bool {
		s, err := f.TrySlot(t.Context(), mailbox, 2)
		if err == nil {
			s.Release()
		}
		return err == nil
	})
}

// TestServersGone: the answers are unknown and come at once, and a slot ends before it may be another's; all is well
// when they are back.
func TestServersGone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	start := func(port int) *server.Server {
		return startServer(t, func(o *server.Options) { o.StoreDir, o.Port = dir, port })
	}
	s := start(-1)
	f := join(t, Options{Servers: []string{s.ClientURL()}, Host: "h1", Limits: quota.Limits{MessagesPerMinute: 5},
		Wait: 500 * time.Millisecond})
	slot, err := f.TrySlot(t.Context(), mailbox, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer slot.Release()
	port := s.Addr().(*net.TCPAddr).Port
	s.Shutdown()
	s.WaitForShutdown()
	gone := boottime()
	_, _, err = ask(t, f, 1)
	var unknown *quota.UnknownError
	if !errors.As(err, &unknown) || boottime()-gone > time.Second {
		t.Fatalf("%v after %v", err, boottime()-gone)
	}
	if unknown.Hosts != 1 || unknown.Over.Err() != nil {
		t.Errorf("%+v", unknown)
	}
	at := boottime()
	for range 100 {
		if _, _, err = ask(t, f, 1); !errors.As(err, new(*quota.UnknownError)) {
			t.Fatal(err)
		}
	}
	if d := boottime() - at; d > 500*time.Millisecond {
		t.Errorf("100 answers took %v", d)
	}
	<-slot.Lost.Done()
	if d := boottime() - gone; d > testTTL*9/10 {
		t.Errorf("the slot was lost after %v of %v", d, testTTL)
	}
	<-slot.Cut.Done()
	if d := boottime() - gone; d > testTTL {
		t.Errorf("it was cut off after %v of %v", d, testTTL)
	}
	start(port)
	<-unknown.Over.Done()
	if _, short, err := ask(t, f, 1); short != nil || err != nil {
		t.Error(short, err)
	}
}

// TestTwoHostsOfOneName: each has slots of its own, and the administrator is told.
func TestTwoHostsOfOneName(t *testing.T) {
	t.Parallel()
	s := startServer(t, nil)
	var w warnings
	o := Options{Servers: []string{s.ClientURL()}, Host: "h1", TTL: 2 * time.Second}
	one := join(t, o)
	o.Warn = w.warn
	two := join(t, o)
	until(t, "it is told", func() bool { return len(two.Faults()) == 1 && len(one.Faults()) == 1 })
	if len(w.list()) != 1 || !strings.Contains(w.list()[0], "two hosts call themselves h1") {
		t.Errorf("%q", w.list())
	}
	a, err := one.TrySlot(t.Context(), mailbox, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Release()
	if _, err := two.TrySlot(t.Context(), mailbox, 1); !errors.Is(err, quota.ErrTaken) {
		t.Error(err)
	}
}

// TestHolderIsKept: a slot is renewed, and nobody else has it meanwhile.
func TestHolderIsKept(t *testing.T) {
	t.Parallel()
	s := startServer(t, nil)
	o := Options{Servers: []string{s.ClientURL()}, Host: "h1", TTL: 2 * time.Second}
	one := join(t, o)
	o.Host = "h2"
	two := join(t, o)
	a, err := one.TrySlot(t.Context(), mailbox, 1)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
	defer cancel()
	for ctx.Err() == nil {
		if _, err := two.TrySlot(ctx, mailbox, 1); err == nil && ctx.Err() == nil {
			t.Fatal("two have it")
		}
		time.Sleep(50 * time.Millisecond)
	}
	if a.Lost.Err() != nil {
		t.Error("it was lost")
	}
	held := two.Held()
	if len(held) != 1 || held[0].Mailbox != mailbox || held[0].Host != "h1" {
		t.Errorf("%+v", held)
	}
	a.Release()
	b, err := two.Slot(t.Context(), mailbox, 1)
	if err != nil {
		t.Fatal(err)
	}
	b.Release()
}

// TestHandsOn: a holder hears that another host waits, and its turn ends.
func TestHandsOn(t *testing.T) {
	t.Parallel()
	s := startServer(t, nil)
	o := Options{Servers: []string{s.ClientURL()}, Host: "h1", TTL: 2 * time.Second}
	one := join(t, o)
	o.Host = "h2"
	two := join(t, o)
	a, err := one.TrySlot(t.Context(), mailbox, 1)
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan error, 1)
	go func() {
		b, err := two.Slot(t.Context(), mailbox, 1)
		if err == nil {
			b.Release()
		}
		got <- err
	}()
	<-a.Wanted.Done()
	<-a.Lost.Done()
	if a.Cut.Err() != nil {
		t.Error("what is under way is cut off")
	}
	a.Release()
	if err := <-got; err != nil {
		t.Error(err)
	}
}

// TestShareIsPaid: what a host sent by itself while the servers were away counts when they are back.
func TestShareIsPaid(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	start := func(port int) *server.Server {
		return startServer(t, func(o *server.Options) { o.StoreDir, o.Port = dir, port })
	}
	s := start(-1)
	f := join(t, Options{Servers: []string{s.ClientURL()}, Host: "h1", Limits: quota.Limits{MessagesPerMinute: 5},
		Minute: 2 * time.Second, Wait: 500 * time.Millisecond})
	if _, err := f.mailbox(t.Context(), mailbox); err != nil {
		t.Fatal(err)
	}
	slot, err := f.TrySlot(t.Context(), mailbox, 1)
	if err != nil {
		t.Fatal(err)
	}
	slot.Release()
	port := s.Addr().(*net.TCPAddr).Port
	s.Shutdown()
	s.WaitForShutdown()
	until(t, "the servers are away for a minute", func() bool {
		e := f.link.unknown(1)
		return e != nil && e.For > 2*time.Second
	})
	for range 3 {
		if _, short, err := f.o.Local.Reserve(t.Context(), quota.Request{Account: mailbox, Recipients: 1,
			Limits: f.o.Limits, Now: time.Now()}); short != nil || err != nil {
			t.Fatal(short, err)
		}
	}
	s = start(port)
	js := admin(t, s.ClientURL())
	until(t, "three are counted", func() bool {
		stream, err := js.Stream(t.Context(), "test-minute-"+encode(mailbox))
		return err == nil && stream.CachedInfo().State.Msgs == 3
	})
}

// TestHostsAreKept: a member that joins again takes nobody for gone while it hears who is there.
func TestHostsAreKept(t *testing.T) {
	t.Parallel()
	s := startServer(t, nil)
	f := join(t, Options{Servers: []string{s.ClientURL()}, Host: "h0"})
	for _, host := range []string{"h1", "h2", "h3", "h4"} {
		join(t, Options{Servers: []string{s.ClientURL()}, Host: host})
	}
	until(t, "all are there", func() bool { return f.hosts() == 5 })
	least := 5
	for range 20 {
		if !f.watchAgain() {
			t.Fatal("it can't watch")
		}
		for end := boottime() + 20*time.Millisecond; boottime() < end; {
			least = min(least, f.hosts())
		}
	}
	if least != 5 {
		t.Errorf("it took the fleet for one of %d hosts", least)
	}
}
