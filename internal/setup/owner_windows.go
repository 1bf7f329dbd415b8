package setup

import (
	"io/fs"
	"os"
)

func keepOwner(*os.File, fs.FileInfo) {}
