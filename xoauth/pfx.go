package xoauth

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"slices"

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
		return errors.New("the PFX file has a passphrase and none is set: " +
			"write it into a file and name that in passphrase_file")
	case wrong:
		return errors.New("the passphrase of the PFX file is wrong")
	case isNotRSA(err):
		return explainKey(err)
	}
	first := ""
	if given == "" {
		first = "if it has a passphrase, name a file with it in passphrase_file first; "
	}
	return fmt.Errorf("the PFX file can't be read: %s; %suse the new file, with the old one's owner and mode, of: %s",
		clean(err.Error(), 200), first, f.pkcs12(needsLegacy(der)))
}

// openPFX adds what a PFX holds.
func (f *keyFiles) openPFX(der []byte, passphrase string) error {
	key, cert, chain, err := pkcs12.DecodeChain(der, passphrase)
	if err == nil {
		f.keys, f.certs = append(f.keys, key), append(append(f.certs, cert), chain...)
		return nil
	}
	if errors.Is(err, pkcs12.ErrIncorrectPassword) {
		return err // its many rounds of hashing need no second time
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
	rsadsi + "\x01\x05\x01", rsadsi + "\x01\x05\x03", rsadsi + "\x01\x05\x04",
	rsadsi + "\x01\x05\x06", rsadsi + "\x01\x05\x0a", rsadsi + "\x01\x05\x0b",
	rsadsi + "\x01\x0c\x01\x01", rsadsi + "\x01\x0c\x01\x02", rsadsi + "\x01\x0c\x01\x05", rsadsi + "\x01\x0c\x01\x06",
	rsadsi + "\x03\x02", rsadsi + "\x03\x04", "\x2b\x0e\x03\x02\x07",
}

const rsadsi = "\x2a\x86\x48\x86\xf7\x0d" // 1.2.840.113549

// needsLegacy reports whether OpenSSL 3 needs its legacy provider for the ciphers that der names.
func needsLegacy(der []byte) bool {
	return slices.ContainsFunc(legacyCiphers, func(oid string) bool {
		return bytes.Contains(der, append([]byte{6, byte(len(oid))}, oid...))
	})
}
