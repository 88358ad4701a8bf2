#!/bin/sh
# Before an upgrade: the service is stopped, so that no old process meets new files of its program. postinst starts it again,
# also when dpkg gives the upgrade up. A service of another installation of ISG Pro is none of ours.
set -e
unit="$DPKG_ROOT/etc/systemd/system/isg-pro.service"
if [ "$1" = upgrade ] && [ -d "$DPKG_ROOT/run/systemd/system" ] && grep -qs '/opt/ISG Pro/' "$unit"; then
  case "$(systemctl is-active isg-pro.service || true)" in
    active | activating)
      : >"$DPKG_ROOT/run/isg-pro.start-again"
      systemctl stop isg-pro.service || true
      ;;
  esac
fi
