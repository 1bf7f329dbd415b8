package setup

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzReadState: the notes are an error that names the file, or of the version that is known.
func FuzzReadState(f *testing.F) {
	for _, text := range []string{
		"", "{}", "null", `{"version":1}`, `{"version":2}`, `{"version":1,"files":[{"path":"a","sha256":"b"}],"folders":["c"]}`,
		`{"version":1,"options":[{"file":"o","existed":true,"before":"\u0022x\u0022"}]}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		dir := t.TempDir()
		path := filepath.Join(dir, "setup.json")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := readState(path, path)
		if err != nil {
			if _, ok := errors.AsType[*StateError](err); !ok || !cmp.Equal(s, state{}, cmp.AllowUnexported(state{})) {
				t.Fatalf("%v (%T) beside %+v", err, err, s)
			}
			return
		}
		if s.Version != 1 {
			t.Fatalf("version %d is believed", s.Version)
		}
	})
}
