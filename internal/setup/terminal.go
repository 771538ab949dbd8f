package setup

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"o365-sendmail/internal/sysexits"
)

// Terminal is where a person sits.
type Terminal struct {
	in  *os.File
	br  *bufio.Reader
	out io.Writer
}

// OpenTerminal returns nil when in is not a terminal: then nobody can be asked.
func OpenTerminal(in any, out io.Writer) *Terminal {
	f, ok := in.(*os.File)
	if !ok {
		return nil
	}
	if _, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS); err != nil {
		return nil
	}
	return &Terminal{in: f, br: bufio.NewReader(f), out: out}
}

// errNoAnswer is the end of the input.
var errNoAnswer = errors.New("no answer was given; nothing was changed")

// Line asks for a line.
func (t *Terminal) Line(ctx context.Context, prompt string) (string, error) {
	fmt.Fprint(t.out, prompt)
	return t.read(ctx)
}

// Secret asks for a line and does not show what is typed.
func (t *Terminal) Secret(ctx context.Context, prompt string) (string, error) {
	fd := int(t.in.Fd())
	old, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return "", err
	}
	silent := *old
	silent.Lflag &^= unix.ECHO
	silent.Lflag |= unix.ICANON | unix.ISIG
	// TCSETSF also drops what was typed ahead, which would have been shown.
	if err := unix.IoctlSetTermios(fd, unix.TCSETSF, &silent); err != nil {
		return "", err
	}
	defer func() {
		_ = unix.IoctlSetTermios(fd, unix.TCSETS, old)
		fmt.Fprintln(t.out)
	}()
	return t.Line(ctx, prompt)
}

// read waits for a line or for the context's end, such as by Ctrl-C. A read from a
// terminal can't be called off: then it ends with the process.
func (t *Terminal) read(ctx context.Context) (string, error) {
	type answer struct {
		line string
		err  error
	}
	ch := make(chan answer, 1)
	sysexits.Go(func() {
		line, err := t.br.ReadString('\n')
		ch <- answer{line, err}
	})
	select {
	case <-ctx.Done():
		return "", errNoAnswer
	case a := <-ch:
		if a.err != nil {
			return "", errNoAnswer
		}
		return strings.TrimSpace(a.line), nil
	}
}

// Ask asks for every answer that is still open. What the present configuration says is
// offered: an empty answer keeps it.
func (t *Terminal) Ask(ctx context.Context, a *Answers) error {
	fmt.Fprint(t.out, "This sets o365-sendmail up to send from one mailbox of Microsoft 365.\n"+
		"Each answer is checked at once. Ctrl-C leaves everything as it is.\n\n"+
		"It needs an app registration: https://entra.microsoft.com > App registrations >\n"+
		"New registration (any name, this organizational directory only, no redirect URI).\n")
	for _, q := range questions() {
		if !q.asked(a) || !a.open(q) {
			continue
		}
		if err := t.question(ctx, a, q, a.offered(q)); err != nil {
			return err
		}
		if q.flag == "credential" {
			a.keepOthers()
		}
	}
	return nil
}

// question asks until the answer is in form.
func (t *Terminal) question(ctx context.Context, a *Answers, q question, present string) error {
	where := q.where
	if q.secret && a.keepsSecret() {
		where += "; empty keeps the present one"
	}
	fmt.Fprintf(t.out, "\n%s\n  (%s)\n", q.name, where)
	prompt := "> "
	if present != "" {
		prompt = "[" + present + "] > "
	}
	for {
		ask := t.Line
		if q.secret {
			ask = t.Secret
		}
		text, err := ask(ctx, prompt)
		if err != nil {
			return err
		}
		if text == "" {
			text = present
		}
		for _, fallback := range [...]func(*Answers) string{q.fallback, q.guess} {
			if text == "" && fallback != nil {
				text = fallback(a)
			}
		}
		if text == "" && !q.needed(a) {
			return nil
		}
		if text == "" {
			fmt.Fprintln(t.out, "  an answer is needed")
			continue
		}
		good, err := q.form(a, text)
		if err != nil {
			fmt.Fprintf(t.out, "  %v\n", err)
			continue
		}
		q.keep(a, good)
		return nil
	}
}

// Confirm asks a question whose answer is yes unless something else is typed.
func (t *Terminal) Confirm(ctx context.Context, question string) (bool, error) {
	text, err := t.Line(ctx, question+" [Y/n] ")
	if err != nil {
		return false, err
	}
	text = strings.ToLower(text)
	return text == "" || text == "y" || text == "yes", nil
}
