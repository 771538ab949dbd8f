package importer

import (
	"path"
	"strings"
)

// knownProgram is a program whose configuration says where its mail goes.
type knownProgram struct {
	name  string
	files []string
	// keys begin the lines that count, in lower case; their values are shown, but for those in secret.
	keys   []string
	secret string
	note   string
}

// knownPrograms are those that servers have and that send mail by themselves.
var knownPrograms = []knownProgram{
	{"unattended-upgrades", []string{"/etc/apt/apt.conf.d/*unattended-upgrades*"}, []string{"unattended-upgrade::mail"}, "",
		"it calls sendmail"},
	{"apticron", []string{"/etc/apticron/apticron.conf"}, []string{"email="}, "", "it calls mail"},
	{"apt-listchanges", []string{"/etc/apt/listchanges.conf"}, []string{"email_address"}, "", "it calls sendmail"},
	{"logwatch", []string{"/etc/logwatch/conf/*.conf", "/usr/share/logwatch/default.conf/logwatch.conf"},
		[]string{"mailto", "mailer", "mailfrom"}, "", "it calls sendmail"},
	{"logcheck", []string{"/etc/logcheck/logcheck.conf"}, []string{"sendmailto"}, "", "it calls sendmail"},
	{"mdadm", []string{"/etc/mdadm/mdadm.conf", "/etc/mdadm.conf"}, []string{"mailaddr", "mailfrom"}, "",
		"it calls sendmail"},
	{"smartd", []string{"/etc/smartd.conf"}, []string{"devicescan", "/dev/", "default"}, "", "-m names who is told"},
	{"fail2ban", []string{"/etc/fail2ban/jail.local", "/etc/fail2ban/jail.d/*"}, []string{"destemail", "sender", "mta"}, "",
		"it calls what mta names"},
	{"monit", []string{"/etc/monit/monitrc", "/etc/monitrc", "/etc/monit/conf.d/*", "/etc/monit/conf-enabled/*"},
		[]string{"set mailserver", "set alert", "set mail-format"}, "password",
		"it speaks SMTP itself: agent.listen is for it"},
	{"zed (ZFS)", []string{"/etc/zfs/zed.d/zed.rc"}, []string{"zed_email_addr", "zed_email_prog"}, "", "it calls mail"},
	{"Nagios, Icinga", []string{"/etc/nagios*/objects/commands.cfg", "/etc/icinga2/scripts/mail-*"}, []string{"command_line",
		"sendmail", "mail"}, "", "it calls mail"},
	{"Prometheus Alertmanager", []string{"/etc/alertmanager/alertmanager.yml", "/etc/prometheus/alertmanager.yml"},
		[]string{"smtp_smarthost", "smtp_from"}, "", "it speaks SMTP itself: agent.listen is for it"},
	{"Grafana", []string{"/etc/grafana/grafana.ini"}, []string{"from_address"}, "",
		"it speaks SMTP itself: agent.listen is for it"},
	{"GitLab", []string{"/etc/gitlab/gitlab.rb"}, []string{"gitlab_rails['smtp_address", "gitlab_rails['gitlab_email_from"},
		"password", "it speaks SMTP itself, or calls sendmail without smtp_enable"},
	{"Nextcloud", []string{"/var/www/nextcloud/config/config.php"}, []string{"'mail_smtpmode", "'mail_smtphost"}, "password",
		"it speaks SMTP itself, or calls sendmail"},
	{"git send-email", []string{"/etc/gitconfig", "/root/.gitconfig"}, []string{"smtpserver"}, "",
		"it calls sendmail where smtpserver is not set"},
	{"mutt", []string{"/etc/Muttrc", "/etc/Muttrc.local", "/root/.muttrc"}, []string{"set sendmail", "set smtp_url"}, "@",
		"it calls what sendmail names"},
	{"s-nail, mailx", []string{"/etc/mail.rc", "/etc/s-nail.rc", "/etc/nail.rc", "/root/.mailrc"},
		[]string{"set mta", "set smtp=", "set sendmail"}, "@", "it calls what mta names"},
	{"rkhunter", []string{"/etc/rkhunter.conf"}, []string{"mail-on-warning", "mail_cmd"}, "", "it calls mail"},
	{"sudo", []string{"/etc/sudoers", "/etc/sudoers.d/*"}, []string{"defaults mailto", "defaults mailerpath",
		"defaults mail_"}, "", "it calls sendmail"},
	{"at, cron of systemd", []string{"/etc/systemd-cron.conf"}, []string{"mailto"}, "", "it calls sendmail"},
}

// onlyWith is a text without which a program's line does not count.
func onlyWith(program string) string {
	switch program {
	case "smartd":
		return " -m "
	case "Nagios, Icinga":
		return "mail"
	}
	return ""
}

// noSecrets reports whether a program's lines are shown whole: they hold no secret, and smartd's flags matter.
func noSecrets(program string) bool { return program == "smartd" || program == "sudo" }

// programs finds what is set for programs that send by themselves.
func (s *survey) programs() {
	for _, p := range knownPrograms {
		for _, f := range s.glob(p.files...) {
			s.eachLine(f, "#;!", func(n int, line string) {
				low := strings.ToLower(strings.Join(strings.Fields(line), " "))
				for _, key := range p.keys {
					if !strings.HasPrefix(low, key) {
						continue
					}
					if !strings.Contains(low, onlyWith(p.name)) {
						return
					}
					switch {
					case p.secret != "" && strings.Contains(low, p.secret):
						line = line[:min(len(key), len(line))] + " ..."
					case !noSecrets(p.name):
						line = withoutPassword(line)
					}
					const longest = 160
					s.add("program", f, n, p.name, line[:min(len(line), longest)]+"; "+p.note)
					return
				}
			})
		}
	}
	s.submitters()
}

// submitters finds configurations of other mailers, each with what import can do for it.
func (s *survey) submitters() {
	files := map[string][]string{"dma": {"/etc/dma/dma.conf"}, "exim4": {"/etc/exim4/update-exim4.conf.conf"},
		"msmtp": {"/etc/msmtprc"}, "nullmailer": {"/etc/nullmailer/remotes"}, "postfix": {"/etc/postfix/main.cf"},
		"ssmtp": {"/etc/ssmtp/ssmtp.conf"}}
	homes, _ := Homes(s.root)
	for _, h := range homes {
		files["msmtp"] = append(files["msmtp"], msmtpHome(h.Dir)...)
	}
	for _, program := range Programs() {
		for _, f := range s.glob(files[program]...) {
			s.add("mailer", f, 0, program, "its settings and queue come over by: o365-sendmail import "+program)
		}
	}
}

// addresses says where mail for local names goes and what the host calls itself.
func (s *survey) addresses() {
	if name := strings.TrimSpace(s.text("/etc/mailname", maxFile)); name != "" {
		s.add("address", "/etc/mailname", 1, "mailname", "addresses of this host end in @"+name)
	}
	s.eachLine("/etc/aliases", "#", func(n int, line string) {
		if name, to, ok := strings.Cut(line, ":"); ok {
			s.add("address", "/etc/aliases", n, name, "goes to "+withoutPassword(strings.TrimSpace(to)))
		}
	})
	homes, _ := Homes(s.root)
	for _, h := range homes {
		file := path.Join(h.Dir, ".forward")
		s.eachLine(file, "#", func(n int, line string) {
			s.add("address", file, n, h.User, "goes to "+withoutPassword(line)+
				": .forward is not read here, give [aliases] a line")
		})
	}
}
