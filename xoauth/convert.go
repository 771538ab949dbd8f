package xoauth

import (
	"cmp"
	"path/filepath"
	"strings"
)

// The commands that convert what this package does not read. Each writes a new file beside
// the old one, which only its owner can read if it holds a key.

// pkcs12 writes what a PFX holds as PEM, with the same passphrase. (Piped into a second
// openssl pkcs12 -export it would be a PFX again, but only if its key comes first. And of one
// file in both -passin and -passout, OpenSSL takes the second line for the latter.)
func (f *keyFiles) pkcs12(legacy bool) string {
	file, flags := f.old("old.pfx"), ""
	if legacy {
		flags = " -legacy"
	}
	out := " -out " + f.new("new.pem", ".pem")
	switch {
	case f.base64:
		return f.plainPassphrase() + "base64 -di " + file + " | openssl pkcs12" + flags + f.passIn() + " -nodes" + out
	case f.o.Passphrase.Empty():
		return "openssl pkcs12 -in " + file + flags + f.passIn() + " -nodes" + out
	}
	return f.plainPassphrase() + "openssl pkcs12 -in " + file + flags + f.passIn() + " -aes256 -passout stdin" + out +
		" <" + f.passphrase()
}

func (f *keyFiles) passIn() string {
	if f.o.Passphrase.Empty() {
		return " -passin pass:"
	}
	return " -passin file:" + f.passphrase()
}

// pkcs8 encrypts a key in the usual way. Without a passphrase, openssl asks for it.
func (f *keyFiles) pkcs8(legacy bool) string {
	s := "openssl pkcs8 -topk8 -v2 aes-256-cbc -in " + f.old("old.key")
	if legacy {
		s += " -provider legacy -provider default"
	}
	if s += " -out " + f.new("new.key", ".key"); f.o.Passphrase.Empty() {
		return s
	}
	return f.plainPassphrase() + s + f.passIn() + " -passout stdin <" + f.passphrase()
}

// pkcs7 writes the certificates as PEM. Form is DER or PEM.
func (f *keyFiles) pkcs7(form string) string {
	return "openssl pkcs7 -inform " + form + " -in " + f.old("old.p7b") + " -print_certs -out " +
		f.new("new.pem", ".pem")
}

// keytool writes a PFX. Without a passphrase, keytool asks for it.
func (f *keyFiles) keytool() string {
	s := "keytool -importkeystore -srckeystore " + f.old("old.jks") +
		" -destkeystore " + f.new("new.p12", ".p12") + " -deststoretype PKCS12"
	if !f.o.Passphrase.Empty() {
		s += " -srcstorepass:file " + f.passphrase() + " -deststorepass:file " + f.passphrase()
	}
	return f.plainPassphrase() + "(umask 077; " + s + ")"
}

// plainPassphrase begins a command by making the passphrase file one that other programs read, too.
func (f *keyFiles) plainPassphrase() string {
	if !f.o.WindowsPassphrase {
		return ""
	}
	return `sed -i '1s/^\xef\xbb\xbf//;s/\r$//' ` + f.passphrase() + " && "
}

func (f *keyFiles) iconv(charset string) string {
	return "(umask 077; iconv -f " + charset + " -t UTF-8 " + f.old("old.pem") + " >" + f.new("new.pem", ".pem") + ")"
}

func (f *keyFiles) old(unnamed string) string { return shellQuote(cmp.Or(f.file, unnamed)) }
func (f *keyFiles) passphrase() string {
	return shellQuote(cmp.Or(f.o.PassphraseFile, "passphrase.txt"))
}

// new is a name beside the old file.
func (f *keyFiles) new(unnamed, suffix string) string {
	if f.file == "" {
		return unnamed
	}
	return shellQuote(strings.TrimSuffix(f.file, filepath.Ext(f.file)) + ".new" + suffix)
}

// shellQuote makes a path fit for pasting into a shell.
func shellQuote(path string) string {
	for i := range len(path) {
		if c := path[i]; !isTokenByte(c) && c != ',' && c != ':' && c != '@' {
			return "'" + strings.ReplaceAll(clean(path, 4096), "'", `'\''`) + "'"
		}
	}
	return path
}
