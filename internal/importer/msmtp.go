package importer

import (
	"path"
	"strings"
)

// readMsmtp reads msmtp's two files (msmtp(1), "CONFIGURATION FILES"). Of several accounts the default one counts, as
// it does for a call without -a.
func readMsmtp(r *reading) {
	files := []string{"/etc/msmtprc"}
	for _, home := range r.Homes {
		files = append(files, msmtpHome(home)...)
	}
	for _, f := range files {
		first := len(r.found.Files) == 0
		var lines []msmtpLine
		r.eachLine(f, r.text(f), func(text string) {
			name, value, _ := strings.Cut(strings.ReplaceAll(text, "\t", " "), " ")
			value = strings.TrimSpace(value)
			if len(value) > 1 && value[0] == '"' && value[len(value)-1] == '"' {
				value = value[1 : len(value)-1]
			}
			r.at.Name = label(name)
			lines = append(lines, msmtpLine{r.at, value})
		})
		r.msmtpFile(lines, first)
	}
	r.finish()
}

// msmtpHome lists the names that msmtp's file may have in a home directory.
func msmtpHome(home string) []string {
	return []string{path.Join(home, ".msmtprc"), path.Join(home, ".config/msmtp/config")}
}

// msmtpFile says what becomes of a file's lines. The host's own file, else the first person's, is for all.
func (r *reading) msmtpFile(lines []msmtpLine, first bool) {
	of, used := msmtpAccounts(lines)
	for i, l := range lines {
		r.at = l.at
		switch {
		case !first:
			r.note(ByHand, "it is one person's: ~/.config/o365-sendmail.toml is such a file here")
		case l.at.Name == "account" || l.at.Name == "defaults":
			r.note(NotNeeded, "there is one account here; the values of the default one come over")
		case !used[of[i]]:
			r.note(ByHand, "account %.64s is not the default one: add its sender to from.send_as, or its mailbox to "+
				"mailboxes", of[i])
		default:
			r.apply(msmtpRules(), l.at.Name, l.value)
		}
	}
}

type msmtpLine struct {
	at    Line
	value string
}

// msmtpAccounts returns each line's account, "" for defaults, and those that count for a call without -a.
func msmtpAccounts(lines []msmtpLine) (of []string, used map[string]bool) {
	base := map[string]string{} // what an account is made of
	account := "default"
	of = make([]string, len(lines))
	for i, l := range lines {
		switch l.at.Name {
		case "defaults":
			account = ""
		case "account":
			name, from, _ := strings.Cut(l.value, ":")
			account = strings.TrimSpace(name)
			base[account] = strings.TrimSpace(from)
		}
		of[i] = account
	}
	used = map[string]bool{"": true}
	for todo := []string{"default"}; len(todo) > 0; todo = todo[1:] {
		name := strings.TrimSpace(todo[0])
		if used[name] {
			continue
		}
		used[name] = true
		todo = append(todo, strings.Split(base[name], ",")...)
	}
	return of, used
}

// msmtpSender takes an address; msmtp has patterns of senders, and names of this host and user, in its place, too.
func msmtpSender(r *reading, value string) {
	if strings.ContainsAny(value, "*?[%") {
		r.note(ByHand, "it stands for several senders: senders are rewritten to the mailbox; name in from.send_as those that stay")
		return
	}
	sender(r, value)
}

func msmtpRules() map[string]rule {
	return map[string]rule{
		"host":       relayHost,
		"port":       notNeeded(textRelay + ", port 587"),
		"user":       signIn,
		"from":       msmtpSender,
		"auth":       notNeeded("the sign-in is XOAUTH2 as an application"),
		"proxy_host": func(r *reading, value string) { r.proxyHost = value; r.note(Taken, "smtp.proxy, with proxy_port") },
		"proxy_port": func(r *reading, value string) { r.proxyPort = value; r.note(Taken, "smtp.proxy, with proxy_host") },

		"password":     notNeeded(textPassword),
		"passwordeval": notNeeded("no program is started for a password or a token: the application gets its own tokens"),
		"eval":         byHand("no program is started to make a line of the configuration: write the value"),
		"timeout": func(r *reading, value string) {
			if value == "off" {
				r.note(NotNeeded, "every read and write has a deadline: smtp.timeout")
				return
			}
			seconds("smtp.timeout", 1, 3600)(r, value)
		},
		"domain":                  name("smtp.ehlo_name"),
		"maildomain":              name("from.domain"),
		"auto_from":               notNeeded("senders are rewritten to the mailbox"),
		"aliases":                 aliasesFile,
		"logfile":                 notNeeded(textLog),
		"logfile_time_format":     notNeeded(textLog),
		"syslog":                  notNeeded(textLog),
		"from_full_name":          byHand("the name in From is the caller's or the user's: give sendmail -F NAME"),
		"set_from_header":         notNeeded("from.policy = \"rewrite\" is the default"),
		"allow_from_override":     notNeeded("from.send_as and from.allow say which senders of callers stay"),
		"set_date_header":         notNeeded("a missing field is added"),
		"set_msgid_header":        notNeeded("a missing field is added"),
		"add_missing_from_header": notNeeded("a missing field is added"),
		"add_missing_date_header": notNeeded("a missing field is added"),
		"remove_bcc_headers":      notNeeded("Bcc is always removed"),
		"keepbcc":                 notNeeded("Bcc is always removed"),
		"undisclosed_recipients":  byHand("recipients in To and Cc stay: let the callers put them in Bcc"),
		"dsn_notify":              byHand("there is no default: let the callers give sendmail -N"),
		"dsn_return":              byHand("there is no default: let the callers give sendmail -R"),
		"source_ip":               byHand("the system chooses the address: give it a route"),
		"socket":                  byHand("the relay is reached by TCP: see smtp.proxy for a SOCKS5 proxy"),
		"protocol":                notNeeded("SMTP is spoken; LMTP is not"),
		"tls":                     notNeeded(textTLS),
		"tls_starttls":            notNeeded("STARTTLS at port 587 is what the relay offers"),
		"tls_certcheck":           notNeeded(textTLS),
		"tls_nocertcheck":         notNeeded(textTLS),
		"tls_trust_file":          trustFile,
		"tls_crl_file":            byHand("revocation lists are not read"),
		"tls_fingerprint":         byHand("the relay's certificates change every few weeks and can't be pinned"),
		"tls_key_file":            notNeeded("the relay asks for no client certificate"),
		"tls_cert_file":           notNeeded("the relay asks for no client certificate"),
		"tls_priorities":          byHand("tls.min_version = \"1.3\" is the only choice there is; the default is 1.2"),
		"tls_min_dh_prime_bits":   notNeeded("only suites with elliptic curves are offered"),
		"tls_host_override":       notNeeded("the relay's name is what its certificate must hold"),
	}
}

// systemCAs are the bundles that are used without being named.
var systemCAs = []string{"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
	"/etc/ssl/cert.pem", "/etc/ssl/ca-bundle.pem", "/etc/ssl/certs", "system", ""}

func trustFile(r *reading, value string) {
	for _, f := range systemCAs {
		if f == value {
			r.note(NotNeeded, "the system's authorities are the default")
			return
		}
	}
	r.note(ByHand, "%s", textCA)
}

// aliasesFile is the alias file of another program; /etc/aliases is read here, too.
func aliasesFile(r *reading, value string) {
	switch {
	case value == "/etc/aliases":
		r.note(NotNeeded, "it is the default of aliases_file")
	case !strings.HasPrefix(value, "/"):
		r.note(ByHand, "it is no absolute path: set aliases_file")
	default:
		r.take("aliases_file", quote(value))
	}
}
