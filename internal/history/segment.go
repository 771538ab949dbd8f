package history

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A segment is one of the files: those of one day (UTC) are numbered, and each is begun when the one before is full.
type segment struct {
	day    string // as 2026-12-31
	number int
}

const suffix = ".log"

func (s segment) name() string { return fmt.Sprintf("%s-%04d%s", s.day, s.number, suffix) }

// parseSegment reports whether a file's name is a segment's.
func parseSegment(name string) (s segment, ok bool) {
	base, ok := strings.CutSuffix(name, suffix)
	if !ok || len(base) < len(time.DateOnly)+2 || base[len(time.DateOnly)] != '-' {
		return s, false
	}
	n, err := strconv.Atoi(base[len(time.DateOnly)+1:])
	s = segment{base[:len(time.DateOnly)], n}
	_, bad := time.Parse(time.DateOnly, s.day)
	return s, err == nil && bad == nil && s.name() == name
}

func (s segment) compare(other segment) int {
	return cmp.Or(cmp.Compare(s.day, other.day), cmp.Compare(s.number, other.number))
}

// segments lists a folder's, the oldest first. A folder that is not there has none.
func segments(dir string) ([]segment, error) {
	entries, err := os.ReadDir(dir)
	if os.IsNotExist(err) {
		return nil, nil
	}
	var all []segment
	for _, e := range entries {
		if s, ok := parseSegment(e.Name()); ok && e.Type().IsRegular() {
			all = append(all, s)
		}
	}
	slices.SortFunc(all, segment.compare)
	return all, err
}

func dayOf(t time.Time) string { return t.UTC().Format(time.DateOnly) }
