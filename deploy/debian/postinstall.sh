#!/bin/sh
# The user that the service runs as, and what it may read. The service is not
# started: it has no configuration yet.
set -e
if ! getent passwd vigil >/dev/null; then
    adduser --system --group --quiet --home /var/lib/vigil --no-create-home vigil
fi
chown root:vigil /etc/vigil
if [ -d /run/systemd/system ]; then
    systemctl daemon-reload || true
    # An upgrade: what is under way is on disk, and goes on after the restart.
    if systemctl is-active --quiet vigil.service; then
        systemctl restart vigil.service || true
    fi
fi
