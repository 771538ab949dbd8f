package host

import (
	"bufio"
	"io"
	"strconv"
	"strings"
)

// Owner says to whom a user id belongs where what one user gets is counted. A subordinate id of
// /etc/subuid (subuid(5)) is its user's, who has thousands of them. known reports whether the
// id is an account of this host: /etc/passwd has it, or it is one that systemd gives to a service
// for the time that it runs.
func Owner(uid int) (id int, known bool) {
	if f, err := open("/etc/subuid"); err == nil {
		defer f.Close()
		if user, ok := subordinate(f, uid); ok {
			return user, true
		}
	}
	return uid, dynamic(uid) || UserByID(uid).GID >= 0
}

// dynamic reports whether systemd gives the id to a service with DynamicUser=yes (systemd.exec(5)).
func dynamic(uid int) bool { return uid >= 61184 && uid <= 65519 }

// subordinate finds the user with an id in the user's range of lines "name-or-uid:first:count".
func subordinate(r io.Reader, uid int) (user int, ok bool) {
	for sc := bufio.NewScanner(r); sc.Scan(); {
		name, ids, _ := strings.Cut(strings.TrimSpace(sc.Text()), ":")
		from, count, _ := strings.Cut(ids, ":")
		first, err1 := strconv.ParseInt(from, 10, 64)
		n, err2 := strconv.ParseInt(count, 10, 64)
		if err1 != nil || err2 != nil || int64(uid) < first || int64(uid)-first >= n {
			continue
		}
		if u, found := UserByName(name); found {
			return u.UID, true
		}
		if u, err := strconv.Atoi(name); err == nil && u >= 0 {
			return u, true
		}
	}
	return 0, false
}
