"""One module a command: `add` tells the parser its options, `run` carries it out and returns the exit code."""
