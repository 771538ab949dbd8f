//go:build system

package system

import (
	"os"
	"strconv"
	"testing"
)

// trickyBody holds what a careless program changes: lines of dots, non-ASCII
// text, "From " at the start of a line, trailing blanks.
const trickyBody = "Grüße aus Köln, 10 €\n.\n..\n. .\nFrom here on\n>From there\nblanks at the end  \n\n\nlast line"

// newMarker makes a text that is in one message only.
func newMarker(what string) string {
	return what + "-" + strconv.FormatInt(lab.calls.Add(1), 10) + "-" + strconv.Itoa(os.Getpid())
}

// forEachTarget runs a test against the emulator and against Postfix.
func forEachTarget(t *testing.T, test func(t *testing.T, to target)) {
	t.Parallel()
	for _, to := range targets() {
		t.Run(to.name(), func(t *testing.T) {
			t.Parallel()
			test(t, to)
		})
	}
}

// succeed runs a call that has to end with 0 and print nothing.
func succeed(t *testing.T, c *call) {
	t.Helper()
	if r := c.run(t); r.code != 0 || r.stdout != "" || r.stderr != "" {
		t.Fatalf("%v, want exit 0 and silence", r)
	}
}
