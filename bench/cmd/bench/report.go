package main

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"time"
)

// table is one table of the report.
type table struct {
	title, note string
	columns     []string
	rows        [][]string
	file, svg   string // a picture of it; "" for none
}

// report gathers what docs/performance.md says.
type report struct {
	machine []string // lines
	tables  []*table
	took    time.Duration
}

func (r *report) add(title, note string, columns ...string) *table {
	t := &table{title: title, note: note, columns: columns}
	r.tables = append(r.tables, t)
	return t
}

func (t *table) row(cells ...string) { t.rows = append(t.rows, cells) }

// picture puts one below the table.
func (t *table) picture(file, svg string) { t.file, t.svg = file, svg }

// head is the prose of the report, which stays.
//
//go:embed head.md
var head string

// results is all that this run has found.
func (r *report) results() string {
	var b strings.Builder
	b.WriteString("\n## The machine of this run\n\n")
	for _, l := range r.machine {
		fmt.Fprintf(&b, "* %s\n", l)
	}
	if r.took > 0 {
		fmt.Fprintf(&b, "* the run took %.0f s\n", r.took.Seconds())
	}
	for _, t := range r.tables {
		fmt.Fprintf(&b, "\n## %s\n\n", t.title)
		if t.note != "" {
			fmt.Fprintf(&b, "%s\n\n", t.note)
		}
		fmt.Fprintf(&b, "| %s |\n|---%s|\n", strings.Join(t.columns, " | "), strings.Repeat("|---:", len(t.columns)-1))
		for _, row := range t.rows {
			fmt.Fprintf(&b, "| %s |\n", strings.Join(row, " | "))
		}
		if t.file != "" {
			fmt.Fprintf(&b, "\n![%s](%s)\n", t.title, t.file)
		}
	}
	return b.String()
}

// quantile returns the q-th of the values, 0 to 1.
func quantile[T ~int64](values []T, q float64) T {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[int(q*float64(len(sorted)-1)+0.5)]
}

func median[T ~int64](values []T) T { return quantile(values, 0.5) }

// ms shows a duration in milliseconds with three digits or so.
func ms(d time.Duration) string { return short(float64(d) / float64(time.Millisecond)) }

func short(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

func mib(size int64) string { return fmt.Sprintf("%.1f", float64(size)/(1<<20)) }

// times shows how often the yardstick fits into a value.
func times(v, yardstick time.Duration) string {
	if yardstick <= 0 {
		return "–"
	}
	return fmt.Sprintf("%.2f", float64(v)/float64(yardstick))
}

// quartiles shows the middle half.
func quartiles(values []time.Duration) string {
	return ms(quantile(values, 0.25)) + "–" + ms(quantile(values, 0.75))
}
