package assemble

import (
	"path/filepath"
	"syscall"

	"o365-sendmail/internal/config"
	"o365-sendmail/internal/history"
	"o365-sendmail/internal/spool"
)

// History is where and for how long it is kept what became of mail.
func History(c *config.Config) history.Options {
	return history.Options{Dir: filepath.Join(c.Cache.Dir, "history"), Days: c.History.Days, Size: c.History.Size}
}

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
