package cli

import (
	stdflag "flag"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"o365-sendmail/internal/completion"
	"o365-sendmail/internal/config"
	"o365-sendmail/internal/sysexits"
)

// completed returns the words that are offered in place of the last one.
func completed(t *testing.T, args ...string) []string {
	t.Helper()
	r := call(t, append([]string{"o365-sendmail", "completion", "words"}, args...)...)
	if r.code != sysexits.OK || r.stderr != "" {
		t.Errorf("%q: %+v", args, r)
	}
	var list []string
	for line := range strings.Lines(r.stdout) {
		word, _, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		list = append(list, word)
	}
	return list
}

func TestComplete(t *testing.T) {
	t.Parallel()
	for typed, want := range map[string]string{
		"do|":                          "doctor",
		"xyzzy|":                       "",
		"xyzzy |":                      "",
		"help do|":                     "doctor",
		"help doctor |":                "",
		"queue re|":                    "retry release redirect",
		"queue --fa|":                  "--failed",
		"queue show --h|":              "--help --headers --held",
		"queue list --sender |":        "",
		"config |":                     "check show",
		"config --json|":               "--json",
		"setup --cloud g|":             "global gcc-high",
		"setup --cloud=g|":             "--cloud=global --cloud=gcc-high",
		"setup --yes=|":                "",
		"setup --set from.po|":         "from.policy=",
		"setup --set=from.po|":         "--set=from.policy=",
		"setup --set from.policy=k|":   "from.policy=keep",
		"setup --set client_secret_f|": "client_secret_file=",
		"setup --mailbox |":            "",
		"setup --certificate-file /|":  ":files",
		"doctor -C |":                  ":files",
		"doctor --way |":               "api scoped",
		"explain mail-|":               "mail-loop",
		"completion |":                 "bash zsh fish",
		"send-test --fr|":              "--from",
		"serve -|":                     "--help -C",
	} {
		args := strings.Split(strings.TrimSuffix(typed, "|"), " ")
		if got := strings.Join(completed(t, args...), " "); got != want {
			t.Errorf("%s: %q, want %q", typed, got, want)
		}
	}
	if got := completed(t, ""); len(got) != len(verbs())+1 {
		t.Errorf("no word: %q", got)
	}
	// The keys that a command line may not have are left out.
	for _, word := range completed(t, "setup", "--set", "") {
		if _, err := keyChange(word + "1"); err != nil {
			t.Errorf("%s is offered and refused: %v", word, err)
		}
	}
	if n := len(completed(t, "setup", "--set", "")); n < len(config.Keys())-5 {
		t.Errorf("%d of %d keys", n, len(config.Keys()))
	}
}

// TestCompletionTables: what completion knows of the commands is what they take: each flag, the kind of its value, and
// the words that usage names.
func TestCompletionTables(t *testing.T) {
	t.Parallel()
	free := []string{"", "TEXT", "USER", "ID", "DAY", "DAYS", "ADDRESS", "AGE", "NAME", "N", "URL", "value", "duration",
		"CODE", "TIME", "SIZE", "DOMAIN"}
	usage := regexp.MustCompile(`^[a-z-]+( \| [a-z0-9-]+)+`)
	for _, v := range verbs() {
		e := Env{Args: []string{"o365-sendmail"}, Getenv: func(string) string { return "" }, UID: noUser}
		var asked *verbFlags
		e.onHelp = func(f *verbFlags) { asked = f }
		e.Stdout, e.Stderr = t.Output(), t.Output()
		v.run(&e, t.Context(), []string{"--help"})
		if asked == nil {
			if v.name != "version" {
				t.Errorf("%s does not hand out its flags", v.name)
			}
			continue
		}
		asked.VisitAll(func(f *stdflag.Flag) {
			kind, _ := stdflag.UnquoteUsage(f)
			if !isSwitch(f) && len(flagValues(f, "", "")) == 0 && !slices.Contains(free, kind) {
				t.Errorf("%s --%s: completion does not know what %s is", v.name, f.Name, kind)
			}
		})
		if named := usage.FindString(asked.usage); named != strings.Join(subcommands[v.name], " | ") &&
			v.name != "queue" {
			t.Errorf("%s: usage has %q, completion %q", v.name, named, subcommands[v.name])
		}
		for _, sub := range subcommands[v.name] {
			if !strings.Contains(asked.usage, sub) {
				t.Errorf("%s: the usage does not name %s", v.name, sub)
			}
		}
	}
}

// TestQueueFlagsAreRead: the flags that queue's help and completion name are those that it reads.
func TestQueueFlagsAreRead(t *testing.T) {
	t.Parallel()
	queueFlags().VisitAll(func(f *stdflag.Flag) {
		name := "--" + f.Name
		if len(f.Name) == 1 {
			name = "-" + f.Name
		}
		args := []string{name}
		if !isSwitch(f) {
			args = append(args, "0")
		}
		verb := map[string]string{"headers": "show", "message": "show", "wait": "flush", "no-wait": "flush"}[f.Name]
		if verb == "show" {
			args = append(args, "4Zj2S40000001")
		}
		if verb != "" {
			args = append([]string{verb}, args...)
		}
		if _, err := parseQueueArgs(args, time.Now); err != nil && strings.Contains(err.Error(), "unknown flag") {
			t.Errorf("%q: %v", args, err)
		}
	})
	a := &queueArgs{}
	for name := range a.values() {
		if f := queueFlags().Lookup(strings.TrimLeft(name, "-")); f == nil {
			t.Errorf("the help of queue lacks %s", name)
		}
	}
	for name := range a.switches() {
		if f := queueFlags().Lookup(strings.TrimLeft(name, "-")); f == nil && name != "--help" && name != "-h" {
			t.Errorf("the help of queue lacks %s", name)
		}
	}
}

func TestCompletionScripts(t *testing.T) {
	t.Parallel()
	for _, shell := range completion.Shells() {
		r := call(t, "o365-sendmail", "completion", shell)
		if r.code != sysexits.OK || !strings.Contains(r.stdout, "completion words") || r.stderr != "" {
			t.Errorf("%s: %+v", shell, r)
		}
	}
	for _, args := range [][]string{nil, {"tcsh"}, {"bash", "zsh"}} {
		r := call(t, append([]string{"o365-sendmail", "completion"}, args...)...)
		if r.code != sysexits.Usage || strings.Count(r.stderr, "\n") != 1 {
			t.Errorf("%q: %+v", args, r)
		}
	}
}
