package doctor

import (
	"context"
	"fmt"
	"strings"
	"time"

	"o365-sendmail/internal/control"
	"o365-sendmail/internal/queueview"
	"o365-sendmail/internal/sysexits"
)

// fleet asks the agent how the fleet is, and has it prove that what should expire there does.
func (r *runner) fleet(ctx context.Context, c *Check) {
	if !r.agent {
		c.skip("only the agent knows the fleet, and none answers")
		return
	}
	ctx, cancel := r.limit(ctx)
	defer cancel()
	q, err := control.Connect(ctx, control.SocketPath(r.socket))
	if err != nil {
		c.skip("the agent tells nothing of its fleet: " + err.Error())
		return
	}
	defer q.Close()
	f, err := q.Fleet(ctx, true)
	judgeMember(c, &f, err)
}

// judgeMember judges what the agent says of the fleet. A host that can't join holds all mail.
func judgeMember(c *Check, f *queueview.Fleet, err error) {
	switch {
	case err != nil && strings.Contains(err.Error(), "can't join its fleet"):
		c.fail(Configuration, "fleet-join", err.Error(), "put right what the line says; sudo o365-sendmail config reload")
	case sysexits.Code(err, 0) == sysexits.NoPerm:
		c.skip("only root and the service user may ask for the fleet")
	case sysexits.Code(err, 0) == sysexits.Config:
		c.warn("agent-older", "the agent is in no fleet yet: "+err.Error(), "sudo systemctl restart o365-sendmail")
	case err != nil:
		c.skip("the agent tells nothing of its fleet: " + err.Error())
	default:
		judgeFleet(c, f)
	}
}

func judgeFleet(c *Check, f *queueview.Fleet) {
	const list = "sudo o365-sendmail fleet"
	switch {
	case f.Unreachable != "":
		c.warn("fleet-unreachable", f.Unreachable,
			"mail is accepted, and delivered as fleet.unreachable says; put right what the line says, or get two of the "+
				"three NATS servers to answer")
	case len(f.Faults) > 0:
		seen := f.Faults[0]
		if n := len(f.Faults) - 1; n > 0 {
			seen += fmt.Sprintf(" (and %d more)", n)
		}
		c.warn("fleet-fault", seen, list+" lists all faults")
	case f.Centre != nil && len(f.Centre.Behind) > 0:
		c.warn("fleet-behind", "a server of the fleet does not have all: "+strings.Join(f.Centre.Behind, ", "),
			"if another stops, nobody can be asked: look at the log of that nats-server")
	case len(f.Silent) > 0:
		h := f.Silent[0]
		c.warn("fleet-silent", fmt.Sprintf("host %s has said nothing for %s; what waits there waits until it is back",
			h.Name, time.Duration(h.Seconds)*time.Second), list)
	case f.Centre != nil:
		c.ok(fmt.Sprintf("%d hosts, nats-server %s, everything is kept %d times", len(f.Hosts), f.Centre.Version,
			f.Centre.Replicas))
	}
}
