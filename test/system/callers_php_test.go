//go:build system

package system

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var phpCallers = []caller{
	{name: "PHP `mail()`", pkg: "php-cli", test: phpMail},
	{name: "PHP `mail()` in a pool of FPM", pkg: "php-fpm", test: phpFPM},
	{name: "PHPMailer, `isSendmail()`", pkg: "libphp-phpmailer",
		test: func(t *testing.T, r *run) { phpMailer(t, r, "isSendmail") }},
	{name: "PHPMailer, `isMail()`", pkg: "libphp-phpmailer",
		test: func(t *testing.T, r *run) { phpMailer(t, r, "isMail") }},
	{name: "Symfony Mailer, `sendmail://default`", pkg: "php-symfony-mailer",
		test: func(t *testing.T, r *run) { symfony(t, r, "sendmail://default") }},
	{name: "Symfony Mailer, `native://default`", pkg: "php-symfony-mailer",
		test: func(t *testing.T, r *run) { symfony(t, r, "native://default") }},
}

// mailFunction is a script that calls PHP's mail() with additional headers and
// parameters; its arguments are subject and body.
const mailFunction = `mail("You <you@example.org>, other@example.org", $subject, $body, [
	"From" => "Shop <shop@web1.example>", "Cc" => "cc@example.org", "Bcc" => "` + hidden +
	`", "X-Mailer" => "PHP/" . phpversion(),
	"MIME-Version" => "1.0", "Content-Type" => "text/plain; charset=utf-8", "Content-Transfer-Encoding" => "8bit",
], "-fbounce@web1.example")`

func mailFunctionBody() string { return trickyBody + "\n" + strings.Repeat("long line ", 200) }

func mailFunctionArrives(t *testing.T, r *run) {
	t.Helper()
	r.arrive(t, expectation{
		to: []string{"you@example.org", "other@example.org", "cc@example.org", hidden}, subject: "Bestellung für " +
			r.marker,
		body: mailFunctionBody() + "\n", header: map[string]string{"To": "You <you@example.org>, other@example.org",
			"Cc": "cc@example.org"},
	})
}

func phpMail(t *testing.T, r *run) {
	script := `[, $subject, $body] = $argv; exit(` + mailFunction + ` ? 0 : 1);`
	succeed(t, r.call(t, "www-data", "/usr/bin/php", "-r", script, "--", "=?UTF-8?Q?Bestellung_f=C3=BCr?= "+r.marker,
		mailFunctionBody()))
	mailFunctionArrives(t, r)
}

// phpFPM starts FPM with Debian's configuration, whose pool "www" runs as
// www-data, and sends it a request as a web server does.
func phpFPM(t *testing.T, r *run) {
	dir := lab.dir(t)
	page := `<?php [$subject, $body] = json_decode(file_get_contents(__DIR__ . "/form.json")); echo ` + mailFunction +
		` ? "sent" : "failed", " by ", posix_getpwuid(posix_geteuid())["name"];`
	must(t, os.WriteFile(filepath.Join(dir, "page.php"), []byte(page), 0o644))
	must(t, os.WriteFile(filepath.Join(dir, "form.json"),
		jsonText(t, []string{"=?UTF-8?Q?Bestellung_f=C3=BCr?= " + r.marker, mailFunctionBody()}), 0o644))
	c := r.call(t, "www-data", "/bin/bash", "-c", `set -e
		"$1" --nodaemonize &
		until [ -S /run/php/*-fpm.sock ]; do sleep 0.05; done
		SCRIPT_FILENAME="$2" REQUEST_METHOD=GET cgi-fcgi -bind -connect /run/php/*-fpm.sock
		kill -QUIT $!
		wait $!`, "bash", newestFPM(t), filepath.Join(dir, "page.php"))
	c.daemon = true
	c.ownRun()
	c.then("mkdir /run/php")
	c.empty("/var/log")
	if got := c.run(t); got.code != 0 || !strings.HasSuffix(got.stdout, "sent by www-data") {
		t.Fatal(got)
	}
	mailFunctionArrives(t, r)
}

func newestFPM(t *testing.T) string {
	t.Helper()
	programs, err := filepath.Glob("/usr/sbin/php-fpm[0-9]*")
	if err != nil || len(programs) == 0 {
		t.Fatalf("no php-fpm: %v", err)
	}
	return programs[len(programs)-1]
}

func phpMailer(t *testing.T, r *run, mode string) {
	a := newAttachments(t)
	script := `require "libphp-phpmailer/autoload.php";
		[, $subject, $body, $dir] = $argv;
		$m = new PHPMailer\PHPMailer\PHPMailer(true);
		$m->` + mode + `();
		$m->CharSet = "utf-8";
		$m->setFrom("shop@web1.example", "Bäcker, Köln");
		$m->addAddress("you@example.org", "Dü You");
		$m->addCC("cc@example.org");
		$m->addBCC("` + hidden + `");
		$m->addReplyTo("desk@web1.example");
		$m->Subject = $subject;
		$m->Body = $body;
		foreach (scandir($dir) as $f) if ($f[0] != ".") $m->addAttachment("$dir/$f");
		$m->send();`
	succeed(t, r.call(t, "www-data", "/usr/bin/php", "-r", script, "--", "Überblick "+r.marker, trickyBody, a.dir))
	r.arrive(t, expectation{
		to: []string{"you@example.org", "cc@example.org", hidden}, subject: "Überblick " + r.marker, body: trickyBody +
			"\n", files: a.files,
		header: map[string]string{"To": "Dü You <you@example.org>", "Cc": "cc@example.org",
			"Reply-To": "desk@web1.example"},
	})
}

func symfony(t *testing.T, r *run, dsn string) {
	a := newAttachments(t)
	script := `require "Symfony/Component/Mailer/autoload.php";
		use Symfony\Component\Mime\{Address, Email};
		[, $subject, $body, $dir] = $argv;
		$m = (new Email())->from(new Address("shop@web1.example", "Bäcker, Köln"))->to(new Address("you@example.org", "Dü You"))
			->cc("cc@example.org")->bcc("` + hidden + `")->replyTo("desk@web1.example")->subject($subject)->text($body);
		foreach (scandir($dir) as $f) if ($f[0] != ".") $m->attachFromPath("$dir/$f");
		$mailer = new Symfony\Component\Mailer\Mailer(Symfony\Component\Mailer\Transport::fromDsn("` + dsn + `"));
		$mailer->send($m);`
	succeed(t, r.call(t, "www-data", "/usr/bin/php", "-r", script, "--", "Überblick "+r.marker, trickyBody, a.dir))
	r.arrive(t, expectation{
		to: []string{"you@example.org", "cc@example.org", hidden}, subject: "Überblick " + r.marker, body: trickyBody,
		files: a.files,
		header: map[string]string{"To": "Dü You <you@example.org>", "Cc": "cc@example.org",
			"Reply-To": "desk@web1.example"},
	})
}

// TestPHPFails shows that PHP says false when the mail was refused.
func TestPHPFails(t *testing.T) {
	t.Parallel()
	c := newCall(t, lab.postfix, "www-data", "/usr/bin/php", "-r", `exit(mail("you@example.org", "s", "b") ? 0 : 9);`)
	c.config = strings.Replace(c.config, lab.authority.clientSecret, "wrong", 1)
	if r := c.run(t); r.code != 9 || strings.Count(r.stderr, "\n") != 1 ||
		!strings.Contains(r.stderr, "AADSTS7000215") {
		t.Errorf("%v, want false from mail() and one line on stderr that names AADSTS7000215", r)
	}
}
