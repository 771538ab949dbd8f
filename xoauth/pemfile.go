package xoauth

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// readPEM collects the private keys and certificates in PEM data (RFC 7468).
func (f *keyFiles) readPEM(data []byte) error {
	before := len(f.keys) + len(f.certs)
	pkcs7 := false
	for rest := straighten(data); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		switch {
		case block.Type == "CERTIFICATE", block.Type == "X509 CERTIFICATE":
			f.addCert(block.Bytes)
		case block.Type == "TRUSTED CERTIFICATE": // OpenSSL's trust settings follow the certificate
			var cert asn1.RawValue
			if _, err := asn1.Unmarshal(block.Bytes, &cert); err == nil {
				f.addCert(cert.FullBytes)
			}
		case strings.HasPrefix(block.Type, "PKCS7"), strings.HasPrefix(block.Type, "PKCS #7"), isPKCS7(block.Bytes):
			pkcs7 = true
		case block.Type == "PKCS12":
			if err := f.readPFX(block.Bytes); err != nil {
				return err
			}
		case strings.HasSuffix(block.Type, "PRIVATE KEY"):
			f.addKey(f.readKey(block))
		}
	}
	switch {
	case len(f.keys)+len(f.certs) > before || f.badKey != nil || f.badCert != nil:
		return nil
	case pkcs7:
		return f.noKey("PEM")
	case bytes.Contains(data, []byte("PRIVATE KEY-----")), bytes.Contains(data, []byte("CERTIFICATE-----")):
		return errors.New("the PEM in the file is damaged: copy it again, with its BEGIN and END lines")
	}
	return nil
}

// straighten gives PEM the lines that package encoding/pem asks for. Editors, YAML and
// JSON indent it, write "\n" for a line's end, or join two blocks on one line.
func straighten(data []byte) []byte {
	text := strings.NewReplacer(`\r`, "", `\n`, "\n", "\r", "\n", `"`, "", "----------BEGIN", "-----\n-----BEGIN").
		Replace(string(data))
	var b bytes.Buffer
	for line := range strings.Lines(text) {
		b.WriteString(strings.TrimSpace(line) + "\n")
	}
	return b.Bytes()
}

func (f *keyFiles) readKey(block *pem.Block) (crypto.PrivateKey, error) {
	switch {
	case block.Headers["DEK-Info"] != "":
		return nil, errors.New("the private key is encrypted the old way, which is not safe: convert it with: " +
			f.pkcs8(false))
	case block.Type == "OPENSSH PRIVATE KEY":
		return nil, errors.New("the private key is an SSH key; " + makeRSA)
	case block.Type == "ENCRYPTED PRIVATE KEY":
		return f.openKey(block.Bytes)
	}
	return parseKey(block.Bytes)
}

// openKey decrypts a key in PKCS #8 (RFC 5958).
func (f *keyFiles) openKey(der []byte) (crypto.PrivateKey, error) {
	if f.o.Passphrase.Empty() {
		return nil, errors.New("the private key is encrypted and no passphrase is set: " +
			"write it into a file and name that in passphrase_file")
	}
	plain, err := decryptPKCS8(der, f.o.Passphrase.Reveal())
	if errors.Is(err, errUnusual) {
		return nil, fmt.Errorf("%w: convert it with: %s", err, f.pkcs8(needsLegacy(der)))
	}
	if err != nil {
		return nil, err
	}
	key, err := parseKey(plain)
	if err != nil && !isNotRSA(err) {
		return nil, errPassphrase // one wrong key in 256 has the right padding
	}
	return key, err
}

// parseKey reads PKCS #8, PKCS #1 and SEC 1, whatever a block's title says.
func parseKey(der []byte) (crypto.PrivateKey, error) {
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err == nil {
		return key, nil
	}
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return key, nil
	} else if isNotRSA(err) {
		return nil, err
	}
	if key, err := x509.ParseECPrivateKey(der); err == nil {
		return key, nil
	} else if isNotRSA(err) {
		return nil, err
	}
	return nil, err
}

// isNotRSA reports whether crypto/x509 knows the key's form, but can't use such a key.
func isNotRSA(err error) bool {
	s := err.Error()
	return strings.Contains(s, "unknown algorithm") || strings.Contains(s, "elliptic curve") || insecureBits(s) > 0
}

// insecureBits reads the size of a key that crypto/rsa refuses for it, 0 for any other error.
func insecureBits(s string) (bits int) {
	if before, _, found := strings.Cut(s, "-bit keys are insecure"); found {
		bits, _ = strconv.Atoi(before[strings.LastIndexByte(before, ' ')+1:])
	}
	return bits
}

// explainKey puts crypto/x509's words about a key into what to do.
func explainKey(err error) error {
	s := err.Error()
	if bits := insecureBits(s); bits > 0 {
		return shortKey(bits)
	}
	switch {
	case strings.Contains(s, "1.2.840.113549.1.1.10"): // id-RSASSA-PSS, RFC 4055
		return errPSS
	case isNotRSA(err):
		return errNotRSA
	case strings.HasPrefix(s, "the "):
		return err
	}
	return fmt.Errorf("the private key can't be read: %s", clean(s, 200))
}
