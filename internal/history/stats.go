package history

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"time"
)

// Counts are recipients by what became of them.
type Counts struct {
	Sent    int64 `json:"sent"`
	Refused int64 `json:"refused"`
	Bounced int64 `json:"bounced"`
	Expired int64 `json:"expired"`
	Failed  int64 `json:"failed"`
}

// Of returns the count of the status with that place in Statuses.
func (c *Counts) Of(status int) *int64 {
	return [...]*int64{&c.Sent, &c.Refused, &c.Bounced, &c.Expired, &c.Failed}[status]
}

// Total is the sum.
func (c *Counts) Total() int64 { return c.Sent + c.Undelivered() }

// Undelivered is the sum of those that did not go out.
func (c *Counts) Undelivered() int64 { return c.Refused + c.Bounced + c.Expired + c.Failed }

// Day is what ended on one day (UTC).
type Day struct {
	Date string `json:"date"` // as 2026-12-31
	Counts
}

// User is what ended of one local user.
type User struct {
	UID  int    `json:"uid"` // -1 if unknown
	Name string `json:"user,omitempty"`
	Counts
}

// Delay is how many were sent within a time since they were taken.
type Delay struct {
	Seconds float64 `json:"le"` // 0 for any time
	Sent    int64   `json:"sent"`
}

// delays are the bounds of Stats.Delays, in seconds.
var delays = [...]float64{1, 10, 60, 600, 3600, 86400}

// maxUsers bounds Stats.Users.
const maxUsers = 20

// Stats sums up what the history has of a number of days.
type Stats struct {
	Since time.Time  `json:"since"` // the first moment of the first day (UTC)
	Until time.Time  `json:"until"` // when it was summed up
	Days  []Day      `json:"days"`  // all of them, the oldest first
	Hours [24]Counts `json:"hours"` // of the last day, by the hour (UTC)
	Today Counts     `json:"today"` // the sum of Hours
	All   Counts     `json:"all"`   // the sum of Days
	Bytes int64      `json:"bytes"` // of what was sent, for each recipient
	// Users are those with the most recipients, the most first; the others are one without a name.
	Users  []User  `json:"users"`
	Others *Counts `json:"others,omitempty"`
	// Delays has the numbers of those sent that were not later than the bound, and not as early as the one before.
	Delays  []Delay `json:"delays"`
	Damaged int     `json:"damaged,omitempty"` // lines that can't be read
}

// Sum sums up the entries of the last days up to now, those of one user if uid is not nil.
func Sum(ctx context.Context, dir string, days int, uid *int, now time.Time) (*Stats, error) {
	today := now.UTC().Truncate(24 * time.Hour)
	s := &Stats{Since: today.AddDate(0, 0, 1-days), Until: now.UTC(), Users: []User{}}
	for i := range days {
		s.Days = append(s.Days, Day{Date: dayOf(s.Since.AddDate(0, 0, i))})
	}
	for _, d := range delays {
		s.Delays = append(s.Delays, Delay{Seconds: d})
	}
	s.Delays = append(s.Delays, Delay{})
	f := &Filter{UID: uid, Since: s.Since, Until: today.AddDate(0, 0, 1)}
	m, r, users := f.matcher(), NewReader(dir), map[int64]*Counts{}
	err := r.rows(ctx, f, func(row *row) error {
		if m.match(row) {
			s.add(row, users)
		}
		return nil
	})
	s.Damaged = r.Damaged
	s.rank(users)
	return s, err
}

func (s *Stats) add(r *row, users map[int64]*Counts) {
	status, since := r.status(), r.number(fieldTime, 36)/1000-s.Since.Unix()
	day := int(since / 86400)
	*s.All.Of(status)++
	*s.Days[day].Of(status)++
	if day == len(s.Days)-1 {
		*s.Hours[since%86400/3600].Of(status)++
		*s.Today.Of(status)++
	}
	uid := r.number(fieldUID, 10)
	if users[uid] == nil {
		users[uid] = new(Counts)
	}
	*users[uid].Of(status)++
	if status == 0 {
		s.Bytes += max(r.number(fieldSize, 10), 0)
		delay := float64(r.number(fieldDelay, 10)) / 1000
		i, _ := slices.BinarySearch(delays[:], delay)
		s.Delays[i].Sent++
	}
}

func (s *Stats) rank(users map[int64]*Counts) {
	for uid, c := range users {
		s.Users = append(s.Users, User{UID: int(uid), Counts: *c})
	}
	slices.SortFunc(s.Users, func(a, b User) int {
		return cmp.Or(cmp.Compare(b.Total(), a.Total()), cmp.Compare(a.UID, b.UID))
	})
	if len(s.Users) <= maxUsers {
		return
	}
	s.Others = new(Counts)
	for _, u := range s.Users[maxUsers:] {
		for i := range Statuses {
			*s.Others.Of(i) += *u.Of(i)
		}
	}
	s.Users = s.Users[:maxUsers]
}

// Label names a user for people.
func (u *User) Label() string {
	switch {
	case u.Name != "":
		return u.Name
	case u.UID < 0:
		return "unknown"
	}
	return strconv.Itoa(u.UID)
}
