package xoauth

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"software.sslmate.com/src/go-pkcs12"
)

// readPFX reads PKCS #12 (RFC 7292).
func (f *keyFiles) readPFX(der []byte) error {
	given := f.o.Passphrase.Reveal()
	err := f.openPFX(der, given)
	if err != nil && given != "" && f.openPFX(der, "") == nil {
		return nil // the file needs no passphrase, as those of Key Vault
	}
	wrong := errors.Is(err, pkcs12.ErrIncorrectPassword) || errors.Is(err, pkcs12.ErrDecryption)
	switch {
	case err == nil:
		return nil
	case wrong && given == "":
		return errors.New("the PFX file has a passphrase and none is set: write it into a file and name that in " +
			"passphrase_file")
	case wrong:
		return errors.New("the passphrase of the PFX file is wrong")
	case isNotRSA(err):
		return explainKey(err)
	}
	first := ""
	if given == "" {
		first = "if it has a passphrase, name a file with it in passphrase_file first; "
	}
	return fmt.Errorf("the PFX file can't be read: %s; %sconvert it with: %s, and use the new file, with the old "+
		"one's owner and mode",
		clean(err.Error(), 200), first, f.pkcs12(needsLegacy(der)))
}

// openPFX adds what a PFX holds.
func (f *keyFiles) openPFX(der []byte, passphrase string) error {
	key, cert, chain, err := pkcs12.DecodeChain(der, passphrase)
	if err == nil {
		f.keys, f.certs = append(f.keys, key), append(append(f.certs, cert), chain...)
		return nil
	}
	// DecodeChain gives up at a certificate that crypto/x509 can't parse, ToPEM leaves them alone.
	//lint:ignore SA1019 its private keys are PKCS #1 in a wrong block, which parseKey reads
	blocks, pemErr := pkcs12.ToPEM(der, passphrase)
	if pemErr != nil {
		return err
	}
	for _, b := range blocks {
		if b.Type == "CERTIFICATE" {
			f.addCert(b.Bytes)
			continue
		}
		var k crypto.PrivateKey
		if k, err = parseKey(b.Bytes); err != nil {
			return err
		}
		f.keys = append(f.keys, k)
	}
	return nil
}

// legacyCiphers are the object identifiers, in DER, of what OpenSSL 3 has in its legacy
// provider: PBES1 (RFC 8018 A.3), RC4 and RC2 of PKCS #12 (RFC 7292 C), and RC2, RC4 and DES
// in PBES2 (RFC 8018 B.2).
var legacyCiphers = []string{
	"\x2a\x86\x48\x86\xf7\x0d\x01\x05\x01", "\x2a\x86\x48\x86\xf7\x0d\x01\x05\x03",
	"\x2a\x86\x48\x86\xf7\x0d\x01\x05\x04",
	"\x2a\x86\x48\x86\xf7\x0d\x01\x05\x06", "\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0a",
	"\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0b",
	"\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x01\x01", "\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x01\x02",
	"\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x01\x05", "\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x01\x06",
	"\x2a\x86\x48\x86\xf7\x0d\x03\x02", "\x2a\x86\x48\x86\xf7\x0d\x03\x04", "\x2b\x0e\x03\x02\x07",
}

// needsLegacy reports whether OpenSSL 3 needs its legacy provider for the ciphers that der names.
func needsLegacy(der []byte) bool {
	return slices.ContainsFunc(legacyCiphers, func(oid string) bool {
		return bytes.Contains(der, append([]byte{6, byte(len(oid))}, oid...))
	})
}

// pkcs12 is the command that writes a PFX anew, in the form that all read.
func (f *keyFiles) pkcs12(legacy bool) string {
	file, in := first(f.o.CertificateFile, "old.pfx"), ""
	if in = " -in " + shellQuote(file); f.base64 {
		in = ""
	}
	if legacy {
		in += " -legacy"
	}
	passIn, passOut := f.passFlags()
	s := "openssl pkcs12" + in + passIn + " -nodes | openssl pkcs12 -export -out " + renamed(f.o.CertificateFile,
		"new.pfx", ".pfx") + passOut
	if f.base64 {
		s = "base64 -di " + shellQuote(file) + " | " + s
	}
	return s
}

// passFlags are OpenSSL's flags for the passphrase of the old file and of the new one. A
// passphrase outside Unicode's first plane is for OpenSSL only, so the new file has none.
func (f *keyFiles) passFlags() (in, out string) {
	pass := f.o.Passphrase.Reveal()
	if pass == "" {
		return " -passin pass:", " -passout pass:"
	}
	file := shellQuote(first(f.o.PassphraseFile, "passphrase.txt"))
	if strings.ContainsFunc(pass, func(r rune) bool { return r > 0xffff }) {
		return " -passin file:" + file, " -passout pass:"
	}
	return " -passin file:" + file, " -passout file:" + file
}

// pkcs8 is the command that encrypts a key in the usual way.
func (f *keyFiles) pkcs8(legacy bool) string {
	in, out := f.passFlags()
	if f.o.Passphrase.Empty() { // openssl asks for it
		in, out = "", ""
	}
	file := first(f.o.KeyFile, f.o.CertificateFile)
	s := "openssl pkcs8 -topk8 -v2 aes-256-cbc -in " + shellQuote(first(file, "old.key")) + in + " -out " +
		renamed(file, "new.key", ".key") + out
	if legacy {
		s += " -provider legacy -provider default"
	}
	return s
}

func (f *keyFiles) pkcs7(form string) string {
	return "openssl pkcs7 -inform " + form + " -in " + shellQuote(first(f.o.CertificateFile, "old.p7b")) +
		" -print_certs -out " +
		renamed(f.o.CertificateFile, "new.pem", ".pem") + ", and name the private key's file in key_file"
}

func (f *keyFiles) keytool() string {
	s := "keytool -importkeystore -srckeystore " + shellQuote(first(f.o.CertificateFile, "old.jks")) +
		" -destkeystore " + renamed(f.o.CertificateFile, "new.p12", ".p12") + " -deststoretype PKCS12"
	if !f.o.Passphrase.Empty() {
		file := shellQuote(first(f.o.PassphraseFile, "passphrase.txt"))
		s += " -srcstorepass:file " + file + " -deststorepass:file " + file
	}
	return s + ", and set pfx_file to it"
}

// renamed is a name for the new file beside the old one.
func renamed(old, fallback, suffix string) string {
	if old == "" {
		return fallback
	}
	return shellQuote(strings.TrimSuffix(old, filepath.Ext(old)) + ".new" + suffix)
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
