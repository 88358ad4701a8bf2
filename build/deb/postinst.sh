# Appended to electron-builder's own script for "after install" (build/package/deb-scripts.ts).
if [ -e "$DPKG_ROOT/run/isg-pro.start-again" ]; then
  rm -f "$DPKG_ROOT/run/isg-pro.start-again"
  systemctl start isg-pro.service || true
fi
