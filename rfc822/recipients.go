package rfc822

import (
	"slices"
	"strings"
)

// Recipients returns whom the header names: the addresses of To, Cc and Bcc or, when
// the message was resent, of Resent-To, Resent-Cc and Resent-Bcc of the newest block of Resent fields, which
// is the first (RFC 5322 3.6.6). Each address comes once, in the order of
// the header. Each bad address gives an error and harms no other.
func (h *Header) Recipients() ([]Address, []error) {
	names := []string{"To", "Cc", "Bcc"}
	fields := h.fields
	if block := h.resentBlock(); len(block) > 0 {
		names = []string{"Resent-To", "Resent-Cc", "Resent-Bcc"}
		fields = block
	}
	var list []Address
	var errs []error
	seen := make(map[string]bool)
	for _, f := range fields {
		if !slices.ContainsFunc(names, f.is) {
			continue
		}
		found, bad := ParseAddressList(f.Value())
		errs = append(errs, bad...)
		for _, a := range found {
			if strings.HasPrefix(a.Local, "-") {
				errs = append(errs, &AddressError{Text: a.Addr(), Problem: "it begins with a hyphen"})
				continue
			}
			key := quoteLocal(a.Local) + "@" + strings.ToLower(a.Domain)
			if !seen[key] {
				seen[key] = true
				list = append(list, a)
			}
		}
		if len(list) >= maxAddresses || len(errs) >= maxAddresses {
			break
		}
	}
	return list, errs
}

// resentBlock returns the first run of Resent fields. Blocks that touch are told apart by
// a field that comes back; recipient fields may repeat, one right after the other.
func (h *Header) resentBlock() []Field {
	first := slices.IndexFunc(h.fields, Field.isResent)
	if first < 0 {
		return nil
	}
	block := h.fields[first:]
	seen := make(map[string]bool)
	last := ""
	for i, f := range block {
		name := strings.ToLower(f.Name())
		if !f.isResent() || seen[name] && name != last {
			return block[:i]
		}
		seen[name] = true
		last = name
	}
	return block
}

func (f Field) isResent() bool {
	const prefix = "Resent-"
	return f.name > len(prefix) && equalFold(f.raw[:len(prefix)], prefix)
}
