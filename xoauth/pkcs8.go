package xoauth

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"hash"
)

// maxIterations bounds the work that a key file can ask for: some 5 s.
const maxIterations = 10_000_000

var (
	errPassphrase = errors.New("the passphrase of the private key is wrong")
	errUnusual    = errors.New("the private key is encrypted in an unusual way")
)

// ASN.1 of RFC 5958 3 and RFC 8018 A.
type (
	encryptedKey struct {
		Algorithm pkix.AlgorithmIdentifier
		Data      []byte
	}
	pbes2Params struct {
		KDF, Cipher pkix.AlgorithmIdentifier
	}
	pbkdf2Params struct {
		Salt       []byte
		Iterations int
		KeyLength  int                      `asn1:"optional"`
		PRF        pkix.AlgorithmIdentifier `asn1:"optional"`
	}
)

// decryptPKCS8 decrypts an ENCRYPTED PRIVATE KEY as OpenSSL has written it since
// 1.0: PBES2 with PBKDF2 and AES or triple DES in CBC mode.
func decryptPKCS8(der []byte, passphrase string) ([]byte, error) {
	var key encryptedKey
	if rest, err := asn1.Unmarshal(der, &key); err != nil || len(rest) > 0 {
		return nil, errors.New("the private key's file is damaged")
	}
	var scheme pbes2Params
	var kdf pbkdf2Params
	if key.Algorithm.Algorithm.String() != "1.2.840.113549.1.5.13" ||
		!unmarshal(key.Algorithm.Parameters.FullBytes, &scheme) ||
		scheme.KDF.Algorithm.String() != "1.2.840.113549.1.5.12" ||
		!unmarshal(scheme.KDF.Parameters.FullBytes, &kdf) ||
		kdf.Iterations < 1 || kdf.Iterations > maxIterations {
		return nil, errUnusual
	}
	prf := prfHash(kdf.PRF.Algorithm)
	newBlock, length := blockCipher(scheme.Cipher.Algorithm)
	var iv []byte
	if prf == nil || newBlock == nil || !unmarshal(scheme.Cipher.Parameters.FullBytes, &iv) {
		return nil, errUnusual
	}
	secret, err := pbkdf2.Key(prf, passphrase, kdf.Salt, kdf.Iterations, length)
	if err != nil {
		return nil, err
	}
	block, err := newBlock(secret)
	if err != nil {
		return nil, err
	}
	if len(iv) != block.BlockSize() || len(key.Data) == 0 || len(key.Data)%block.BlockSize() != 0 {
		return nil, errors.New("the private key's file is damaged")
	}
	plain := make([]byte, len(key.Data))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(plain, key.Data)
	return unpad(plain, block.BlockSize())
}

// unmarshal reports whether der is what to describes, and nothing else.
func unmarshal(der []byte, to any) bool {
	rest, err := asn1.Unmarshal(der, to)
	return err == nil && len(rest) == 0
}

// prfHash finds PBKDF2's hash; none named means SHA-1 (RFC 8018 A.2).
func prfHash(oid asn1.ObjectIdentifier) func() hash.Hash {
	switch oid.String() {
	case "", "1.2.840.113549.2.7":
		return sha1.New
	case "1.2.840.113549.2.9":
		return sha256.New
	case "1.2.840.113549.2.10":
		return sha512.New384
	case "1.2.840.113549.2.11":
		return sha512.New
	}
	return nil
}

func blockCipher(oid asn1.ObjectIdentifier) (newBlock func([]byte) (cipher.Block, error), keyLength int) {
	switch oid.String() {
	case "2.16.840.1.101.3.4.1.2":
		return aes.NewCipher, 16
	case "2.16.840.1.101.3.4.1.22":
		return aes.NewCipher, 24
	case "2.16.840.1.101.3.4.1.42":
		return aes.NewCipher, 32
	case "1.2.840.113549.3.7": // openssl req -newkey wrote it until 3.0
		return des.NewTripleDESCipher, 24
	}
	return nil, 0
}

// unpad removes the padding of RFC 8018 6.1.1. Wrong padding means a wrong key.
func unpad(plain []byte, size int) ([]byte, error) {
	n := int(plain[len(plain)-1])
	if n == 0 || n > size {
		return nil, errPassphrase
	}
	for _, b := range plain[len(plain)-n:] {
		if int(b) != n {
			return nil, errPassphrase
		}
	}
	return plain[:len(plain)-n], nil
}
