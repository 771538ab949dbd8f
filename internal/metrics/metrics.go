// Package metrics writes the state of the delivery engine as text for Prometheus
// (exposition format 0.0.4): for node_exporter's textfile collector, and for who asks the agent. It measures
// nothing itself, opens no socket, and names no user and no address.
package metrics

import (
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"o365-sendmail/internal/deliver"
	"o365-sendmail/internal/durable"
	"o365-sendmail/internal/quota"
)

// Snapshot is what the metrics are read from.
type Snapshot struct {
	deliver.State
	// Version is the program's.
	Version string
	// Broken is set when the configuration in force can't be used.
	Broken bool
	// Read is when the last configuration that can be used was read; zero for never. ReadFailed is set when one that
	// can't be used was read since.
	Read       time.Time
	ReadFailed bool
	// Fleet is nil for a host that is in none.
	Fleet *Fleet
}

// Fleet is how a host's fleet is, and how the host has fared in it.
type Fleet struct {
	Mode  string // deliver.ModeFleet, ModeShare or ModeWait
	Hosts int    // that were there when this one heard of them last
	quota.Counts
}

// fileMode lets the node exporter read the file: it holds no secret.
const fileMode fs.FileMode = 0o644

// Writer returns a function that writes the text of Render to the file at path. A reader sees the
// old content or the new. The first of a row of failures is given to warn.
func Writer(path string, warn func(error)) func(text []byte) {
	failed := false
	return func(text []byte) {
		err := durable.Replaceable(path)
		if err == nil {
			err = durable.ReplaceNoSync(path, text, fileMode)
		}
		if err != nil && !failed && warn != nil {
			warn(fmt.Errorf("the metrics can't be written: %w", err))
		}
		failed = err != nil
	}
}

// Render returns the text. A metric of which nothing is known is left out.
func Render(s *Snapshot) []byte {
	var b []byte
	for _, m := range Table() {
		head := "# HELP " + m.FullName() + " " + m.Help + "\n# TYPE " + m.FullName() + " " + m.Type + "\n"
		m.collect(s, func(suffix string, value float64, labels ...string) {
			b = append(b, head+m.FullName()+suffix...)
			head = ""
			b = appendLabels(b, m.labelNames(suffix), labels)
			b = append(strconv.AppendFloat(append(b, ' '), value, 'f', -1, 64), '\n')
		})
	}
	return b
}

func appendLabels(b []byte, names, values []string) []byte {
	for i, name := range names {
		sign := byte(',')
		if i == 0 {
			sign = '{'
		}
		b = append(append(b, sign), name+`="`+escape(values[i])+`"`...)
	}
	if len(names) > 0 {
		b = append(b, '}')
	}
	return b
}

func escape(s string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(strings.ToValidUTF8(s, "?"))
}
