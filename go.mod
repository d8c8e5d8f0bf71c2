module hupwatch

go 1.26.0

require (
	github.com/BurntSushi/toml v1.6.0
	github.com/go-kit/log v0.2.1
	github.com/go-logfmt/logfmt v0.5.1
	github.com/google/shlex v0.0.0-20191202100458-e7afc7fbc510
	github.com/oklog/run v1.2.0
	golang.org/x/sys v0.49.0
)
