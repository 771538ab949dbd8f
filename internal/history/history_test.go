package history

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

var noon = time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)

// rig is a history in a folder.
type rig struct {
	*testing.T
	*Writer
	dir  string
	told []string
}

func newRig(t *testing.T) *rig {
	r := &rig{T: t, dir: filepath.Join(t.TempDir(), "h")}
	r.Writer = &Writer{Warn: func(err error) { r.told = append(r.told, err.Error()) }}
	r.Configure(Options{Dir: r.dir, Days: 30, Size: 1 << 20})
	return r
}

// put records an entry of a time, to an address.
func (r *rig) put(at time.Time, to string) {
	r.Record(at, []Entry{{Time: at, ID: "1-" + to, UID: 1001, Sender: "a@example.com", Recipient: to, Status: Sent}})
}

// find returns the recipients that the filter chooses.
func (r *rig) find(f Filter) (to []string) {
	r.Helper()
	return r.read(NewReader(r.dir), f)
}

func (r *rig) read(rd *Reader, f Filter) (to []string) {
	r.Helper()
	if err := rd.Each(context.Background(), &f, func(e *Entry) error {
		to = append(to, e.Recipient)
		return nil
	}); err != nil {
		r.Fatal(err)
	}
	return to
}

func (r *rig) names() (names []string) {
	r.Helper()
	all, err := segments(r.dir)
	if err != nil {
		r.Fatal(err)
	}
	for _, s := range all {
		names = append(names, s.name())
	}
	return names
}

// append writes bytes behind what the day's first segment has.
func (r *rig) append(text string) {
	r.Helper()
	f, err := os.OpenFile(filepath.Join(r.dir, segment{day: dayOf(noon)}.name()), os.O_WRONLY|os.O_APPEND, 0)
	if err == nil {
		_, err = f.WriteString(text)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		r.Fatal(err)
	}
}

// TestEntries: what is written comes back, whatever is in it, and a line stays a line.
func TestEntries(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	long := strings.Repeat("x", 5000)
	in := []Entry{
		{Time: noon, ID: "20261201120000-0123456789abcdef", UID: 33, Sender: "shop@example.com", Origin: "www@web1",
			Recipient: "Ann@Example.org", MessageID: "1@web1", Size: 4711, Status: Sent, Enhanced: "2.6.0", Delay: 1.25,
			Reply: "250 2.6.0 OK <1@web1> [Hostname=A.example]"},
		{Time: noon.Add(time.Millisecond), ID: "b", UID: -1, Recipient: "b@example.org", Status: Bounced,
			Enhanced: "5.1.1", Reply: "550 5.1.1 no such user"},
		{Time: noon, ID: "c\tc\n", UID: 0, Sender: "\x00\t@\n", Recipient: "ü@\xff\x1b[2J", Status: Expired,
			MessageID: "\r\n<!DOCTYPE", Reply: "a\tb\nc" + long},
		{Time: noon, ID: "d", Recipient: "d@example.org", Status: Refused},
		{Time: noon, ID: "e", Recipient: "e@example.org", Status: Failed},
	}
	r.Record(noon, in)
	var out []Entry
	rd := NewReader(r.dir)
	if err := rd.Each(t.Context(), &Filter{}, func(e *Entry) error { out = append(out, *e); return nil }); err != nil {
		t.Fatal(err)
	}
	if len(out) != len(in) || rd.Damaged != 0 {
		t.Fatalf("%d entries, %d damaged", len(out), rd.Damaged)
	}
	in[0].Reply = "[Hostname=A.example]"
	for _, i := range []int{0, 1, 3, 4} {
		if !reflect.DeepEqual(in[i], out[i]) {
			t.Errorf("%+v came back as %+v", in[i], out[i])
		}
	}
	if e := out[2]; e.ID != `c\tc\n` || e.Recipient != `ü@\xff\x1b[2J` || e.MessageID != `\r\n<!DOCTYPE` ||
		len(e.Reply) > maxReply {
		t.Errorf("%+v", e)
	}
	fi, err := os.Stat(filepath.Join(r.dir, r.names()[0]))
	if err != nil || fi.Mode() != 0o600 {
		t.Errorf("%v %v", fi.Mode(), err)
	}
	if fi, err = os.Stat(r.dir); err != nil || fi.Mode() != fs.ModeDir|0o700 {
		t.Errorf("%v %v", fi.Mode(), err)
	}
	if fi.Size() > maxLine*int64(len(in)) || r.told != nil {
		t.Errorf("%d bytes, %q", fi.Size(), r.told)
	}
}

func TestFilters(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ann, root := 1001, 0
	at := func(d time.Duration) time.Time { return noon.Add(d) }
	r.Record(at(-48*time.Hour), []Entry{{Time: at(-48 * time.Hour), ID: "100-a", UID: root, Sender: "root@web1",
		Recipient: "OPS@Example.org", MessageID: "X1@web1", Status: Sent}})
	r.Record(noon, []Entry{
		{Time: noon, ID: "200-b", UID: ann, Sender: "Shop@example.com", Origin: "ann@web1", Recipient: "bob@example.org",
			MessageID: "Y2@web1", Status: Sent},
		{Time: at(time.Hour), ID: "300-c", UID: ann, Sender: "shop@example.com", Recipient: "carl@example.net",
			Status: Refused},
	})
	for _, c := range []struct {
		f    Filter
		want string
	}{
		{Filter{}, "OPS@Example.org bob@example.org carl@example.net"},
		{Filter{Recipient: "EXAMPLE.ORG"}, "OPS@Example.org bob@example.org"},
		{Filter{Recipient: "ops@e"}, "OPS@Example.org"},
		{Filter{Sender: "shop"}, "bob@example.org carl@example.net"},
		{Filter{Sender: "ann@"}, "bob@example.org"},
		{Filter{MessageID: "y2@WEB1"}, "bob@example.org"},
		{Filter{IDs: []string{"100-a", "3"}}, "OPS@Example.org carl@example.net"},
		{Filter{Status: Refused}, "carl@example.net"},
		{Filter{UID: &ann, Status: Sent}, "bob@example.org"},
		{Filter{UID: &root}, "OPS@Example.org"},
		{Filter{Since: noon}, "bob@example.org carl@example.net"},
		{Filter{Since: at(time.Millisecond)}, "carl@example.net"},
		{Filter{Until: noon}, "OPS@Example.org"},
		{Filter{Since: at(-49 * time.Hour), Until: at(-47 * time.Hour)}, "OPS@Example.org"},
		{Filter{Recipient: "nobody"}, ""},
	} {
		if got := strings.Join(r.find(c.f), " "); got != c.want {
			t.Errorf("%+v: %q, want %q", c.f, got, c.want)
		}
		again, err := ParseQuery(c.f.Query().Encode())
		if err != nil || !reflect.DeepEqual(again, c.f) || c.f.Zero() != (c.want != "" && strings.Count(c.want, " ") == 2) {
			t.Errorf("%+v became %+v, %v", c.f, again, err)
		}
	}
	for _, q := range []string{"x=1", "uid=a", "since=yesterday", "sender=a&sender=b", "status=gone", "%",
		"sender=" + strings.Repeat("x", maxText+1), strings.Repeat("id=1&", maxIDs+1) + "id=1", "since=2026-12-01T00:00:00Z&until=2026-12-01T00:00:00Z"} {
		if _, err := ParseQuery(q); err == nil {
			t.Errorf("%.40q is a filter", q)
		}
	}
}

// TestDamage: what a crash, a disk or a person has left between the lines costs these lines alone.
func TestDamage(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.put(noon, "a@example.org")
	r.append("mi0\t1-torn\t0\ts") // a process was killed
	r.Configure(Options{Dir: r.dir, Days: 30, Size: 2 << 20})
	r.begun = false // the next process
	r.put(noon, "b@example.org")
	r.append(strings.Repeat("x", 3*blockSize) + "\n" + strings.Repeat("\x00", blockSize) + "\n\n\n")
	r.append(strings.Repeat("\t", fieldCount-1) + "\n" + strings.Repeat("\t", fieldCount+5) + "\n")
	r.append("1\tz\t0\tz\t\t\t\t\t\t\t\t\n") // no such status
	r.put(noon, "c@example.org")
	rd := NewReader(r.dir)
	if got := r.read(rd, Filter{}); strings.Join(got, " ") != "a@example.org b@example.org c@example.org" {
		t.Errorf("%q", got)
	}
	if rd.Damaged != 6 {
		t.Errorf("%d damaged lines, want 6", rd.Damaged)
	}
	if r.told != nil {
		t.Errorf("%q", r.told)
	}
}

// TestForeignFiles: links, pipes and other users' names in the folder are neither read nor written.
func TestForeignFiles(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.put(noon, "a@example.org")
	other := filepath.Join(t.TempDir(), "other")
	in := func(day string) string { return filepath.Join(r.dir, segment{day: day}.name()) }
	for _, err := range []error{
		os.WriteFile(other, []byte("secret\n"), 0o600), os.Symlink(other, in("2026-12-02")),
		syscall.Mkfifo(in("2026-12-03"), 0o600), os.Mkdir(in("2026-12-04"), 0o700), os.Link(other, in("2026-12-05")),
		os.WriteFile(filepath.Join(r.dir, "2026-12-06.log"), []byte("x\n"), 0o600),
		os.WriteFile(filepath.Join(r.dir, "README"), []byte("x\n"), 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for day := 1; day < 5; day++ {
		r.put(noon.AddDate(0, 0, day), "lost@example.org")
	}
	if len(r.told) != 4 || !strings.Contains(r.told[0], "mail goes on without it") {
		t.Errorf("%q", r.told)
	}
	if text, err := os.ReadFile(other); string(text) != "secret\n" || err != nil {
		t.Errorf("%q %v", text, err)
	}
	if got := r.find(Filter{}); len(got) != 1 {
		t.Errorf("%q", got)
	}
}

// TestUnwritable: what can't be written is told once a day, and costs nothing else.
func TestUnwritable(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	if err := os.WriteFile(r.dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		r.put(noon, "a@example.org")
	}
	r.put(noon.AddDate(0, 0, 1), "a@example.org")
	if len(r.told) != 2 {
		t.Errorf("%q", r.told)
	}
	if err := os.Remove(r.dir); err != nil {
		t.Fatal(err)
	}
	r.put(noon, "b@example.org")
	if got := r.find(Filter{}); len(got) != 1 || got[0] != "b@example.org" {
		t.Errorf("%q", got)
	}
}

// TestSize: the oldest go when there is no room, and the bound holds for all files together.
func TestSize(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const size = 64 << 10
	r.Configure(Options{Dir: r.dir, Days: 30, Size: size})
	for i := range 3000 {
		r.put(noon.Add(time.Duration(i)*time.Minute), fmt.Sprintf("%d@example.org", i))
	}
	var sum int64
	for _, n := range r.names() {
		fi, err := os.Stat(filepath.Join(r.dir, n))
		if err != nil {
			t.Fatal(err)
		}
		sum += fi.Size()
	}
	got := r.find(Filter{})
	if sum > size || sum < size/2 || len(got) == 0 || got[len(got)-1] != "2999@example.org" {
		t.Errorf("%d bytes, %d entries", sum, len(got))
	}
	first := 3000 - len(got)
	if got[0] != fmt.Sprintf("%d@example.org", first) {
		t.Errorf("the first is %s, want %d: there is a hole", got[0], first)
	}
}

// TestDays: what is too old goes with the next day's file, and by itself in a process that stays.
func TestDays(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for day := range 40 {
		r.put(noon.AddDate(0, 0, day), fmt.Sprintf("%d@example.org", day))
	}
	if got := r.names(); len(got) != 31 || got[0] != "2026-12-10-0000.log" {
		t.Errorf("%q", got)
	}
	now := noon.AddDate(0, 0, 45)
	for range 30 {
		r.Tick(now)
		now = now.Add(time.Minute)
	}
	if len(r.names()) != 31 {
		t.Error("a day that has just begun costs old files")
	}
	for range 31 {
		r.Tick(now)
		now = now.Add(time.Minute)
	}
	if got := r.names(); len(got) != 25 {
		t.Errorf("%q", got)
	}
	r.Configure(Options{Dir: r.dir, Size: 1 << 20})
	r.put(now, "none@example.org")
	r.Tick(now)
	r.Tick(now.Add(settled))
	if got := r.names(); got != nil {
		t.Errorf("turned off, and still there: %q", got)
	}
}

// TestClock: a clock that is wrong for a while costs nothing that is kept.
func TestClock(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.put(noon, "a@example.org")
	for _, years := range []int{10, 0, -50, 0} {
		now := noon.AddDate(years, 0, 0)
		r.Tick(now)
		r.Tick(now.Add(settled - time.Minute))
		r.put(now, fmt.Sprintf("%d@example.org", years))
		(&Writer{o: r.o}).Record(now, []Entry{{Time: now, ID: "x", Recipient: "alone@example.org", Status: Sent}})
	}
	if got := r.find(Filter{Recipient: "a@example.org"}); len(got) != 1 {
		t.Errorf("%q", r.names())
	}
	if got := r.find(Filter{Since: noon.Add(-time.Hour), Until: noon.Add(time.Hour)}); len(got) != 5 {
		t.Errorf("%q", got)
	}
}

// TestFollow: a reader goes on where it was, over midnight, a clock that goes back, and removed files.
func TestFollow(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.put(noon, "old@example.org")
	rd := NewReader(r.dir)
	if err := rd.Skip(); err != nil {
		t.Fatal(err)
	}
	r.put(noon, "a@example.org")
	r.append("torn, and not yet a")
	if got := r.read(rd, Filter{}); !slices.Equal(got, []string{"a@example.org"}) {
		t.Errorf("%q", got)
	}
	r.append(" line\n")
	r.put(noon.Add(12*time.Hour), "b@example.org")
	r.put(noon.Add(-48*time.Hour), "c@example.org")
	if got := r.read(rd, Filter{}); !slices.Equal(got, []string{"c@example.org", "b@example.org"}) {
		t.Errorf("%q", got)
	}
	r.put(noon.Add(12*time.Hour), "e@example.org")
	if got := r.read(rd, Filter{}); !slices.Equal(got, []string{"e@example.org"}) {
		t.Errorf("%q", got)
	}
	if err := os.RemoveAll(r.dir); err != nil {
		t.Fatal(err)
	}
	if got := r.read(rd, Filter{}); got != nil {
		t.Errorf("%q", got)
	}
	r.Tick(noon) // the writer sees that its file is gone
	r.put(noon.AddDate(0, 0, 1), "d@example.org")
	if got := r.read(rd, Filter{}); !slices.Equal(got, []string{"d@example.org"}) {
		t.Errorf("%q", got)
	}
}

// TestWriters: several write to one folder, and each line is there once.
func TestWriters(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.Configure(Options{Dir: r.dir, Days: 30, Size: 4 << 20})
	const writers, each = 10, 300
	var all sync.WaitGroup
	for n := range writers {
		w := r.Writer
		if n%2 == 0 {
			w = &Writer{o: r.o}
		}
		all.Go(func() {
			for i := range each {
				w.Record(noon, []Entry{{Time: noon, ID: "x", Status: Sent, Recipient: fmt.Sprintf("%d.%d@example.org", n, i)}})
			}
		})
	}
	all.Wait()
	got := r.find(Filter{})
	slices.Sort(got)
	if len(slices.Compact(got)) != writers*each || r.told != nil {
		t.Errorf("%d of %d, %q", len(got), writers*each, r.told)
	}
}

// TestReadEnds: a reader that is told to stop does, and an error of the callback comes back.
func TestReadEnds(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.put(noon, "a@example.org")
	r.put(noon, "b@example.org")
	stop := errors.New("stop")
	n := 0
	err := NewReader(r.dir).Each(t.Context(), &Filter{}, func(*Entry) error { n++; return stop })
	if err != stop || n != 1 {
		t.Errorf("%v after %d", err, n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := NewReader(r.dir).Each(ctx, &Filter{}, func(*Entry) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestSum(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ann := 1001
	for i := range 60 {
		at := noon.Add(time.Duration(-i) * 24 * time.Hour)
		r.Record(at, []Entry{
			{Time: at, ID: "x", UID: ann, Recipient: "a@example.org", Status: Sent, Size: 100, Delay: 0.5},
			{Time: at, ID: "x", UID: 2000 + i, Recipient: "b@example.org", Status: Bounced},
		})
	}
	s, err := Sum(t.Context(), r.dir, 30, nil, noon)
	if err != nil || s.All != (Counts{Sent: 30, Bounced: 30}) || s.Today != (Counts{Sent: 1, Bounced: 1}) ||
		s.Hours[12] != s.Today || len(s.Days) != 30 || s.Days[0].Date != "2026-11-02" || s.Days[0].Total() != 2 ||
		s.Bytes != 3000 || s.Delays[0].Sent != 30 {
		t.Errorf("%+v %v", s, err)
	}
	if len(s.Users) != maxUsers || s.Users[0].UID != ann || s.Others.Bounced != 11 {
		t.Errorf("%+v %+v", s.Users, s.Others)
	}
	if s, err = Sum(t.Context(), r.dir, 1, &ann, noon); err != nil || s.All != (Counts{Sent: 1}) || len(s.Users) != 1 {
		t.Errorf("%+v %v", s, err)
	}
	if s, err = Sum(t.Context(), filepath.Join(r.dir, "none"), 30, nil, noon); err != nil || s.All.Total() != 0 {
		t.Errorf("%+v %v", s, err)
	}
}

// FuzzReader: no content of a file makes a reader fail, or take part of a line for a whole one.
func FuzzReader(f *testing.F) {
	e := Entry{Time: noon, ID: "a", UID: -1, Recipient: "b@c", Status: Sent, Enhanced: "2.0.0"}
	f.Add(string(e.append(nil)), "x")
	f.Add("\n\t\t\t", strings.Repeat("\t", fieldCount))
	f.Add("zzzzzzzzzzzzzzzzz\t\t-9999999999999999\ts\t\t\t\t\t\t\t\t", "")
	f.Fuzz(func(t *testing.T, before, reply string) {
		dir := t.TempDir()
		name := filepath.Join(dir, segment{day: dayOf(noon)}.name())
		mine := Entry{Time: noon, ID: "mine", Recipient: reply, MessageID: reply, Reply: reply, Status: Refused}
		text := append([]byte(before+"\n"), mine.append(nil)...)
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
		found := 0
		err := NewReader(dir).Each(context.Background(), &Filter{}, func(e *Entry) error {
			if e.ID == "mine" && e.Time.Equal(noon) {
				found++
			}
			return nil
		})
		if err != nil || found < 1 {
			t.Errorf("%v, found %d times", err, found)
		}
		if _, err := Sum(context.Background(), dir, 30, nil, noon); err != nil {
			t.Error(err)
		}
	})
}
