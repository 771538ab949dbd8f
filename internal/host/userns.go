package host

import (
	"os"
	"strings"
	"sync"
)

// OverflowUID is how the kernel shows a user that the namespace of the process lacks (user_namespaces(7)), and the
// user nobody of most systems.
const OverflowUID = 65534

// KnowsAllUsers reports whether the process's user namespace has every user of the host, as the first one does, so
// that OverflowUID is nobody's own.
var KnowsAllUsers = sync.OnceValue(func() bool {
	text, err := os.ReadFile("/proc/self/uid_map")
	return err == nil && wholeMap(string(text))
})

func wholeMap(text string) bool {
	return strings.Join(strings.Fields(text), " ") == "0 0 4294967295"
}
