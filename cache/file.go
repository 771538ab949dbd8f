package cache

import (
	"os"
	"path/filepath"
	"strings"
	"time"

	"o365-sendmail/internal/durable"
)

const (
	tempAge = 10 * time.Minute   // a temporary file this old has no writer any more
	fileAge = 7 * 24 * time.Hour // a token or refusal this old belongs to a key that is not used any more
)

// suffixes of the files of one key.
const (
	tokenSuffix    = ".token"
	refusedSuffix  = ".refused"
	lockSuffix     = ".lock"
	takeoverSuffix = ".takeover" // the lock of those who waited too long for the first
)

// sweep removes what killed writers and forgotten keys left. Lock files stay:
// a lock on a removed file would exclude nobody.
func (c *Cache) sweep() {
	entries, err := os.ReadDir(c.dir.Path)
	if err != nil {
		return
	}
	now := time.Now() // as the file system's times, not the injected clock
	for _, e := range entries {
		limit := sweepAge(e.Name())
		if limit == 0 || !e.Type().IsRegular() {
			continue
		}
		if info, err := e.Info(); err == nil && now.Sub(info.ModTime()) > limit {
			_ = os.Remove(filepath.Join(c.dir.Path, e.Name()))
		}
	}
}

// sweepAge is the age at which a file may go; 0 keeps it.
func sweepAge(name string) time.Duration {
	if strings.HasPrefix(name, durable.TempPrefix) {
		return tempAge
	}
	stem, suffix, ok := strings.Cut(name, ".")
	if ok && len(stem) == sumLength && ("."+suffix == tokenSuffix || "."+suffix == refusedSuffix) {
		return fileAge
	}
	return 0
}
