package screen

import (
	"fmt"
	"math"
	"time"
)

// span is a duration in at most six letters.
func span(d time.Duration) string {
	s := int64(max(d, 0) / time.Second)
	switch {
	case s < 60:
		return fmt.Sprintf("%ds", s)
	case s < 3600:
		return fmt.Sprintf("%dm%02ds", s/60, s%60)
	case s < 24*3600:
		return fmt.Sprintf("%dh%02dm", s/3600, s/60%60)
	case s < 100*24*3600:
		return fmt.Sprintf("%dd%02dh", s/(24*3600), s/3600%24)
	}
	return fmt.Sprintf("%dd", s/(24*3600))
}

// ago is how long ago something was, as roughly as people say it.
func ago(d time.Duration) string {
	s := int64(max(d, 0) / time.Second)
	switch {
	case s < 60:
		return fmt.Sprintf("%ds ago", s)
	case s < 3600:
		return fmt.Sprintf("%dm ago", s/60)
	case s < 48*3600:
		return fmt.Sprintf("%dh ago", s/3600)
	}
	return fmt.Sprintf("%dd ago", s/(24*3600))
}

// left is how long it is until then, rounded up to a second.
func left(now, until time.Time) string {
	return span(time.Duration(math.Ceil(until.Sub(now).Seconds())) * time.Second)
}

// took is a number of seconds, as precise as people want to know it.
func took(seconds float64) string {
	switch {
	case seconds < 0.1:
		return "<0.1s"
	case seconds < 9.95:
		return fmt.Sprintf("%.1fs", seconds)
	}
	return span(time.Duration(math.Round(seconds)) * time.Second)
}

// never is a number of seconds that nobody waits for. "infinity" is more than that.
const never = 10 * 365 * 24 * 3600

// after is the moment so many seconds later, the zero one if there is none.
func after(at time.Time, seconds float64) time.Time {
	if seconds <= 0 || seconds > never {
		return time.Time{}
	}
	return at.Add(time.Duration(seconds * float64(time.Second)))
}

// size is a number of bytes in at most seven letters.
func size(bytes int64) string {
	n := float64(bytes)
	for _, unit := range []string{"B", "kB", "MB", "GB"} {
		if n < 999.5 {
			if n < 9.95 && unit == "GB" {
				return fmt.Sprintf("%.1f %s", n, unit)
			}
			return fmt.Sprintf("%.0f %s", n, unit)
		}
		n /= 1000
	}
	return fmt.Sprintf("%.1f TB", n)
}
