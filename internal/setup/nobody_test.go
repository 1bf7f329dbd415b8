//go:build !linux

package setup

func (b *bench) asNobody(string) {
	b.t.Helper()
	b.t.Skip("only Linux lets a thread do without its rights")
}
