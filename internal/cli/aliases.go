package cli

import (
	"errors"
	"fmt"
	"io/fs"

	"o365-sendmail/internal/cmdline"
	"o365-sendmail/internal/config"
	"o365-sendmail/internal/direct"
	"o365-sendmail/internal/host"
	"o365-sendmail/internal/intake"
	"o365-sendmail/internal/printable"
	"o365-sendmail/internal/sysexits"
)

// aliasesFile is where the alias file lies when no configuration can be read.
const aliasesFile = "/etc/aliases"

// newAliases is the mode -bi: there is no database to build, so it checks the file and
// says what is skipped.
func (e *Env) newAliases(o *cmdline.Options) error {
	path := aliasesFile
	if cfg, err := e.process("newaliases").LoadConfig(o); err == nil {
		path = cfg.AliasesFile
	}
	if path == "" {
		return nil
	}
	t, err := intake.LoadAliases(path)
	if err != nil {
		return sysexits.With(sysexits.OSFile, err)
	}
	for _, w := range t.Warnings {
		e.warnf("newaliases", "%s: %s", path, w)
	}
	return nil
}

// verify is the mode -bv: where mail for each address would go.
func (e *Env) verify(name string, o *cmdline.Options) int {
	cfg, err := e.process(name).LoadConfig(o)
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, direct.ErrNoConfig) {
		// The rules are not secret, but the file that holds them is: the alias file
		// alone still answers something.
		cfg, err = &config.Config{AliasesFile: aliasesFile}, nil
	}
	if err != nil {
		return e.fail(name, err)
	}
	in := intake.New(cfg, host.Name(), e.Now, func(s string) { e.warnf(name, "%s", s) })
	if len(o.Recipients) == 0 {
		return e.fail(name, cmdline.Usagef("-bv needs an address"))
	}
	code := sysexits.OK
	for _, addr := range o.Recipients {
		targets, err := in.Resolve(addr, o.NoAliases)
		if err != nil {
			e.errorf(name, "%v", err)
			if code == sysexits.OK {
				code = sysexits.Code(err, sysexits.NoUser)
			}
			continue
		}
		for _, t := range targets {
			fmt.Fprintf(e.Stdout, "%s -> %s\n", printable.Line(addr), printable.Line(t))
		}
	}
	return code
}
