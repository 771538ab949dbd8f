package submit

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"o365-sendmail/internal/diagnose"
)

// TestSizes sends messages whose ends fall beside every boundary of pieces and chunks.
func TestSizes(t *testing.T) {
	t.Parallel()
	var sizes []int
	for _, edge := range []int{0, 2, inlineSize, pieceSize, 2 * pieceSize, chunkSize, 2 * chunkSize} {
		for _, d := range []int{-200, -100, -40, -3, -2, -1, 0, 1, 2, 3} {
			if n := edge + d; n >= 2 {
				sizes = append(sizes, n)
			}
		}
	}
	sizes = append(sizes, 0)
	for _, d := range dialects {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			p := newPeer(t)
			p.lines = d.lines
			s := dial(t, p.tcpConfig(t))
			defer s.Close()
			sent := 0
			for _, n := range sizes {
				if n > 3*pieceSize && d.name != "chunking" {
					continue // DATA knows no chunks
				}
				msg := lines(n)
				if res, err := s.Send(t.Context(), to("a@x.org"), msg); err != nil || res.Accepted() != 1 {
					t.Fatalf("%d bytes: %v", n, err)
				}
				if sent++; len(p.messages) != sent || p.messages[sent-1].data != string(msg) {
					t.Fatalf("%d bytes did not arrive as they were", n)
				}
				p.messages[sent-1].data = ""
			}
		})
	}
}

// lines makes a message of n bytes, with many dots at the start of lines.
func lines(n int) text {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	b := make([]byte, 0, n)
	for len(b) < n {
		left := n - len(b)
		k := min(r.IntN(90), left-2)
		if left-2-k == 1 { // no room for another line
			k++
		}
		for i := range k {
			b = append(b, "..xyz\x80"[(i+r.IntN(2))%6])
		}
		b = append(b, "\r\n"...)
	}
	return text(b)
}

// TestManyRecipients has commands that alone fill more than a piece.
func TestManyRecipients(t *testing.T) {
	t.Parallel()
	var addresses []string
	for i := range 5000 {
		addresses = append(addresses, fmt.Sprintf("recipient-%04d@x.org", i))
	}
	for _, d := range dialects[:2] {
		for _, msg := range []text{hello, lines(300 << 10)} {
			p := newPeer(t)
			p.lines = d.lines
			s := dial(t, p.config())
			res, err := s.Send(t.Context(), to(addresses...), msg)
			if err != nil || res.Accepted() != len(addresses) || len(p.messages) != 1 ||
				len(p.messages[0].rcpts) != len(addresses) || p.messages[0].data != string(msg) {
				t.Errorf("%s: %v", d.name, err)
			}
			s.Close()
		}
	}
}

// TestBegin sends messages ahead of the replies to those before, some of which fail.
func TestBegin(t *testing.T) {
	t.Parallel()
	for _, d := range dialects {
		t.Run(d.name, func(t *testing.T) {
			p := newPeer(t)
			p.lines = d.lines
			p.answers["mail 3"] = "451 4.7.0 later"
			p.answers["rcpt 5"] = "550 5.1.10 no"
			s := dial(t, p.tcpConfig(t))
			var waits []func() (*Result, error)
			for i := range 12 {
				msg := hello
				if i == 7 {
					msg = lines(3 << 20)
				}
				waits = append(waits, s.Begin(t.Context(), to(fmt.Sprintf("r%d@x.org", i)), msg))
			}
			got := map[string]bool{}
			for _, i := range []int{11, 0, 5, 4, 3, 2, 1, 10, 9, 8, 7, 6, 6} {
				res, err := waits[i]()
				switch {
				case i == 2:
					if err == nil || err.(*Error).Phase != PhaseMail {
						t.Errorf("%d: %v", i, err)
					}
				case err != nil:
					t.Errorf("%d: %v", i, err)
				case res.Accepted() == 1:
					got[res.Recipients[0].Address] = true
				}
			}
			if len(got) != 10 || len(p.messages) != 10 {
				t.Errorf("%d taken, %d arrived", len(got), len(p.messages))
			}
			for _, m := range p.messages {
				if len(m.rcpts) != 1 || !got[strings.Trim(m.rcpts[0], "TO:<>")] {
					t.Errorf("arrived for %q", m.rcpts)
				}
			}
			if !s.Usable() {
				t.Error("not usable")
			}
			s.Close()
		})
	}
}

// TestBeginLost has a connection that ends with messages under way: those whose fate is
// not known are marked, one that was not sent is not.
func TestBeginLost(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	p.answers["last 3"] = "drop"
	s := dial(t, p.tcpConfig(t))
	var waits []func() (*Result, error)
	for range 3 {
		waits = append(waits, s.Begin(t.Context(), to("a@x.org"), hello))
	}
	for i := range 4 {
		if i == 3 {
			waits = append(waits, s.Begin(t.Context(), to("a@x.org"), hello))
		}
		res, err := waits[i]()
		if (err == nil) != (i < 2) {
			t.Errorf("%d: %v", i, err)
		}
		if err != nil && (err.(*Error).Uncertain != (i == 2) || res.Recipients[0].Err != err) {
			t.Errorf("%d: %+v", i, err)
		}
	}
}

// TestGather has several messages leave in one write, and one that does not fit.
func TestGather(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	p.answers["mail 2"] = "451 4.7.0 later"
	writes := 0
	cfg := p.tcpConfig(t)
	connect := cfg.DialContext
	cfg.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := connect(ctx, network, address)
		return countingConn{c, &writes}, err
	}
	s := dial(t, cfg)
	writes = 0
	var waits []func() (*Result, error)
	add := func(msg text) { waits = append(waits, s.Gather(t.Context(), to("a@x.org"), msg)) }
	for range 5 {
		add(hello)
	}
	if writes != 0 {
		t.Errorf("%d writes before Flush", writes)
	}
	s.Flush()
	if s.Flush(); writes != 1 {
		t.Errorf("%d writes at Flush", writes)
	}
	add(hello)
	add(lines(inlineSize - 150)) // it does not fit behind the other
	if writes != 2 {
		t.Errorf("%d writes when the room was used up", writes)
	}
	add(lines(100 << 10)) // it never stays
	add(hello)
	s.Flush()
	for i, wait := range waits {
		if _, err := wait(); (err == nil) != (i != 1) {
			t.Errorf("%d: %v", i, err)
		}
	}
	if len(p.messages) != len(waits)-1 {
		t.Errorf("%d messages arrived", len(p.messages))
	}
	add(hello)
	s.Close() // sends it
	if _, err := waits[len(waits)-1](); err == nil || !err.(*Error).Uncertain {
		t.Errorf("a message whose reply nobody has read: %v", err)
	}
}

// TestGatherLost has the connection gone when several messages are to leave: all but the last
// may have got through.
func TestGatherLost(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	cfg := p.tcpConfig(t)
	var conn net.Conn
	connect := cfg.DialContext
	cfg.DialContext = func(ctx context.Context, network, address string) (c net.Conn, err error) {
		conn, err = connect(ctx, network, address)
		return conn, err
	}
	s := dial(t, cfg)
	var waits []func() (*Result, error)
	for range 3 {
		waits = append(waits, s.Gather(t.Context(), to("a@x.org"), hello))
	}
	conn.Close()
	s.Flush()
	for i, wait := range waits {
		if _, err := wait(); err == nil || err.(*Error).Uncertain != (i < 2) {
			t.Errorf("%d: %v", i, err)
		}
	}
}

// TestGatherUnreadable has a message that can't be read: those that are held were not sent.
func TestGatherUnreadable(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	s := dial(t, p.tcpConfig(t))
	first := s.Gather(t.Context(), to("a@x.org"), hello)
	second := s.Gather(t.Context(), to("a@x.org"), text("no line end"))
	s.Flush()
	if _, err := first(); err == nil || err.(*Error).Uncertain {
		t.Errorf("the first: %v", err)
	}
	if _, err := second(); err == nil || err.(*Error).Uncertain {
		t.Errorf("the second: %v", err)
	}
	if len(p.messages) != 0 {
		t.Errorf("%d messages arrived", len(p.messages))
	}
}

// countingConn counts writes.
type countingConn struct {
	net.Conn
	writes *int
}

func (c countingConn) Write(p []byte) (int, error) {
	*c.writes++
	return c.Conn.Write(p)
}

// TestBeginFromTwo has one goroutine that begins and one that waits.
func TestBeginFromTwo(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	s := dial(t, p.tcpConfig(t))
	defer s.Close()
	ahead := make(chan func() (*Result, error), 6)
	var wg sync.WaitGroup
	wg.Go(func() {
		for wait := range ahead {
			if res, err := wait(); err != nil || res.Accepted() != 1 {
				t.Error(err)
			}
		}
	})
	for i := range 200 {
		ahead <- s.Begin(t.Context(), to("a@x.org"), lines(100+i*200))
	}
	close(ahead)
	wg.Wait()
	if len(p.messages) != 200 {
		t.Errorf("%d messages", len(p.messages))
	}
}

// endless makes up a message of any size without keeping it.
type endless struct{ size int64 }

var endlessBlock = bytes.Repeat([]byte(strings.Repeat("0123456789", 7)+"\r\n"), 1000)

func (e endless) Size() int64 { return e.size / int64(len(endlessBlock)) * int64(len(endlessBlock)) }
func (e endless) Open() (io.ReadCloser, error) {
	return &endlessReader{left: e.Size()}, nil
}

type endlessReader struct {
	left int64
	rest []byte
}

func (r *endlessReader) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	if len(r.rest) == 0 {
		r.rest = endlessBlock
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	r.left -= int64(n)
	return n, nil
}
func (r *endlessReader) Close() error { return nil }

// TestMemory sends 150 MB and looks at the heap meanwhile. It is not parallel to others.
func TestMemory(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector drops pooled buffers, so that memory says nothing")
	}
	p := newPeer(t)
	sink := &sinkServer{peer: p, sum: sha256.New()}
	p.lines = []string{"SIZE 157286400", "PIPELINING", "CHUNKING"}
	p.sink = sink
	s := dial(t, p.tcpConfig(t))
	defer s.Close()
	if _, err := s.Send(t.Context(), to("a@x.org"), lines(200<<10)); err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	var before, now runtime.MemStats
	runtime.ReadMemStats(&before)
	peak := uint64(0)
	sink.each = func() {
		runtime.ReadMemStats(&now)
		peak = max(peak, now.HeapInuse)
	}
	msg := endless{150_000_000}
	if _, err := s.Send(t.Context(), to("a@x.org"), msg); err != nil {
		t.Fatal(err)
	}
	want := sha256.New()
	r, _ := msg.Open()
	io.Copy(want, r)
	if !bytes.Equal(sink.sum.Sum(nil), want.Sum(nil)) {
		t.Error("the message did not arrive as it was")
	}
	if peak > before.HeapInuse+2<<20 {
		t.Errorf("the heap grew by %d KiB", (peak-before.HeapInuse)>>10)
	}
	if grown := now.TotalAlloc - before.TotalAlloc; grown > 2<<20 {
		t.Errorf("%d KiB were allocated", grown>>10)
	}
}

// sinkServer takes chunks without keeping them.
type sinkServer struct {
	peer *peer
	sum  hash.Hash
	each func()
	buf  [32 << 10]byte
}

func (k *sinkServer) take(s *peerSession, n int) error {
	if k.each == nil {
		_, err := io.CopyN(io.Discard, s.r, int64(n))
		return err
	}
	_, err := io.CopyBuffer(k.sum, io.LimitReader(s.r, int64(n)), k.buf[:])
	k.each()
	return err
}

func TestClean(t *testing.T) {
	t.Parallel()
	good := "a\r\n\r\nbc\r\n"
	for i := range len(good) + 1 {
		for j := i; j <= len(good); j++ {
			c := &content{last: '\n'}
			if !c.clean([]byte(good[:i])) || !c.clean([]byte(good[i:j])) || !c.clean([]byte(good[j:])) ||
				c.last != '\n' {
				t.Errorf("%q cut at %d and %d is not clean", good, i, j)
			}
		}
	}
	for _, bad := range []string{"a\nb\r\n", "a\rb\r\n", "\n", "\r\r\n", "\r\n\n", "a\r\n\rb\r\n"} {
		for i := range len(bad) + 1 {
			c := &content{last: '\n'}
			if c.clean([]byte(bad[:i])) && c.clean([]byte(bad[i:])) && c.last == '\n' {
				t.Errorf("%q cut at %d is clean", bad, i)
			}
		}
	}
}

// TestGraceEnds makes sure that the short time for a refused message's rest does not
// bind the next one.
func TestGraceEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		defer p.end()
		p.answers["mail 1"] = "451 4.7.0 later"
		s := dial(t, p.config())
		_, err := s.Send(t.Context(), to("a@x.org"), lines(3<<20))
		var e *Error
		if !errors.As(err, &e) || e.Class != diagnose.Temporary {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if _, err := s.Send(context.Background(), to("a@x.org"), lines(3<<20)); err != nil {
			t.Error(err)
		}
		s.Close()
	})
}
