# Thin: the work is in scripts/. Nothing needs to be installed first but make and git.
.PHONY: all run web test check-long mutate fuzz bench dist clean help

# Passed through the environment and unexpanded, so that any path survives make and the shell.
override MODEL := $(value MODEL)
export MODEL

all: # the program: build/jinlin
	@scripts/setup build
	@scripts/build gcc jinlin

run: all # chat: make run MODEL=path/to/model
	@build/jinlin chat $${MODEL:+"$$MODEL"}

web: # the page of `jinlin serve`, and the program with it
	@scripts/web && scripts/setup build && scripts/build gcc jinlin

test: # every commit's tests, a quarter of an hour
	@scripts/test

check-long: # sanitizers on everything, fuzzing, ARM under qemu
	@scripts/check-long

mutate: # one operator changed at a time: the tests must notice
	@scripts/setup test && scripts/mutate

fuzz: # libFuzzer over all that reads outside bytes, a minute each
	@scripts/fuzz

bench: # speed
	@scripts/bench

dist: # a release tarball, proven by building it
	@scripts/dist

clean:
	rm -rf build build-clang build-asan build-tsan build-aarch64

help:
	@sed -n 's/^\([a-z-]*\):[^#]*# \(.*\)/  make \1\t\2/p' Makefile
