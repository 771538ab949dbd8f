package config

import (
	"errors"
	"strings"

	"o365-sendmail/xoauth"
)

// SecretFaults reads the files of secrets that the configuration names, and returns what is wrong with them. What only
// a service is given (credential:NAME) is left out where there is none of it.
func (c *Config) SecretFaults() (all Errors) {
	for _, k := range Keys() {
		if k.Kind != KindSecretFile {
			continue
		}
		if _, fault := c.resolve(*k.field(c).(*string)); fault != nil {
			continue
		}
		var err error
		if strings.HasSuffix(k.Name, "key_file") || k.Name == "credential.pfx_file" { // not one line of text
			_, err = c.SecretFile(k.Name)
		} else {
			_, err = c.secret(xoauth.Secret{}, k.Name)
		}
		var faults Errors
		if errors.As(err, &faults) {
			all = append(all, faults...)
		}
	}
	return all
}
