package setup

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"o365-sendmail/internal/account"
	"o365-sendmail/internal/diagnose"
	"o365-sendmail/xoauth"
)

// A form takes an answer as it was pasted, and returns it as it belongs into the
// configuration, or says what is wrong with it and where to find the right one.
type form func(a *Answers, text string) (string, error)

func tenantForm(a *Answers, s string) (string, error) {
	switch strings.ToLower(s) {
	case "common", "organizations", "consumers":
		if a.Type == TypeDevice {
			return strings.ToLower(s), nil
		}
		return "", fmt.Errorf("%s stands for many tenants, and an application signs in to one: take the Directory (tenant) ID from the app's Overview page", s)
	}
	if strings.Contains(s, "@") {
		return "", errors.New("this is an address; the tenant is a Directory (tenant) ID, or a domain")
	}
	if strings.Contains(s, ".") && xoauth.CheckTenant(s) == nil {
		return strings.ToLower(s), nil
	}
	id, err := guid(s, "the Directory (tenant) ID")
	if err != nil && !strings.Contains(s, ".") && !strings.ContainsAny(s, "-0123456789") &&
		xoauth.CheckTenant(s+".onmicrosoft.com") == nil {
		return "", fmt.Errorf("a tenant is a GUID, the Directory (tenant) ID, or a domain: %s.onmicrosoft.com perhaps",
			strings.ToLower(s))
	}
	return id, err
}

func clientForm(a *Answers, s string) (string, error) {
	id, err := guid(s, "the Application (client) ID")
	if err == nil && strings.EqualFold(id, a.Tenant) {
		return "", errors.New("this is the tenant's ID again; the Application (client) ID stands above it on the app's Overview page")
	}
	return id, err
}

// guid tells what is wrong with a GUID that was typed or cut short.
func guid(s, what string) (string, error) {
	s = strings.ToLower(strings.Trim(s, "{}()\"'"))
	if len(s) == 32 && !strings.Contains(s, "-") {
		s = s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
	}
	if xoauth.IsGUID(s) {
		return s, nil
	}
	for i, r := range s {
		if strings.ContainsRune("0123456789abcdef-", r) {
			continue
		}
		hint := ""
		switch r {
		case 'o':
			hint = ", a zero perhaps"
		case 'l', 'i':
			hint = ", a one perhaps"
		}
		return "", fmt.Errorf("%s is a GUID, of the digits 0-9 and the letters a-f; character %d is %q%s", what, i+1, r, hint)
	}
	switch n := len(s); {
	case n < 36:
		return "", fmt.Errorf("%s is a GUID of 36 characters; this has %d, so part of it is missing", what, n)
	case n > 36:
		return "", fmt.Errorf("%s is a GUID of 36 characters; this has %d, which is too long", what, n)
	}
	return "",
		fmt.Errorf("%s is a GUID such as 1b4e28ba-2fa1-11d2-883f-0016d3cca427; here a hyphen is in the wrong place",
			what)
}

// secretForm never repeats what it was given.
func secretForm(_ *Answers, s string) (string, error) {
	switch {
	case xoauth.IsGUID(s):
		return "", errors.New("this is the Secret ID; take the column Value, which the portal shows only once: make a new secret if it is lost")
	case strings.ContainsAny(s, "*•…"):
		return "", errors.New("this is the masked form of a secret; the portal shows the Value only once: make a new secret if it is lost")
	case strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "", errors.New("a secret's Value has neither spaces nor letters outside ASCII: copy it with the button beside it")
	case len(s) < 16:
		return "", fmt.Errorf("a secret's Value has about 40 characters, this has %d: copy it with the button beside it", len(s))
	}
	return s, nil
}

func dateForm(a *Answers, s string) (string, error) {
	d, err := time.Parse(time.DateOnly, s)
	switch {
	case err != nil:
		return "", errors.New("a date is written as 2027-01-31" + meantDate(s))
	case !d.After(a.now()):
		return "", errors.New("this day is in the past: make a new secret")
	}
	return s, nil
}

// meantDate says in our form a date as the portal shows it, where day and month can't be mistaken.
func meantDate(s string) string {
	american, err1 := time.Parse("1/2/2006", s)
	other, err2 := time.Parse("2/1/2006", strings.ReplaceAll(s, ".", "/"))
	switch {
	case err1 == nil && err2 == nil && !american.Equal(other):
		return ", as year, month and day"
	case err1 == nil:
		return "; " + american.Format(time.DateOnly) + " perhaps"
	case err2 == nil:
		return "; " + other.Format(time.DateOnly) + " perhaps"
	}
	return ""
}

func mailboxForm(a *Answers, s string) (string, error) {
	addr, err := addressForm(a, s)
	if err != nil {
		return "", err
	}
	_, domain, _ := strings.Cut(strings.ToLower(addr), "@")
	switch domain {
	case "outlook.com", "hotmail.com", "live.com", "msn.com":
		if a.Type != TypeDevice {
			return "", errors.New("an application can't send from a personal account; use --device-code for it")
		}
	case "gmail.com", "googlemail.com", "yahoo.com", "gmx.net", "icloud.com":
		return "", fmt.Errorf("%s is not a domain of Microsoft 365", domain)
	}
	return addr, nil
}

func addressForm(_ *Answers, s string) (string, error) {
	s = strings.TrimSuffix(strings.TrimPrefix(s, "<"), ">")
	local, domain, ok := strings.Cut(s, "@")
	switch {
	case !ok || local == "" || strings.Contains(domain, "@"):
		return "", errors.New("an address is written as name@domain")
	case !strings.Contains(domain, "."), strings.Trim(domain, ".-") != domain, strings.Contains(domain, ".."), strings.HasSuffix(domain, ".localdomain"):
		return "", errors.New("the address needs a full domain such as contoso.com, not the name of this machine")
	case strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r) || strings.ContainsRune(`<>()[]:;,\"`, r)
	}):
		return "", errors.New("an address has neither spaces nor brackets: name@domain")
	}
	return s, nil
}

func typeForm(_ *Answers, s string) (string, error) {
	switch s = strings.ToLower(s); s {
	case TypeSecret, TypeCertificate, TypeFederated, TypeIdentity, TypeDevice:
		return s, nil
	}
	return "", errors.New("one of secret, certificate, federated, managed-identity and device-code")
}

func kindForm(_ *Answers, s string) (string, error) {
	switch s = strings.ToLower(s); s {
	case account.Mailbox, account.HVE, account.Relay:
		return s, nil
	}
	return "", errors.New("mailbox (Exchange Online), hve (High Volume Email) or relay (another host's agent)")
}

func wayForm(_ *Answers, s string) (string, error) {
	switch s = strings.ToLower(s); s {
	case diagnose.WayScoped, diagnose.WayAPI:
		return s, nil
	}
	return "", errors.New("scoped (the scoped role) or api (the API permission)")
}

func cloudForm(_ *Answers, s string) (string, error) {
	c, ok := xoauth.LookupCloud(s)
	if !ok {
		return "", fmt.Errorf("one of %s", strings.Join(xoauth.CloudNames(), ", "))
	}
	return c.Name, nil
}

func pathForm(_ *Answers, s string) (string, error) {
	switch {
	case strings.HasPrefix(s, "credential:"):
		return s, nil
	case !strings.HasPrefix(s, "/"):
		return "", errors.New("the path must be absolute: it begins with /")
	case strings.ContainsFunc(s, unicode.IsControl):
		return "", errors.New("the path holds a control character")
	}
	return s, nil
}
