package spool

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
)

// A disk knows what of a directory tree would survive a power loss at this moment:
// the content of a file as of its last fsync, the entries of a directory as of its last.
type disk struct {
	root    string
	content map[uint64][]byte            // by inode, as synced
	entries map[string]map[string]uint64 // by directory, as synced
	left    int                          // calls until the power goes
}

var errPower = errors.New("the power went")

func newDisk(root string, calls int) *disk {
	return &disk{root: root, content: map[uint64][]byte{}, entries: map[string]map[string]uint64{}, left: calls}
}

// hook lets calls through until the power goes, and learns from those that sync.
func (d *disk) hook(c call) error {
	if d.left == 0 {
		return errPower
	}
	d.left--
	if c.op != "fsync" && c.op != "fdatasync" {
		return c.do()
	}
	st, err := c.f.Stat()
	if err != nil {
		return err
	}
	if st.IsDir() {
		d.entries[c.path] = current(c.path)
		return nil
	}
	b := make([]byte, st.Size())
	if _, err := c.f.ReadAt(b, 0); err != nil {
		return err
	}
	d.content[inode(st)] = b
	return nil
}

func inode(st os.FileInfo) uint64 { return st.Sys().(*syscall.Stat_t).Ino }

// current returns the entries of a directory by inode.
func current(dir string) map[string]uint64 {
	names := map[string]uint64{}
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if st, err := e.Info(); err == nil {
			names[e.Name()] = inode(st)
		}
	}
	return names
}

// restart writes to dir what the machine finds when it comes up again. Of what was
// not synced any part may have reached the disk: chance decides. With a nil chance nothing has.
func (d *disk) restart(t *testing.T, dir string, chance *rand.Rand) {
	t.Helper()
	now := map[uint64]string{}
	chosen := map[string]map[string]uint64{}
	for _, sub := range []string{queueDir, failedDir} {
		path := filepath.Join(d.root, sub)
		names := current(path)
		for name, ino := range names {
			now[ino] = filepath.Join(path, name)
		}
		chosen[sub] = d.choose(path, names, chance)
	}
	d.keepRenamed(chosen)
	if err := os.MkdirAll(dir, dirMode); err != nil {
		t.Fatal(err)
	}
	for sub, names := range chosen {
		if err := os.Mkdir(filepath.Join(dir, sub), dirMode); err != nil {
			t.Fatal(err)
		}
		for name, ino := range names {
			b := d.survives(ino, now[ino], chance)
			if err := os.WriteFile(filepath.Join(dir, sub, name), b, fileMode); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// choose takes, for each name, the synced entry or the present one.
func (d *disk) choose(path string, names map[string]uint64, chance *rand.Rand) map[string]uint64 {
	chosen := map[string]uint64{}
	all := map[string]bool{}
	for name := range names {
		all[name] = true
	}
	for name := range d.entries[path] {
		all[name] = true
	}
	for name := range all {
		from := d.entries[path]
		if chance != nil && chance.IntN(2) == 0 {
			from = names
		}
		if ino, ok := from[name]; ok {
			chosen[name] = ino
		}
	}
	return chosen
}

// keepRenamed knows that a rename between directories is one step for every file
// system with a journal: the file is in the old place or in the new one.
func (d *disk) keepRenamed(chosen map[string]map[string]uint64) {
	have := map[uint64]bool{}
	for _, names := range chosen {
		for name, ino := range names {
			if have[ino] {
				delete(names, name)
			}
			have[ino] = true
		}
	}
	for _, sub := range []string{queueDir, failedDir} {
		other := map[string]string{queueDir: failedDir, failedDir: queueDir}[sub]
		for name, ino := range d.entries[filepath.Join(d.root, sub)] {
			_, moved := current(filepath.Join(d.root, other))[name]
			if !have[ino] && moved {
				chosen[sub][name] = ino
			}
		}
	}
}

// survives returns the content of a file: each sector as it was synced or as it is.
func (d *disk) survives(ino uint64, path string, chance *rand.Rand) []byte {
	synced, isSynced := d.content[ino]
	now, err := os.ReadFile(path)
	switch {
	case chance == nil || path == "" || err != nil:
		return synced
	case !isSynced:
		now = now[:chance.IntN(len(now)+1)]
		synced = make([]byte, len(now))
	}
	b := slices.Clone(synced)
	for at := 0; at < min(len(b), len(now)); at += sector {
		if chance.IntN(2) == 0 {
			copy(b[at:min(at+sector, len(b))], now[at:])
		}
	}
	return b
}

// TestPowerLoss cuts the power after every system call and looks at what comes up again.
func TestPowerLoss(t *testing.T) {
	t.Parallel()
	const seeds = 4
	for calls, over := 0, false; !over; calls++ {
		root := t.TempDir() + "/spool"
		d, p := newDisk(root, calls), &promises{}
		s, err := Open(Options{Dir: root, Ops: hooked(d.hook)})
		if err == nil {
			err = play(s, p.tell)
			_ = s.Close()
		}
		over = err == nil
		for seed := range uint64(seeds) {
			var chance *rand.Rand
			if seed > 0 {
				chance = rand.New(rand.NewPCG(seed, uint64(calls)))
			}
			dir := fmt.Sprintf("%s-%d", root, seed)
			d.restart(t, dir, chance)
			after, w := open(t, Options{Dir: dir})
			p.check(t, after, true)
			if swept, err := after.Sweep(t.Context()); err != nil || swept.Quarantined > 0 {
				t.Errorf("sweep: %+v, %v", swept, err)
			}
			w.none(t)
			_ = after.Close()
		}
		if t.Failed() {
			t.Fatalf("after %d calls: %v", calls, p.accepted)
		}
	}
}
