package assemble

import (
	"syscall"

	"o365-sendmail/internal/config"
	"o365-sendmail/internal/spool"
)

// Spool opens the spool of a configuration for a process without an agent. It is nil,
// without an error, when the file does not name one and the usual place can't be
// written: then the caller keeps what can't be delivered.
func Spool(c *config.Config, warn func(error)) (*spool.Spool, error) {
	if c.Spool.Dir == "" {
		return nil, nil
	}
	const writable = 3 // W_OK | X_OK
	if !c.IsSet("spool.dir") && syscall.Access(c.Spool.Dir, writable) != nil {
		return nil, nil
	}
	o := SpoolOptions(c)
	o.Warn = warn
	return spool.Open(o)
}
