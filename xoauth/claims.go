package xoauth

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Claims are what an access token says about itself, for diagnosis only: its
// signature is not verified, and can't be, since Exchange's tokens have a nonce that
// only Exchange understands. The texts are as the token has them: print them with %q.
// Source: learn.microsoft.com/entra/identity-platform/access-token-claims-reference.
type Claims struct {
	// Aud is the audience, such as https://outlook.office365.com.
	Aud []string
	// Iss is the issuer, TID the tenant it stands for.
	Iss, TID string
	// AppID is the client ID (appid, or azp in version 2 tokens), AppName its name.
	AppID, AppName string
	// AppIDACR tells how the client proved itself: 1 by secret, 2 by certificate or assertion.
	AppIDACR string
	// OID is the object ID of the enterprise application, or of the person. It is
	// the ObjectId of New-ServicePrincipal. Sub is the same for applications.
	OID, Sub string
	// IDTyp is "app" for applications.
	IDTyp string
	// Roles are granted to the application, Scp to it on behalf of the person UPN.
	Roles, Scp []string
	UPN        string
	// Ver is the token's version, UTI its id for Microsoft's support.
	Ver, UTI string
	// Exp, Nbf and Iat are zero when absent.
	Exp, Nbf, Iat time.Time
}

// Application reports whether the token is an application's own, not a person's.
func (c Claims) Application() bool {
	return c.IDTyp == "app" || c.IDTyp == "" && c.UPN == "" && len(c.Scp) == 0
}

// HasRole reports whether an application permission was granted.
func (c Claims) HasRole(role string) bool { return slices.Contains(c.Roles, role) }

// ParseClaims reads a token. Tokens of outlook.com accounts can't be read, and give
// an error like any other text that is not a JWT. No error repeats the token.
func ParseClaims(token Secret) (Claims, error) {
	parts := strings.Split(token.Reveal(), ".")
	if len(parts) != 3 {
		return Claims{}, errors.New("the token is not a JWT, so its claims can't be read (tokens of outlook.com " +
			"accounts never can)")
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return Claims{}, errors.New("the token's claims are not base64url")
	}
	fields, complete := parseObject(payload)
	if !complete {
		return Claims{}, errors.New("the token's claims are not a JSON object")
	}
	c := Claims{
		Aud: list(fields["aud"]), Iss: text(fields["iss"]), TID: text(fields["tid"]),
		AppID: cmp.Or(text(fields["appid"]), text(fields["azp"])), AppName: text(fields["app_displayname"]),
		AppIDACR: cmp.Or(text(fields["appidacr"]), text(fields["azpacr"])),
		OID:      text(fields["oid"]), Sub: text(fields["sub"]), IDTyp: text(fields["idtyp"]),
		Roles: list(fields["roles"]), Scp: strings.Fields(text(fields["scp"])),
		UPN: cmp.Or(text(fields["upn"]), text(fields["preferred_username"])), Ver: text(fields["ver"]),
		UTI: text(fields["uti"]),
	}
	for _, t := range []struct {
		name string
		to   *time.Time
	}{{"exp", &c.Exp}, {"nbf", &c.Nbf}, {"iat", &c.Iat}} {
		if *t.to, err = numericDate(fields[t.name]); err != nil {
			return Claims{}, fmt.Errorf("the token's claim %s is not a time", t.name)
		}
	}
	return c, nil
}

// list reads a JSON array of strings, or one string.
func list(raw json.RawMessage) []string {
	if s := text(raw); s != "" {
		return []string{s}
	}
	var items []json.RawMessage
	if json.Unmarshal(raw, &items) != nil {
		return nil
	}
	var texts []string
	for _, item := range items {
		if s := text(item); s != "" {
			texts = append(texts, s)
		}
	}
	return texts
}

// numericDate reads seconds since 1970 (RFC 7519 2); absent is the zero time.
func numericDate(raw json.RawMessage) (time.Time, error) {
	if len(raw) == 0 {
		return time.Time{}, nil
	}
	d, ok := seconds(raw)
	if !ok {
		return time.Time{}, errors.New("not a number")
	}
	return time.Unix(int64(d/time.Second), 0).UTC(), nil
}
