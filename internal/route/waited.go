package route

import (
	"os"
	"strconv"
)

// SilentVariable is set by the quick program when it turns into the whole one after it has waited too long for
// the agent: to its process id, which is the whole program's then.
const SilentVariable = "O365_SENDMAIL_AGENT_SILENT"

// Waited reports whether the quick program has waited for the agent without an answer, in this very process.
func Waited(getenv func(string) string) bool {
	return getenv(SilentVariable) == strconv.Itoa(os.Getpid())
}
