package cli

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"o365-sendmail/internal/cmdline"
	"o365-sendmail/internal/host"
	"o365-sendmail/internal/importer"
	"o365-sendmail/internal/setup"
	"o365-sendmail/internal/sysexits"
	"o365-sendmail/xoauth"
)

// importFlags are the command line of import, with the flags of setup for what no file of theirs says.
type importFlags struct {
	setupFlags
	from         string
	write, queue bool
}

func (o *importFlags) flags() *verbFlags {
	f := newVerbFlags("import", strings.Join(importSources(), " | ")+" [FLAGS]; flags of setup may follow")
	f.StringVar(&o.from, "from", "/", "the other program's files lie below `FOLDER`")
	f.BoolVar(&o.write, "write", false, "write the configuration, as setup does; without it nothing is changed")
	f.BoolVar(&o.yes, "force", false, "change a configuration that is there, without asking; the old one is kept")
	f.BoolVar(&o.queue, "queue", false, "look at the other program's queue; with --write take its messages over")
	return o.add(f)
}

// survey stands in place of a program's name.
const survey = "survey"

func importSources() []string { return append(importer.Programs(), survey) }

// importOutcome is what --json prints.
type importOutcome struct {
	Schema int `json:"schema"`
	*importer.Found
	// Config is the text that would be written, secrets left out.
	Config string `json:"config"`
	// Missing are the flags of setup for what the files don't say.
	Missing []string `json:"missing"`
}

// importCommand reads the files of another mailer, says line by line what becomes of them, and writes the
// configuration if it is told to. It changes nothing of theirs.
func (e *Env) importCommand(ctx context.Context, args []string) int {
	o := importFlags{setupFlags: setupFlags{answers: setup.Answers{Now: e.Now}}}
	f := o.flags()
	rest, err := f.parse(args, 1)
	if err == nil && len(rest) == 0 {
		err = cmdline.Usagef("import: from which program? %s", strings.Join(importSources(), ", "))
	}
	if err != nil {
		return e.failVerb(f, err)
	}
	run := e.runImport
	switch {
	case !slices.Contains(importSources(), rest[0]):
		return e.fail("o365-sendmail", cmdline.Usagef("import: %.64q is not one of %s", rest[0],
			strings.Join(importSources(), ", ")))
	case rest[0] == survey && (o.queue || o.write):
		return e.fail("o365-sendmail", cmdline.Usagef("import: survey only reads: name a program with --queue or --write"))
	case rest[0] == survey:
		run = e.survey
	case o.queue:
		run = e.importQueue
	}
	if err := run(ctx, rest[0], &o); err != nil {
		return e.fail("o365-sendmail", err)
	}
	return sysexits.OK
}

func (e *Env) runImport(ctx context.Context, program string, o *importFlags) error {
	homes, err := importHomes(o.from, e.UID)
	if err != nil {
		return sysexits.With(sysexits.NoInput, err)
	}
	var dirs []string
	for _, h := range homes {
		dirs = append(dirs, h.Dir)
	}
	found, err := importer.Read(program, importer.Options{Root: o.from, Homes: dirs})
	switch {
	case errors.Is(err, os.ErrPermission):
		return sysexits.With(sysexits.NoPerm, fmt.Errorf("%w; run sudo o365-sendmail import %s", err, program))
	case err != nil:
		return sysexits.With(sysexits.NoInput, err)
	}
	run := &setupRun{Env: e, setupFlags: &o.setupFlags}
	if err := run.fillAnswers(); err != nil {
		return err
	}
	adopt(found, &o.answers)
	if !o.write {
		return run.showImport(found)
	}
	if !o.json {
		printImport(bufio.NewWriter(e.Stdout), found)
	}
	if _, err := os.Lstat(o.path); err == nil && !o.yes && setup.OpenTerminal(e.Stdin, e.Stdout) == nil {
		return cmdline.Usagef("import: %s is there already: give --force to change the keys above in it; a copy of "+
			"the old one is kept beside it", o.path)
	}
	_, err = run.proceed(ctx)
	return err
}

// importHomes are the home directories that may hold a person's configuration: the caller's own, or root's and those
// of all people.
func importHomes(root string, uid int) ([]importer.Home, error) {
	const firstPerson = 1000
	list, err := importer.Homes(root)
	return slices.DeleteFunc(list, func(h importer.Home) bool {
		return h.UID != uid && (uid != 0 || h.UID < firstPerson)
	}), err
}

// adopt puts what was found where no flag says otherwise.
func adopt(found *importer.Found, a *setup.Answers) {
	given := map[string]*string{"mailbox": &a.Mailbox, "root_to": &a.RootTo, "alert_to": &a.AlertTo, "cloud": &a.Cloud,
		"kind": &a.Kind}
	chosen := map[string]bool{}
	for _, c := range a.Set {
		chosen[c.Key] = true
	}
	for _, s := range found.Settings {
		switch v := given[s.Key]; {
		case v != nil:
			*v = cmp.Or(*v, found.Get(s.Key))
		case !chosen[s.Key]:
			a.Set = append(a.Set, setup.Change{Key: s.Key, Value: []byte(s.Value)})
		}
	}
}

// showImport prints what became of each line, and the configuration that would be written.
func (s *setupRun) showImport(found *importer.Found) error {
	a := &s.answers
	if present := s.account().presentAnswers(); present != nil {
		a.Keep(present)
	}
	a.Fill()
	a.Default()
	out := importOutcome{Schema: 1, Found: found, Missing: append([]string{}, a.Missing()...)}
	file := s.account().file()
	if _, err := os.Lstat(s.path); err != nil {
		file.Sample = nil // its comments would hide the keys
	}
	if err := s.tryImport(file); err != nil {
		return err
	}
	text, err := file.Text(a, true)
	if err != nil {
		return err
	}
	out.Config = string(text)
	if s.json {
		printJSON(s.Stdout, out)
		return nil
	}
	w := bufio.NewWriter(s.Stdout)
	printImport(w, found)
	fmt.Fprintf(w, "\n%s would be, with the sample's comments if it is new:\n\n%s\n", s.path, text)
	if len(out.Missing) > 0 {
		fmt.Fprintf(w, "Still needed for --write: %s\n", strings.Join(out.Missing, ", "))
	}
	fmt.Fprint(w, host.Hint("Nothing was changed. To write it: sudo o365-sendmail import "+found.Program+
		" --write, with the flags of setup\n", s.UID))
	return w.Flush()
}

// tryImport reads the configuration as it would be. An account that the files say nothing of is made up for that.
func (s *setupRun) tryImport(file *setup.File) error {
	a := s.answers
	if len(a.Missing()) > 0 {
		const someID = "00000000-0000-0000-0000-000000000001"
		a.Type, a.Tenant, a.ClientID = setup.TypeSecret, cmp.Or(a.Tenant, someID), cmp.Or(a.ClientID, someID)
		a.Secret, a.Mailbox = xoauth.NewSecret("not a secret of anybody's"), cmp.Or(a.Mailbox, "mailbox@example.org")
	}
	if err := s.account().checkText(file, &a); err != nil {
		return sysexits.With(sysexits.Config, fmt.Errorf("what was found makes no configuration: %w", err))
	}
	return nil
}

func printImport(w *bufio.Writer, found *importer.Found) {
	fmt.Fprintf(w, "%s: %s\n\n", found.Program, strings.Join(found.Files, ", "))
	for _, l := range found.Lines {
		fmt.Fprintf(w, "%s:%s: %s: %s: %s\n", l.File, strconv.Itoa(l.Line), l.Name, l.Fate, l.Note)
	}
	_ = w.Flush()
}
