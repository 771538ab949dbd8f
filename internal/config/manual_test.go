package config

import "strings"

// manual returns o365-sendmail.toml(5) in mdoc(7).
func manual() string {
	var b strings.Builder
	b.WriteString(manualHead)
	b.WriteString(".Sh KEYS\n")
	prose(&b, "A key that is not set has its default. Names are case-sensitive.")
	for i := range groups {
		g := &groups[i]
		if g.name == "" {
			b.WriteString(".Ss The top of the file\n")
		} else {
			b.WriteString(".Ss [" + g.name + "]\n")
		}
		prose(&b, g.help)
		b.WriteString(".Bl -tag -width Ds\n")
		for j := range g.keys {
			manualKey(&b, &g.keys[j])
		}
		b.WriteString(".El\n")
	}
	b.WriteString(manualTail)
	return b.String()
}

func manualKey(b *strings.Builder, k *Key) {
	b.WriteString(".It Ic " + k.Name + "\n")
	prose(b, k.Help)
	if k.More != "" {
		prose(b, k.More)
	}
	if k.Optional {
		prose(b, "With a wrong value only this key has no effect.")
	}
	b.WriteString(".br\n")
	prose(b, "Expected: "+k.Expects()+".")
	switch {
	case k.kindDefaults() != "":
		prose(b, "Default: "+k.kindDefaults()+".")
	case k.ofKind != nil:
		prose(b, "Default: "+k.defaultText()+".")
	case k.Default != nil && k.Default == "":
		prose(b, `Default: "".`)
	case k.Default != nil:
		prose(b, "Default: "+k.defaultText()+".")
	case k.Derived != "":
		prose(b, "Default: "+k.Derived+".")
	case k.Required:
		prose(b, "There is no default.")
	default:
		prose(b, "Not set by default.")
	}
}

// prose writes text one sentence a line, as mdoc wants it, with roff's own signs escaped.
func prose(b *strings.Builder, text string) {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "~", `\(ti`, "'", `\(aq`, "^", `\(ha`, "`", `\(ga`).Replace(text)
	for {
		end := sentence(text)
		line := text[:end]
		if strings.HasPrefix(line, ".") {
			line = `\&` + line
		}
		b.WriteString(line + "\n")
		text = strings.TrimPrefix(text[end:], " ")
		if text == "" {
			return
		}
	}
}

// sentence returns where the first sentence ends: before a space and a capital or quote.
func sentence(text string) int {
	for i := 0; i+2 < len(text); i++ {
		if text[i] == '.' && text[i+1] == ' ' && (text[i+2] >= 'A' && text[i+2] <= 'Z' || text[i+2] == '"') {
			return i + 1
		}
	}
	return len(text)
}

const manualHead = `.\" Generated from internal/config by: go test ./internal/config -update
.Dd November 25, 2026
.Dt O365-SENDMAIL.TOML 5
.Os
.Sh NAME
.Nm o365-sendmail.toml
.Nd configuration file of o365-sendmail
.Sh SYNOPSIS
.Pa /etc/o365-sendmail.toml
.Sh DESCRIPTION
This file tells
.Xr o365-sendmail 8
and
.Xr sendmail 8
which Microsoft 365 mailbox they send with, and how.
Four keys are enough:
.Bd -literal -offset indent
tenant        = "contoso.onmicrosoft.com"
client_id     = "1b4e28ba-2fa1-11d2-883f-0016d3cca427"
client_secret = "the secret's Value"
mailbox       = "noreply@contoso.com"
.Ed
.Pp
The file is TOML, in UTF-8.
The keys of the account come before the first
.Bq table ;
the names after a table's heading belong to that table, and
.Ql smtp.port = 587
at the top means the same as
.Ql port = 587
below
.Ql [smtp] .
.Pp
The first of these files that exists is used:
.Bl -enum -compact
.It
the file after
.Fl C
on the command line;
.It
the file that the environment variable
.Ev O365_SENDMAIL_CONFIG
names (never read by the agent);
.It
.Pa ~/.config/o365-sendmail.toml ,
if the caller owns it;
.It
.Pa /etc/o365-sendmail.toml .
.El
.Pp
The file is read strictly.
An unknown key, a value of the wrong kind, a number without its unit, a value that is out of range and keys that
contradict each other are faults; all of them are reported at once, with file, line, key and what was expected:
.Bd -literal -offset indent
/etc/o365-sendmail.toml:4: mailbx: unknown key; did you mean mailbox?
.Ed
.Pp
.Ic o365-sendmail config check
lists them, and
.Ic o365-sendmail config show
prints the value of each key and where it comes from.
The agent starts in spite of faults: it then keeps mail and sends none.
A wrong value of a key that delivery does not need affects only that key, where this page says so: the key keeps its
default, and the log,
.Ic o365-sendmail doctor
and
.Ic config check
name it.
.Pp
A time is a number with its unit: ms, s, m, h, d or w. Several of them add up, as in
.Ql 2h30m .
A size is a number with its unit: B, kB, MB, GB and TB are powers of 1000, KiB, MiB, GiB and TiB of 1024.
`

const manualTail = `.Sh FILES
.Bl -tag -width Ds
.It Pa /etc/o365-sendmail.toml
the configuration of the host, root:o365\-sendmail with mode 0640
.It Pa ~/.config/o365-sendmail.toml
the configuration of one user, with mode 0600; its cache is
.Pa ~/.cache/o365-sendmail ,
and it has no spool unless it names one
.It Pa /var/lib/o365-sendmail
access tokens
.It Pa /var/spool/o365-sendmail
the spool
.It Pa /run/o365-sendmail/submit.sock
the agent\(aqs socket
.It Pa /etc/aliases
aliases of local names, see
.Xr aliases 5
.El
.Sh EXIT STATUS
A program that can\(aqt use its configuration exits with 78
.Pq Dv EX_CONFIG
and one line on standard error.
.Sh EXAMPLES
A secret in a file of its own, mail for root, and a second sender:
.Bd -literal -offset indent
tenant             = "contoso.onmicrosoft.com"
client_id          = "1b4e28ba-2fa1-11d2-883f-0016d3cca427"
client_secret_file = "/etc/o365-sendmail.secret"
secret_expires     = 2027-01-31
mailbox            = "noreply@contoso.com"
root_to            = "it@contoso.com"
alert_to           = "it@contoso.com"

[from]
send_as = ["shop@contoso.com"]

[aliases]
webmaster = ["root", "web@contoso.com"]
.Ed
.Pp
A certificate instead of a secret:
.Bd -literal -offset indent
[credential]
type             = "certificate"
certificate_file = "/etc/o365-sendmail/client.pem"
key_file         = "credential:client-key"
.Ed
.Sh SEE ALSO
.Xr aliases 5 ,
.Xr systemd.exec 5 ,
.Xr o365-sendmail 8 ,
.Xr sendmail 8
.Sh SECURITY
A file that holds a secret (this one with
.Ic client_secret ,
and each file that a key names for a secret, a key or a passphrase) is refused when every user can read it.
This file and those are refused when their group or others can write them, and when their owner is neither root nor
.Sy o365-sendmail
nor the running user: whoever can change this file can have the secret sent elsewhere.
For a symbolic link the file that it leads to counts.
The error names the command that fixes it.
Anything but a regular file, and a file larger than 1 MiB, is refused as well.
.Pp
On a host with the agent, no caller needs to read this file: keep it at mode 0640 with the group
.Sy o365-sendmail ,
and put no other user into that group.
Without the agent, whoever can send with this file can also read the secret in it.
.Pp
Secrets that a container runtime mounts are often readable by all.
In Kubernetes, set
.Ql defaultMode: 0440
for the volume.
.Pp
No secret is ever printed: errors, logs and
.Ic o365-sendmail config show
have
.Ql [redacted]
in its place.
Proxies and certificate authorities come from this file only, never from the environment.
`
