package importer

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"o365-sendmail/internal/printable"
)

// Sender is something on this host that sends mail, or decides how mail goes.
type Sender struct {
	Kind string `json:"kind"` // one of Kinds
	File string `json:"file"`
	Line int    `json:"line,omitempty"`
	Name string `json:"name"`
	Note string `json:"note"`
}

// Kinds of senders, in the order of a survey.
var Kinds = []string{"mailer", "package", "cron", "php", "unit", "program", "address"}

// Survey finds who sends mail on the host below root. It reads files only, and those that the caller may not read are
// named in unread.
func Survey(root string) (senders []Sender, unread []string, err error) {
	if _, err := os.Stat(root); err != nil {
		return nil, nil, err
	}
	s := &survey{root: root, senders: []Sender{}, unread: []string{}}
	s.mailers()
	s.packages()
	s.cron()
	s.php()
	s.units()
	s.programs()
	s.addresses()
	return s.senders, s.unread, nil
}

type survey struct {
	root    string
	senders []Sender
	unread  []string
}

func (s *survey) add(kind, file string, line int, name, note string) {
	s.senders = append(s.senders, Sender{kind, printable.Line(file), line, printable.Line(name), printable.Line(note)})
}

// glob lists the files below the root that match, as that system names them.
func (s *survey) glob(patterns ...string) (names []string) {
	root, err := os.OpenRoot(s.root)
	if err != nil {
		return nil
	}
	defer root.Close()
	for _, p := range patterns {
		if !strings.ContainsAny(p, "*?[") {
			f, err := openFile(s.root, p)
			if !errors.Is(err, fs.ErrNotExist) {
				names = append(names, p)
			}
			if err == nil {
				_ = f.Close()
			}
			continue
		}
		found, _ := fs.Glob(root.FS(), strings.TrimPrefix(p, "/"))
		for _, f := range found {
			names = append(names, "/"+f)
		}
	}
	return names
}

// text reads a file, "" when it is not there. One that can't be read is noted.
func (s *survey) text(file string, limit int64) string {
	b, err := readFile(s.root, file, limit)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.unread = append(s.unread, file)
	}
	return string(b)
}

// eachLine calls see with the lines of a file that are no comments, blanks at both ends gone.
func (s *survey) eachLine(file, comments string, see func(n int, line string)) {
	n := 0
	for line := range strings.Lines(s.text(file, maxFile)) {
		n++
		if line = strings.TrimSpace(line); line != "" && !strings.ContainsRune(comments, rune(line[0])) {
			see(n, line)
		}
	}
}

// mailers says what the names that callers use lead to.
func (s *survey) mailers() {
	root, err := os.OpenRoot(s.root)
	if err != nil {
		return
	}
	defer root.Close()
	for _, name := range []string{"/usr/sbin/sendmail", "/usr/lib/sendmail", "/usr/bin/mailq", "/usr/bin/newaliases"} {
		rel := strings.TrimPrefix(name, "/")
		fi, err := root.Lstat(rel)
		if err != nil {
			continue
		}
		note := "a program"
		if fi.Mode()&fs.ModeSymlink != 0 {
			to, _ := root.Readlink(rel)
			note = "leads to " + to
			if next, err := root.Readlink(strings.TrimPrefix(to, "/")); err == nil && strings.HasPrefix(to, "/etc/alternatives/") {
				note += ", an alternative: " + next
			}
		}
		if s.diverted(name) != "" {
			note += "; dpkg-divert has moved a package's own to " + s.diverted(name)
		}
		s.add("mailer", name, 0, path.Base(name), note)
	}
}

// diverted is where dpkg puts a package's file of that name, "" where it lies as usual.
func (s *survey) diverted(name string) string {
	lines := strings.Split(s.text("/var/lib/dpkg/diversions", maxFile), "\n")
	for i := 0; i+2 < len(lines); i += 3 {
		if lines[i] == name {
			return lines[i+1]
		}
	}
	return ""
}

// packages lists the packages that are a mailer or ask for one. A status file is large.
func (s *survey) packages() {
	const file, largest = "/var/lib/dpkg/status", 256 << 20
	var name, status string
	n := 0
	for line := range strings.Lines(s.text(file, largest)) {
		n++
		key, value, _ := strings.Cut(strings.TrimRight(line, "\n"), ": ")
		switch key {
		case "Package":
			name = value
		case "Status":
			status = value
		case "Provides", "Depends", "Recommends", "Suggests":
			if strings.HasSuffix(status, " installed") && namesMailer(value) {
				note := map[string]string{"Provides": "is a mailer", "Depends": "needs a mailer",
					"Recommends": "sends mail", "Suggests": "can send mail"}[key]
				s.add("package", file, n, name, note)
			}
		}
	}
}

// namesMailer reports whether a list of packages has the virtual one, or a program that sends.
func namesMailer(list string) bool {
	for _, p := range strings.FieldsFunc(list, func(c rune) bool { return c == ',' || c == '|' }) {
		p, _, _ = strings.Cut(strings.TrimSpace(p), " ")
		switch p {
		case "mail-transport-agent", "default-mta":
			return true
		}
	}
	return false
}

// cron finds tables, and where they send what their jobs print.
func (s *survey) cron() {
	for _, f := range s.glob("/etc/crontab", "/etc/anacrontab", "/etc/cron.d/*", "/var/spool/cron/crontabs/*") {
		mailto, jobs, at := "", 0, 0
		s.eachLine(f, "#", func(n int, line string) {
			if name, value, ok := strings.Cut(line, "="); ok && strings.TrimSpace(name) == "MAILTO" {
				mailto, at = strings.Trim(strings.TrimSpace(value), `"'`), n
				note := "what jobs print goes to " + mailto
				if mailto == "" {
					note = "what jobs print is thrown away"
				}
				s.add("cron", f, at, "MAILTO", note)
				return
			}
			if line[0] == '@' || line[0] == '*' || line[0] >= '0' && line[0] <= '9' {
				jobs++
			}
		})
		if jobs > 0 && at == 0 {
			who := "the user of each job, root for most"
			if strings.HasPrefix(f, "/var/spool/cron/crontabs/") {
				who = path.Base(f)
			}
			s.add("cron", f, 0, strconv.Itoa(jobs)+" jobs", "what they print goes to "+who)
		}
	}
}

// php finds where PHP's mail() goes in each of its interfaces, pools of FPM among them.
func (s *survey) php() {
	for _, f := range s.glob("/etc/php/*/*/php.ini", "/etc/php/*/*/conf.d/*.ini", "/etc/php/*/fpm/pool.d/*.conf",
		"/etc/php.ini", "/etc/php.d/*.ini", "/etc/php-fpm.d/*.conf", "/usr/local/etc/php/php.ini",
		"/usr/local/etc/php/conf.d/*.ini") {
		found := false
		s.eachLine(f, ";#", func(n int, line string) {
			name, value, _ := strings.Cut(line, "=")
			name = strings.TrimSpace(name)
			for _, begin := range []string{"php_admin_value[", "php_value["} {
				name = strings.TrimSuffix(strings.TrimPrefix(name, begin), "]")
			}
			value = strings.TrimSpace(value)
			switch name {
			case "sendmail_path":
				found = true
				s.add("php", f, n, name, "mail() calls "+withoutPassword(value))
			case "mail.force_extra_parameters":
				s.add("php", f, n, name, "mail() adds "+withoutPassword(value))
			}
		})
		if !found && path.Base(f) == "php.ini" {
			s.add("php", f, 0, "sendmail_path", "not set: mail() calls sendmail -t -i of the PATH")
		}
	}
}

// withoutPassword cuts a command line before a word that may be a password, or stand before one. Each program has a
// flag of its own for that, so that only some of sendmail's flags stay.
func withoutPassword(line string) string {
	words := strings.Fields(line)
	for i, w := range words {
		w = strings.ToLower(strings.Trim(w, `"'`))
		flag := strings.HasPrefix(w, "-") && w != "-" && !strings.HasPrefix(w, "-f") &&
			!slices.Contains([]string{"-t", "-i", "-oi", "-ti", "-bm", "-r"}, w)
		url := strings.Contains(w, "://") && strings.Contains(w, "@")
		if flag || url || strings.Contains(w, "pass") {
			return strings.Join(words[:i], " ") + " ..."
		}
	}
	return line
}

// units finds the host's own units that call a mailer.
func (s *survey) units() {
	for _, f := range s.glob("/etc/systemd/system/*.service", "/etc/systemd/system/*.d/*.conf", "/etc/init.d/*",
		"/usr/local/bin/*", "/usr/local/sbin/*", "/etc/cron.hourly/*", "/etc/cron.daily/*", "/etc/cron.weekly/*",
		"/etc/cron.monthly/*") {
		kind := "unit"
		if !strings.HasPrefix(f, "/etc/systemd") && !strings.HasPrefix(f, "/etc/init.d") {
			kind = "program"
		}
		if b, err := readFile(s.root, f, 1<<20); err != nil || strings.ContainsRune(string(b), 0) {
			continue // a directory, or no script
		}
		s.eachLine(f, "#;", func(n int, line string) {
			if strings.HasPrefix(line, "mail ") || strings.Contains(line, "| mail ") {
				s.add(kind, f, n, "mail", "it calls mail")
				return
			}
			for _, w := range strings.FieldsFunc(line, func(c rune) bool {
				return strings.ContainsRune(" \t;|&()`\"'=$!-+:@", c)
			}) {
				switch w {
				case "sendmail", "/usr/sbin/sendmail", "/usr/lib/sendmail", "mailx", "/usr/bin/mailx", "/usr/bin/mail",
					"msmtp", "/usr/bin/msmtp", "/usr/sbin/ssmtp", "/usr/bin/mutt", "swaks":
					s.add(kind, f, n, path.Base(w), "it calls "+w)
					return
				}
			}
		})
	}
}
