package app_test

// mixtures returns configurations that are put together at random.
func mixtures(n int) []besideCase { return nil }
