//go:build system

package system

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"o365-sendmail/internal/assemble"
	"o365-sendmail/internal/config"
	"o365-sendmail/internal/deliver"
	"o365-sendmail/internal/emulator"
)

// credentialRow is a credential as a tool of Debian writes it. It signs in as it is, or it is
// refused with a command that makes it sign in.
type credentialRow struct {
	name string
	make string // shell, in a directory that holds what credentialBase has made
	keys string // of [credential]; a file name stands in <>
	hint string // in the refusal; "" when it signs in at once
	then string // keys after the hint's command
}

// credentialBase makes an RSA pair with a chain, and CAs that package crypto/x509 can't parse.
const credentialBase = `
printf 'fixture 1\n' >p; printf 'fixture 1\r\n' >p-windows
printf 'pass-\360\237\224\221\n' >p-key; printf 'other\n' >p-other
openssl req -x509 -newkey rsa:2048 -noenc -days 900 -subj /CN=ca -keyout ca.key -out ca.crt
openssl req -newkey rsa:2048 -noenc -subj /CN=app -keyout leaf.key -out leaf.csr
openssl x509 -req -in leaf.csr -signkey leaf.key -set_serial 3 -days 30 -out older.crt
openssl x509 -req -in leaf.csr -CA ca.crt -CAkey ca.key -set_serial 2 -days 90 -out leaf.crt
openssl req -x509 -key ca.key -set_serial -5 -days 900 -subj /CN=old -out negative.crt
openssl ecparam -name brainpoolP256r1 -genkey -noout -out brainpool.key
openssl req -x509 -key brainpool.key -days 900 -subj /CN=brainpool -out brainpool.crt
cat leaf.key leaf.crt >both.pem
openssl pkcs12 -export -inkey leaf.key -in leaf.crt -certfile ca.crt -passout file:p -out plain.pfx
`

// credentialTools are the calls of the tools that several rows share.
const credentialTools = `
new() { openssl req -x509 -newkey "$@" -noenc -subj /CN=a -keyout x.key -out x.crt; }
newpfx() { openssl pkcs12 -export -inkey x.key -in x.crt -passout file:p -out x.pfx; }
pfx() { openssl pkcs12 -export -inkey leaf.key -in leaf.crt "$@"; }
gnutls() { certtool --to-p12 --load-privkey leaf.key --load-certificate leaf.crt --p12-name app "$@"; }
java() { keytool -importkeystore -srckeystore plain.pfx -srcstoretype PKCS12 -srcstorepass:file p "$@"; }
nss() {
	mkdir db
	certutil -N -d db --empty-password
	pk12util -i plain.pfx -d db -w p
	pk12util -o x.pfx -n "$(certutil -L -d db | sed -n 's/ *u,u,u$//p')" -d db -w p "$@"
}
`

const (
	pemPair = "certificate_file = <leaf.crt>\nkey_file = <leaf.key>"
	withP   = "\npassphrase_file = <p>"
	pemKey  = "certificate_file = <leaf.crt>\nkey_file = <x.key>"
	newKey  = "certificate_file = <leaf.crt>\nkey_file = <x.new.key>"
	newPair = "certificate_file = <x.crt>\nkey_file = <x.key>"
	madeNew = "certificate_file = <cert.pem>\nkey_file = <key.pem>"
)

func pfxRow(name, flags string) credentialRow {
	return credentialRow{name: "openssl, " + name, keys: "pfx_file = <x.pfx>" + withP,
		make: "pfx -certfile ca.crt -passout file:p -out x.pfx " + flags}
}

// oddPFX is a PFX that is read after the hint's command.
func oddPFX(name, script string) credentialRow {
	return credentialRow{
		name: name, make: script, keys: "pfx_file = <x.pfx>" + withP,
		hint: "can't be read", then: "pfx_file = <x.new.pem>" + withP,
	}
}

var credentialRows = []credentialRow{
	{name: "PEM, two files", keys: pemPair},
	{name: "PEM, one file", keys: "certificate_file = <both.pem>"},
	{name: "PEM, one file named twice", keys: "certificate_file = <both.pem>\nkey_file = <both.pem>"},
	{
		name: "PEM, one file with the chain",
		make: "cat ca.crt both.pem >x.pem",
		keys: "certificate_file = <x.pem>",
	},
	{
		name: "PEM with a CA of negative serial number",
		make: "cat negative.crt both.pem >x.pem",
		keys: "certificate_file = <x.pem>",
	},
	{
		name: "PEM with a CA on a brainpool curve",
		make: "cat both.pem brainpool.crt >x.pem",
		keys: "certificate_file = <x.pem>",
	},
	{
		name: "PEM with a byte order mark",
		make: `{ printf '\357\273\277'; cat both.pem; } >x.pem`,
		keys: "certificate_file = <x.pem>",
	},
	{name: "PEM, indented", make: "sed 's/^/    /' both.pem >x.pem", keys: "certificate_file = <x.pem>"},
	{
		name: "PEM, TRUSTED CERTIFICATE",
		make: "openssl x509 -in leaf.crt -trustout -addtrust clientAuth -out x.crt",
		keys: "certificate_file = <x.crt>\nkey_file = <leaf.key>",
	},
	{
		name: "PEM, two certificates",
		make: "cat both.pem older.crt >a.pem; cat older.crt both.pem >x.pem",
		keys: "certificate_file = <x.pem>",
	},
	{
		name: "PEM of az ad sp create-for-rbac",
		make: "openssl pkcs8 -topk8 -nocrypt -in leaf.key | cat - leaf.crt >x.pem",
		keys: "certificate_file = <x.pem>",
	},
	{
		name: "PEM, UTF-16 of PowerShell",
		make: "iconv -f UTF-8 -t UTF-16 both.pem >x.pem",
		keys: "certificate_file = <x.pem>",
		hint: "UTF-16",
		then: "certificate_file = <x.new.pem>",
	},
	{
		name: "PEM, UTF-16 without a mark",
		make: "iconv -f UTF-8 -t UTF-16BE leaf.key >x.key",
		keys: pemKey,
		hint: "UTF-16",
		then: "certificate_file = <leaf.crt>\nkey_file = <x.new.pem>",
	},
	{
		name: "DER",
		make: "openssl x509 -in leaf.crt -outform DER -out x.cer; " +
			"openssl pkcs8 -topk8 -nocrypt -in leaf.key -outform DER -out x.key",
		keys: "certificate_file = <x.cer>\nkey_file = <x.key>",
	},
	{
		name: "key, PKCS #8 with a passphrase of Windows",
		make: "openssl pkcs8 -topk8 -in leaf.key -passout file:p -out x.key",
		keys: pemKey + "\npassphrase_file = <p-windows>",
	},
	{name: "key, PKCS #1", make: "openssl rsa -in leaf.key -traditional -out x.key", keys: pemKey},
	{
		name: "key, old cipher",
		make: "openssl rsa -in leaf.key -traditional -aes128 -passout file:p -out x.key",
		keys: pemKey + withP,
		hint: "the old way",
		then: newKey + withP,
	},
	{
		name: "key, scrypt",
		make: "openssl pkcs8 -topk8 -scrypt -in leaf.key -passout file:p -out x.key",
		keys: pemKey + withP,
		hint: "unusual way",
		then: newKey + withP,
	},
	{
		name: "key, PBES1",
		make: "openssl pkcs8 -topk8 -provider legacy -provider default -v1 PBE-SHA1-RC2-40 " +
			"-in leaf.key -passout file:p -out x.key",
		keys: pemKey + withP,
		hint: "unusual way",
		then: newKey + withP,
	},
	{
		name: "key, certtool with the ciphers of PKCS #12",
		make: "certtool --load-privkey leaf.key --to-p8 --pkcs-cipher rc2-40 --password 'fixture 1' --outfile x.key",
		keys: pemKey + withP,
		hint: "unusual way",
		then: newKey + withP,
	},
	{
		name: "key, certtool",
		make: "certtool --load-privkey leaf.key --to-p8 --password 'fixture 1' --outfile x.key",
		keys: pemKey + withP,
	},

	pfxRow("as it comes", ""),
	pfxRow("-legacy", "-legacy"),
	pfxRow("-descert", "-descert -legacy"),
	pfxRow("like Windows", `-keypbe PBE-SHA1-3DES -certpbe PBE-SHA1-3DES -macalg sha1 `+
		`-CSP "Microsoft Enhanced RSA and AES Cryptographic Provider" -name app`),
	pfxRow("SHA-512", "-macalg sha512"),
	oddPFX("openssl, SHA-384", "pfx -passout file:p -macalg sha384 -out x.pfx"),
	oddPFX("openssl, SHA3-256", "pfx -passout file:p -macalg sha3-256 -out x.pfx"),
	oddPFX("openssl, camellia",
		"pfx -passout file:p -keypbe CAMELLIA-256-CBC -certpbe CAMELLIA-256-CBC -out x.pfx"),
	oddPFX("openssl, 3DES in PBES2",
		"pfx -passout file:p -keypbe DES-EDE3-CBC -certpbe DES-EDE3-CBC -out x.pfx"),
	oddPFX("openssl, RC4",
		"pfx -passout file:p -keypbe PBE-SHA1-RC4-128 -certpbe PBE-SHA1-RC4-128 -legacy -out x.pfx"),
	oddPFX("openssl, no MAC", "pfx -passout file:p -nomac -out x.pfx"),
	{name: "openssl, no passphrase", make: "pfx -passout pass: -out x.pfx", keys: "pfx_file = <x.pfx>"},
	{
		name: "openssl, nothing encrypted",
		make: "pfx -passout pass: -keypbe NONE -certpbe NONE -nomac -out x.pfx",
		keys: "pfx_file = <x.pfx>",
	},
	{
		name: "openssl, nothing encrypted, a passphrase too many",
		make: "pfx -passout pass: -keypbe NONE -certpbe NONE -nomac -out x.pfx",
		keys: "pfx_file = <x.pfx>" + withP,
	},
	{
		name: "openssl, a passphrase with an emoji",
		make: "pfx -passout file:p-key -out x.pfx",
		keys: "pfx_file = <x.pfx>\npassphrase_file = <p-key>",
		hint: "can't be read",
		then: "pfx_file = <x.new.pem>\npassphrase_file = <p-key>",
	},
	{
		name: "openssl, CA of negative serial number",
		make: "pfx -certfile negative.crt -passout file:p -out x.pfx",
		keys: "pfx_file = <x.pfx>" + withP,
	},
	{
		name: "openssl, CA on a brainpool curve",
		make: "pfx -certfile brainpool.crt -passout file:p -legacy -out x.pfx",
		keys: "pfx_file = <x.pfx>" + withP,
	},
	{
		name: "Key Vault: base64, no passphrase",
		make: "pfx -passout pass: | base64 -w0 >x.pfx",
		keys: "pfx_file = <x.pfx>",
	},
	{
		name: "Key Vault: base64, a passphrase too many",
		make: "pfx -passout pass: | base64 >x.pfx",
		keys: "pfx_file = <x.pfx>" + withP,
	},
	oddPFX("base64, SHA-384", "pfx -passout file:p -macalg sha384 | base64 >x.pfx"),

	{
		name: "certtool",
		make: "gnutls --password 'fixture 1' --outder --outfile x.pfx",
		keys: "pfx_file = <x.pfx>" + withP,
	},
	{
		name: "certtool, PEM",
		make: "gnutls --password 'fixture 1' --outfile x.pfx",
		keys: "pfx_file = <x.pfx>" + withP,
	},
	{
		name: "certtool, no passphrase",
		make: "gnutls --empty-password --outder --outfile x.pfx",
		keys: "pfx_file = <x.pfx>",
	},
	oddPFX("certtool with its CA",
		"gnutls --load-ca-certificate ca.crt --password 'fixture 1' --outder --outfile x.pfx"),
	{
		name: "certtool with its CA, a passphrase file of Windows",
		make: "gnutls --load-ca-certificate ca.crt --password 'fixture 1' --outder --outfile x.pfx\n" +
			`{ printf '\357\273\277'; cat p-windows; } >p-bom`,
		keys: "pfx_file = <x.pfx>\npassphrase_file = <p-bom>",
		hint: "can't be read",
		then: "pfx_file = <x.new.pem>\npassphrase_file = <p-bom>",
	},
	oddPFX("pk12util", "nss"),
	oddPFX("pk12util, old ciphers",
		`nss -c 'PKCS #12 V2 PBE With SHA-1 And 3KEY Triple DES-CBC' `+
			`-C 'PKCS #12 V2 PBE With SHA-1 And 40 Bit RC2 CBC'`),
	{
		name: "keytool",
		make: "java -destkeystore x.pfx -deststoretype PKCS12 -deststorepass:file p",
		keys: "pfx_file = <x.pfx>" + withP,
	},
	{
		name: "keytool, old",
		make: "java -J-Dkeystore.pkcs12.legacy -destkeystore x.pfx -deststoretype PKCS12 -deststorepass:file p",
		keys: "pfx_file = <x.pfx>" + withP,
	},
	{
		name: "keytool, JKS",
		make: "java -destkeystore x.jks -deststoretype JKS -deststorepass:file p",
		keys: "pfx_file = <x.jks>" + withP,
		hint: "Java key store",
		then: "pfx_file = <x.new.p12>" + withP,
	},
	{
		name: "keytool, JCEKS",
		make: "java -destkeystore x.jks -deststoretype JCEKS -deststorepass:file p",
		keys: "pfx_file = <x.jks>" + withP,
		hint: "Java key store",
		then: "pfx_file = <x.new.p12>" + withP,
	},
	{
		name: "p7b",
		make: "openssl crl2pkcs7 -nocrl -certfile ca.crt -certfile leaf.crt -outform DER -out x.p7b",
		keys: "certificate_file = <x.p7b>\nkey_file = <leaf.key>",
		hint: "PKCS #7",
		then: "certificate_file = <x.new.pem>\nkey_file = <leaf.key>",
	},
	{
		name: "p7b, PEM",
		make: "openssl crl2pkcs7 -nocrl -certfile ca.crt -certfile leaf.crt -out x.p7b",
		keys: "certificate_file = <x.p7b>\nkey_file = <leaf.key>",
		hint: "PKCS #7",
		then: "certificate_file = <x.new.pem>\nkey_file = <leaf.key>",
	},

	{
		name: "RSA-PSS",
		make: "new rsa-pss -pkeyopt rsa_keygen_bits:2048",
		keys: newPair,
		hint: "RSA-PSS only",
		then: madeNew,
	},
	{
		name: "RSA-PSS in a PFX",
		make: "new rsa-pss -pkeyopt rsa_keygen_bits:2048; newpfx",
		keys: "pfx_file = <x.pfx>" + withP,
		hint: "RSA-PSS only",
		then: madeNew,
	},
	{name: "EC", make: "new ec -pkeyopt ec_paramgen_curve:P-256", keys: newPair, hint: "not RSA", then: madeNew},
	{
		name: "EC on a brainpool curve",
		keys: "certificate_file = <brainpool.crt>\nkey_file = <brainpool.key>",
		hint: "not RSA",
		then: madeNew,
	},
	{
		name: "EC on a brainpool curve in a PFX",
		make: "openssl pkcs12 -export -inkey brainpool.key -in brainpool.crt -passout file:p -out x.pfx",
		keys: "pfx_file = <x.pfx>" + withP,
		hint: "not RSA",
		then: madeNew,
	},
	{name: "Ed25519", make: "new ed25519", keys: newPair, hint: "not RSA", then: madeNew},
	{name: "RSA 1024", make: "new rsa:1024", keys: newPair, hint: "has 1024 bits", then: madeNew},
	{name: "RSA 512", make: "new rsa:512", keys: newPair, hint: "has 512 bits", then: madeNew},
	{
		name: "RSA 1024 in a PFX",
		make: "new rsa:1024; newpfx",
		keys: "pfx_file = <x.pfx>" + withP,
		hint: "has 1024 bits",
		then: madeNew,
	},
}

// Rows whose hint is to write a passphrase file, or to leave it out.
var passphraseRows = []credentialRow{
	{
		name: "PFX, passphrase missing",
		keys: "pfx_file = <plain.pfx>",
		hint: "none is set: write it into a file and name that in passphrase_file",
		then: "pfx_file = <plain.pfx>" + withP,
	},
	{
		name: "PFX, wrong passphrase",
		keys: "pfx_file = <plain.pfx>\npassphrase_file = <p-other>",
		hint: "the passphrase of the PFX file is wrong",
		then: "pfx_file = <plain.pfx>" + withP,
	},
	{
		name: "key, passphrase missing",
		make: "openssl pkcs8 -topk8 -in leaf.key -passout file:p -out x.key",
		keys: pemKey,
		hint: "no passphrase is set",
		then: pemKey + withP,
	},
	{
		name: "empty passphrase file",
		make: ": >empty",
		keys: pemPair + "\npassphrase_file = <empty>",
		hint: "leave passphrase_file out",
		then: pemPair,
	},
	{
		name: "certificate alone",
		keys: "certificate_file = <leaf.crt>",
		hint: "name the certificate's key file in key_file",
		then: pemPair,
	},
}

// TestCredentialMatrix takes each credential to the emulator, by the hint's command if need be.
func TestCredentialMatrix(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	bashIn(t, base, credentialBase)
	e := emulator.New(t)
	uploadCertificate(t, e, filepath.Join(base, "leaf.crt"))
	for _, row := range append(credentialRows, passphraseRows...) {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "credential")
			if err := os.CopyFS(dir, os.DirFS(base)); err != nil {
				t.Fatal(err)
			}
			bashIn(t, dir, "chmod 0600 *\n"+credentialTools+row.make+"\nchmod -R go= .")
			err := signInWith(t, e, dir, row.keys)
			if row.hint == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), row.hint) {
				t.Fatalf("want a refusal with %q: %v", row.hint, err)
			}
			if command := hintCommand.FindString(err.Error()); command != "" {
				bashIn(t, dir, command)
			} else if s := err.Error(); !strings.Contains(s, "passphrase") && !strings.Contains(s, "key_file") {
				t.Fatalf("no command in: %v", err)
			}
			if row.then == madeNew {
				uploadCertificate(t, e, filepath.Join(dir, "cert.pem"))
			}
			if err := signInWith(t, e, dir, row.then); err != nil {
				t.Errorf("after %q: %v", row.hint, err)
			}
		})
	}
}

// hintCommand is the command at the end of a refusal.
var hintCommand = regexp.MustCompile(`(sed -i |\(umask 077; |base64 -di |openssl ).*$`)

func bashIn(t *testing.T, dir, script string) {
	t.Helper()
	cmd := exec.Command("bash", "-euc", "umask 022\n"+script)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
}

func uploadCertificate(t *testing.T, e *emulator.Emulator, path string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	e.AddCertificate(string(text))
}

// signInWith loads the emulator's configuration with the credential and opens a session.
func signInWith(t *testing.T, e *emulator.Emulator, dir, keys string) error {
	t.Helper()
	var text strings.Builder
	for line := range strings.Lines(e.ConfigTOML(dir)) {
		if !strings.HasPrefix(line, "client_secret") {
			text.WriteString(line)
		}
	}
	keys = strings.NewReplacer("<", `"`+dir+"/", ">", `"`).Replace(keys)
	path := filepath.Join(dir, "config.toml")
	if err := os.WriteFile(path, fmt.Appendf(nil, "%s\n[credential]\n%s\n", text.String(), keys), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Loader{}.Load(path)
	if err != nil {
		return err
	}
	a, err := assemble.Account(cfg, assemble.Options{HostName: "web1", Getenv: func(string) string { return "" }})
	if err != nil {
		return err
	}
	return openSession(a)
}

func openSession(a *deliver.Account) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	s, _, err := a.Dial(ctx, a.Mailbox)
	if err == nil {
		s.Close()
	}
	return err
}
