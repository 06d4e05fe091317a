"""Mutation fuzzers of the readers: every case in a child process with limits of time and memory."""
