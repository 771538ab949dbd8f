package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"o365-sendmail/internal/cmdline"
	"o365-sendmail/internal/config"
	"o365-sendmail/internal/printable"
	"o365-sendmail/internal/sysexits"
)

// fault is a fault of the configuration as JSON has it.
type fault struct {
	File     string `json:"file"`
	Line     int    `json:"line,omitempty"`
	Key      string `json:"key,omitempty"`
	Problem  string `json:"problem"`
	Expected string `json:"expected,omitempty"`
	Hint     string `json:"hint,omitempty"`
}

// setting is a key with its value as JSON has it.
type setting struct {
	Key    string `json:"key"`
	Value  string `json:"value"` // TOML text
	Origin string `json:"origin"`
}

// configCommand checks the configuration or shows the values in force.
func (e *Env) configCommand(_ context.Context, args []string) int {
	var path string
	var asJSON bool
	f := newVerbFlags("config", "check | show [--json] [-C FILE]")
	f.StringVar(&path, "C", "", "look at the configuration `FILE`")
	f.BoolVar(&asJSON, "json", false, "print JSON")
	rest, err := f.parse(args, 1)
	switch {
	case err != nil:
		return e.failVerb(f, err)
	case len(rest) == 1 && rest[0] == "help":
		return e.failVerb(f, errHelp)
	case len(rest) == 0:
		return e.fail("o365-sendmail", cmdline.Usagef("config: check or show?"))
	case rest[0] != "check" && rest[0] != "show":
		return e.fail("o365-sendmail", cmdline.Usagef("config has no command %.64q%s; it has check, show", rest[0],
			didYouMean(rest[0], []string{"check", "show"})))
	}
	cfg, err := e.process("o365-sendmail").LoadConfig(&cmdline.Options{Config: path})
	if errors.Is(err, fs.ErrPermission) && !(asJSON && rest[0] == "check") {
		return e.fail("o365-sendmail", asRoot(err, "config "+rest[0]))
	}
	if rest[0] == "show" && err == nil {
		e.showConfig(cfg, asJSON)
		return sysexits.OK
	}
	// What show prints is one kind of document: faults of a file that can't be shown are on standard error.
	return e.checkConfig(cfg, err, asJSON && rest[0] == "check")
}

func (e *Env) showConfig(cfg *config.Config, asJSON bool) {
	list := []setting{}
	for _, s := range cfg.Effective() {
		list = append(list, setting{s.Key, s.Value, s.Origin})
	}
	if asJSON {
		printJSON(e.Stdout, struct {
			Schema   int       `json:"schema"`
			File     string    `json:"file"`
			Settings []setting `json:"settings"`
		}{1, cfg.Path, list})
		return
	}
	for _, s := range list {
		if s.Value == "" {
			fmt.Fprintf(e.Stdout, "# %s is not set  # %s\n", s.Key, s.Origin)
			continue
		}
		fmt.Fprintf(e.Stdout, "%s = %s  # %s\n", s.Key, s.Value, s.Origin)
	}
}

// checkConfig lists every fault and every warning.
func (e *Env) checkConfig(cfg *config.Config, err error, asJSON bool) int {
	var faults config.Errors
	if err != nil && !errors.As(err, &faults) {
		var one *config.Error
		if !errors.As(err, &one) {
			return e.fail("o365-sendmail", err)
		}
		faults = config.Errors{one}
	}
	var warnings config.Errors
	code := sysexits.OK
	if err != nil {
		code = sysexits.Code(err, sysexits.Config)
	} else {
		faults, warnings = append(cfg.Ignored, cfg.SecretFaults()...), cfg.Warnings
	}
	if len(faults) > 0 && code == sysexits.OK {
		code = sysexits.Config
	}
	if asJSON {
		printJSON(e.Stdout, struct {
			Schema   int     `json:"schema"`
			Valid    bool    `json:"valid"`
			Faults   []fault `json:"faults"`
			Warnings []fault `json:"warnings"`
		}{1, code == sysexits.OK, faultList(faults), faultList(warnings)})
		return code
	}
	for _, f := range faults {
		e.errorf("o365-sendmail", "%v", f)
	}
	for _, w := range warnings {
		e.warnf("o365-sendmail", "%v", w)
	}
	if code == sysexits.OK {
		fmt.Fprintf(e.Stdout, "%s is valid\n", printable.Line(cfg.Path))
	}
	return code
}

func faultList(list config.Errors) []fault {
	out := []fault{}
	for _, f := range list {
		out = append(out, fault{f.File, f.Line, f.Key, f.Problem, f.Expected, f.Hint})
	}
	return out
}
