#!/usr/bin/env bash
# What the recording shows: a devnet's daemon, asked by the commands that an
# operator uses. record.sh starts both. What is typed leaves out --url, which a
# daemon at the usual address does not need.
set -euo pipefail
url=$1

enter() { # types a command as a person would, and runs it
  printf '\033[1;32m$\033[0m '
  local i
  for ((i = 0; i < ${#1}; i++)); do printf '%s' "${1:i:1}"; sleep 0.03; done
  printf '\n'
  eval "${2:-$1}" || true # head ends what it reads from
  sleep "${3:-2}"
}

clear
enter "vigil status" "vigil status --url $url" 3
enter "vigil deadlines | head -8" "vigil deadlines --url $url | head -8" 3
duty=$(vigil duties --url "$url" --state confirmed --json | grep -om1 't0[0-9]*/[0-9]*/[0-9]*')
enter "vigil why $duty" "vigil why --url $url $duty" 5
enter "vigil plan --url http://127.0.0.1:8748 | head -6" "vigil plan --url $url | head -6" 3
