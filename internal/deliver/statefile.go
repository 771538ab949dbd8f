package deliver

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"o365-sendmail/internal/durable"
	"o365-sendmail/internal/notify"
	"o365-sendmail/internal/queue"
)

// StateFile is what the state file holds, for other processes and the next start.
type StateFile struct {
	Version int       `json:"version"`
	Written time.Time `json:"written"`
	PID     int       `json:"pid"`
	// Stops are the reasons why mail waits now.
	Stops []queue.Stop `json:"stops,omitempty"`
	// Asked is when a person last asked for probes.
	Asked time.Time `json:"asked,omitzero"`
	// Alerts is what people were told.
	Alerts notify.Memory `json:"alerts,omitzero"`
}

const stateVersion = 1

// ReadState reads the state file of a running or former engine. A file that is missing
// or damaged gives an empty state and the error.
func ReadState(path string) (StateFile, error) {
	var s StateFile
	f, err := os.Open(path)
	if err != nil {
		return s, err
	}
	defer f.Close()
	dec := json.NewDecoder(f)
	if err := dec.Decode(&s); err != nil {
		return StateFile{}, fmt.Errorf("%s: %w", path, err)
	}
	if s.Version != stateVersion {
		return StateFile{}, fmt.Errorf("%s: unknown version %d", path, s.Version)
	}
	return s, nil
}

// stateFile keeps the state file.
type stateFile struct {
	*core
	saved []byte // what it holds, but for the time
}

// read is ReadState for the start of an engine.
func (f *stateFile) read() StateFile {
	if f.o.StateFile == "" {
		return StateFile{}
	}
	s, err := ReadState(f.o.StateFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		f.o.Warn(fmt.Errorf("what was alerted about is not known: %w", err))
	}
	return s
}

// save writes the state file when it has changed. It is no loss if it is lost.
func (f *stateFile) save() {
	if f.o.StateFile == "" {
		return
	}
	s := StateFile{Version: stateVersion, PID: os.Getpid(), Alerts: f.notifier.Memory()}
	f.queue.Do(func(l *queue.Locked) { s.Stops, s.Asked = l.Stops(), l.Asked() })
	b, err := json.MarshalIndent(s, "", "\t")
	if err != nil || bytes.Equal(b, f.saved) {
		return
	}
	f.saved = b
	s.Written = f.clock.Now().UTC()
	if b, err = json.MarshalIndent(s, "", "\t"); err == nil {
		err = durable.ReplaceNoSync(f.o.StateFile, append(b, '\n'), 0o600)
	}
	if err != nil {
		f.o.Warn(fmt.Errorf("the state file can't be written: %w", err))
	}
}
