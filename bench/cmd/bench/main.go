// Command bench measures the program beside the least that is possible (bench/cmd/floor)
// and beside the mailers that Debian has, all against the same emulator in one run,
// interleaved, and writes the tables to docs/performance.md. It sends nothing anywhere
// but to the emulator on loopback.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// settings are what the command line says.
type settings struct {
	ours, front, floor string // the binaries
	peers              string // the directory of unpacked peers
	out, dir           string
	only               string
	rounds             int
	rtt                time.Duration
	messages           int
	processes          int
	largest            int
}

// A scenario fills tables of the report.
type scenario struct {
	name string
	run  func(*bench) error
}

var scenarios = []scenario{
	{"machine", (*bench).machine},
	{"submit", (*bench).submit},
	{"first", (*bench).first},
	{"accept", (*bench).accept},
	{"drain", (*bench).drain},
	{"burst", (*bench).burst},
	{"big", (*bench).big},
	{"growth", (*bench).growth},
	{"attack", (*bench).attack},
}

func main() {
	var s settings
	flag.StringVar(&s.ours, "ours", "bin/sendmail", "the program")
	flag.StringVar(&s.front, "front", "bin/front", "the quick program before it")
	flag.StringVar(&s.floor, "floor", "build/bench/floor", "the floor")
	flag.StringVar(&s.peers, "peers", "build/bench/peers", "where bench/peers.sh has unpacked peers")
	flag.StringVar(&s.out, "out", "docs/performance.md", "the report; - for standard output")
	flag.StringVar(&s.dir, "dir", "", "where spools lie while it runs (default: a temporary directory)")
	flag.StringVar(&s.only, "only", "", "scenarios, by commas: machine,submit,first,accept,drain,burst,big,growth,"+
		"attack (default: all)")
	flag.IntVar(&s.rounds, "rounds", 21, "rounds of submit and accept")
	flag.DurationVar(&s.rtt, "rtt", 50*time.Millisecond, "the round trip of the distant relay")
	flag.IntVar(&s.messages, "messages", 500, "messages of drain")
	flag.IntVar(&s.processes, "processes", 200, "processes of burst")
	flag.IntVar(&s.largest, "largest", 50000, "messages of the longest queue of growth")
	flag.Parse()
	if err := isolate(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	heedSignals()
	if err := run(&s); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(s *settings) (err error) {
	for _, p := range []*string{&s.ours, &s.front, &s.floor, &s.peers} {
		if *p, err = filepath.Abs(*p); err != nil {
			return err
		}
	}
	for _, p := range []string{s.ours, s.front, s.floor} {
		if _, err := exec.LookPath(p); err != nil {
			return fmt.Errorf("%w: make bench builds it", err)
		}
	}
	dir, err := os.MkdirTemp(s.dir, "bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	// Pages of a file that the linker wrote are mapped one by one, those of a copied one in
	// larger pieces, as a package's are: the difference is a millisecond.
	for _, p := range []*string{&s.ours, &s.front, &s.floor} {
		if *p, err = copyTo(dir, *p); err != nil {
			return err
		}
	}
	b, err := newBench(s, dir)
	if err != nil {
		return err
	}
	defer b.close()
	begun := time.Now()
	only := strings.FieldsFunc(s.only, func(r rune) bool { return r == ',' })
	for _, sc := range scenarios {
		if len(only) > 0 && !slices.Contains(only, sc.name) {
			continue
		}
		t := time.Now()
		if err := sc.run(b); err != nil {
			return fmt.Errorf("%s: %w", sc.name, err)
		}
		fmt.Fprintf(os.Stderr, "bench: %s took %.0f s\n", sc.name, time.Since(t).Seconds())
	}
	b.report.took = time.Since(begun)
	if s.out == "-" || len(only) > 0 {
		fmt.Print(b.report.results()) // a part of the report must not replace the whole
		return nil
	}
	for _, t := range b.report.tables {
		if t.file != "" {
			if err := os.WriteFile(filepath.Join(filepath.Dir(s.out), t.file), []byte(t.svg), 0o644); err != nil {
				return err
			}
		}
	}
	return os.WriteFile(s.out, []byte(head+b.report.results()), 0o644)
}

// copyTo copies a program into a directory and returns its new path.
func copyTo(dir, program string) (string, error) {
	text, err := os.ReadFile(program)
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, filepath.Base(program))
	return path, os.WriteFile(path, text, 0o755)
}
