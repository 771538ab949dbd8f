package quota

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Tests that need real processes start this test binary again: what a child does stands in these variables.
const (
	childDir  = "QUOTA_TEST_DIR"
	childPeer = "QUOTA_TEST_PEER" // where one that takes a slot says who it is; "" reserves a message
	childTime = "QUOTA_TEST_TIME" // in seconds since 1970
)

const processSlots, processRate = 3, 30

func TestMain(m *testing.M) {
	if os.Getenv(childDir) == "" {
		os.Exit(m.Run())
	}
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, os.Stdin)
	said, err := childMain()
	if err != nil {
		said = err.Error()
	}
	fmt.Println(said)
}

func childMain() (said string, err error) {
	var warned error
	ledger := New(testDir(os.Getenv(childDir), func(err error) { warned = err }), nil)
	begin := time.Now()
	if peer := os.Getenv(childPeer); peer != "" {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		release, err := ledger.Slot(ctx, account, processSlots)
		if err != nil {
			return "", err
		}
		defer release()
		took := time.Since(begin)
		c, err := net.Dial("tcp", peer)
		if err != nil {
			return "", err
		}
		defer c.Close()
		fmt.Fprintln(c, os.Getpid())
		_, _ = io.Copy(io.Discard, c)
		return took.String(), warned
	}
	seconds, _ := strconv.ParseInt(os.Getenv(childTime), 10, 64)
	wait, err := ledger.Reserve(account, 1, Limits{MessagesPerMinute: processRate}, time.Unix(seconds, 0))
	if err == nil {
		err = warned
	}
	return wait.String(), err
}

// crowd starts n children that begin at the same moment, and returns what each then says, "" if it was killed.
func crowd(t *testing.T, n int, env ...string) (said []string) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	outs := make([]*bufio.Reader, n)
	for i := range outs {
		cmd := exec.Command("/proc/self/exe", "-test.run=^$")
		cmd.Env = append(os.Environ(), append(env, "GOMAXPROCS=2")...)
		cmd.Stdin, cmd.Stderr = r, os.Stderr
		out, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
		outs[i] = bufio.NewReader(out)
	}
	_ = r.Close()
	for _, out := range outs {
		if line, err := out.ReadString('\n'); line != "ready\n" {
			t.Fatalf("a child said %q, %v", line, err)
		}
	}
	_ = w.Close()
	for _, out := range outs {
		line, _ := out.ReadString('\n')
		said = append(said, strings.TrimSpace(line))
	}
	return said
}

// A counter is the peer of those who hold a slot. It kills the first few of them.
type counter struct {
	mu                   sync.Mutex
	inside, most, served int
	hold                 time.Duration
	kills                int
}

func (n *counter) serve(c net.Conn) {
	defer c.Close()
	line, err := bufio.NewReader(c).ReadString('\n')
	pid, convErr := strconv.Atoi(strings.TrimSpace(line))
	if err != nil || convErr != nil {
		return
	}
	n.mu.Lock()
	n.inside++
	n.most = max(n.most, n.inside)
	n.mu.Unlock()
	time.Sleep(n.hold) // as a delivery would take
	n.mu.Lock()
	n.inside-- // before the end, and before the kill: then the slot may pass on
	n.served++
	kill := n.served <= n.kills
	n.mu.Unlock()
	if kill {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

func TestRealSlots(t *testing.T) {
	const n = 200
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	peer := &counter{hold: 20 * time.Millisecond, kills: 10}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go peer.serve(c)
		}
	}()
	begin := time.Now()
	var waits []time.Duration
	dead := 0
	for _, s := range crowd(t, n, childDir+"="+filepath.Join(t.TempDir(), "cache"), childPeer+"="+l.Addr().String()) {
		took, err := time.ParseDuration(s)
		switch {
		case s == "":
			dead++
		case err != nil:
			t.Error(s)
		default:
			waits = append(waits, took)
		}
	}
	slices.Sort(waits)
	t.Logf("%d processes on %d slots: %v with their start, ideal %v; wait median %v, most %v", n, processSlots,
		time.Since(begin), peer.hold*n/processSlots, waits[len(waits)/2], waits[len(waits)-1])
	peer.mu.Lock()
	defer peer.mu.Unlock()
	if peer.most != processSlots || peer.served != n || dead > peer.kills {
		t.Errorf("at most %d inside, %d served, %d dead; want %d, %d, at most %d",
			peer.most, peer.served, dead, processSlots, n, peer.kills)
	}
}

func TestRealReserve(t *testing.T) {
	t.Parallel()
	granted := 0
	for _, s := range crowd(t, 60, childDir+"="+filepath.Join(t.TempDir(), "cache"),
		childTime+"="+strconv.FormatInt(time.Now().Unix(), 10)) {
		if s == "0s" {
			granted++
		} else if _, err := time.ParseDuration(s); err != nil {
			t.Error(s)
		}
	}
	if granted != processRate {
		t.Errorf("%d granted, want %d", granted, processRate)
	}
}
