package cli

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"o365-sendmail/internal/sysexits"
)

// call runs the program by a name, with no configuration anywhere.
func call(t *testing.T, args ...string) result {
	t.Helper()
	var out, errs bytes.Buffer
	code := Main(context.Background(), Env{
		Args: args, Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs,
		Getenv: func(string) string { return "" }, Now: time.Now, UID: noUser, Version: "test",
		Socket: t.TempDir() + "/no.sock",
	})
	checkJSON(t, args[1:], out.String())
	return result{code, out.String(), errs.String()}
}

// TestHelpAndVersion: every name and every command answers --help and --version.
func TestHelpAndVersion(t *testing.T) {
	t.Parallel()
	names := [][]string{{"sendmail"}, {"mailq"}, {"newaliases"}, {"o365-sendmail"}, {"/usr/lib/sendmail"}}
	for _, v := range verbs() {
		names = append(names, []string{"o365-sendmail", v.name})
	}
	for _, name := range names {
		for _, flag := range []string{"--help", "-h"} {
			if r := call(t, append(name[:len(name):len(name)], flag)...); r.code != sysexits.OK ||
				!strings.HasPrefix(r.stdout, "usage: ") || r.stderr != "" {
				t.Errorf("%v %s: %+v", name, flag, r)
			}
		}
		if r := call(t, append(name[:len(name):len(name)], "--version")...); r.code != sysexits.OK ||
			r.stdout != "o365-sendmail test\n" || r.stderr != "" {
			t.Errorf("%v --version: %+v", name, r)
		}
		if len(name) == 2 {
			if r := call(t, "o365-sendmail", "help", name[1]); r.code != sysexits.OK ||
				!strings.HasPrefix(r.stdout, "usage: ") {
				t.Errorf("help %s: %+v", name[1], r)
			}
		}
	}
}

// TestMistypedCommand: a slip of the hand gets the word that was meant.
func TestMistypedCommand(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"docto": "did you mean doctor?", "vresion": "did you mean version?", "sendtest": "did you mean send-test?",
		"queue lsit": "did you mean list?", "config shwo": "did you mean show?",
		"xyzzy": "try o365-sendmail help", "hlep": "did you mean help?",
	} {
		r := call(t, append([]string{"o365-sendmail"}, strings.Fields(args)...)...)
		if r.code != sysexits.Usage || !strings.Contains(r.stderr, want) || strings.Count(r.stderr, "\n") != 1 {
			t.Errorf("%s: %+v", args, r)
		}
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"AADSTS7000222": "AADSTS7000222: the client secret has expired\n",
		"535 5.7.139":   "one of ",
		"smtp-auth-disabled-tenant": "     Set-CASMailbox -Identity <mailbox> " +
			"-SmtpClientAuthenticationDisabled $false\n",
		"--json 432": `"key": "too-many-connections"`,
	} {
		if r := call(t, append([]string{"o365-sendmail", "explain"},
			strings.Fields(args)...)...); r.code != sysexits.OK ||
			!strings.Contains(r.stdout, want) {
			t.Errorf("%s: %+v", args, r)
		}
	}
	if r := call(t, "o365-sendmail", "explain", "never\x1b[2J heard"); r.code != sysexits.Unavailable ||
		strings.Contains(r.stderr, "\x1b") || r.stdout != "" {
		t.Errorf("%+v", r)
	}
	if r := call(t, "o365-sendmail", "explain"); r.code != sysexits.Usage {
		t.Errorf("%+v", r)
	}
}
