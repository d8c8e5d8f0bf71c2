package config_test

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"

	"hupwatch/config"
)

// Each service runs with what was read when it was reloaded last.
func TestAServiceDoesNotKeepTheWholeFileInMemory(t *testing.T) {
	const files, quarter = 10, 1 << 18
	filler := strings.Repeat("# what others wrote about it\n", quarter/29)
	before := heap()
	kept := make([]*config.Service, files)
	for i := range kept {
		text := fmt.Sprintf("%s[services.web]\ncommand = [\"server\", \"%d\"]\nenvironment = { A%d = \"b\" }\n", filler, i, i)
		c, problems := config.Parse("hupwatch.toml", []byte(text), os.LookupEnv)
		if c == nil {
			t.Fatal(problems)
		}
		kept[i] = c.Services[0]
	}
	if grown := heap() - before; grown > files*quarter/10 {
		t.Errorf("%d services keep %d KiB in memory", files, grown>>10)
	}
	runtime.KeepAlive(kept)
}

func heap() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}
