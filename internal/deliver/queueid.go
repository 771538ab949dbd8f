package deliver

import (
	"fmt"
	"strconv"
	"time"

	"o365-sendmail/internal/spool"
)

// queueID is a queue id in 16 octets, since the index holds as many as there are messages
// (docs/spool-format.md: 14 digits of time, a hyphen, 16 hexadecimal digits).
type queueID struct{ stamp, random uint64 }

const stampDigits = 14

// parseID returns false for a text that is no queue id.
func parseID(id string) (queueID, bool) {
	if !spool.ValidID(id) {
		return queueID{}, false
	}
	stamp, err1 := strconv.ParseUint(id[:stampDigits], 10, 64)
	random, err2 := strconv.ParseUint(id[stampDigits+1:], 16, 64)
	return queueID{stamp, random}, err1 == nil && err2 == nil
}

func (q queueID) String() string { return fmt.Sprintf("%014d-%016x", q.stamp, q.random) }

// time is when the id was made, to the second; it serves for ages only.
func (q queueID) time() time.Time {
	t, _ := time.Parse("20060102150405", fmt.Sprintf("%014d", q.stamp))
	return t
}
