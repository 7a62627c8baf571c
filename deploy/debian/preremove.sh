#!/bin/sh
# An upgrade keeps it running until the new program is there.
set -e
case "$1" in
remove | 0)
    if [ -d /run/systemd/system ]; then
        systemctl disable --now vigil.service || true
    fi
    ;;
esac
