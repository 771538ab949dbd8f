//go:build system

package system

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// TestDescriptors: with any small number of descriptors each way delivers, or is given up with 75 and one line.
func TestDescriptors(t *testing.T) {
	t.Parallel()
	front := buildFront(t)
	ways := map[string]struct {
		to      target
		command string
		message func(marker string) string
	}{
		"direct":          {lab.postfix, "/usr/sbin/sendmail -t -i", simple},
		"direct, queued":  {lab.postfix, "/usr/sbin/sendmail -t -i -odq", simple},
		"-bs, direct":     {lab.postfix, "/usr/sbin/sendmail -bs", dialogue},
		"-q, direct":      {lab.postfix, "/usr/sbin/sendmail -q", func(string) string { return "" }},
		"-bp, direct":     {lab.postfix, "/usr/sbin/sendmail -bp", func(string) string { return "" }},
		"agent":           {lab.agent, "/usr/sbin/sendmail -t -i", simple},
		"agent, by front": {lab.agent, "exec -a sendmail " + front + " -t -i", simple},
		"-bs, by agent":   {lab.agent, "/usr/sbin/sendmail -bs", dialogue},
		"-q, by agent":    {lab.agent, "/usr/sbin/sendmail -q", func(string) string { return "" }},
		"-bp, by agent":   {lab.agent, "/usr/sbin/sendmail -bp", func(string) string { return "" }},
		"front, no agent": {lab.postfix, "exec -a sendmail " + front + " -t -i", simple},
		"-bv":             {lab.postfix, "/usr/sbin/sendmail -bv you@example.org", func(string) string { return "" }},
		"-bi":             {lab.postfix, "/usr/sbin/sendmail -bi", func(string) string { return "" }},
	}
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			good := 0
			for n := 3; n <= 24; n++ {
				marker := newMarker("descriptors")
				c := newCall(t, way.to, "www-data", "/bin/bash", "-c", fmt.Sprintf("ulimit -n %d; %s", n, way.command))
				if c.config != "" {
					c.config = strings.Replace(c.config, noSpool, fmt.Sprintf("\n[spool]\ndir = %q\n",
						filepath.Join(filepath.Dir(c.cache), "spool")), 1)
				}
				c.stdin = strings.NewReader(way.message(marker))
				r := c.run(t)
				calm(t, r)
				said := r.stderr
				switch {
				case r.code == 0 && strings.Contains(name, "-b") || r.code == 0 && strings.Contains(name, "-q"),
					r.code == 0 && strings.Contains(name, "queued"):
					good++
				case r.code == 0:
					good++
					one(t, way.to, marker)
				case r.code != 75 || strings.Count(said, "\n") != 1:
					t.Errorf("%d: %v, want 0, or 75 and one line", n, r)
				}
			}
			if good == 0 {
				t.Error("it never succeeds")
			}
		})
	}
}

// dialogue is the message simple as a caller of -bs hands it in.
func dialogue(marker string) string {
	return "EHLO x\nMAIL FROM:<app@web1.example>\nRCPT TO:<you@example.org>\nDATA\n" + simple(marker) + ".\nQUIT\n"
}
