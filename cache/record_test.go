package cache

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

var testTime = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func validToken(t testing.TB) []byte {
	t.Helper()
	data, err := encodeToken(&tokenRecord{
		Key: testKey, Token: "eyJ0.abc", Obtained: testTime, Expiry: testTime.Add(time.Hour),
		RefreshAt: testTime.Add(30 * time.Minute), stamp: stamp{Boot: "b", Uptime: 5},
	})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestTokenFileIsJSON(t *testing.T) {
	t.Parallel()
	data := validToken(t)
	var all struct {
		Version int
		Sum     string
		Body    tokenRecord
	}
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	if all.Version != 1 || len(all.Sum) != sumLength || all.Body.Key != testKey || all.Body.Token != "eyJ0.abc" {
		t.Errorf("%+v", all)
	}
	r, err := decodeToken(data, testKey)
	if err != nil || !r.RefreshAt.Equal(testTime.Add(30*time.Minute)) || r.Uptime != 5 || r.Boot != "b" {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestDamagedTokenFile(t *testing.T) {
	t.Parallel()
	data := validToken(t)
	for n := range data {
		if _, err := decodeToken(data[:n], testKey); err == nil {
			t.Errorf("cut to %d bytes: accepted", n)
		}
		for bit := range 8 {
			damaged := bytes.Clone(data)
			damaged[n] ^= 1 << bit
			if _, err := decodeToken(damaged, testKey); err == nil {
				t.Errorf("bit %d of byte %d turned: accepted", bit, n)
			}
		}
	}
}

func TestForeignTokenFile(t *testing.T) {
	t.Parallel()
	data := validToken(t)
	for _, change := range []func(*Key){
		func(k *Key) { k.Authority = "x" }, func(k *Key) { k.Tenant = "x" }, func(k *Key) { k.ClientID = "x" },
		func(k *Key) { k.Scope = "x" }, func(k *Key) { k.Credential = "x" },
	} {
		k := testKey
		change(&k)
		if _, err := decodeToken(data, k); err == nil {
			t.Errorf("%+v: accepted", k)
		}
		if k.name() == testKey.name() {
			t.Errorf("%+v has the same file name", k)
		}
	}
	// Fields that run into each other must not give the same name.
	if (Key{Tenant: "ab", ClientID: "c"}).name() == (Key{Tenant: "a", ClientID: "bc"}).name() {
		t.Error("two keys share a name")
	}
}

func TestImpossibleTokens(t *testing.T) {
	t.Parallel()
	good := tokenRecord{Key: testKey, Token: "t", Obtained: testTime, Expiry: testTime.Add(time.Hour)}
	for name, change := range map[string]func(*tokenRecord){
		"empty":         func(r *tokenRecord) { r.Token = "" },
		"line end":      func(r *tokenRecord) { r.Token = "a\r\nb" },
		"blank":         func(r *tokenRecord) { r.Token = "a b" },
		"not ASCII":     func(r *tokenRecord) { r.Token = "ä" },
		"too long":      func(r *tokenRecord) { r.Token = strings.Repeat("a", maxToken+1) },
		"no start":      func(r *tokenRecord) { r.Obtained = time.Time{} },
		"ends at start": func(r *tokenRecord) { r.Expiry = r.Obtained },
		"lives a year":  func(r *tokenRecord) { r.Expiry = r.Obtained.AddDate(1, 0, 0) },
		"overflow":      func(r *tokenRecord) { r.Expiry = time.Unix(1<<40, 0) },
	} {
		r := good
		change(&r)
		if _, err := encodeToken(&r); err == nil {
			t.Errorf("%s: written", name)
		}
		body, _ := json.Marshal(r)
		if _, err := decodeToken(seal(body), testKey); err == nil {
			t.Errorf("%s: read", name)
		}
	}
	if _, err := encodeToken(&good); err != nil {
		t.Error(err)
	}
}

// FuzzDecode feeds the readers of both kinds of file, framed and raw.
func FuzzDecode(f *testing.F) {
	valid := validToken(f)
	f.Add(valid)
	f.Add(valid[:len(valid)/2])
	f.Add([]byte{})
	f.Add([]byte(framePrefix))
	f.Add([]byte(`{"key":{},"token":"t","obtained":"2026-01-01T00:00:00Z","expiry":"2026-01-01T01:00:00Z"}`))
	f.Add([]byte(`{"key":{},"at":"2026-01-01T00:00:00Z","until":"2026-01-01T00:01:00Z","failures":1,"text":"\u001b[2J\r\n"}`))
	f.Add([]byte(`{"key":{},"token":"t","obtained":"9999-12-31T23:59:59Z","expiry":"0000-01-01T00:00:00Z","uptime":-9223372036854775808}`))
	c := clock{now: func() time.Time { return testTime }, uptime: func() int64 { return 1000 },
		boot: func() string { return "b" }}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, d := range [][]byte{data, seal(data)} {
			if r, err := decodeToken(d, Key{}); err == nil {
				if !isBearer(r.Token) {
					t.Errorf("token %q", r.Token)
				}
				c.age(r.Obtained, r.stamp)
				again, err := encodeToken(r)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := decodeToken(again, Key{}); err != nil {
					t.Fatal(err)
				}
			}
			if r, err := decodeRefused(d, Key{}); err == nil &&
				strings.ContainsFunc(r.Text+r.Advice, func(c rune) bool { return c < ' ' }) {
				t.Errorf("control characters in %q", r.Text)
			}
		}
	})
}
