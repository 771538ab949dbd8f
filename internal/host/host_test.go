package host

import (
	"bufio"
	"strings"
	"testing"
)

func TestLocal(t *testing.T) {
	t.Parallel()
	local := Local("web1.example.com", "example.net", "contoso.com")
	for domain, want := range map[string]bool{
		"web1.example.com": true, "WEB1.EXAMPLE.COM.": true, "web1": true, "localhost": true,
		"localhost.localdomain": true,
		"web1.local":            true, "example.net": true, "example.com": false, "contoso.com": false, "": false,
		"web2": false,
	} {
		if got := local(domain); got != want {
			t.Errorf("%q: %v", domain, got)
		}
	}
	if Local("contoso.com", "contoso.com", "contoso.com")("contoso.com") {
		t.Error("the tenant's domain counts as this host")
	}
}

func TestScan(t *testing.T) {
	t.Parallel()
	const passwd = "root:x:0:0:root:/root:/bin/bash\nbad line\nbill:x:1000:1000:& Gates,Room " +
		"1,,:/home/bill:/bin/sh\nx:x:a:b::/:\n"
	u, ok := scan(bufio.NewScanner(strings.NewReader(passwd)), func(f []string) bool { return f[2] == "1000" })
	if !ok || u.FullName != "Bill Gates" || u.Home != "/home/bill" {
		t.Errorf("%+v, %v", u, ok)
	}
	if _, ok := scan(bufio.NewScanner(strings.NewReader(passwd)), func(f []string) bool { return f[0] == "x" }); ok {
		t.Error("an entry without ids was taken")
	}
	if u := UserByID(0); u.Name != "root" {
		t.Errorf("uid 0 is %+v", u)
	}
	if u := UserByID(987654321); u.Name != "987654321" {
		t.Errorf("an unknown id is %+v", u)
	}
}

func TestValid(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{"web1": true, "a.b.": true, "": false, "a b": false, "-x": false,
		"a..b": false, "a\n": false, "(none)": false} {
		if valid(name) != want {
			t.Errorf("%q: %v", name, !want)
		}
	}
}
