package cli

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"o365-sendmail/internal/deliver"
)

// isReaderGone tells that nobody reads any more, as in "mailq | head".
func isReaderGone(err error) bool { return errors.Is(err, syscall.EPIPE) }

func ttyFile(f *os.File) bool {
	raw, err := f.SyscallConn()
	if err != nil {
		return false
	}
	tty := false
	err = raw.Control(func(fd uintptr) {
		_, err := unix.IoctlGetTermios(int(fd), unix.TCGETS)
		tty = err == nil
	})
	return err == nil && tty
}

// screen returns the columns of the terminal that w is, 0 if it is none or has no width, and whether colour is
// wanted there (no-color.org; TERM as terminfo has it).
func screen(w io.Writer, getenv func(string) string) (width int, color bool) {
	f, ok := w.(*os.File)
	if !ok || !ttyFile(f) {
		return 0, false
	}
	if raw, err := f.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) {
			if size, err := unix.IoctlGetWinsize(int(fd), unix.TIOCGWINSZ); err == nil {
				width = int(size.Col)
			}
		})
	}
	term := getenv("TERM")
	return width, getenv("NO_COLOR") == "" && term != "" && term != "dumb"
}

func exitCode(err error) int { return deliver.ExitCode(err) }

// jsonLines writes lines of JSON that no terminal mistakes for commands.
type jsonLines struct {
	w   *bufio.Writer
	buf bytes.Buffer
	enc *json.Encoder
}

func newJSONLines(w io.Writer) *jsonLines {
	l := &jsonLines{w: bufio.NewWriterSize(w, 32<<10)}
	l.enc = json.NewEncoder(&l.buf)
	l.enc.SetEscapeHTML(false)
	return l
}

func (l *jsonLines) put(v any) error {
	l.buf.Reset()
	if err := l.enc.Encode(v); err != nil {
		return err
	}
	_, err := l.w.Write(escapeControls(l.buf.Bytes()))
	return err
}

func (l *jsonLines) flush() error { return l.w.Flush() }

// escapeControls escapes what JSON leaves as it is and terminals obey: DEL and the C1
// controls. They stand in strings only.
func escapeControls(b []byte) []byte {
	if bytes.IndexByte(b, 0x7f) < 0 && bytes.IndexByte(b, 0xc2) < 0 {
		return b
	}
	out := make([]byte, 0, len(b)+16)
	for i := 0; i < len(b); i++ {
		switch {
		case b[i] == 0x7f:
			out = append(out, `\u007f`...)
		case b[i] == 0xc2 && i+1 < len(b) && b[i+1] < 0xa0:
			i++
			out = fmt.Appendf(out, `\u%04x`, b[i])
		default:
			out = append(out, b[i])
		}
	}
	return out
}
