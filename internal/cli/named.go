package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"

	"o365-sendmail/internal/cmdline"
	"o365-sendmail/internal/sysexits"
)

// openNamed opens a file that a flag names, with the caller's rights. A pipe may stand for it, as in --file <(command);
// one that nobody writes to is empty, and a read from one ends with ctx.
func openNamed(ctx context.Context, flag, path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, sysexits.With(sysexits.NoInput, fmt.Errorf("%s: %w; name one that is there", flag, err))
	}
	if err != nil {
		return nil, sysexits.With(sysexits.NoInput, fmt.Errorf("%s: %w", flag, err))
	}
	if fi, err := f.Stat(); err != nil || fi.IsDir() {
		f.Close()
		return nil, cmdline.Usagef("%s: %s is a folder; name a file", flag, path)
	}
	context.AfterFunc(ctx, func() { _ = f.SetReadDeadline(time.Unix(1, 0)) })
	return f, nil
}
