package spool

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// A message lies in failed/ for one of two reasons. Either it was refused for good and there
// was nobody to tell: only the curious look for it, so it goes when there are too many. Or a
// recipient is still to do, because the file is damaged or could not be processed: that is accepted mail,
// which only people remove.

// failures counts what came to failed/ since it was last trimmed.
type failures struct {
	mu       sync.Mutex
	messages int
	bytes    int64
}

// note counts one more, and reports whether it is time to trim: after an eighth of either bound.
func (c *failures) note(size int64, l Limits) bool {
	const part = 8
	c.mu.Lock()
	defer c.mu.Unlock()
	c.messages++
	c.bytes += size
	if l.MaxFailed > 0 && c.messages >= max(1, l.MaxFailed/part) || l.MaxFailedBytes > 0 &&
		c.bytes >= l.MaxFailedBytes/part {
		c.messages, c.bytes = 0, 0
		return true
	}
	return false
}

// closed is a message in failed/ of which nothing is to do.
type closed struct {
	id   string
	size int64
}

// trim removes the oldest messages from failed/ of which nothing is to do, until
// the others are within the bounds, and returns how many.
func (s *Spool) trim(ctx context.Context) (int, error) {
	l := s.o.Limits
	if l.MaxFailed <= 0 && l.MaxFailedBytes <= 0 {
		return 0, nil
	}
	var list []closed
	var bytes int64
	err := s.ListFailed(ctx, func(i Info) bool {
		if i.Err == nil && len(i.Status.Recipients) > 0 && i.Status.Count(Todo) == 0 {
			list = append(list, closed{i.ID, i.Size})
			bytes += i.Size
		}
		return true
	})
	removed := 0
	for n := range list {
		left := len(list) - n
		if (l.MaxFailed <= 0 || left <= l.MaxFailed) && (l.MaxFailedBytes <= 0 || bytes <= l.MaxFailedBytes) ||
			ctx.Err() != nil {
			break
		}
		bytes -= list[n].size
		gone, rmErr := s.removeClosed(list[n].id)
		if err = errors.Join(err, rmErr); gone {
			removed++
			s.o.Warn(fmt.Errorf("message %s was refused for good, and was now removed from failed/: "+
				"the bounds are %d messages and %d bytes", list[n].id, l.MaxFailed, l.MaxFailedBytes))
		}
	}
	if removed > 0 {
		err = errors.Join(err, s.failedSync.do())
	}
	return removed, err
}

// removeClosed removes the message if it still lies in failed/ and nothing of it is to do.
func (s *Spool) removeClosed(id string) (bool, error) {
	it, err := s.claim(failedDir, id)
	switch {
	case errors.Is(err, ErrGone), errors.Is(err, ErrBusy), errors.Is(err, ErrDamaged):
		return false, nil // somebody else's, or no longer what it was
	case err != nil:
		return false, err
	}
	if it.st.Count(Todo) > 0 {
		it.Unlock()
		return false, nil
	}
	if err := it.Delete(); err != nil {
		it.Unlock()
		return false, err
	}
	return true, nil
}
