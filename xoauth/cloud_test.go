package xoauth

import (
	"strings"
	"testing"
)

func TestLookupCloud(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, login, scope, delegated, smtp string }{
		{"global", "login.microsoftonline.com", "https://outlook.office365.com/.default",
			"https://outlook.office.com/SMTP.Send offline_access", "smtp.office365.com"},
		{"gcc-high", "login.microsoftonline.us", "https://outlook.office365.us/.default",
			"https://outlook.office365.us/SMTP.Send offline_access", "smtp.office365.us"},
		{"dod", "login.microsoftonline.us", "https://outlook-dod.office365.us/.default",
			"https://outlook-dod.office365.us/SMTP.Send offline_access", "outlook-dod.office365.us"},
		{"china", "login.partner.microsoftonline.cn", "https://partner.outlook.cn/.default",
			"https://partner.outlook.cn/SMTP.Send offline_access", "smtp.partner.outlook.cn"},
	}
	for i, tt := range tests {
		for _, name := range []string{tt.name, strings.ToUpper(tt.name)} {
			c, ok := LookupCloud(name)
			if !ok || c != (Cloud{tt.name, tt.login, tt.scope, tt.smtp, 587}) {
				t.Errorf("LookupCloud(%q) = %+v, %v", name, c, ok)
			}
			if c.DelegatedScope() != tt.delegated {
				t.Errorf("%s: DelegatedScope = %q, want %q", name, c.DelegatedScope(), tt.delegated)
			}
		}
		if CloudNames()[i] != tt.name {
			t.Errorf("CloudNames()[%d] = %q, want %q", i, CloudNames()[i], tt.name)
		}
	}
	if len(CloudNames()) != len(tests) {
		t.Errorf("CloudNames() = %q", CloudNames())
	}
	for _, name := range []string{"", "gcc"} {
		if c, ok := LookupCloud(name); !ok || c.Name != "global" {
			t.Errorf("LookupCloud(%q) = %+v, %v; want global", name, c, ok)
		}
	}
	if c, ok := LookupCloud("moon"); ok || c != (Cloud{}) {
		t.Errorf("LookupCloud(moon) = %+v, %v", c, ok)
	}
}
