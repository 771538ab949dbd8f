package doctor

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"o365-sendmail/internal/account"
	"o365-sendmail/internal/config"
	"o365-sendmail/internal/diagnose"
	"o365-sendmail/internal/setup"
	"o365-sendmail/xoauth"
)

const (
	roleSendAsApp = account.SendAsApp
	scopeSend     = "SMTP.Send"
	exchangeAppID = "00000002-0000-0ff1-ce00-000000000000"
)

// judgeClaims looks at what the token says it is good for.
func (r *runner) judgeClaims(c *Check) {
	claims, err := xoauth.ParseClaims(r.token.Access)
	if err != nil {
		if r.cfg.Credential.Type == config.TypeDeviceCode {
			c.ok("none can be read, as in all tokens of outlook.com accounts")
			return
		}
		c.fail(Configuration, "token-unreadable", err.Error(), "check token.url: it must be Entra's v2.0 token endpoint")
		return
	}
	r.claims = claims
	for _, judge := range []func(*Check) bool{r.judgeAudience, r.judgeOwner, r.judgeTimes} {
		if judge(c) {
			return
		}
	}
	if r.cfg.Credential.Type == config.TypeDeviceCode {
		r.judgeScope(c)
		return
	}
	r.judgeRoles(c)
}

// judgeAudience and the like report true when they have found a fault.
func (r *runner) judgeAudience(c *Check) bool {
	want := strings.TrimSuffix(r.cloud.Scope, "/.default")
	good := []string{want, "https://outlook.office.com", exchangeAppID}
	if s := r.cfg.Token.Scope; s != "" {
		good = append(good, strings.TrimSuffix(s, "/.default"))
	}
	for _, aud := range r.claims.Aud {
		if slices.Contains(good, strings.TrimSuffix(aud, "/")) {
			return false
		}
	}
	hint := "set token.scope to " + r.cloud.Scope + " in " + r.path + ", or remove it"
	if r.cfg.Token.Scope == "" {
		hint = "the scope asked for was " + r.cloud.Scope + ": check cloud and token.url in " + r.path
	}
	c.fail(Configuration, "wrong-audience", fmt.Sprintf("the token is for %q and not for Exchange Online", r.claims.Aud), hint)
	return true
}

func (r *runner) judgeOwner(c *Check) bool {
	identity := r.cfg.Credential.Type == config.TypeManagedIdentity
	switch tenant := cmp.Or(r.tenant, r.cfg.Tenant); {
	case !identity && xoauth.IsGUID(tenant) && !strings.EqualFold(tenant, r.claims.TID):
		c.fail(Configuration, "wrong-tenant", fmt.Sprintf("the token is of tenant %q", r.claims.TID), "set tenant in "+r.path+" to the Directory (tenant) ID of the application")
	case !strings.Contains(r.claims.Iss, r.claims.TID):
		c.fail(Configuration, "wrong-issuer", fmt.Sprintf("the token's issuer is %q", r.claims.Iss), "check token.url in "+r.path)
	case !identity && !strings.EqualFold(r.cfg.ClientID, r.claims.AppID):
		c.fail(Configuration, "wrong-application", fmt.Sprintf("the token is of application %q", r.claims.AppID), "set client_id in "+r.path+" to the Application (client) ID")
	default:
		return false
	}
	return true
}

// judgeTimes compares with the server's clock, which is another check's concern.
func (r *runner) judgeTimes(c *Check) bool {
	now := r.o.Now().Add(r.skew)
	switch {
	case !r.claims.Exp.IsZero() && now.After(r.claims.Exp):
		c.fail(Configuration, "token-expired", "the new token ended on "+r.claims.Exp.UTC().Format(time.RFC3339), "sudo timedatectl set-ntp true")
	case now.Add(clockWrong).Before(r.claims.Nbf):
		c.fail(Configuration, "token-early", "the new token begins on "+r.claims.Nbf.UTC().Format(time.RFC3339), "sudo timedatectl set-ntp true")
	default:
		return false
	}
	return true
}

func (r *runner) judgeScope(c *Check) {
	switch {
	case !slices.Contains(r.claims.Scp, scopeSend):
		c.fail(Configuration, "permission", fmt.Sprintf("the token has the scopes %q and not %s", r.claims.Scp, scopeSend), setup.DelegatedPermission())
	case r.claims.UPN != "" && !strings.EqualFold(r.claims.UPN, r.cfg.Mailbox):
		c.ok(fmt.Sprintf("%s for %q, who signs in to %s", scopeSend, r.claims.UPN, r.cfg.Mailbox))
	default:
		c.ok(fmt.Sprintf("%s for %q", scopeSend, r.claims.UPN))
	}
}

// judgeRoles looks for the application permission. That it is missing is not a fault by
// itself: with the scoped role of Exchange it has to be.
func (r *runner) judgeRoles(c *Check) {
	who := fmt.Sprintf("application %q, object id %s", cmp.Or(r.claims.AppName, r.claims.AppID), r.claims.OID)
	role := r.kind().Role
	has := r.claims.HasRole(role)
	switch {
	case r.claims.IDTyp != "" && !r.claims.Application():
		c.fail(Configuration, "not-an-application", fmt.Sprintf("idtyp is %q: the token is a person's", r.claims.IDTyp), "check credential.type in "+r.path)
	case !has && r.kind().Name == account.HVE:
		c.fail(Configuration, "hve-permission",
			who+": the role "+role+", which High Volume Email wants, is not in the token"+
				r.otherRoles(), setup.GrantConsent(r.values()))
	case !has && r.way() == diagnose.WayAPI:
		c.fail(Configuration, "permission", who+": the role "+role+r.otherRoles()+" is not in the token",
			setup.GrantConsent(r.values()))
	case has && r.way() == diagnose.WayScoped:
		c.fail(Configuration, "permission-not-needed", who+": the role "+roleSendAsApp+" is in the token, which brings the mailbox permissions back that the scoped role does without",
			"Entra admin center > App registrations > your app > API permissions: remove "+roleSendAsApp)
	case has:
		c.ok(who + ", role " + role)
	default:
		c.ok(who + ", no role" + r.otherRoles() + ": right with the scoped role only (Exchange's role \"Application " +
			roleSendAsApp + "\")")
	}
}

// otherRoles names what was granted in the place of the right one.
func (r *runner) otherRoles() string {
	if len(r.claims.Roles) == 0 {
		return ""
	}
	return fmt.Sprintf(" (but %q)", r.claims.Roles)
}
