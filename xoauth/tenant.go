package xoauth

import (
	"errors"
	"fmt"
	"strings"

	"o365-sendmail/internal/host"
	"o365-sendmail/internal/printable"
)

// IsGUID reports whether s has the form of a GUID, such as an application's client ID.
func IsGUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		switch i {
		case 8, 13, 18, 23:
			if s[i] != '-' {
				return false
			}
		default:
			if !isHex(s[i]) {
				return false
			}
		}
	}
	return true
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// CheckTenant refuses what can't name one tenant: a tenant is a Directory
// (tenant) ID or a verified domain. The names common, organizations and consumers
// stand for many tenants, and no application can sign in to those (AADSTS9001023).
func CheckTenant(tenant string) error {
	switch strings.ToLower(tenant) {
	case "":
		return errors.New("the tenant is missing: take the Directory (tenant) ID from the app's Overview page")
	case "common", "organizations", "consumers":
		return fmt.Errorf("the tenant %q stands for many tenants: take the Directory (tenant) ID from the app's "+
			"Overview page", clean(tenant, 40))
	}
	if IsGUID(tenant) || isDomain(tenant) {
		return nil
	}
	return fmt.Errorf("the tenant %q is neither a GUID nor a domain: take the Directory (tenant) ID from the app's "+
		"Overview page", clean(tenant, 80))
}

// isDomain reports whether s is a DNS name with at least one dot.
func isDomain(s string) bool {
	return host.IsDomain(s) && strings.Contains(s, ".") && printable.IsASCII(s) && !strings.Contains(s, "_")
}
