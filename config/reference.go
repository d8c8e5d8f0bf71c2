package config

import (
	"fmt"
	"strings"
)

// Reference returns config/README.md: every key that is supported, as Example has
// them, in tables.
func Reference() []byte {
	var b strings.Builder
	b.WriteString(referenceIntro)
	for _, s := range []struct{ section, title, intro string }{
		{sectionTop, "The file", ""},
		{sectionDaemon, "[daemon]", "What is about hupwatch itself."},
		{sectionService, "[services.NAME]", "One section for each service. The same keys in [defaults] are for all that do not say otherwise.\n\n" +
			"A reload of what has changed (reload --changed, reload_when) puts these into force without a new process: " + strings.Join(liveKeys(), ", ") + "."},
		{sectionListen, "[[services.NAME.listen]]", "The addresses of listen can be tables of their own too."},
		{sectionReady, "[services.NAME.ready]", readyDoc},
	} {
		fmt.Fprintf(&b, "\n## %s\n\n", s.title)
		if s.intro != "" {
			b.WriteString(s.intro + "\n\n")
		}
		b.WriteString("| key | type | default | |\n|---|---|---|---|\n")
		for _, k := range Keys() {
			if k.Section == s.section && k.Supported() {
				fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", k.Name, cell(k.Type), code(k.Default), cell(k.Doc))
			}
		}
	}
	return []byte(b.String())
}

// liveKeys are the keys of a service that come into force without a new process.
func liveKeys() []string {
	var names []string
	for _, k := range serviceTable() {
		if k.live && k.Supported() {
			names = append(names, k.Name)
		}
	}
	return names
}

// cell makes a text fit for a cell of a table.
func cell(text string) string {
	return strings.NewReplacer("|", `\|`, "<", "&lt;", "*", `\*`).Replace(text)
}

// code is how a cell shows a value; nothing if it is empty.
func code(value string) string {
	if value == "" {
		return ""
	}
	return "`" + strings.ReplaceAll(value, "|", `\|`) + "`"
}

const referenceIntro = `# The configuration file

One TOML file. A service needs no more than a command; each key that is left out has its default. [examples/full.toml](../examples/full.toml)
has every key with a sensible value, and ` + "`hupwatch check`" + ` reports all that is wrong with a file, with the line and the remedy.

- A duration is ` + "`\"500ms\"`, `\"1m30s\"`, `\"infinity\"`" + ` or a bare number of seconds. A size is ` + "`\"50MB\"`, `\"64KiB\"`" + ` or a number of bytes.
- A path is relative to the file that it stands in.
- An unknown key is an error, which names the key that was probably meant, also that of supervisord, circus, pm2 or systemd.
- A change takes effect at the next reload of the service, one of runtime_dir or state_dir when hupwatch is started again.
  ` + "`hupwatch plan`" + ` shows what a reload would do.

The environment of a service is hupwatch's own, without LISTEN_\*, NOTIFY_SOCKET and the like; then HOME, USER, LOGNAME and PWD; then
env_file; then environment; then HUPWATCH_SERVICE, HUPWATCH_GENERATION and HUPWATCH_INSTANCE (from 0); HUPWATCH_BIND with publish,
NOTIFY_SOCKET with ready.notify, and LISTEN_FDS, LISTEN_PID and LISTEN_FDNAMES with listen. Hooks and exec probes also have HUPWATCH_PID.
Its standard input is /dev/null. It is the leader of a session of its own. What it writes goes through a FIFO (not with "inherit" and
"null"), to which it can go on writing if hupwatch is killed; it waits after 64 KiB that nobody reads.

This page is generated from the table of keys in [keys.go](keys.go).
`
