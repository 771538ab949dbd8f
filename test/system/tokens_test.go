//go:build system

package system

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// tokenRecipes say for each block of o365-sendmail(8), "Tokens for other programs", what it takes to run it as it is
// printed, here at the emulator: where it begins, what is put before and after it, and what a server needs whose
// authority the system does not know. CAFILE is that authority's file, NAME the mailbox, and a message is in msg, its
// text in body.
var tokenRecipes = []struct{ name, program, starts, before, after, replace, by string }{
	{"msmtp", "/usr/bin/msmtp", "account default", "umask 077; cat >rc <<'END'\n",
		"tls_trust_file CAFILE\nEND\nmsmtp -C rc you@example.org <msg", "", ""},
	{"mutt", "/usr/bin/mutt", "set smtp_url", "cat >rc <<'END'\n",
		"set certificate_file=CAFILE copy=no\nEND\nmutt -n -F rc -s MARKER you@example.org <body", "", ""},
	{"neomutt", "/usr/bin/neomutt", "set smtp_url", "cat >rc <<'END'\n",
		"set certificate_file=CAFILE copy=no\nEND\nneomutt -n -F rc -s MARKER you@example.org <body", "", ""},
	{"curl", "/usr/bin/curl", "t=$(", "", "", "curl -K", "curl -sS --cacert CAFILE -K"},
	{"s-nail", "/usr/bin/s-nail", "s-nail", "exec <body; ", "", "s-nail -S", "s-nail -:/ -Stls-ca-file=CAFILE -S"},
	{"smtplib", "/usr/bin/python3", "s = smtplib", "token=$(o365-sendmail token --raw) python3 - <<'END'\n" +
		"import os, smtplib, ssl\ntoken, mailbox = os.environ['token'], 'NAME'\n",
		"s.sendmail(mailbox, 'you@example.org', open('msg').read())\ns.quit()\nEND",
		"create_default_context()", "create_default_context(cafile='CAFILE')"},
	{"PHPMailer", "/usr/share/php/libphp-phpmailer/autoload.php", "class Token", "cat >send.php <<'END'\n<?php\n" +
		"require '/usr/share/php/libphp-phpmailer/autoload.php';\n$mail = new PHPMailer\\PHPMailer\\PHPMailer(true);\n",
		"$mail->SMTPOptions = ['ssl' => ['cafile' => 'CAFILE']];\n$mail->setFrom('NAME');\n" +
			"$mail->addAddress('you@example.org');\n$mail->Subject = 'MARKER';\n$mail->Body = 'hello';\n$mail->send();\n" +
			"END\nphp send.php", "", ""},
	{"nodemailer", "/usr/share/nodejs/nodemailer", "const token",
		"export NODE_EXTRA_CA_CERTS=CAFILE; cat >send.js <<'END'\n",
		"transport.sendMail({from: 'NAME', to: 'you@example.org', subject: 'MARKER', text: 'hello'},\n" +
			"  (err) => { if (err) throw err; transport.close() })\nEND\nNODE_PATH=/usr/share/nodejs node send.js", "", ""},
	{"Go", "", "type xoauth2", "", "", "", ""}, // built by goRecipe
}

// goRecipe is what stands around the block in Go.
const goRecipe = `package main

import (
	"errors"
	"log"
	"os"
	"os/exec"
	"strings"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

var _ sasl.Client = xoauth2{}

BLOCK
func main() {
	c, err := dial()
	if err != nil {
		log.Fatal(err)
	}
	f, err := os.Open("msg")
	if err == nil {
		err = c.SendMail("NAME", []string{"you@example.org"}, f)
	}
	if err != nil {
		log.Fatal(err)
	}
}
`

// printedRecipes are the blocks of that chapter, as man(1) shows them.
func printedRecipes(t *testing.T) (blocks []string) {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(lab.root, "docs", "o365-sendmail.8"))
	must(t, err)
	_, chapter, _ := strings.Cut(string(page), "\n.Ss Tokens for other programs\n")
	chapter, _, _ = strings.Cut(chapter, "\n.Ss ")
	for _, m := range regexp.MustCompile(`(?s)\n\.Bd [^\n]*\n(.*?\n)\.Ed\n`).FindAllStringSubmatch(chapter, -1) {
		blocks = append(blocks, strings.NewReplacer(`\-`, "-", `\(aq`, "'", `\e`, `\`).Replace(m[1]))
	}
	return blocks
}

// TestTokenRecipes: the programs of the manual page sign in with a token of ours by its recipes. Each block is run, one
// after the other: these programs know nothing of the connections that others have.
func TestTokenRecipes(t *testing.T) {
	t.Parallel()
	e, run := ownEmulator(t, filepath.Join(lab.dir(t), "e")), map[string]bool{}
	blocks := printedRecipes(t)
	for _, r := range tokenRecipes {
		var block string
		for _, b := range blocks {
			if strings.HasPrefix(b, r.starts) {
				block, run[b] = b, true
			}
		}
		if block == "" {
			t.Errorf("%s: the manual page has no block that begins with %q", r.name, r.starts)
			continue
		}
		t.Run(r.name, func(t *testing.T) {
			if _, err := os.Stat(r.program); r.program != "" && err != nil {
				t.Skip(r.program, " is not installed (make packages)")
			}
			marker, dir := newMarker("token-"+r.name), lab.dir(t)
			host, port := tomlValue(t, e.toml, "host"), tomlValue(t, e.toml, "port")
			named := strings.NewReplacer("noreply@contoso.com", e.mailbox(), "NAME", e.mailbox(),
				"noreply%40contoso.com", strings.Replace(e.mailbox(), "@", "%40", 1),
				"smtp.office365.com", host, "587", port, "CAFILE", e.caFile, "MARKER", marker,
				"-s subject", "-s "+marker)
			if r.replace != "" && !strings.Contains(block, r.replace) {
				t.Fatalf("%q is not in\n%s", r.replace, block)
			}
			script := r.before + strings.Replace(block, r.replace, r.by, 1) + r.after
			must(t, os.WriteFile(filepath.Join(dir, "body"), []byte("hello\n"), 0o644))
			message := fmt.Sprintf("From: %s\nTo: you@example.org\nSubject: %s\n\nhello\n", e.mailbox(), marker)
			must(t, os.WriteFile(filepath.Join(dir, "msg"), []byte(message), 0o644))
			if r.name == "Go" {
				buildRecipe(t, dir, named.Replace(strings.Replace(goRecipe, "BLOCK", block, 1)))
				script = "SSL_CERT_FILE=CAFILE ./recipe"
			}
			c := newCall(t, e, "", "sh", "-c", named.Replace(script))
			c.dir = dir
			must(t, os.Symlink(lab.program, filepath.Join(dir, "o365-sendmail")))
			c.env = append(c.env, "PATH="+dir+":/usr/bin:/bin")
			if got := c.run(t); got.code != 0 {
				t.Fatalf("%s", got)
			}
			one(t, e, marker)
		})
	}
	for _, b := range blocks {
		if !run[b] {
			t.Errorf("no recipe runs the block\n%s", b)
		}
	}
}

// buildRecipe builds a program with the modules of this one.
func buildRecipe(t *testing.T, dir, text string) {
	t.Helper()
	source := filepath.Join(dir, "recipe.go")
	must(t, os.WriteFile(source, []byte(text), 0o644))
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "recipe"), source)
	build.Dir, build.Env = lab.root, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// tomlValue is the first value of a key in a configuration, without quotes.
func tomlValue(t *testing.T, text, key string) string {
	t.Helper()
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(line, "="); ok && strings.TrimSpace(name) == key {
			return strings.Trim(strings.TrimSpace(value), `"`)
		}
	}
	t.Fatalf("no %s in\n%s", key, text)
	return ""
}
