package route

import (
	"fmt"
	"io"
	"os"

	"o365-sendmail/internal/printable"
)

// What the program prints on standard error: "name: error: ...", "name: warning: ...".
// A message is one line, begins with a small letter and ends without a full stop; what
// a peer or a caller wrote is escaped.

// Errorf prints an error.
func Errorf(w io.Writer, name, format string, a ...any) {
	fmt.Fprintf(w, "%s: error: %s\n", name, printable.Line(fmt.Sprintf(format, a...)))
}

// Warnf prints a warning.
func Warnf(w io.Writer, name, format string, a ...any) {
	fmt.Fprintf(w, "%s: warning: %s\n", name, printable.Line(fmt.Sprintf(format, a...)))
}

// isTerminal reports whether a person may be reading. It takes every character device for a
// terminal: of the others only /dev/null is written to, and there nothing is seen.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
