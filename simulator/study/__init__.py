"""Many runs: the same worlds under several policies."""
