package xoauth

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

const makeRSA = "make one with: openssl req -x509 -newkey rsa:3072 -noenc -days 730 -subj /CN=o365-sendmail " +
	"-keyout key.pem -out cert.pem"

// minRSA is the smallest key that Entra takes, in bits: AADSTS700027 refuses one below.
const minRSA = 2048

var (
	errNotRSA = errors.New("the private key is not RSA, and Entra takes RSA only; " + makeRSA)
	errPSS    = errors.New("the private key is for RSA-PSS only, and Entra takes plain RSA keys " +
		"(rsaEncryption) only; " +
		makeRSA)
)

// keyFiles collects what the files of a certificate hold. What can't be read is an error
// only if nothing else serves: one odd certificate of a chain does no harm.
type keyFiles struct {
	o               CertificateOptions
	file            string // the name of the file at hand, for commands
	base64          bool   // it was base64 text of a binary one
	keys            []crypto.PrivateKey
	certs           []*x509.Certificate
	badKey, badCert error // the first one that can't be read
}

// readKeyPair finds a private key and the certificates for it.
func readKeyPair(o CertificateOptions) (*rsa.PrivateKey, []*x509.Certificate, error) {
	f := &keyFiles{o: o, file: o.CertificateFile}
	if err := f.read(o.Certificate); err != nil {
		return nil, nil, err
	}
	if f.file = o.KeyFile; !bytes.Equal(o.Certificate, o.Key) {
		if err := f.read(o.Key); err != nil {
			return nil, nil, err
		}
	}
	return f.pair()
}

// read takes a file apart, whatever its form.
func (f *keyFiles) read(data []byte) error {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if charset := utf16Name(data); charset != "" {
		return errors.New("the file is in UTF-16: save it as UTF-8, or use the new file of: " + f.iconv(charset))
	}
	if f.base64 = false; !bytes.Contains(data, []byte("-----BEGIN")) {
		if der := decodeBase64(data); der != nil {
			data, f.base64 = der, true
		}
	}
	switch {
	case bytes.HasPrefix(data, []byte("\xfe\xed\xfe\xed")), bytes.HasPrefix(data, []byte("\xce\xce\xce\xce")):
		return errors.New("the file is a Java key store (JKS): set pfx_file to the new file of: " + f.keytool())
	case len(data) > 0 && data[0] == 0x30: // an ASN.1 SEQUENCE
		return f.readDER(data)
	}
	return f.readPEM(data)
}

// utf16Name returns iconv(1)'s name for text as PowerShell 5 writes it with ">", else "".
func utf16Name(data []byte) string {
	if len(data) < 2 {
		return ""
	}
	switch a, b := data[0], data[1]; {
	case a == 0xff && b == 0xfe, a == 0xfe && b == 0xff:
		return "UTF-16"
	case a >= ' ' && a < 0x7f && b == 0:
		return "UTF-16LE"
	case a == 0 && b >= ' ' && b < 0x7f:
		return "UTF-16BE"
	}
	return ""
}

// decodeBase64 returns the ASN.1 in base64 text, as Key Vault hands a PFX out; else nil.
// Source: learn.microsoft.com/azure/key-vault/certificates/how-to-export-certificate.
func decodeBase64(text []byte) []byte {
	strip := strings.NewReplacer(" ", "", "\t", "", "\r", "", "\n", "", `"`, "", "=", "")
	der, err := base64.RawStdEncoding.DecodeString(strip.Replace(string(text)))
	if err != nil || len(der) == 0 || der[0] != 0x30 {
		return nil
	}
	return der
}

// readDER reads a certificate, a key or a PFX.
func (f *keyFiles) readDER(der []byte) error {
	var c struct {
		Body, Algorithm asn1.RawValue
		Signature       asn1.BitString
	}
	var encrypted encryptedKey
	key, keyErr := parseKey(der)
	switch {
	case unmarshal(der, &c):
		f.addCert(der)
	case isPKCS7(der):
		return f.noKey("DER")
	case keyErr == nil:
		f.keys = append(f.keys, key)
	case isNotRSA(keyErr):
		f.addKey(nil, keyErr)
	case unmarshal(der, &encrypted):
		f.addKey(f.openKey(der))
	default:
		return f.readPFX(der)
	}
	return nil
}

// isPKCS7 looks for the type signedData at the beginning (RFC 5652 5.1), which may be BER.
func isPKCS7(der []byte) bool {
	return bytes.Contains(der[:min(len(der), 24)], []byte("\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02"))
}

// noKey says what to do with a PKCS #7 file in that form, DER or PEM.
func (f *keyFiles) noKey(form string) error {
	return errors.New("the file is PKCS #7 (.p7b), which holds certificates and no private key: " +
		"name the key's file in key_file, and in certificate_file the new file of: " + f.pkcs7(form))
}

func (f *keyFiles) addCert(der []byte) {
	cert, err := x509.ParseCertificate(der)
	if err == nil {
		f.certs = append(f.certs, cert)
	} else if f.badCert == nil {
		f.badCert = fmt.Errorf("the certificate can't be read: %s", clean(err.Error(), 200))
	}
}

func (f *keyFiles) addKey(key crypto.PrivateKey, err error) {
	if err == nil {
		f.keys = append(f.keys, key)
	} else if f.badKey == nil {
		f.badKey = explainKey(err)
	}
}

// pair picks the RSA key that has a certificate, and all certificates of that key.
func (f *keyFiles) pair() (key *rsa.PrivateKey, certs []*x509.Certificate, err error) {
	rsaKeys := 0
	for _, k := range f.keys {
		k, ok := k.(*rsa.PrivateKey)
		if !ok {
			continue
		}
		rsaKeys++
		own := f.certsOf(k)
		switch {
		case len(own) == 0 || key != nil && key.Equal(k):
		case key != nil:
			return nil, nil, errors.New("there is more than one private key with a certificate: " +
				"keep the pair that the app registration knows")
		default:
			key, certs = k, own
		}
	}
	switch {
	case key != nil && key.N.BitLen() < minRSA:
		return nil, nil, shortKey(key.N.BitLen())
	case key != nil:
		return key, certs, nil
	case len(f.keys) > 0 && rsaKeys == 0:
		return nil, nil, errNotRSA
	case len(f.keys) == 0 && f.badKey != nil:
		return nil, nil, f.badKey
	case len(f.certs) == 0 && f.badCert != nil:
		return nil, nil, f.badCert
	case len(f.certs) == 0:
		return nil, nil, errors.New("there is no certificate in the file")
	case len(f.keys) == 0:
		return nil, nil, errors.New("there is no private key in the file; name the certificate's key file in key_file")
	}
	return nil, nil, errors.New("the private key does not belong to the certificate")
}

func (f *keyFiles) certsOf(key *rsa.PrivateKey) (own []*x509.Certificate) {
	for _, cert := range f.certs {
		if key.PublicKey.Equal(cert.PublicKey) {
			own = append(own, cert)
		}
	}
	return own
}

func shortKey(bits int) error {
	return fmt.Errorf("the RSA key has %d bits, and Entra refuses one of less than %d; %s", bits, minRSA, makeRSA)
}
