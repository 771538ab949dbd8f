package assemble

import (
	"sync"
	"time"

	"o365-sendmail/internal/host"
)

// ownerLife is how long it is believed to whom a uid belongs.
const ownerLife = time.Minute

// owner returns a function that says to whom a uid belongs (host.Owner), and keeps that for a while.
func owner() func(uid int) int {
	var mu sync.Mutex
	var begun time.Time
	var known map[int]int
	return func(uid int) int {
		mu.Lock()
		defer mu.Unlock()
		if age := time.Since(begun); known == nil || age > ownerLife {
			begun, known = time.Now(), map[int]int{}
		}
		id, ok := known[uid]
		if !ok {
			id, _ = host.Owner(uid)
			known[uid] = id
		}
		return id
	}
}
