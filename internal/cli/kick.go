package cli

import (
	"os"
	"syscall"

	"o365-sendmail/internal/spool"
)

// kick starts a queue run of its own, so that the caller of this process does not wait
// for other people's messages: this is how mail that stayed in the spool leaves a host
// that has no agent. It does nothing when the queue is empty. The other process is this very
// program, and gets nothing from the caller but the configuration's name.
func (e *Env) kick(sp *spool.Spool, config string) {
	if st, err := sp.Stats(); err != nil || st.Messages == 0 {
		return
	}
	self, err := os.Executable()
	if err != nil {
		return
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return
	}
	defer null.Close()
	p, err := os.StartProcess(self, []string{"sendmail", "-C", config, "-O", "QueueDueOnly", "-q"}, &os.ProcAttr{
		Dir:   "/",
		Env:   []string{}, // nothing of the caller's
		Files: []*os.File{null, null, null},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	if err == nil {
		_ = p.Release()
	}
}
