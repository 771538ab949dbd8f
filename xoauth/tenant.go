package xoauth

import (
	"errors"
	"fmt"
	"strings"
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
		return fmt.Errorf("the tenant %q stands for many tenants: take the Directory (tenant) ID from the app's Overview page", clean(tenant, 40))
	}
	if IsGUID(tenant) || isDomain(tenant) {
		return nil
	}
	return fmt.Errorf("the tenant %q is neither a GUID nor a domain: take the Directory (tenant) ID from the app's Overview page", clean(tenant, 80))
}

// isDomain reports whether s is a DNS name with at least one dot (RFC 1123 2.1).
func isDomain(s string) bool {
	labels := strings.Split(s, ".")
	if len(s) > 253 || len(labels) < 2 {
		return false
	}
	for _, l := range labels {
		if l == "" || len(l) > 63 || l[0] == '-' || l[len(l)-1] == '-' {
			return false
		}
		for i := range len(l) {
			c := l[i]
			if !isHex(c) && (c < 'g' || c > 'z') && (c < 'G' || c > 'Z') && c != '-' {
				return false
			}
		}
	}
	return true
}
