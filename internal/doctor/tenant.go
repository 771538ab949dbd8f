package doctor

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf16"

	"o365-sendmail/internal/diagnose"
	"o365-sendmail/internal/setup"
	"o365-sendmail/xoauth"
)

// Tenant is the report of the script that sets the tenant up: what it has found in Entra and in Exchange Online.
type Tenant struct {
	Made   time.Time
	values map[string]string
}

const (
	tenantBegin = "-----BEGIN O365-SENDMAIL TENANT REPORT-----"
	tenantEnd   = "-----END O365-SENDMAIL TENANT REPORT-----"
	maxTenant   = 4 << 20
)

// ReadTenant finds the last report in what the script has printed, as a person saved or pasted it: with a byte order
// mark, in UTF-16 as older PowerShells write files, with line ends of Windows, quoted by a mail program.
func ReadTenant(in io.Reader) (*Tenant, error) {
	raw, err := io.ReadAll(io.LimitReader(in, maxTenant))
	if err != nil {
		return nil, err
	}
	t, begun, ended := &Tenant{}, false, false
	for line := range strings.Lines(plainText(raw)) {
		line = strings.TrimSpace(strings.TrimLeft(line, "> \t"))
		key, value, ok := strings.Cut(line, ":")
		switch {
		case line == tenantBegin:
			begun, ended, t.values = true, false, map[string]string{}
		case line == tenantEnd && begun:
			begun, ended = false, true
		case begun && ok:
			t.values[key] = strings.TrimSpace(value)
		}
	}
	switch {
	case t.values == nil:
		return nil, fmt.Errorf("there is no report in it: its first line would be %s", tenantBegin)
	case !ended:
		return nil, fmt.Errorf("the report is cut off: its last line would be %s", tenantEnd)
	case t.values["report"] != "1":
		return nil, fmt.Errorf("the report is of version %q, this program knows 1", oneLine(t.values["report"]))
	}
	if t.Made, err = time.Parse(time.RFC3339, t.values["made"]); err != nil {
		return nil, errors.New("the report has no time (made)")
	}
	for _, key := range []string{"client_id", "mailbox", "way", "mode"} {
		if t.values[key] == "" {
			return nil, fmt.Errorf("the report lacks %s", key)
		}
	}
	return t, nil
}

// plainText decodes UTF-16 that has a byte order mark, and takes that off UTF-8.
func plainText(raw []byte) string {
	order := binary.ByteOrder(binary.LittleEndian)
	switch {
	case bytes.HasPrefix(raw, []byte{0xfe, 0xff}):
		order = binary.BigEndian
	case !bytes.HasPrefix(raw, []byte{0xff, 0xfe}):
		return strings.TrimPrefix(string(raw), "\ufeff")
	}
	units := make([]uint16, 0, len(raw)/2)
	for i := 2; i+1 < len(raw); i += 2 {
		units = append(units, order.Uint16(raw[i:]))
	}
	return string(utf16.Decode(units))
}

// get returns a value of the report, fit for a terminal.
func (t *Tenant) get(key string) string { return oneLine(t.values[key]) }

// judgeTenant sees whether the report is about this configuration.
func (r *runner) judgeTenant(c *Check) {
	t := r.o.Tenant
	again := "run the script again with the values of " + r.path + ": sudo o365-sendmail setup --script FILE writes it"
	mismatch := func(key, theirs, ours string) bool {
		if ours == "" || strings.EqualFold(theirs, ours) {
			return false
		}
		c.fail(Configuration, "report-of-another",
			fmt.Sprintf("the report is about %s %s, the configuration has %s", key,
				theirs, ours), again)
		return true
	}
	tenant := cmp.Or(r.tenant, r.claims.TID)
	switch {
	case mismatch("client_id", t.get("client_id"), cmp.Or(r.claims.AppID, r.cfg.ClientID)),
		mismatch("mailbox", t.get("mailbox"), r.cfg.Mailbox),
		xoauth.IsGUID(t.get("tenant")) && mismatch("tenant", t.get("tenant"), tenant):
	case r.way() != "" && !r.values().HVE && t.get("way") != r.way():
		c.warn("report-of-another-way", fmt.Sprintf("the report is about the way %q, and way is %q here",
			t.get("way"), r.way()),
			fmt.Sprintf("set way = %q in %s, or run the script with -Way %s", t.get("way"), r.path, r.way()))
	default:
		c.ok(fmt.Sprintf("of %s (%s)", t.Made.UTC().Format("2006-01-02 15:04 MST"), tenantModes(t.get("mode"))))
	}
}

func tenantModes(mode string) string {
	switch mode {
	case "done":
		return "what was missing has been made"
	case "whatif":
		return "with -WhatIf: nothing was changed"
	case "undone":
		return "with -Undo: the set-up was taken back"
	case "failed":
		return "the script stopped"
	}
	return mode
}

// tenantSays names the one cause of a refused sign-in that the report shows. It reports false when it shows none, or
// there is no report of this account.
func (r *runner) tenantSays(c *Check, said string) bool {
	t := r.tenantReport()
	if t == nil {
		return false
	}
	v, rerun := r.values(), ""
	if t.get("mode") == "whatif" {
		rerun = "; or run the script without -WhatIf"
	}
	fail := func(key, seen, hint string) bool {
		c.fail(Configuration, key, seen+said, hint+rerun)
		return true
	}
	way, record := cmp.Or(r.way(), t.get("way")), t.get("exchange_object_id")
	switch {
	case t.get("mode") == "failed":
		return fail("tenant-script", "the tenant's script stopped: "+t.get("error"),
			"correct that, and run the script again")
	case t.get("mode") == "undone":
		return fail("tenant-script", "the tenant's set-up was taken back", "run the script without -Undo")
	case record == "missing" && !v.HVE:
		return fail("service-principal", "Exchange has no record of the application", setup.NewServicePrincipal(v))
	case xoauth.IsGUID(record) && r.claims.OID != "" && !strings.EqualFold(record, r.claims.OID):
		return fail("service-principal", "Exchange's record of the application has the object id "+record+", not "+
			r.claims.OID,
			"Remove-ServicePrincipal -Identity "+v.ClientID+"; "+setup.NewServicePrincipal(v))
	case v.HVE && t.get("hve_access") == "no":
		return fail("hve-app-access", "the application is not on the account's list", setup.GrantHVE(v))
	case way == diagnose.WayScoped && t.get("role") == "no":
		return fail("scoped-role", "the application does not have the role", setup.AssignRole(v))
	case way == diagnose.WayScoped && t.get("in_scope") == "no":
		return fail("scope", r.cfg.Mailbox+" is not in the scope of the role", setup.JoinScope(v))
	case way != diagnose.WayScoped && t.get("consent") == "no":
		return fail("permission", "the permission has no admin consent", setup.GrantConsent(v))
	}
	return false
}

// tenantReport is the report, if it is about this account.
func (r *runner) tenantReport() *Tenant {
	if c := r.rep.Find("tenant-report", ""); r.o.Tenant == nil || c == nil || c.Status == Failed ||
		c.Status == Skipped {
		return nil
	}
	return r.o.Tenant
}

// spreads is how long a change in Exchange Online takes at most.
const spreads = 2 * time.Hour

// tenantIsRight is for a refusal that the report does not explain: changes spread, or Microsoft has to look.
func (r *runner) tenantIsRight(c *Check, said string) {
	made := r.o.Tenant.Made
	if until := made.Add(spreads); r.o.Now().Before(until) {
		c.fail(Temporary, "spreading", "the tenant is set up by its report of "+made.UTC().Format("15:04 MST")+
			", and changes take up to 2 h"+said, "wait until "+until.UTC().Format("15:04 MST")+
			"; then o365-sendmail doctor again")
		return
	}
	c.fail(Configuration, "tenant-unexplained", "the tenant was set up by its report of "+
		made.UTC().Format("2006-01-02 15:04 MST")+said, "run the script again, which shows what has changed since; "+
		"if that is "+
		"nothing, open a ticket with Microsoft support and name the object id "+r.claims.OID)
}

// tenantNames adds to the hint of a policy's refusal which policies the report has found.
func (r *runner) tenantNames(c *Check) {
	t := r.tenantReport()
	if t == nil {
		return
	}
	switch c.Key {
	case "access-policy", "organization-policy", "sign-in-forbidden", "security-defaults":
	default:
		return
	}
	var found []string
	for _, p := range [...]struct{ key, none, what string }{
		{"workload_policies", "none", "Conditional Access for workload identities: "},
		{"authentication_policy", "none", "Exchange's authentication policy of the mailbox: "},
	} {
		if v := t.get(p.key); v != "" && v != p.none && v != "unknown" {
			found = append(found, p.what+v)
		}
	}
	if t.get("security_defaults") == "yes" {
		found = append(found, "security defaults are on")
	}
	if len(found) > 0 {
		c.Hint = oneLine("look at what the report has found: " + strings.Join(found, "; ") + "; else " + c.Hint)
	}
}
