package xoauth

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"

	"software.sslmate.com/src/go-pkcs12"
)

const makeRSA = "make one with: openssl req -x509 -newkey rsa:3072 -noenc -days 730 -subj /CN=o365-sendmail -keyout key.pem -out cert.pem"

// readKeyPair finds a private key and its certificate in PEM or PKCS#12 data.
func readKeyPair(o CertificateOptions) (*rsa.PrivateKey, *x509.Certificate, error) {
	if len(o.Certificate) > 0 && o.Certificate[0] == 0x30 { // an ASN.1 SEQUENCE
		return readBinary(o)
	}
	var keys []crypto.PrivateKey
	var certs []*x509.Certificate
	for _, data := range [][]byte{o.Certificate, o.Key} {
		k, c, err := readPEM(data, o.Passphrase.Reveal())
		if err != nil {
			return nil, nil, err
		}
		keys, certs = append(keys, k...), append(certs, c...)
	}
	return match(keys, certs)
}

// readBinary reads PKCS#12 (.pfx, .p12), or one certificate in DER with its key in PEM.
func readBinary(o CertificateOptions) (*rsa.PrivateKey, *x509.Certificate, error) {
	if cert, err := x509.ParseCertificate(o.Certificate); err == nil {
		keys, _, err := readPEM(o.Key, o.Passphrase.Reveal())
		if err != nil {
			return nil, nil, err
		}
		return match(keys, []*x509.Certificate{cert})
	}
	key, cert, chain, err := pkcs12.DecodeChain(o.Certificate, o.Passphrase.Reveal())
	switch {
	case errors.Is(err, pkcs12.ErrIncorrectPassword), errors.Is(err, pkcs12.ErrDecryption):
		return nil, nil, errors.New("the passphrase of the PFX file is wrong")
	case err != nil:
		return nil, nil, fmt.Errorf("the PFX file can't be read: %s", clean(err.Error(), 200))
	}
	return match([]crypto.PrivateKey{key}, append([]*x509.Certificate{cert}, chain...))
}

// readPEM collects the private keys and certificates in PEM data.
func readPEM(data []byte, passphrase string) (keys []crypto.PrivateKey, certs []*x509.Certificate, err error) {
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			return keys, certs, nil
		}
		if block.Type == "CERTIFICATE" {
			cert, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return nil, nil, fmt.Errorf("the certificate can't be read: %s", clean(err.Error(), 200))
			}
			certs = append(certs, cert)
			continue
		}
		if !bytes.HasSuffix([]byte(block.Type), []byte("PRIVATE KEY")) {
			continue
		}
		key, err := readKey(block, passphrase)
		if err != nil {
			return nil, nil, err
		}
		keys = append(keys, key)
	}
}

func readKey(block *pem.Block, passphrase string) (key crypto.PrivateKey, err error) {
	der := block.Bytes
	switch {
	case block.Headers["DEK-Info"] != "":
		return nil, errors.New("the private key is encrypted the old way, which is not safe: convert it with openssl pkcs8 -topk8")
	case block.Type == "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(der)
	case block.Type == "EC PRIVATE KEY":
		return x509.ParseECPrivateKey(der)
	case block.Type == "OPENSSH PRIVATE KEY":
		return nil, errors.New("the private key is an SSH key; " + makeRSA)
	case block.Type == "ENCRYPTED PRIVATE KEY":
		if passphrase == "" {
			return nil, errors.New("the private key is encrypted and no passphrase is set")
		}
		if der, err = decryptPKCS8(der, passphrase); err != nil {
			return nil, err
		}
		if key, err = x509.ParsePKCS8PrivateKey(der); err != nil {
			return nil, errPassphrase // one wrong key in 256 has the right padding
		}
	default:
		key, err = x509.ParsePKCS8PrivateKey(der)
	}
	if err != nil {
		return nil, fmt.Errorf("the private key can't be read: %s", clean(err.Error(), 200))
	}
	return key, nil
}

// match picks the certificate that belongs to the key.
func match(keys []crypto.PrivateKey, certs []*x509.Certificate) (*rsa.PrivateKey, *x509.Certificate, error) {
	switch {
	case len(certs) == 0:
		return nil, nil, errors.New("there is no certificate in the file")
	case len(keys) == 0:
		return nil, nil, errors.New("there is no private key in the file")
	case len(keys) > 1:
		return nil, nil, errors.New("there is more than one private key in the file")
	}
	key, ok := keys[0].(*rsa.PrivateKey)
	if !ok {
		return nil, nil, errors.New("the private key is not RSA, and Entra takes RSA only; " + makeRSA)
	}
	for _, cert := range certs {
		if key.PublicKey.Equal(cert.PublicKey) {
			return key, cert, nil
		}
	}
	return nil, nil, errors.New("the private key does not belong to the certificate")
}
