package cli

import (
	"context"
	"errors"
	"strings"

	"o365-sendmail/internal/cmdline"
	"o365-sendmail/internal/history"
	"o365-sendmail/internal/historyview"
	"o365-sendmail/internal/host"
	"o365-sendmail/internal/sysexits"
)

// historySchema is the version of the JSON of log and stats.
const historySchema = 1

// statsCommand is o365-sendmail stats.
func (e *Env) statsCommand(ctx context.Context, args []string) int {
	const name = "o365-sendmail"
	var days int
	var user, config string
	var asJSON, asHTML bool
	f := newVerbFlags("stats", "[--days N] [--uid USER] [--json | --html]\n"+
		"what became of the mail of today and of the last days (UTC), by day, hour, user and outcome")
	f.IntVar(&days, "days", 30, "of the last `N` days")
	f.StringVar(&user, "uid", "", "of the local `USER` alone, by name or number")
	f.BoolVar(&asJSON, "json", false, "print JSON")
	f.BoolVar(&asHTML, "html", false, "print a page in HTML, which needs no other file and no network")
	configFlag(f.FlagSet, &config)
	_, err := f.parse(args, 0)
	if err == nil && asJSON && asHTML {
		err = cmdline.Usagef("stats: --json does not go with --html")
	}
	if err != nil {
		return e.failVerb(f, err)
	}
	s, err := e.stats(ctx, config, days, user)
	if err == nil {
		err = e.showStats(s, asJSON, asHTML)
	}
	if err != nil && !isReaderGone(err) {
		return e.fail(name, err)
	}
	return sysexits.OK
}

func (e *Env) stats(ctx context.Context, config string, days int, user string) (*history.Stats, error) {
	uid, err := userFlag(user)
	if err != nil {
		return nil, err
	}
	h, err := e.process("o365-sendmail").OpenHistory(ctx, &cmdline.Options{Config: config})
	if err != nil {
		return nil, err
	}
	defer h.Close()
	s, err := h.Stats(ctx, days, uid)
	if err != nil {
		return nil, err
	}
	for i := range s.Users {
		if u := &s.Users[i]; u.UID >= 0 {
			u.Name = host.UserByID(u.UID).Name
		}
	}
	return s, nil
}

func (e *Env) showStats(s *history.Stats, asJSON, asHTML bool) error {
	switch {
	case asJSON:
		out := newJSONLines(e.Stdout)
		return errors.Join(out.put(struct {
			Schema int `json:"schema"`
			*history.Stats
		}{historySchema, s}), out.flush())
	case asHTML:
		return historyview.Page(e.Stdout, s, host.Name())
	}
	width, color := screen(e.Stdout, e.Getenv)
	return historyview.Text(e.Stdout, s, historyview.Screen{Width: width, Color: color, Unicode: e.unicode()})
}

// unicode reports whether the locale has characters beyond ASCII (locale(7)).
func (e *Env) unicode() bool {
	for _, name := range [...]string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := strings.ToLower(e.Getenv(name)); v != "" {
			return strings.Contains(v, "utf-8") || strings.Contains(v, "utf8")
		}
	}
	return false
}
