//go:build system

package system

import (
	"os/exec"
	"strings"
	"testing"
)

// Libraries and idioms of languages other than PHP.
var languageCallers = []caller{
	{name: "Perl, MIME::Lite", pkg: "libmime-lite-perl", test: mimeLite},
	{name: "Perl, Email::Sender", pkg: "libemail-sender-perl", test: emailSender},
	{name: "Ruby, mail", pkg: "ruby-mail", test: rubyMail},
	{name: "Node.js, nodemailer", pkg: "node-nodemailer", test: nodemailer},
	{name: "Python, `subprocess` and `email`", pkg: "python3", test: python},
}

// fromLibrary runs a script whose arguments are subject, text and the directory
// with the attachments.
func fromLibrary(t *testing.T, r *run, body string, argv ...string) {
	t.Helper()
	a := newAttachments(t)
	c := r.call(t, "www-data", append(argv, "Überblick "+r.marker, trickyBody+"\n", a.dir)...)
	c.env = []string{"NODE_PATH=/usr/share/nodejs"} // Debian's node looks there by itself
	succeed(t, c)
	r.arrive(t, expectation{
		to: []string{"you@example.org", "cc@example.org", hidden}, subject: "Überblick " + r.marker, body: body,
		files: a.files,
		header: map[string]string{"To": "Dü You <you@example.org>", "Cc": "cc@example.org",
			"Reply-To": "desk@web1.example"},
	})
}

func mimeLite(t *testing.T, r *run) {
	fromLibrary(t, r, trickyBody+"\n", "/usr/bin/perl", "-MMIME::Lite", "-MEncode", "-e", `
		my ($subject, $body, $dir) = @ARGV;
		my $m = MIME::Lite->new(From => 'shop@web1.example', To => '=?utf-8?Q?D=C3=BC_You?= <you@example.org>', Cc => 'cc@example.org', Bcc => '`+hidden+`',
			'Reply-To' => 'desk@web1.example', Subject => join(' ', map { /[^ -~]/ ? encode('MIME-Q', decode('utf-8', $_)) : $_ } split ' ', $subject), Type => 'multipart/mixed');
		$m->attach(Type => 'text/plain; charset=utf-8', Data => $body, Encoding => '8bit');
		$m->attach(Type => 'application/octet-stream', Path => $_, Encoding => 'base64', Disposition => 'attachment') for sort glob "$dir/*";
		$m->send or die;`)
}

func emailSender(t *testing.T, r *run) {
	body := trickyBody + "\n"
	succeed(t, r.call(t, "www-data", "/usr/bin/perl", "-MEmail::Sender::Simple=sendmail",
		"-MEmail::Sender::Transport::Sendmail", "-MEmail::Simple", "-MEncode", "-e", `
		my ($subject, $body) = @ARGV;
		my $m = Email::Simple->create(header => [From => 'Shop <shop@web1.example>', To => 'you@example.org', Cc => 'cc@example.org',
			Subject => join(' ', map { /[^ -~]/ ? encode('MIME-Q', decode('utf-8', $_)) : $_ } split ' ', $subject), 'MIME-Version' => '1.0',
			'Content-Type' => 'text/plain; charset=utf-8', 'Content-Transfer-Encoding' => '8bit'], body => $body);
		sendmail($m, {to => ['you@example.org', 'cc@example.org', '`+hidden+`'], from => 'bounce@web1.example', transport => Email::Sender::Transport::Sendmail->new});`,
		"Überblick "+r.marker, body))
	r.arrive(t, expectation{
		to: []string{"you@example.org", "cc@example.org", hidden}, subject: "Überblick " + r.marker, body: body,
		header: map[string]string{"To": "you@example.org", "Cc": "cc@example.org"},
	})
}

func rubyMail(t *testing.T, r *run) {
	body := trickyBody + "\n"
	version, err := exec.Command("/usr/bin/ruby", "-r", "mail", "-e", "print Mail::VERSION.version").Output()
	must(t, err)
	if strings.HasPrefix(string(version), "2.7.") { // it writes CR as =0D before each line end of quoted-printable text
		body = strings.ReplaceAll(body, "\n", "\r\n")
	}
	fromLibrary(t, r, body, "/usr/bin/ruby", "-e", `
		require 'mail'
		subject, text, dir = ARGV
		m = Mail.new(charset: 'UTF-8') do
			from 'Bäcker <shop@web1.example>'
			to 'Dü You <you@example.org>'
			cc 'cc@example.org'
			bcc '`+hidden+`'
			reply_to 'desk@web1.example'
			subject subject
			text_part { content_type 'text/plain; charset=UTF-8'; body text }
			Dir.glob(dir + '/*').sort.each { |f| attachments[File.basename(f)] = { mime_type: 'application/octet-stream', content: File.binread(f) } }
		end
		m.delivery_method :sendmail
		m.deliver!`)
}

func nodemailer(t *testing.T, r *run) {
	fromLibrary(t, r, trickyBody+"\n", "/usr/bin/node", "-e", `
		const [subject, text, dir] = process.argv.slice(1)
		const fs = require('fs')
		require('nodemailer').createTransport({ sendmail: true }).sendMail({
			from: { name: 'Bäcker, Köln', address: 'shop@web1.example' }, to: { name: 'Dü You', address: 'you@example.org' },
			cc: 'cc@example.org', bcc: '`+hidden+`', replyTo: 'desk@web1.example', subject, text,
			attachments: fs.readdirSync(dir).map(f => ({ path: dir + '/' + f })),
		}).catch(e => { console.error(e); process.exit(1) })`)
}

func python(t *testing.T, r *run) {
	fromLibrary(t, r, trickyBody+"\n", "/usr/bin/python3", "-c", `
import os, subprocess, sys
from email.message import EmailMessage
_, subject, text, dir = sys.argv
m = EmailMessage()
m["From"] = "Bäcker <shop@web1.example>"
m["To"] = "Dü You <you@example.org>"
m["Cc"] = "cc@example.org"
m["Bcc"] = "`+hidden+`"
m["Reply-To"] = "desk@web1.example"
m["Subject"] = subject
m.set_content(text)
for f in sorted(os.listdir(dir)):
	with open(os.path.join(dir, f), "rb") as data:
		m.add_attachment(data.read(), maintype="application", subtype="octet-stream", filename=f)
subprocess.run(["/usr/sbin/sendmail", "-t", "-oi"], input=m.as_bytes(), check=True)
`)
}
