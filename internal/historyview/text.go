package historyview

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"o365-sendmail/internal/history"
	"o365-sendmail/internal/printable"
)

// Screen is what text may look like.
type Screen struct {
	Width   int  // columns, 0 if unknown
	Color   bool // ANSI colours
	Unicode bool // blocks, else ASCII
}

const (
	usualWidth = 80
	leastBar   = 8
	maxLabel   = 20
)

// Text writes the sums with a bar for each day, hour and user.
func Text(w io.Writer, s *history.Stats, screen Screen) error {
	p := &plot{Screen: screen}
	if p.Width <= 0 {
		p.Width = usualWidth
	}
	fmt.Fprintf(&p.b, "Mail up to %s\n\n", s.Until.Format("2006-01-02 15:04 UTC"))
	for _, row := range outcomes(s) {
		fmt.Fprintf(&p.b, "  %-10s", row[0])
		for _, cell := range row[1:] {
			fmt.Fprintf(&p.b, " %12s", cell)
		}
		p.b.WriteByte('\n')
	}
	if len(s.Days) > 1 {
		p.chart("By day", days(s))
	}
	p.chart("Today by hour (UTC)", hours(s))
	p.chart("By user, "+of(len(s.Days)), users(s))
	p.chart("Sent within", delays(s))
	if s.Damaged > 0 {
		fmt.Fprintf(&p.b, "\n%s damaged lines were passed over.\n", grouped(int64(s.Damaged)))
	}
	_, err := w.Write(p.b.Bytes())
	return err
}

// outcomes is a table of the outcomes, its head first: those of today, and of all days if there are more.
func outcomes(s *history.Stats) [][]string {
	table := [][]string{{"outcome", "today", of(len(s.Days))}}
	for i, word := range history.Statuses {
		table = append(table, []string{word, grouped(*s.Today.Of(i)), grouped(*s.All.Of(i))})
	}
	table = append(table, []string{"bytes sent", "", size(s.Bytes)})
	if len(s.Days) == 1 {
		for i, row := range table {
			table[i] = []string{row[0], row[2]}
		}
	}
	return table
}

// bar is a row of a chart.
type bar struct {
	label     string
	sent, not int64
}

func barOf(label string, c *history.Counts) bar { return bar{label, c.Sent, c.Undelivered()} }

func days(s *history.Stats) (bars []bar) {
	for i := range s.Days {
		bars = append(bars, barOf(s.Days[i].Date, &s.Days[i].Counts))
	}
	return bars
}

func hours(s *history.Stats) (bars []bar) {
	for i := range s.Hours {
		bars = append(bars, barOf(fmt.Sprintf("%02d:00", i), &s.Hours[i]))
	}
	return bars
}

func users(s *history.Stats) (bars []bar) {
	for i := range s.Users {
		bars = append(bars, barOf(s.Users[i].Label(), &s.Users[i].Counts))
	}
	if s.Others != nil {
		bars = append(bars, barOf("all others", s.Others))
	}
	return bars
}

func delays(s *history.Stats) (bars []bar) {
	for _, d := range s.Delays {
		bars = append(bars, bar{label: within(d.Seconds), sent: d.Sent})
	}
	return bars
}

// most is the largest sum of a row, at least 1.
func most(bars []bar) int64 {
	n := int64(1)
	for _, b := range bars {
		n = max(n, b.sent+b.not)
	}
	return n
}

type plot struct {
	Screen
	b bytes.Buffer
}

func (p *plot) chart(title string, bars []bar) {
	fmt.Fprintf(&p.b, "\n%s\n", title)
	label, numbers := 0, 0
	for i := range bars {
		bars[i].label = printable.Cut(printable.Clean(bars[i].label), maxLabel)
		label = max(label, utf8.RuneCountInString(bars[i].label))
		numbers = max(numbers, len(counted(bars[i])))
	}
	room := max(p.Width-label-numbers-4, leastBar)
	top := most(bars)
	for _, b := range bars {
		fmt.Fprintf(&p.b, "  %s%s %s %s\n", b.label, strings.Repeat(" ", label-utf8.RuneCountInString(b.label)),
			p.marks(b, top, room), counted(b))
	}
	if len(bars) == 0 {
		p.b.WriteString("  nothing\n")
	}
}

// counted is the numbers behind a bar.
func counted(b bar) string {
	if b.not == 0 {
		return grouped(b.sent)
	}
	return grouped(b.sent) + " + " + grouped(b.not) + " not sent"
}

// marks draws a bar without its end's spaces. What is more than nothing has a mark.
func (p *plot) marks(b bar, top int64, room int) string {
	length := func(n int64) int {
		if n == 0 {
			return 0
		}
		return max(1, int(n*int64(room)/top))
	}
	sent, not := length(b.sent), length(b.not)
	if sent+not > room {
		sent = room - not
	}
	good, bad := "#", "x"
	if p.Unicode {
		good, bad = "█", "░"
	}
	return p.paint("32", strings.Repeat(good, sent)) + p.paint("31", strings.Repeat(bad, not))
}

func (p *plot) paint(color, s string) string {
	if !p.Color || s == "" {
		return s
	}
	return "\x1b[" + color + "m" + s + "\x1b[0m"
}
