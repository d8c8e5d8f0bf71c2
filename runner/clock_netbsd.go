package runner

// clockMonotonic is CLOCK_MONOTONIC of <sys/time.h>, which x/sys lacks.
const clockMonotonic = 3
