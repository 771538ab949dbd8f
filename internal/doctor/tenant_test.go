package doctor

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"o365-sendmail/internal/diagnose"
	"o365-sendmail/internal/emulator"
)

// scripted is a tenant that the script has set up in one way, and what it has printed. Faults come after it, and the
// report is of the tenant with them.
type scripted struct {
	way    string // of the report
	key    string // of the configuration, "" without one
	faults []string
	change func(*emulator.Tenant)
	mode   string // "" is done
	age    time.Duration
	set    map[string]string // values in place of the right ones
}

func (o scripted) apply(t *testing.T, s *site) {
	if o.key != "" {
		s.text = "way = \"" + o.key + "\"\n" + s.text
	}
	if o.way == diagnose.WayScoped {
		s.Update(func(st *emulator.State) {
			tenant := st.Tenant(s.Tenant)
			tenant.Apps[s.ClientID].Roles = nil
			tenant.RoleAssignments[s.ClientID] = &emulator.RoleAssignment{Mailboxes: []string{s.Mailbox, otherMailbox}}
		})
	}
	for _, f := range o.faults {
		if err := s.SetFault(f); err != nil {
			t.Fatal(err)
		}
	}
	s.Update(func(st *emulator.State) {
		if o.change != nil {
			o.change(st.Tenant(s.Tenant))
		}
		var err error
		if s.o.Tenant, err = ReadTenant(strings.NewReader(o.report(s, st.Tenant(s.Tenant)))); err != nil {
			t.Error(err)
		}
	})
}

// report is what the script would print of the tenant.
func (o scripted) report(s *site, tenant *emulator.Tenant) string {
	answer := func(yes bool) string {
		if yes {
			return "yes"
		}
		return "no"
	}
	record, role, inScope := "missing", false, false
	if sp := tenant.ServicePrincipals[s.ClientID]; sp != nil {
		record = sp.ObjectID
	}
	if ra := tenant.RoleAssignments[s.ClientID]; ra != nil {
		role, inScope = true, ra.All || strings.Contains(strings.Join(ra.Mailboxes, " "), s.Mailbox)
	}
	values := []string{
		"report", "1", "made", time.Now().Add(-o.age).UTC().Format(time.RFC3339), "mode", "done", "tenant", s.Tenant,
		"client_id", s.ClientID, "way", o.way, "mailbox", s.Mailbox, "entra_object_id", oid, "entra_enabled", "yes",
		"security_defaults", "no", "workload_policies", "none", "mailbox_type", "SharedMailbox",
		"exchange_object_id", record, "consent", answer(len(tenant.Apps[s.ClientID].Roles) > 0), "smtp_auth", "on",
		"role", answer(role), "in_scope", answer(inScope), "authentication_policy", "none",
		"full_access", answer(tenant.Mailboxes[s.Mailbox] != nil && tenant.Mailboxes[s.Mailbox].FullAccess[oid] != nil),
	}
	var b strings.Builder
	b.WriteString("done: something\r\n" + tenantBegin + "\r\n")
	for i := 0; i < len(values); i += 2 {
		v := values[i+1]
		if set, ok := o.set[values[i]]; ok {
			v = set
		}
		if o.mode != "" && values[i] == "mode" {
			v = o.mode
		}
		fmt.Fprintf(&b, "%s: %s\r\n", values[i], v)
	}
	if o.mode == "failed" {
		b.WriteString("error: there is no mailbox " + s.Mailbox + " in this organization\r\n")
	}
	return b.String() + tenantEnd + "\r\n"
}

// tenantRows are steps left undone in the tenant of which its report knows, and the two ways.
func tenantRows() []row {
	const api, scoped = diagnose.WayAPI, diagnose.WayScoped
	with := func(o scripted) func(*testing.T, *site) { return o.apply }
	noRole := func(t *emulator.Tenant) { delete(t.RoleAssignments, appID) }
	noMailbox := func(t *emulator.Tenant) { t.RoleAssignments[appID].Mailboxes = nil }
	noRecord := func(t *emulator.Tenant) { delete(t.ServicePrincipals, appID) }
	wrongRecord := func(t *emulator.Tenant) {
		t.ServicePrincipals[appID] = &emulator.ServicePrincipal{ObjectID: t.Apps[appID].RegistrationID}
	}
	noConsent := func(t *emulator.Tenant) { t.Apps[appID].Roles = nil }
	return []row{
		{"way-api-consent", func(t *testing.T, s *site) {
			s.text = "way = \"api\"\n" + s.text
			setFault(t, s, "consent-missing")
		}, "claims", "permission", "Grant admin consent"},
		{"way-scoped-no-role", func(t *testing.T, s *site) {
			s.text = "way = \"scoped\"\n" + s.text
			setFault(t, s, "consent-missing")
		}, "sign-in", "scoped-role", "New-ManagementRoleAssignment"},
		{"way-scoped-with-consent", func(t *testing.T, s *site) {
			s.text = "way = \"scoped\"\n" + s.text
			setFault(t, s, "rbac-with-consent")
		}, "claims", "permission-not-needed", "remove SMTP.SendAsApp"},
		{"way-api-no-full-access", func(t *testing.T, s *site) {
			s.text = "way = \"api\"\n" + s.text
			setFault(t, s, "full-access-missing")
		}, "message", "mailbox-permission", fullMail},
		{"tenant-no-record", with(scripted{way: api, key: api, change: noRecord}),
			"sign-in", "service-principal", newSP},
		{"tenant-no-record-scoped", with(scripted{way: scoped, key: scoped, change: noRecord}),
			"sign-in", "service-principal", newSP},
		{"tenant-wrong-record", with(scripted{way: api, change: wrongRecord}),
			"sign-in", "service-principal", "Remove-ServicePrincipal -Identity " + appID + "; " + newSP},
		{"tenant-no-consent", with(scripted{way: api, change: noConsent}),
			"sign-in", "permission", "Grant admin consent"},
		{"tenant-no-role", with(scripted{way: scoped, key: scoped, change: noRole}),
			"sign-in", "scoped-role", "New-ManagementRoleAssignment -Name \"o365-sendmail-" + appID},
		{"tenant-out-of-scope", with(scripted{way: scoped, key: scoped, change: noMailbox}),
			"sign-in", "scope", "Add-DistributionGroupMember"},
		{"tenant-whatif", with(scripted{way: scoped, change: noRole, mode: "whatif"}),
			"sign-in", "scoped-role", "run the script without -WhatIf"},
		{"tenant-undone", with(scripted{way: api, faults: []string{"sp-missing"}, mode: "undone"}),
			"sign-in", "tenant-script", "without -Undo"},
		{"tenant-script-stopped", with(scripted{way: api, faults: []string{"mailbox-missing"}, mode: "failed"}),
			"sign-in", "tenant-script", "run the script again"},
		{"tenant-spreading", with(scripted{way: api, faults: []string{"sp-propagating"}}),
			"sign-in", "spreading", "wait until"},
		{"tenant-right-long-ago", with(scripted{way: api, faults: []string{"sp-propagating"}, age: 3 * time.Hour}),
			"sign-in", "tenant-unexplained", "run the script again"},
		{"tenant-full-access-spreading", with(scripted{way: api, faults: []string{"full-access-propagating"}}),
			"message", "spreading", "wait until"},
		{"tenant-policy", with(scripted{way: api, faults: []string{"auth-policy"}, set: map[string]string{
			"workload_policies": "Block apps outside the office"}}), "sign-in", "access-policy",
			"Block apps outside the office"},
		{"tenant-defaults", with(scripted{way: api, faults: []string{"security-defaults"}, set: map[string]string{
			"security_defaults": "yes"}}), "sign-in", "security-defaults", "security defaults are on"},
		{"report-of-another-app", with(scripted{way: api, set: map[string]string{"client_id": oid}}),
			"tenant-report", "report-of-another", "run the script again"},
		{"report-of-another-mailbox", with(scripted{way: api, set: map[string]string{"mailbox": "other@contoso.test"}}),
			"tenant-report", "report-of-another", "run the script again"},
		{"report-of-another-tenant", with(scripted{way: api, set: map[string]string{"tenant": oid}}),
			"tenant-report", "report-of-another", "run the script again"},
		{"report-of-another-way", with(scripted{way: api, key: api, set: map[string]string{"way": scoped}}),
			"tenant-report", "report-of-another-way", "run the script with -Way api"},
	}
}

func setFault(t *testing.T, s *site, name string) {
	if err := s.SetFault(name); err != nil {
		t.Fatal(err)
	}
}

// TestTenantReportOfHealthyTenant: with a report of what is right nothing is wrong, in both ways.
func TestTenantReportOfHealthyTenant(t *testing.T) {
	t.Parallel()
	for _, way := range []string{diagnose.WayAPI, diagnose.WayScoped} {
		s := newSite(t)
		s.agent()
		scripted{way: way, key: way}.apply(t, s)
		if rep := s.run(); rep.Status != OK || rep.Find("tenant-report", "") == nil {
			t.Errorf("%s: %s", way, rep.Text())
		}
	}
}

// TestReadTenant takes a report as people save and paste it, and says what is wrong with anything else.
func TestReadTenant(t *testing.T) {
	t.Parallel()
	good := scripted{way: "api"}.report(&site{Emulator: &emulator.Emulator{Tenant: "t", ClientID: "c", Mailbox: "m@x"}},
		&emulator.Tenant{Apps: map[string]*emulator.App{"c": {}}})
	wide := func(order binary.AppendByteOrder) string {
		out := []byte{}
		for _, u := range utf16.Encode([]rune("\ufeff" + good)) {
			out = order.AppendUint16(out, u)
		}
		return string(out)
	}
	for name, text := range map[string]string{
		"as printed": good, "byte order mark": "\ufeff" + good, "UTF-16": wide(binary.LittleEndian),
		"UTF-16 big-endian": wide(binary.BigEndian), "after another": strings.Replace(good, "way: api",
			"way: hve", 1) + good,
		"quoted": "> " + strings.ReplaceAll(good, "\n", "\n> "), "indented": strings.ReplaceAll(good, "\n", "\n    "),
	} {
		if r, err := ReadTenant(strings.NewReader(text)); err != nil || r.get("way") != "api" ||
			r.get("client_id") != "c" {
			t.Errorf("%s: %+v %v", name, r, err)
		}
	}
	for text, want := range map[string]string{
		"":                              "there is no report",
		"way: api\n":                    "there is no report",
		strings.Split(good, "mode")[0]:  "cut off",
		good + tenantBegin + "\nway: x": "cut off",
		strings.Replace(good, "report: 1", "report: 2", 1): "version",
		strings.Replace(good, "made: ", "made: x", 1):      "no time",
		strings.Replace(good, "mailbox: ", "mail: ", 1):    "lacks mailbox",
		"\xff\xfe\x00":    "there is no report",
		"\x00\xff\n:\n::": "there is no report",
	} {
		if _, err := ReadTenant(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, want %q", text, err, want)
		}
	}
}

// FuzzReadTenant: whatever a person pastes, nothing breaks, and what is shown is fit for a terminal.
func FuzzReadTenant(f *testing.F) {
	f.Add("\ufeff" + tenantBegin + "\nreport: 1\nmade: 2026-11-30T08:00:00Z\nclient_id: c\nmailbox: m\nway: api\n" +
		"mode: \x1b[2J\n" +
		tenantEnd + "\n")
	f.Add("\xff\xfe-\x00")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := ReadTenant(strings.NewReader(text))
		if err != nil {
			return
		}
		if mode := r.get("mode"); strings.ContainsAny(mode, "\x1b\n\r") || mode == "" {
			t.Errorf("%q", mode)
		}
	})
}
