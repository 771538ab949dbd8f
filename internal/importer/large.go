package importer

import (
	"net/netip"
	"path"
	"regexp"
	"strings"
)

// readExim reads what Debian's exim4-config asks for: update-exim4.conf.conf(5), passwd.client and /etc/email-addresses
// (exim4-config_files(5)). A configuration of Exim itself is a program and is not read.
func readExim(r *reading) {
	const conf, auth, addresses = "/etc/exim4/update-exim4.conf.conf", "/etc/exim4/passwd.client", "/etc/email-addresses"
	r.eachLine(conf, r.text(conf), func(line string) {
		key, value, _ := strings.Cut(line, "=")
		r.at.Name = label(key)
		r.apply(eximRules(), key, strings.Join(shellWords(value), " "))
	})
	r.eachLine(auth, r.text(auth), func(line string) {
		words := strings.SplitN(line, ":", 3)
		r.at.Name = "login"
		if len(words) < 3 {
			r.note(ByHand, "it is no line of host:login:password")
			return
		}
		signIn(r, words[1])
		r.at.Name = "password"
		r.note(NotNeeded, "%s", textPassword)
	})
	r.eachLine(addresses, r.text(addresses), func(line string) {
		local, to, _ := strings.Cut(line, ":")
		r.at.Name = label(local)
		r.mapped(local, strings.TrimSpace(to))
	})
	for _, own := range []string{"/etc/exim4/exim4.conf", "/etc/exim4/exim4.conf.localmacros"} {
		if r.text(own) != nil {
			r.at = Line{File: own, Line: 1, Name: "Exim's own configuration"}
			r.note(ByHand, "it is not read: see o365-sendmail.toml(5) for what it sets")
		}
	}
	r.maps()
	r.finish()
}

func eximRules() map[string]rule {
	return map[string]rule{
		"dc_eximconfig_configtype": func(r *reading, v string) {
			switch v {
			case "satellite", "smarthost", "none":
				r.note(NotNeeded, "all mail goes to Exchange Online's relay")
			default:
				r.note(ByHand, "type %q delivers on this host or to any: nothing is delivered here, local names need an "+
					"address in [aliases] or root_to", v)
			}
		},
		"dc_smarthost": func(r *reading, v string) {
			for _, h := range strings.Split(v, ";") {
				if host := withoutPort(strings.TrimSpace(h), "::"); host != "" {
					r.host(host)
				}
			}
		},
		"dc_other_hostnames": notNeeded("this host's names are known; mail for its local names goes through the aliases"),
		"dc_local_interfaces": func(r *reading, v string) {
			r.listen(strings.FieldsFunc(v, func(c rune) bool { return c == ';' || c == ' ' }))
		},
		"dc_readhost": name("from.domain"),
		"dc_relay_domains": func(r *reading, v string) {
			emptyOr(r, v, "mail is taken from this host for Exchange Online only")
		},
		"dc_relay_nets": func(r *reading, v string) {
			emptyOr(r, v, "other hosts need agent.listen with agent.allow_remote and agent.allow_from")
		},
		"dc_minimaldns":       notNeeded("only the relay's name is looked up"),
		"CFILEMODE":           notNeeded("setup gives the file its mode"),
		"dc_use_split_config": notNeeded("there is one file"),
		"dc_hide_mailname":    notNeeded("senders are rewritten to the mailbox; from.domain completes bare names"),
		"dc_mailname_in_oh":   notNeeded("this host's names are known"),
		"dc_localdelivery":    notNeeded("nothing is delivered on this host"),
	}
}

func emptyOr(r *reading, v, text string) {
	if v == "" {
		r.note(NotNeeded, "it is empty")
		return
	}
	r.note(ByHand, "%s", text)
}

// listen is where programs reach the other mailer by SMTP.
func (r *reading) listen(addresses []string) {
	for _, a := range addresses {
		ip, err := netip.ParseAddr(strings.Trim(a, "[]"))
		if a == "localhost" || a == "loopback-only" || err == nil && ip.Is4() && ip.IsLoopback() {
			r.take("agent.listen", `"127.0.0.1:25"`)
			return
		}
	}
	r.note(ByHand, "other hosts need agent.listen with agent.allow_remote and agent.allow_from; programs of this "+
		"host need agent.listen = \"127.0.0.1:25\" if they speak SMTP")
}

// readPostfix reads main.cf (postconf(5)) and the sources of two of its tables. master.cf is not read.
func readPostfix(r *reading) {
	const conf = "/etc/postfix/main.cf"
	values, lines := map[string]string{}, []Line{}
	r.eachParameter(conf, r.text(conf), func(key, value string) {
		if _, twice := values[key]; !twice {
			lines = append(lines, r.at)
		}
		values[key] = value // the last one counts
	})
	for _, l := range lines {
		r.at = l
		value := expand(values[l.Name], values, 0)
		switch {
		case postfixRules()[l.Name] != nil:
			postfixRules()[l.Name](r, value)
		case strings.HasPrefix(l.Name, "smtpd_"):
			r.note(NotNeeded, "mail is taken from this host only")
		case strings.HasPrefix(l.Name, "smtp_tls_"), strings.HasPrefix(l.Name, "tls_"):
			r.note(NotNeeded, "%s", textTLS)
		default:
			r.note(ByHand, "it is not known here; o365-sendmail.toml(5) has all keys")
		}
	}
	r.maps()
	r.finish()
}

// eachParameter calls see with each parameter: a line that begins with a blank goes on with the one before.
func (r *reading) eachParameter(file string, text []byte, see func(key, value string)) {
	var key, value string
	var at Line
	end := func() {
		if key != "" {
			r.at = at
			see(key, strings.TrimSpace(value))
		}
		key = ""
	}
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		bare := strings.TrimSpace(line)
		switch {
		case bare == "" || bare[0] == '#': // also between a line and what continues it
		case line[0] == ' ' || line[0] == '\t':
			value += " " + bare
		default:
			end()
			key, value, _ = strings.Cut(bare, "=")
			key = strings.TrimSpace(key)
			at = Line{File: file, Line: n, Name: label(key)}
		}
	}
	end()
}

// expand puts in the values of $name, ${name} and $(name), to a depth that no file needs.
func expand(value string, values map[string]string, depth int) string {
	const most = 10
	if depth > most || !strings.Contains(value, "$") || len(value) > 1<<16 {
		return value
	}
	return regexp.MustCompile(`\$(\w+|\{\w+\}|\(\w+\))`).ReplaceAllStringFunc(value, func(s string) string {
		return expand(values[strings.Trim(s, "${}()")], values, depth+1)
	})
}

func postfixRules() map[string]rule {
	return map[string]rule{
		"relayhost": func(r *reading, v string) {
			if v == "" {
				r.note(NotNeeded, "all mail goes to Exchange Online's relay")
				return
			}
			r.host(withoutPort(v, ":"))
		},
		"smtp_sasl_password_maps": func(r *reading, v string) {
			r.note(NotNeeded, "%s", textPassword)
			r.table(v, func(_, value string) {
				user, _, _ := strings.Cut(value, ":")
				r.at.Name = "user"
				signIn(r, user)
			})
		},
		"smtp_generic_maps":     senderTable,
		"sender_canonical_maps": senderTable,
		"canonical_maps":        senderTable,
		"alias_maps": func(r *reading, v string) {
			kind, file, _ := strings.Cut(v, ":")
			if strings.ContainsAny(v, " ,") || kind != "hash" && kind != "texthash" && kind != "lmdb" && kind != "btree" {
				r.note(ByHand, "aliases_file takes one aliases(5) file")
				return
			}
			aliasesFile(r, file)
		},
		"alias_database":     notNeeded("the alias file is read as text"),
		"virtual_alias_maps": byHand("write local names into [aliases]; addresses of other domains are not redirected"),
		"transport_maps":     byHand("all mail goes to one relay"),
		"sender_dependent_relayhost_maps": byHand("all mail goes to one relay; from.sign_in_as chooses the mailbox by " +
			"sender"),
		"sender_dependent_default_transport_maps": byHand("all mail goes to one relay"),
		"smtp_header_checks":                      byHand("headers are not filtered"),
		"header_checks":                           byHand("headers are not filtered"),
		"always_bcc":                              byHand("no copies are made: a transport rule in Exchange can"),
		"sender_bcc_maps":                         byHand("no copies are made: a transport rule in Exchange can"),
		"recipient_bcc_maps":                      byHand("no copies are made: a transport rule in Exchange can"),
		"content_filter":                          byHand("messages are not filtered"),
		"luser_relay":                             address("root_to"),
		"myhostname":                              name("from.host_name"),
		"smtp_helo_name":                          name("smtp.ehlo_name"),
		"biff":                                    notNeeded("nothing is delivered on this host"),
		"mailbox_size_limit":                      notNeeded("nothing is delivered on this host"),
		"mailbox_command":                         notNeeded("nothing is delivered on this host"),
		"home_mailbox":                            notNeeded("nothing is delivered on this host"),
		"local_transport":                         notNeeded("nothing is delivered on this host"),
		"default_transport":                       notNeeded("all mail goes to Exchange Online's relay"),
		"append_dot_mydomain":                     notNeeded("from.domain completes bare names"),
		"readme_directory":                        notNeeded("it is about Postfix's own files"),
		"html_directory":                          notNeeded("it is about Postfix's own files"),
		"compatibility_level":                     notNeeded("it is about Postfix's own defaults"),
		"smtp_sasl_auth_enable":                   notNeeded("the sign-in is XOAUTH2 as an application"),
		"smtp_sasl_security_options":              notNeeded("the sign-in is XOAUTH2 as an application"),
		"smtp_sasl_tls_security_options":          notNeeded("the sign-in is XOAUTH2 as an application"),
		"smtp_sasl_mechanism_filter":              notNeeded("the sign-in is XOAUTH2 as an application"),
		"smtp_use_tls":                            notNeeded(textTLS),
		"smtp_tls_CAfile":                         trustFile,
		"smtp_tls_CApath":                         trustFile,
		"maillog_file":                            notNeeded(textLog),
		"syslog_name":                             notNeeded(textLog),
		"recipient_delimiter":                     notNeeded("nothing is delivered on this host; Exchange Online knows + in addresses"),
		"minimal_backoff_time":                    notNeeded(textQueue),
		"maximal_backoff_time":                    notNeeded(textQueue),
		"queue_run_delay":                         notNeeded(textQueue),
		"mydomain":                                notNeeded("the host's own name does"),
		"myorigin": func(r *reading, v string) {
			if strings.HasPrefix(v, "/") {
				r.note(NotNeeded, "/etc/mailname is read here, too")
				return
			}
			name("from.domain")(r, v)
		},
		"masquerade_domains": notNeeded("senders are rewritten to the mailbox"),
		"mydestination":      notNeeded("this host's names are known; mail for its local names goes through the aliases"),
		"mynetworks":         func(r *reading, v string) { r.networks(v) },
		"inet_protocols": func(r *reading, v string) {
			if v == "ipv4" {
				r.take("smtp.ipv4_only", "true")
				return
			}
			r.note(NotNeeded, "IPv4 and IPv6 are both tried")
		},
		"inet_interfaces":        func(r *reading, v string) { r.listen(strings.FieldsFunc(v, isBlankOrComma)) },
		"smtp_bind_address":      byHand("the system chooses the address: give it a route"),
		"maximal_queue_lifetime": postfixTime("spool.lifetime"),
		"delay_warning_time":     postfixTime("spool.delay_warning"),
		"bounce_queue_lifetime":  notNeeded("reports have spool.lifetime, too"),
		"message_size_limit": func(r *reading, v string) {
			if v == "0" || strings.Trim(v, "0123456789") != "" || len(v) > 9 {
				r.note(ByHand, "set delivery.max_size if the account's limit does not do")
				return
			}
			r.take("delivery.max_size", quote(v+"B"))
		},
		"2bounce_notice_recipient": address("bounce_to"),
		"bounce_notice_recipient":  byHand("copies of reports are not made; bounce_to gets those that reach no sender"),
		"error_notice_recipient":   address("alert_to"),
		"notify_classes":           notNeeded("alert_to hears when mail stops"),
	}
}

func isBlankOrComma(c rune) bool { return c == ' ' || c == ',' || c == '\t' }

// networks are those that may relay.
func (r *reading) networks(v string) {
	for _, n := range strings.FieldsFunc(v, isBlankOrComma) {
		p, err := netip.ParsePrefix(strings.NewReplacer("[", "", "]", "").Replace(n))
		if err != nil || !p.Addr().Unmap().IsLoopback() && !strings.HasPrefix(n, "[::ffff:127.") {
			r.note(ByHand, "other hosts need agent.listen with agent.allow_remote and agent.allow_from")
			return
		}
	}
	r.note(NotNeeded, "mail is taken from this host only")
}

// postfixTime takes a time; Postfix has days where no unit stands for these two, and its units are ours.
func postfixTime(key string) rule {
	return func(r *reading, v string) {
		number := strings.TrimRight(v, "smhdw")
		unit := v[len(number):]
		if number == "" || strings.Trim(number, "0123456789") != "" || len(number) > 6 || len(unit) > 1 {
			r.note(ByHand, "it is no time: %s keeps its default", key)
			return
		}
		if unit == "" {
			unit = map[string]string{"spool.lifetime": "d", "spool.delay_warning": "h"}[key]
		}
		r.take(key, quote(number+unit))
	}
}

func senderTable(r *reading, v string) {
	rows := 0
	r.table(v, func(key, value string) {
		rows++
		r.mapped(key, value)
	})
	if rows == 0 {
		r.note(ByHand, "write its rows into from.map, with from.policy = \"map\"")
	}
}

// table calls see with the rows of the text that a Postfix table is made from (postmap(1)).
func (r *reading) table(v string, see func(key, value string)) {
	at := r.at
	for _, t := range strings.FieldsFunc(v, isBlankOrComma) {
		kind, file, ok := strings.Cut(t, ":")
		if !ok || !path.IsAbs(file) || kind != "hash" && kind != "texthash" && kind != "lmdb" && kind != "btree" {
			continue
		}
		r.eachLine(file, r.text(file), func(line string) {
			words := strings.Fields(line)
			if len(words) < 2 {
				return
			}
			r.at.Name = words[0]
			see(words[0], strings.Join(words[1:], " "))
		})
	}
	r.at = at
}
