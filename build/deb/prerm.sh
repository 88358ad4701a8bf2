#!/bin/sh
# Before removal: a service of this installation would look for programs that are gone, and be started again for ever. Its data
# folder, config.ini and account stay, as after --uninstall-service.
set -e
unit="$DPKG_ROOT/etc/systemd/system/isg-pro.service"
if [ "$1" = remove ] && grep -qs '/opt/ISG Pro/' "$unit"; then
  if [ -d "$DPKG_ROOT/run/systemd/system" ]; then
    systemctl disable --now isg-pro.service || true
  fi
  rm -f "$unit" "$DPKG_ROOT/etc/systemd/system/multi-user.target.wants/isg-pro.service"
  if [ -d "$DPKG_ROOT/run/systemd/system" ]; then
    systemctl daemon-reload || true
  fi
fi
