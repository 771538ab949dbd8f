package importer

import (
	"cmp"
	"strings"

	"o365-sendmail/internal/printable"
)

// readNullmailer reads the files of /etc/nullmailer, one value each (nullmailer-send(8), nullmailer-inject(1)).
func readNullmailer(r *reading) {
	for _, name := range []string{"remotes", "adminaddr", "allmailfrom", "me", "defaulthost", "defaultdomain", "helohost",
		"idhost", "doublebounceto", "queuelifetime", "sendtimeout", "pausetime", "maxpause"} {
		file := "/etc/nullmailer/" + name
		r.eachLine(file, r.text(file), func(line string) {
			r.at.Name = name
			if name == "remotes" {
				r.remote(line)
				return
			}
			r.apply(nullmailerRules(), name, line)
		})
	}
	r.finish()
}

func nullmailerRules() map[string]rule {
	return map[string]rule{
		"adminaddr":      func(r *reading, v string) { r.rootTo(strings.Split(v, ",")) },
		"allmailfrom":    sender,
		"me":             name("from.host_name"),
		"defaultdomain":  name("from.domain"),
		"defaulthost":    name("from.domain"),
		"helohost":       name("smtp.ehlo_name"),
		"doublebounceto": address("bounce_to"),
		"queuelifetime":  seconds("spool.lifetime", 60, 52*7*24*3600),
		"idhost":         notNeeded("Message-ID has from.host_name"),
		"sendtimeout":    notNeeded("each reply has a deadline of its own: smtp.timeout"),
		"pausetime":      notNeeded(textQueue),
		"maxpause":       notNeeded(textQueue),
	}
}

// remote is a line of remotes: a host, a protocol, options, quoted as a shell has them.
func (r *reading) remote(line string) {
	words := shellWords(line)
	if r.at.Name = "remotes"; r.relay != "" {
		r.note(ByHand, "all mail goes to one relay")
		return
	}
	r.host(words[0])
	if len(words) > 1 && words[1] == "qmqp" {
		r.note(NotNeeded, "SMTP is spoken; QMQP is not")
	}
	for _, w := range words[min(len(words), 1):] {
		option, value, _ := strings.Cut(w, "=")
		if !strings.HasPrefix(option, "-") {
			continue
		}
		r.at.Name = "remotes " + option
		switch strings.TrimLeft(option, "-") {
		case "user":
			signIn(r, value)
		case "pass", "password":
			r.note(NotNeeded, "%s", textPassword)
		case "x509cafile":
			trustFile(r, value)
		case "insecure", "ssl", "starttls", "x509certfile", "x509fmtder", "x509crlfile":
			r.note(NotNeeded, "%s", textTLS)
		default:
			r.note(NotNeeded, "%s, port 587, with XOAUTH2", textRelay)
		}
	}
}

// shellWords splits a line at blanks that are not quoted. There is at least one word.
func shellWords(line string) []string {
	var words []string
	var word strings.Builder
	quoted, in := rune(0), false
	escaped := false
	for _, c := range line {
		switch {
		case escaped:
			word.WriteRune(c)
			escaped = false
		case c == '\\' && quoted != '\'':
			escaped, in = true, true
		case quoted != 0 && c == quoted:
			quoted = 0
		case quoted == 0 && (c == '"' || c == '\''):
			quoted, in = c, true
		case quoted == 0 && (c == ' ' || c == '\t'):
			if in {
				words = append(words, word.String())
				word.Reset()
			}
			in = false
		default:
			word.WriteRune(c)
			in = true
		}
	}
	if in || len(words) == 0 {
		words = append(words, word.String())
	}
	return words
}

// rootTo says where root's mail goes: one address is a key, several are an alias.
func (r *reading) rootTo(list []string) {
	var quoted []string
	for _, a := range list {
		a = strings.TrimSpace(a)
		if a == "" {
			continue
		}
		if !isAddress(a) {
			r.note(ByHand, "it is not an address: set root_to to one")
			return
		}
		quoted = append(quoted, quote(a))
	}
	switch len(quoted) {
	case 0:
		r.note(NotNeeded, "it is empty")
	case 1:
		r.take("root_to", quoted[0])
	default:
		r.take("aliases.root", "["+strings.Join(quoted, ", ")+"]")
	}
}

// readSsmtp reads ssmtp.conf(5) and revaliases.
func readSsmtp(r *reading) {
	const conf, aliases = "/etc/ssmtp/ssmtp.conf", "/etc/ssmtp/revaliases"
	r.eachLine(conf, r.text(conf), func(line string) {
		// Names and values are what stands between blanks and equals signs; a # ends the line.
		line, _, _ = strings.Cut(line, "#")
		words := strings.FieldsFunc(line, func(c rune) bool { return c == '=' || c == ' ' || c == '\t' })
		if len(words) == 0 {
			return
		}
		r.at.Name = label(words[0])
		r.apply(ssmtpRules(), strings.ToLower(words[0]), strings.Join(words[1:min(len(words), 2)], ""))
	})
	r.eachLine(aliases, r.text(aliases), func(line string) {
		words := strings.Split(line, ":")
		r.at.Name = label(words[0])
		if len(words) < 2 {
			r.note(ByHand, "it has no address: from.map gives a sender another one")
			return
		}
		r.mapped(words[0], strings.TrimSpace(words[1]))
	})
	r.maps()
	r.finish()
}

func ssmtpRules() map[string]rule {
	return map[string]rule{
		"root": func(r *reading, v string) { r.rootTo([]string{v}) },
		"mailhub": func(r *reading, v string) {
			r.host(withoutPort(v, ":"))
		},
		"rewritedomain":    name("from.domain"),
		"hostname":         name("from.host_name"),
		"authuser":         signIn,
		"authpass":         notNeeded(textPassword),
		"authmethod":       notNeeded("the sign-in is XOAUTH2 as an application"),
		"fromlineoverride": notNeeded("from.send_as and from.allow say which senders of callers stay"),
		"usetls":           notNeeded(textTLS),
		"usestarttls":      notNeeded(textTLS),
		"usetlscert":       notNeeded("the relay asks for no client certificate"),
		"tlscert":          notNeeded("the relay asks for no client certificate"),
		"tlskey":           notNeeded("the relay asks for no client certificate"),
		"tls_ca_file":      trustFile,
		"tls_ca_dir":       trustFile,
		"debug":            notNeeded("sendmail -v prints the dialogue"),
		"minuserid":        byHand("root_to gets the mail of every local name without an alias; others need a line in [aliases]"),
		"port":             notNeeded(textRelay + ", port 587"),
	}
}

// mapped gives a local sender another address.
func (r *reading) mapped(local, to string) {
	if !isAddress(to) || strings.ContainsAny(local, " \t\"\\*") || !printable.IsASCII(local) ||
		printable.HasControl(local) || local == "" {
		r.note(ByHand, "it is not a name and an address: from.map gives a sender another address")
		return
	}
	match := local
	switch at := strings.IndexByte(local, '@'); {
	case at < 0:
		match += "@*"
	case at == 0:
		match = "*" + local
	}
	r.senders = append(r.senders, "{ match = "+quote(match)+", to = "+quote(to)+" }")
	r.note(Taken, "from.map; %s needs SendAs if it is not the mailbox", to)
}

// maps sets the rules that were found.
func (r *reading) maps() {
	if len(r.senders) > 0 {
		r.set("from.policy", `"map"`)
		r.set("from.map", "["+strings.Join(r.senders, ", ")+"]")
	}
}

// readDma reads dma.conf and auth.conf (dma(8)).
func readDma(r *reading) {
	const conf, auth = "/etc/dma/dma.conf", "/etc/dma/auth.conf"
	authFile := auth
	r.eachLine(conf, r.text(conf), func(line string) {
		key, value, _ := strings.Cut(strings.ReplaceAll(line, "\t", " "), " ")
		r.at.Name, value = label(key), strings.TrimSpace(value)
		if key == "AUTHPATH" && value != "" {
			authFile = value
		}
		r.apply(dmaRules(), key, value)
	})
	r.eachLine(authFile, r.text(authFile), func(line string) {
		user, _, ok := strings.Cut(line, "|")
		r.at.Name = "user"
		if !ok {
			r.note(ByHand, "it is no line of user|host:password")
			return
		}
		signIn(r, user)
		r.at.Name = "password"
		r.note(NotNeeded, "%s", textPassword)
	})
	r.finish()
}

func dmaRules() map[string]rule {
	return map[string]rule{
		"SMARTHOST": relayHost,
		"PORT":      notNeeded(textRelay + ", port 587"),
		"ALIASES":   aliasesFile,
		"SPOOLDIR":  notNeeded("the queue is here in spool.dir; --queue takes the messages over"),
		"AUTHPATH":  notNeeded(textPassword),
		"MASQUERADE": func(r *reading, v string) {
			local, domain, at := strings.Cut(v, "@")
			switch {
			case at && local != "" && domain != "":
				sender(r, v)
			case at && domain == "":
				r.note(ByHand, "every sender gets this name: give setup --mailbox the whole address")
			default:
				name("from.domain")(r, cmp.Or(domain, v))
			}
		},
		"MAILNAME": func(r *reading, v string) {
			if strings.HasPrefix(v, "/") {
				r.note(NotNeeded, "/etc/mailname is read here, too")
				return
			}
			name("from.host_name")(r, v)
		},
		"MAILNAMEFILE":      notNeeded("/etc/mailname is read here, too"),
		"DEFER":             func(r *reading, _ string) { r.take("delivery.mode", `"queue"`) },
		"NULLCLIENT":        byHand("local names go through the aliases and root_to; nothing is delivered on this host"),
		"FULLBOUNCE":        byHand("a report holds the header; let the callers give sendmail -R full"),
		"SECURETRANSFER":    notNeeded(textTLS),
		"STARTTLS":          notNeeded(textTLS),
		"OPPORTUNISTIC_TLS": notNeeded(textTLS),
		"VERIFYCERT":        notNeeded(textTLS),
		"SECURE":            notNeeded(textTLS),
		"INSECURE":          notNeeded(textTLS),
		"FINGERPRINT":       byHand("the relay's certificates change every few weeks and can't be pinned"),
		"CERTFILE":          notNeeded("the relay asks for no client certificate"),
	}
}
