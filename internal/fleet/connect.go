package fleet

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"
)

// The oldest server that has atomic batches and keys with a TTL of their own.
const leastMajor, leastMinor = 2, 12

func (f *Fleet) connectOptions() (nats.Options, error) {
	o := nats.GetDefaultOptions()
	o.Servers, o.Name = f.o.Servers, "o365-sendmail "+f.o.Host
	o.Timeout, o.PingInterval, o.MaxPingsOut = callTimeout, 5*time.Second, 2
	o.MaxReconnect, o.ReconnectBufSize = -1, -1 // what can't be sent now is not sent later
	o.ReconnectWait, o.ReconnectJitter, o.ReconnectJitterTLS = 250*time.Millisecond, time.Second, time.Second
	o.IgnoreAuthErrorAbort = true
	// Others that the servers name come as addresses, and the client would look for the name of the server before in
	// their certificates.
	o.IgnoreDiscoveredServers = true
	o.TLSConfig, o.Secure = f.o.TLS, f.o.TLS != nil
	o.AsyncErrorCB = func(_ *nats.Conn, _ *nats.Subscription, err error) {
		if errors.Is(err, nats.ErrPermissionViolation) {
			f.note("rights", f.explain(err))
		}
	}
	if f.o.NKeySeed == nil {
		return o, nil
	}
	pair, err := nkeys.FromSeed(f.o.NKeySeed)
	if err != nil {
		return o, errors.New("the NKey's file holds no seed, which begins with SU")
	}
	o.Nkey, err = pair.PublicKey()
	o.SignatureCB = pair.Sign
	return o, err
}

// wrongError says what an administrator has to change at the servers.
type wrongError string

func (e wrongError) Error() string { return string(e) }

// isRefusal reports whether the servers have answered, and the answer was no.
func isRefusal(err error) bool {
	var refusal *jetstream.APIError
	var wrong wrongError
	return errors.As(err, &refusal) || errors.As(err, &wrong)
}

// explain says in a line what an error of the client means for an administrator.
func (f *Fleet) explain(err error) error {
	var api *jetstream.APIError
	var wrong wrongError
	switch {
	case err == nil, errors.As(err, &wrong):
		return err
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired):
		return fmt.Errorf("the fleet's servers refuse this host's NKey or certificate: %w", err)
	case errors.Is(err, nats.ErrPermissionViolation):
		return fmt.Errorf("this host's user of the fleet's servers lacks a right (docs/fleet.md lists them): %w", err)
	case errors.Is(err, jetstream.ErrJetStreamNotEnabled), errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount):
		return errors.New("the fleet's servers have no JetStream for this account: set jetstream in their configuration")
	case errors.As(err, &api) && (api.ErrorCode == 10005 || api.ErrorCode == 10074):
		return fmt.Errorf("the fleet's servers can't keep everything three times, which takes three that are "+
			"clustered: %s", api.Description)
	case errors.As(err, &api) && api.ErrorCode == 10065:
		return fmt.Errorf("another stream at the fleet's servers has the fleet's subjects, %s.> or $KV.%s.>: delete "+
			"that stream, or set another fleet.name on all hosts", f.o.Name, f.o.Name)
	case errors.As(err, &api):
		return fmt.Errorf("the fleet's servers refuse: %s", api.Description)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, nats.ErrTimeout):
		return fmt.Errorf("the fleet's servers (%s) do not answer in time", strings.Join(f.o.Servers, ", "))
	}
	return fmt.Errorf("the fleet's servers (%s) can't be reached: %w", strings.Join(f.o.Servers, ", "), err)
}

// join makes sure that the server is good enough and that the fleet's bucket is there.
func (f *Fleet) join(nc *nats.Conn) error {
	if !nc.IsConnected() {
		if err := nc.LastError(); err != nil {
			return f.explain(err)
		}
		return f.explain(nats.ErrDisconnected)
	}
	if err := goodVersion(nc.ConnectedUrlRedacted(), nc.ConnectedServerVersion()); err != nil {
		return err
	}
	js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(callTimeout))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(f.ctx, callTimeout)
	defer cancel()
	if err := f.makeBucket(ctx, js); err != nil {
		return f.explain(err)
	}
	// What watches answer when the servers ask whether they keep up. Nobody hears this one; a right that lacks is told.
	if err := nc.Publish("$JS.FC.KV_"+f.o.Name+".right", nil); err != nil {
		return f.explain(err)
	}
	f.mu.Lock()
	f.js = js
	clear(f.boxes)
	f.mu.Unlock()
	if err := f.view.watch(ctx, js); err != nil {
		return f.explain(err)
	}
	if err := f.sayHost(f.o.Wait); err != nil {
		return f.explain(err)
	}
	err = f.countable(js) // after the others have heard: hosts that send by themselves divide by the number of them
	if err != nil {
		f.link.trip(err)
		f.pause(f.o.TTL/8, f.o.TTL/8)
	}
	return err
}

// goodVersion refuses a server that takes a TTL and drops it: a host that is gone would hold its slot for ever.
func goodVersion(url, version string) error {
	major, rest, _ := strings.Cut(version, ".")
	minor, _, _ := strings.Cut(rest, ".")
	a, errA := strconv.Atoi(major)
	b, errB := strconv.Atoi(minor)
	if errA != nil || errB != nil || a < leastMajor || a == leastMajor && b < leastMinor {
		return fmt.Errorf("%s runs nats-server %s, and a fleet needs %d.%d or later on each server", url, version,
			leastMajor, leastMinor)
	}
	return nil
}

// replicas is how often everything is kept.
func (f *Fleet) replicas() int {
	if len(f.o.Servers) >= 3 {
		return 3
	}
	return 1
}

// otherReplicas notes that something is not kept as often as the configuration has it.
func (f *Fleet) otherReplicas(what string, n int) {
	if want := f.replicas(); n != want {
		f.note("replicas", fmt.Errorf("the %s is kept %d times, and by the servers in fleet.servers should be kept %d times: "+
			"name the same servers on all hosts, or delete it", what, n, want))
	}
}

// makeBucket makes the bucket, or finds it.
func (f *Fleet) makeBucket(ctx context.Context, js jetstream.JetStream) error {
	want := jetstream.KeyValueConfig{Bucket: f.o.Name, History: 1, LimitMarkerTTL: time.Second,
		Storage: jetstream.FileStorage, Replicas: f.replicas(), Description: "o365-sendmail: slots and hosts",
		Metadata: map[string]string{slotsKey: strconv.Itoa(f.o.Connections)}}
	_, err := js.CreateKeyValue(ctx, want)
	if err == nil {
		f.agreeSlots(want.Metadata)
	}
	if !errors.Is(err, jetstream.ErrBucketExists) && !errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
		return err
	}
	kv, err := js.KeyValue(ctx, f.o.Name)
	if err != nil {
		return err
	}
	st, err := kv.Status(ctx)
	if err != nil {
		return err
	}
	switch {
	case st.History() != 1:
		return wrongError(fmt.Sprintf("the bucket %s keeps %d values of a key, which keeps slots too long: delete it",
			f.o.Name, st.History()))
	case st.LimitMarkerTTL() == 0:
		return wrongError("the bucket " + f.o.Name + " has no limit_marker_ttl, so that no slot expires: delete it")
	}
	f.otherReplicas("bucket "+f.o.Name, st.Config().Replicas)
	f.agreeSlots(st.Config().Metadata)
	return nil
}

// slotsKey is in the bucket's metadata how many slots a mailbox has.
const slotsKey = "connections"

// agreeSlots goes by the bucket's number of slots.
func (f *Fleet) agreeSlots(metadata map[string]string) {
	n, _ := strconv.Atoi(metadata[slotsKey])
	f.mu.Lock()
	f.slots = max(n, 0)
	f.mu.Unlock()
	var err error
	if own := f.o.Connections; own > 0 && n > 0 && n != own {
		err = fmt.Errorf("delivery.connections is %d here and %d in the fleet, which counts: set it to %d, or delete the "+
			"bucket %s to make this host's the fleet's", own, n, n, f.o.Name)
	}
	f.note(slotsKey, err)
}
