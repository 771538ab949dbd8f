package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"o365-sendmail/internal/cmdline"
	"o365-sendmail/internal/control"
	"o365-sendmail/internal/printable"
	"o365-sendmail/internal/queueview"
	"o365-sendmail/internal/sysexits"
)

// fleetVerbs are those of queue that --fleet goes with: what they ask is no message's text.
var fleetVerbs = []string{"list", "show", "retry", "hold", "release", "delete"}

// runInFleet carries the command out on each host of the fleet. A host that does not answer is named, and the
// others are asked all the same.
func (r *queueRunner) runInFleet(ctx context.Context) error {
	agent, ok := r.queue.(*control.Client)
	if !ok {
		return sysexits.With(sysexits.TempFail, errors.New("only the agent knows the fleet, and none runs here"))
	}
	f, err := agent.Fleet(ctx, false)
	if err != nil {
		return err
	}
	if f.Unreachable != "" {
		r.env.errorf("o365-sendmail", "this host alone is asked: %s", f.Unreachable)
	}
	var failed error
	note := func(host string, err error) {
		if err != nil && !isReaderGone(err) && !errors.Is(err, errTold) {
			r.env.errorf("o365-sendmail", "%s: %v", printable.Line(host), err)
		}
		failed = errorsFirst(failed, err)
	}
	wanted, asked := r.args.filter.IDs, []string{}
	for _, host := range hostsOf(&f) {
		r.queue, r.host = agent, host
		if host != f.Host {
			r.queue = agent.Host(host)
		}
		if r.args.filter.IDs, err = r.onHost(ctx, wanted, &asked); err != nil {
			note(host, err)
			continue
		}
		if wanted != nil && len(r.args.filter.IDs) == 0 {
			continue
		}
		if !r.args.json && r.args.verb != "show" {
			fmt.Fprintf(r.env.Stdout, "host %s:\n", printable.Line(host))
		}
		note(host, r.here(ctx))
	}
	for _, id := range wanted {
		if !slices.Contains(asked, id) {
			note(id, sysexits.With(sysexits.NoInput, errors.New("no host that answers has such a message")))
		}
	}
	if silent := silentHosts(&f); silent != "" && !r.args.json {
		fmt.Fprintln(r.env.Stdout, silent)
	} else if silent != "" {
		r.env.errorf("o365-sendmail", "%s", silent)
	}
	if failed != nil {
		return sysexits.With(sysexits.Code(failed, sysexits.TempFail), errTold)
	}
	return nil
}

// errorsFirst keeps the first of two errors.
func errorsFirst(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// onHost returns those of the ids that the host has, and adds them to asked.
func (r *queueRunner) onHost(ctx context.Context, ids []string, asked *[]string) (there []string, err error) {
	if ids == nil {
		return nil, nil
	}
	for _, id := range ids {
		f := queueview.Filter{IDs: []string{id}, Failed: r.args.filter.Failed}
		_, err := r.queue.List(ctx, f, func(*queueview.Message) error { return nil })
		switch {
		case err == nil:
			there = append(there, id)
		case sysexits.Code(err, 0) != sysexits.NoInput:
			return there, err
		}
	}
	*asked = append(*asked, there...)
	return there, nil
}

// hostsOf are the hosts that are there, this one first.
func hostsOf(f *queueview.Fleet) []string {
	all := []string{f.Host}
	for _, h := range f.Hosts {
		if !slices.Contains(all, h.Name) {
			all = append(all, h.Name)
		}
	}
	return all
}

// silentHosts names the hosts that were there and are not; "" for none.
func silentHosts(f *queueview.Fleet) string {
	if len(f.Silent) == 0 {
		return ""
	}
	var all []string
	for _, h := range f.Silent {
		all = append(all, fmt.Sprintf("%s (for %s)", printable.Line(h.Name), time.Duration(h.Seconds)*time.Second))
	}
	return count(len(all), "host") + " silent: " + strings.Join(all, ", ")
}

type fleetArgs struct {
	json   bool
	config string
}

func (a *fleetArgs) flags() *verbFlags {
	f := newVerbFlags("fleet", "[--json] [-C FILE]")
	f.BoolVar(&a.json, "json", false, "one JSON object")
	f.StringVar(&a.config, "C", "", "another configuration `FILE`")
	return f
}

// fleetCommand is o365-sendmail fleet: hosts, slots, what is used of the limits, and the servers.
func (e *Env) fleetCommand(ctx context.Context, args []string) int {
	var a fleetArgs
	fs := a.flags()
	if _, err := fs.parse(args, 0); err != nil {
		return e.failVerb(fs, err)
	}
	f, err := e.fleet(ctx, a.config)
	if err != nil {
		return e.fail("o365-sendmail", err)
	}
	if a.json {
		out := newJSONLines(e.Stdout)
		err = errors.Join(out.put(fleetReport{f, 1}), out.flush())
	} else {
		e.printFleet(&f)
	}
	switch {
	case err != nil && !isReaderGone(err):
		return e.fail("o365-sendmail", err)
	case f.Unreachable != "":
		return sysexits.TempFail
	}
	return sysexits.OK
}

type fleetReport struct {
	queueview.Fleet
	Schema int `json:"schema"` // 1 as long as no field changes its meaning
}

func (e *Env) fleet(ctx context.Context, config string) (queueview.Fleet, error) {
	q, err := e.process("o365-sendmail").OpenQueue(ctx, &cmdline.Options{Config: config}, false)
	if err != nil {
		return queueview.Fleet{}, err
	}
	defer q.Close()
	agent, ok := q.(*control.Client)
	if !ok {
		return queueview.Fleet{}, sysexits.With(sysexits.TempFail,
			errors.New("only the agent knows the fleet, and none runs here"))
	}
	return agent.Fleet(ctx, false)
}

func (e *Env) printFleet(f *queueview.Fleet) {
	out := func(format string, args ...any) { fmt.Fprintln(e.Stdout, printable.Line(fmt.Sprintf(format, args...))) }
	out("fleet %s, asked on %s", f.Name, f.Host)
	switch c := f.Centre; {
	case f.Unreachable != "":
		out("servers: %s", f.Unreachable)
	case c != nil:
		line := fmt.Sprintf("servers: %s (nats-server %s), kept %s", c.Server, c.Version, count(c.Replicas, "time"))
		if c.Leader != "" {
			line += ", leader " + c.Leader
		}
		if len(c.Behind) > 0 {
			line += "; behind: " + strings.Join(c.Behind, ", ")
		}
		out("%s", line)
	}
	for _, fault := range f.Faults {
		out("fault: %s", fault)
	}
	for i := range f.Hosts {
		h := &f.Hosts[i]
		line := fmt.Sprintf("host %s: version %s, %s wait", h.Name, h.Version, count(h.Messages, "message"))
		if h.Oldest > 0 {
			line += fmt.Sprintf(", the oldest for %s", time.Duration(h.Oldest)*time.Second)
		}
		out("%s", line)
	}
	if silent := silentHosts(f); silent != "" {
		out("%s", silent)
	}
	for _, m := range f.Mailboxes {
		var slots []string
		for _, s := range m.Slots {
			slots = append(slots, fmt.Sprintf("%d %s", s.N, s.Host))
		}
		held := "no slot is taken"
		if len(slots) > 0 {
			held = "slots: " + strings.Join(slots, ", ")
		}
		if f.Unreachable != "" {
			out("mailbox %s: what all hosts have used is not known", m.Name)
			continue
		}
		out("mailbox %s: %s in the last minute, %s in the last day; %s", m.Name, count(m.Messages, "message"),
			count(m.Recipients, "recipient"), held)
	}
}
