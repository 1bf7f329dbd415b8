package secret

// HideMemory does nothing: Windows writes a dump of a program only where an administrator has said
// so.
func HideMemory() {}
