package main

import "os"

// maxRSS isn't known: Windows doesn't keep it.
func maxRSS(*os.ProcessState) int64 { return 0 }
