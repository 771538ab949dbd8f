package importer

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"o365-sendmail/internal/durable"
	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/spool"
	"o365-sendmail/internal/sysexits"
	"o365-sendmail/rfc822"
)

// Keeper puts messages of other programs into the spool, each once however often it is asked and wherever it was
// killed. A message's id is made from what it is and where it lay. It is committed on hold, then noted in a file, then
// released: one that is held was not noted, or not released, and both are made up for; one that is noted was
// committed.
type Keeper struct {
	spool  *spool.Spool
	noted  map[string]bool   // the second half of ids
	queued map[string]string // the same of all in the queue, with the id
	file   *os.File
	unlock func()
	now    func() time.Time
}

const (
	notedName = "imported"
	lockName  = "import.lock"
	onHold    = "it is being imported; if this stays, run the import again"
	idHalf    = 15 // where the second half of an id begins
)

// OpenKeeper opens the file of what was taken over, beside the queue in dir.
func OpenKeeper(s *spool.Spool, dir string, now func() time.Time) (*Keeper, error) {
	unlock, ok, err := durable.TryLock(filepath.Join(dir, lockName), 0o600)
	if err == nil && !ok {
		err = sysexits.With(sysexits.TempFail, errors.New("another import is at work: try again when it has ended"))
	}
	if err != nil {
		return nil, err
	}
	k := &Keeper{spool: s, queued: map[string]string{}, unlock: unlock, now: now}
	if err := k.open(dir); err != nil {
		k.Close()
		return nil, sysexits.With(sysexits.Code(err, sysexits.IOErr), err)
	}
	return k, nil
}

func (k *Keeper) open(dir string) (err error) {
	k.file, err = durable.System.Open(filepath.Join(dir, notedName), os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	if k.noted, err = readNoted(k.file); err != nil {
		return err
	}
	if err := errors.Join(k.endLine(), durable.System.SyncDir(dir)); err != nil {
		return err
	}
	ids, err := k.spool.IDs()
	for _, id := range ids {
		k.queued[id[idHalf:]] = id
	}
	return err
}

// endLine ends a line that a crash has cut: it is no id, and what is added then must not go on with it.
func (k *Keeper) endLine() error {
	size, err := k.file.Seek(0, io.SeekEnd)
	last := []byte{'\n'}
	if err == nil && size > 0 {
		_, err = k.file.ReadAt(last, size-1)
	}
	if err == nil && last[0] != '\n' {
		err = k.append("\n")
	}
	return err
}

// readNoted reads the second half of each id.
func readNoted(r io.Reader) (map[string]bool, error) {
	noted := map[string]bool{}
	sc := bufio.NewScanner(r)
	for sc.Scan() {
		if id := sc.Text(); spool.ValidID(id) {
			noted[id[idHalf:]] = true
		}
	}
	return noted, sc.Err()
}

// Noted is for a dry run: it returns what reports whether an import has noted that message in the spool's directory. Who
// may not read it knows of none.
func Noted(dir string) func(id string) bool {
	var noted map[string]bool
	if f, err := durable.System.Open(filepath.Join(dir, notedName), os.O_RDONLY, 0); err == nil {
		defer f.Close()
		noted, _ = readNoted(f)
	}
	return func(id string) bool { return noted[id[idHalf:]] }
}

// append adds a line for good.
func (k *Keeper) append(line string) error {
	if _, err := k.file.WriteString(line); err != nil {
		return err
	}
	return k.file.Sync()
}

// Close ends the import.
func (k *Keeper) Close() {
	if k.file != nil {
		_ = k.file.Close()
	}
	k.unlock()
}

// messageID is the id that a message gets: the same for the same message of the same place.
func messageID(identity string, content []byte, arrived time.Time) string {
	sum := sha256.Sum256(append([]byte(identity+"\x00"), content...))
	return arrived.UTC().Format("20060102150405") + "-" + hex.EncodeToString(sum[:8])
}

// Keep takes responsibility for a message under the id of its envelope and reports whether it is new. The rules of the
// configuration are applied when it leaves.
func (k *Keeper) Keep(ctx context.Context, env *envelope.Envelope, msg *rfc822.Message, via string) (bool, error) {
	half := env.ID[idHalf:]
	queued := k.queued[half]
	switch {
	case k.noted[half]:
		if queued != "" {
			return false, k.release(queued)
		}
		return false, nil
	case queued == "":
		if err := k.put(ctx, env, msg, via); err != nil {
			return false, err
		}
		queued = env.ID
	}
	if err := k.append(queued + "\n"); err != nil {
		return false, sysexits.With(sysexits.IOErr, err)
	}
	k.noted[half] = true
	return true, k.release(queued)
}

// put commits the message as it came, on hold.
func (k *Keeper) put(ctx context.Context, env *envelope.Envelope, msg *rfc822.Message, via string) error {
	msg.Header.Remove(envelope.OptionsField)
	if o := (envelope.Options{Altered: msg.Body().Altered}); o.Value() != "" {
		msg.Header.Prepend(envelope.OptionsField, o.Value())
	}
	wire, err := msg.Wire(rfc822.WireOptions{AllowEightBit: true, AsIs: true})
	if err != nil {
		return sysexits.With(sysexits.DataErr, err)
	}
	env.EightBit, env.SMTPUTF8, env.Origin = wire.EightBit(), wire.SMTPUTF8(), env.Sender
	meta := spool.Meta{UID: env.Caller.UID, Origin: spool.Unprocessed + via, Hold: onHold}
	_, err = k.spool.Put(ctx, meta, env, wire)
	return err
}

// release lets a message go that this package has put on hold.
func (k *Keeper) release(id string) error {
	const patience = 10 * time.Second
	for begun := k.now(); ; time.Sleep(10 * time.Millisecond) { // a look at the queue holds it for a moment
		it, err := k.spool.Claim(id)
		switch {
		case errors.Is(err, spool.ErrGone):
			return nil
		case errors.Is(err, spool.ErrBusy) && k.now().Sub(begun) < patience:
			continue
		case err != nil:
			return fmt.Errorf("message %s is in the queue and stays on hold: %w", id, err)
		}
		defer it.Unlock()
		if st := it.Status(); st.Held && st.Reason == onHold {
			return errors.Join(it.Release(), it.Postpone(time.Time{}, "", ""))
		}
		return nil
	}
}
