package quota

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"time"
)

const (
	secondSlots = 61        // the running second and the 60 before it
	minuteSlots = 24*60 + 1 // the running minute and the 1440 before it
	windowMagic = "o365cnt1"
	// windowSize is the size of one copy: magic, sequence, second, minute, the slots, CRC-32; all
	// little-endian. A file holds two; the one with an even sequence comes first.
	windowSize = len(windowMagic) + 8 + 8 + 8 + 4*(secondSlots+minuteSlots) + 4
)

// window counts messages by the second and recipients by the minute. A slot is
// found by its time modulo the number of slots.
type window struct {
	sequence       uint64 // grows with each writing
	second, minute int64  // the newest slots, in seconds and minutes since 1970; 0 in an empty window
	messages       [secondSlots]uint32
	recipients     [minuteSlots]uint32
}

// smallStep is how far in seconds a time may lie back because its process was slow, not because the clock was set.
const smallStep = 120

// advance moves the window to now and empties the slots that fall out of it. When the
// clock was set back, what was counted keeps its age: it moves back with the clock.
func (w *window) advance(now time.Time) {
	second := now.Unix()
	if second < w.second && second >= w.second-smallStep {
		return // the window stands still until the time has caught up
	}
	minute := floorDiv(second, 60)
	shift(w.messages[:], w.second, second)
	shift(w.recipients[:], w.minute, minute)
	w.second, w.minute = second, minute
}

// shift turns the ring from the newest slot old to the newest slot new.
func shift(ring []uint32, old, new int64) {
	n := int64(len(ring))
	switch {
	case new > old:
		for t := max(old+1, new-n+1); t <= new; t++ {
			ring[floorMod(t, n)] = 0
		}
	case new < old:
		rotate(ring, int(floorMod(old-new, n)))
	}
}

// rotate moves the content of ring down by k slots.
func rotate(ring []uint32, k int) {
	moved := make([]uint32, 0, len(ring))
	moved = append(moved, ring[k:]...)
	copy(ring, append(moved, ring[:k]...))
}

// wait is how long it takes until one more message with so many recipients is within the limits.
func (w *window) wait(recipients int, l Limits) time.Duration {
	var wait time.Duration
	if l.MessagesPerMinute > 0 {
		slots := waitSlots(w.messages[:], w.second, 1, l.MessagesPerMinute)
		wait = time.Duration(slots) * time.Second
	}
	if l.RecipientsPerDay > 0 {
		slots := waitSlots(w.recipients[:], w.minute, recipients, l.RecipientsPerDay)
		wait = max(wait, time.Duration(slots)*time.Minute)
	}
	return wait
}

// waitSlots returns how many slots the ring has to go on until more fits under limit.
func waitSlots(ring []uint32, newest int64, more, limit int) int {
	n := int64(len(ring))
	room := int64(limit) - int64(more)
	sum := total(ring)
	for k := range n {
		if sum <= room {
			return int(k)
		}
		sum -= int64(ring[floorMod(newest+1+k, n)]) // the oldest goes first
	}
	return int(n)
}

func (w *window) add(messages, recipients int) {
	addTo(&w.messages[floorMod(w.second, secondSlots)], messages)
	addTo(&w.recipients[floorMod(w.minute, minuteSlots)], recipients)
}

// remove takes back what was added at the time at, as far as it is still in the window.
func (w *window) remove(messages, recipients int, at time.Time) {
	second := at.Unix()
	minute := floorDiv(second, 60)
	if second <= w.second && second > w.second-secondSlots {
		addTo(&w.messages[floorMod(second, secondSlots)], -messages)
	}
	if minute <= w.minute && minute > w.minute-minuteSlots {
		addTo(&w.recipients[floorMod(minute, minuteSlots)], -recipients)
	}
}

func (w *window) totals() (messages, recipients int) {
	return int(total(w.messages[:])), int(total(w.recipients[:]))
}

// addTo adds and stays within what a slot can hold.
func addTo(slot *uint32, n int) {
	*slot = uint32(min(max(int64(*slot)+int64(n), 0), 1<<31-1))
}

func total(ring []uint32) int64 {
	var sum int64
	for _, v := range ring {
		sum += int64(v)
	}
	return sum
}

// encode makes one copy.
func (w *window) encode() []byte {
	b := make([]byte, 0, windowSize)
	b = append(b, windowMagic...)
	b = binary.LittleEndian.AppendUint64(b, w.sequence)
	b = binary.LittleEndian.AppendUint64(b, uint64(w.second))
	b = binary.LittleEndian.AppendUint64(b, uint64(w.minute))
	for _, v := range w.messages {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	for _, v := range w.recipients {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	return binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
}

var errWindow = errors.New("not a whole window file")

// newest returns the newer whole copy of a window file, an empty window when none is whole.
func newest(file []byte) *window {
	a, b := new(window), new(window)
	aErr, bErr := a.decode(file[:windowSize]), b.decode(file[windowSize:])
	switch {
	case aErr != nil && bErr != nil:
		return new(window)
	case aErr != nil || bErr == nil && b.sequence > a.sequence:
		return b
	}
	return a
}

// decode reads one copy.
func (w *window) decode(b []byte) error {
	if len(b) != windowSize || string(b[:len(windowMagic)]) != windowMagic {
		return errWindow
	}
	end := len(b) - 4
	if crc32.ChecksumIEEE(b[:end]) != binary.LittleEndian.Uint32(b[end:]) {
		return errWindow
	}
	b = b[len(windowMagic):]
	w.sequence = binary.LittleEndian.Uint64(b)
	w.second, w.minute = int64(binary.LittleEndian.Uint64(b[8:])), int64(binary.LittleEndian.Uint64(b[16:]))
	b = b[24:]
	for i := range w.messages {
		w.messages[i] = binary.LittleEndian.Uint32(b[4*i:])
	}
	b = b[4*secondSlots:]
	for i := range w.recipients {
		w.recipients[i] = binary.LittleEndian.Uint32(b[4*i:])
	}
	return nil
}

func floorDiv(a, b int64) int64 { return (a - floorMod(a, b)) / b }

// floorMod is a mod b, never negative for b > 0.
func floorMod(a, b int64) int64 { return ((a % b) + b) % b }
