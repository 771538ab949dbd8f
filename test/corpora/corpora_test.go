//go:build corpora

package corpora

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"o365-sendmail/internal/emulator"
)

var update = flag.Bool("update", false, "write docs/corpora.md")

const (
	repository = "../.."
	sender     = "corpus@web1.example"
	// most bounds the messages of one project: one of them has thousands of a kind.
	most = 500
	// leastMessages and leastProjects are what makes the outcome worth a page.
	leastMessages, leastProjects = 1000, 5
)

// sample is one message of a project.
type sample struct {
	project string
	file    string
	to      string // its recipient, which no other message has
}

// TestCorpora is the whole: every difference between what was sent and what arrived has a rule that the judge
// knows, and the counts of the rules are those of docs/corpora.md.
func TestCorpora(t *testing.T) {
	samples := collect(t)
	direct := send(t, samples, false)
	agent := send(t, samples, true)
	report := newReport(samples)
	report.judge(t, "direct", samples, direct)
	report.judge(t, "agent", samples, agent)
	if report.messages < leastMessages || len(report.projects) < leastProjects {
		t.Fatalf("%d messages of %d projects", report.messages, len(report.projects))
	}
	page := filepath.Join(repository, "docs", "corpora.md")
	text := report.page()
	if *update {
		if err := os.WriteFile(page, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != text {
		t.Errorf("docs/corpora.md says otherwise: run make corpora CORPORAFLAGS=-update and look at the difference\n%s",
			text)
	}
}

// collect takes the messages out of the fetched projects.
func collect(t *testing.T) (samples []sample) {
	t.Helper()
	build, err := filepath.Abs(filepath.Join(repository, "build", "corpora"))
	if err != nil {
		t.Fatal(err)
	}
	projects, err := os.ReadDir(filepath.Join(build, "fetched"))
	if err != nil {
		t.Fatal("make corpora fetches them: ", err)
	}
	for _, p := range projects {
		if !p.IsDir() {
			continue
		}
		out := filepath.Join(build, "messages", p.Name())
		if err := os.RemoveAll(out); err != nil {
			t.Fatal(err)
		}
		must(t, os.MkdirAll(filepath.Dir(out), 0o755))
		run(t, "python3", "collect.py", filepath.Join(build, "fetched", p.Name()), out)
		files, err := filepath.Glob(filepath.Join(out, "[0-9]*"))
		if err != nil {
			t.Fatal(err)
		}
		for i, f := range files[:min(len(files), most)] {
			samples = append(samples, sample{p.Name(), f, fmt.Sprintf("s%d.%d@example.org", len(samples), i)})
		}
	}
	return samples
}

func run(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// arrival is what became of a sample.
type arrival struct {
	exit   int
	stderr string
	from   string   // of the envelope
	to     []string // of the envelope
	data   []byte
	copies int
}

// send gives every sample to a sendmail process of its own and returns what arrived.
func send(t *testing.T, samples []sample, byAgent bool) []arrival {
	t.Helper()
	keep := func(o *emulator.Options) { o.KeepBodies = true }
	e := emulator.New(quiet{t}, keep)
	e.Update(func(s *emulator.State) { s.Limits.PerMinute, s.Limits.RecipientsPerDay = 0, 0 })
	dir := t.TempDir()
	config := filepath.Join(dir, "config.toml")
	text := e.ConfigTOML(dir) + "\n[from]\nhost_name = \"web1.example\"\n[delivery]\nmessages_per_minute = 0\n" +
		"recipients_per_day = 0\n"
	if byAgent {
		text += fmt.Sprintf("[spool]\ndir = %q\n[agent]\nsocket = %q\nmessages_per_minute_per_user = 0\n",
			filepath.Join(dir, "spool"), filepath.Join(dir, "submit.sock"))
	} else {
		text += "[spool]\ndir = \"\"\n"
	}
	must(t, os.WriteFile(config, []byte(text), 0o600))
	program, err := filepath.Abs(filepath.Join(repository, "bin", "sendmail"))
	must(t, err)
	if byAgent {
		startAgent(t, program, config, filepath.Join(dir, "submit.sock"))
	}
	arrivals := make([]arrival, len(samples))
	work := make(chan int)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range work {
				arrivals[i].exit, arrivals[i].stderr = call(program, config, samples[i])
			}
		})
	}
	for i := range samples {
		work <- i
	}
	close(work)
	wg.Wait()
	byRecipient := make(map[string]int)
	for i, s := range samples {
		byRecipient[s.to] = i
	}
	for _, m := range e.Messages() {
		for _, to := range m.To {
			if i, ok := byRecipient[to]; ok {
				a := &arrivals[i]
				a.from, a.to, a.data = m.From, m.To, m.Data
				a.copies++
			}
		}
	}
	return arrivals
}

// quiet keeps the emulator's transcript of some thousand messages out of a failure's output.
type quiet struct{ *testing.T }

func (quiet) Log(...any)          {}
func (quiet) Logf(string, ...any) {}

func startAgent(t *testing.T, program, config, socket string) {
	t.Helper()
	verbs := filepath.Join(t.TempDir(), "o365-sendmail")
	must(t, os.Symlink(program, verbs))
	cmd := exec.Command(verbs, "serve", "-C", config)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	must(t, cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		<-ended
	})
	for deadline := time.Now().Add(20 * time.Second); ; {
		c, err := net.Dial("unix", socket)
		if err == nil {
			c.Close()
			return
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("the agent ended: %v\n%s", err, out.Bytes())
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatal("the agent does not listen: ", err)
		}
	}
}

func call(program, config string, s sample) (exit int, stderr string) {
	in, err := os.Open(s.file)
	if err != nil {
		return -1, err.Error()
	}
	defer in.Close()
	cmd := exec.Command(program, "-C", config, "-i", "-f", sender, "--", s.to)
	cmd.Args[0], cmd.Stdin = "sendmail", in
	var out bytes.Buffer
	cmd.Stderr = &out
	err = cmd.Run()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		return -1, err.Error()
	}
	return cmd.ProcessState.ExitCode(), strings.TrimSpace(out.String())
}

// verdict is a line of the judge's.
type verdict struct {
	Rules  []string `json:"rules"`
	Faults []string `json:"faults"`
	Leaves int      `json:"leaves"`
	DKIM   int      `json:"dkim"` // body hashes that were valid
}

// judged has Python compare the pairs: the original's path and the arrived message's.
func judged(t *testing.T, pairs [][2]string) []verdict {
	t.Helper()
	var in bytes.Buffer
	for _, p := range pairs {
		fmt.Fprintf(&in, "%s\t%s\n", p[0], p[1])
	}
	cmd := exec.Command("python3", "judge.py")
	cmd.Stdin = &in
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("judge.py: %v\n%s", err, stderr.Bytes())
	}
	var all []verdict
	for line := range strings.Lines(string(out)) {
		var v verdict
		must(t, json.Unmarshal([]byte(line), &v))
		all = append(all, v)
	}
	if len(all) != len(pairs) {
		t.Fatalf("%d verdicts on %d messages", len(all), len(pairs))
	}
	return all
}
