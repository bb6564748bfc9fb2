#!/bin/sh
# Runs a test in a network of its own: a port that belongs to the whole computer is then its own, whatever
# else runs on this one. nextest calls it with the test's program and its arguments.
exec unshare --net sh -c 'ip link set lo up && exec "$0" "$@"' "$@"
