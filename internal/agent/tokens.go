package agent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"o365-sendmail/internal/deliver"
	"o365-sendmail/internal/host"
	"o365-sendmail/internal/maillog"
	"o365-sendmail/internal/sysexits"
	"o365-sendmail/xoauth"
)

// youngToken is the age up to which a token is not replaced for a user: who may have tokens must not use up what Entra
// allows.
const youngToken = 30 * time.Second

// token is the control socket's: who may read the configuration needs no agent for one, others are in
// agent.token_group.
func (a *Agent) token(ctx context.Context, uid int, may func(gid int) bool, most time.Duration) (xoauth.Token, error) {
	r := a.rules.Load()
	group := r.config.Agent.TokenGroup
	gid, _ := host.GroupID(group)
	switch {
	case group == "" && !may(gid):
		return xoauth.Token{}, sysexits.With(sysexits.NoPerm, errors.New(
			"only who may read it gets tokens (agent.token_group can name a group that does, too)"))
	case !may(gid):
		return xoauth.Token{}, sysexits.With(sysexits.NoPerm, fmt.Errorf("only who may read it and the group %s "+
			"(agent.token_group) get tokens; who was added to the group has to log in again", group))
	case r.fault != nil:
		return xoauth.Token{}, sysexits.With(sysexits.TempFail, fmt.Errorf("the agent's configuration can't be used: %s",
			r.reason()))
	}
	if most >= 0 {
		most = max(most, youngToken)
	}
	t, err := r.account.TokenWithin(ctx, most)
	if err != nil {
		return t, sysexits.With(deliver.ExitCode(err), err)
	}
	a.log.Log(maillog.Info, "", "", fmt.Sprintf("userid %d (%s) got an access token", uid, a.users.name(uid)))
	return t, nil
}
