package config

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// BindPath returns the path that a generation binds, HUPWATCH_BIND, if its service
// publishes the path public.
func BindPath(public string, generation int) string {
	return public + ".d/" + strconv.Itoa(generation) + ".sock"
}

// BindVariable is the name of the variable with the path at which a generation of a
// service with publish opens its socket.
const BindVariable = "HUPWATCH_BIND"

func decodePublish(t *table, k *Key, v any) {
	s, ok := v.(string)
	if !ok {
		t.mistyped(k, v)
		return
	}
	s, ok = t.expand(k.Name, s)
	if !ok {
		return
	}
	path, err := publicPath(s, t.source.dir)
	if err != nil {
		t.problem(k.Name, err)
		return
	}
	t.service.Publish = path
}

// publicPath decodes the path of a socket to publish. It leaves room for the longer
// paths of the generations.
func publicPath(s, dir string) (string, error) {
	if looksLikeTCP(s) {
		return "", fmt.Errorf("%q is no path: only a unix socket can be published; for a port, use listen", clip(s))
	}
	path, err := unixPath(strings.TrimPrefix(s, "unix:"), dir)
	if err != nil {
		return "", err
	}

	// As long as a generation's number may get.
	added := len(BindPath("", math.MaxInt32))
	if most := longestUnixPath - added; len(path) > most {
		return "", fmt.Errorf("the path %s has %d bytes, %d are the most here: each generation binds %s.d/NUMBER.sock, and the kernel allows %d for that",
			path, len(path), most, path, longestUnixPath)
	}
	return path, nil
}

// claimPublish reports a path that another service publishes, or listens on.
func (t *table) claimPublish() {
	from := t
	if t.place("publish") == "" {
		from = t.defaultsTable
	}
	if t.service.Publish == "" || !t.sound("publish") {
		return
	}
	from.claim(claim{
		Listen: Listen{Network: "unix", Address: t.service.Publish}, publish: true,
		service: t.service.Name, source: from.source, path: from.absolute("publish"),
	})
}

// checkPublish reports what does not go with publish, or does not go without it.
func (t *table) checkPublish() {
	s := t.service
	if !t.sound("publish") {
		return
	}
	if s.Publish == "" {
		t.checkUnpublished()
		return
	}

	if s.Instances > 1 {
		t.problem(t.place("instances", "publish"), fmt.Errorf(
			"publish shows the socket of one process, and there are %d instances: keep one of the two, or have sockets opened by listen", s.Instances))
	}
	if len(s.Command) > 0 && t.sound("command") && t.sound("environment") && !t.mentionsBind() {
		t.warn(t.place("publish", "command"), fmt.Sprintf(
			"the command does not have ${%s}, the path to open for this: unless the program reads that variable itself, no generation will be ready", BindVariable))
	}
}

func (t *table) checkUnpublished() {
	if t.place("overlap") != "" && t.sound("overlap") {
		t.problem("overlap", errors.New("only with publish: remove it, or add publish"))
	}
	if t.sound("command") && slices.ContainsFunc(t.service.Command, needsBind) {
		t.problem(t.place("command"), errNoBind)
	}
}

func (t *table) mentionsBind() bool {
	has := func(s string) bool { return strings.Contains(s, BindVariable) }
	for _, value := range t.service.Environment {
		if has(value) {
			return true
		}
	}
	return slices.ContainsFunc(t.service.Command, has)
}

var errNoBind = fmt.Errorf(`${%s} is set with publish only: add publish = "/run/web.sock", or give it a default, ${%s:-...}`, BindVariable, BindVariable)

// needsBind reports whether a text cannot be expanded without publish.
func needsBind(s string) bool {
	_, err := Expand(s, func(name string) (string, bool) { return "", name != BindVariable })
	return err != nil
}
