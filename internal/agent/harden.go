package agent

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
)

// prSetDumpable is PR_SET_DUMPABLE of prctl(2).
const prSetDumpable = 4

// kept are the variables that the agent reads: the service manager's, those by which
// a platform tells where its credentials are, and Go's bound on memory. All come from whoever starts the service.
var kept = [...]string{
	"NOTIFY_SOCKET", "WATCHDOG_", "LISTEN_", "CREDENTIALS_DIRECTORY", "JOURNAL_STREAM",
	"AZURE_", "IDENTITY_", "MSI_", "IMDS_", "GOMEMLIMIT",
}

// Harden makes the process fit to hold a secret: it leaves no core, nobody but root can look into
// it, its files are its own, and no variable of the environment changes what it trusts.
// It concerns the whole process, so it is for a process that does nothing else.
func Harden() error {
	none := syscall.Rlimit{}
	err := errors.Join(
		named("RLIMIT_CORE", syscall.Setrlimit(syscall.RLIMIT_CORE, &none)),
		os.Chdir("/"),
	)
	if _, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, prSetDumpable, 0, 0); errno != 0 {
		err = errors.Join(err, named("PR_SET_DUMPABLE", errno))
	}
	syscall.Umask(0o077)
	boundMemory()
	for _, pair := range os.Environ() {
		name, _, _ := strings.Cut(pair, "=")
		if !keeps(name) {
			err = errors.Join(err, os.Unsetenv(name))
		}
	}
	return err
}

func keeps(name string) bool {
	for _, k := range kept {
		if name == k || strings.HasSuffix(k, "_") && strings.HasPrefix(name, k) {
			return true
		}
	}
	return false
}

func named(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}
