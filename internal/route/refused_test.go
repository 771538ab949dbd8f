package route

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"o365-sendmail/internal/cmdline"
	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/host"
	"o365-sendmail/internal/sysexits"
)

// fixed is a route with one answer.
type fixed struct {
	receipt envelope.Receipt
	err     error
}

func (fixed) MaxSize() int64   { return 0 }
func (fixed) MaxHeader() int64 { return 0 }
func (fixed) ReadsBody() bool  { return false }
func (fixed) Close()           {}
func (f fixed) Send(context.Context, *Draft) (envelope.Receipt, error) {
	return f.receipt, f.err
}

func exitCode(err error) int { return sysexits.Code(err, sysexits.TempFail) }

// TestRefused: whatever a route answers, each refused recipient is told once, by mail or in print, and an exit
// code of 0 never hides one.
func TestRefused(t *testing.T) {
	t.Parallel()
	gone := sysexits.With(sysexits.NoUser, errors.New("no such user"))
	later := sysexits.With(sysexits.TempFail, errors.New("try again"))
	a, b := "a@example.org", "b@example.org"
	refuse := func(err error, to ...string) (list []envelope.Refusal) {
		for _, addr := range to {
			list = append(list, envelope.Refusal{Address: addr, Err: err})
		}
		return list
	}
	many := make([]string, 700)
	for i := range many {
		many[i] = fmt.Sprintf("u%d@example.org", i)
	}
	for name, c := range map[string]struct {
		mode    string
		to      []string
		route   fixed
		code    int
		told    int    // by mail
		printed string // a part of it; "" for nothing
	}{
		"the whole, by mail":      {"m", []string{a, b}, fixed{err: gone}, 67, 2, ""},
		"the whole, and content":  {"e", []string{a, b}, fixed{err: gone}, 0, 2, ""},
		"the whole, printed once": {"p", []string{a, b}, fixed{err: gone}, 67, 0, "error: no such user\n"},
		"each, by mail": {"m", []string{a, b}, fixed{envelope.Receipt{Refused: refuse(gone, a, b)},
			gone}, 67, 2, ""},
		"each, after an alias": {"m", []string{"root"}, fixed{envelope.Receipt{Refused: refuse(gone, a)},
			gone}, 67, 1, ""},
		"one at first, then the rest": {"e", []string{a, b}, fixed{envelope.Receipt{Refused: refuse(gone, a)},
			later}, 75, 1, "try again"},
		"one of two": {"e", []string{a, b},
			fixed{receipt: envelope.Receipt{Accepted: []string{b}, Refused: refuse(gone, a)}}, 0, 1, ""},
		"no address":                      {"e", []string{"joe@"}, fixed{}, 0, 1, ""},
		"no address, printed":             {"p", []string{"joe@"}, fixed{}, 65, 0, "joe@"},
		"no address, quiet":               {"q", []string{"joe@"}, fixed{}, 65, 0, ""},
		"no address and what passes":      {"m", []string{"joe@", a}, fixed{err: later}, 75, 1, "try again"},
		"what passes":                     {"e", []string{a}, fixed{err: later}, 75, 0, "try again"},
		"an error without any recipients": {"m", []string{a}, fixed{err: later}, 75, 0, "try again"},
		"many": {"p", append([]string{a}, many...),
			fixed{receipt: envelope.Receipt{Accepted: []string{a}, Refused: refuse(later, many...)}}, 75, 0,
			"the message went to 1 recipient, but not to 700 others (u0@example.org, u1@example.org, u2@example.org " +
				"and 697 more): try again\n"},
	} {
		var stderr strings.Builder
		told := 0
		call := Call{
			Name: "sendmail", Options: &cmdline.Options{ErrorMode: c.mode[0], Recipients: c.to},
			User:  host.User{Name: "joe"},
			Stdin: strings.NewReader("Subject: x\n\nx\n"), Stderr: &stderr, ExitCode: exitCode,
			MailBack: func(_ *Draft, refused []envelope.Refusal) (rest []envelope.Refusal) {
				for _, r := range refused {
					if exitCode(r.Err) == sysexits.TempFail {
						rest = append(rest, r)
					} else {
						told++
					}
				}
				return rest
			},
		}
		code := call.Deliver(t.Context(), c.route)
		lines := strings.Count(stderr.String(), "\n")
		if code != c.code || told != c.told || !strings.Contains(stderr.String(), c.printed) || lines > 1 ||
			lines == 1 == (c.printed == "") {
			t.Errorf("%s: exit code %d, %d told by mail, %q", name, code, told, stderr.String())
		}
	}
}
