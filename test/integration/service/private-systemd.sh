#!/bin/bash
# Becomes a systemd of its own, with nothing of this machine's units: PID 1 of new namespaces, below a control group of its own.
# Arguments: the folder of the sources, the Node to run them. In there they are /mnt/app and /mnt/node.
set -e
app=$1 node=$2
mount --make-rprivate /
mount -t proc proc /proc
# what is there is this machine's
mount --bind /proc/sys /proc/sys
mount -o remount,ro,bind /proc/sys
umount -R /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t tmpfs tmpfs /run

units=/lib/systemd/system
mkdir /run/units
for name in sysinit basic multi-user shutdown network-online remote-fs nss-user-lookup time-sync; do
  cp "$units/$name.target" /run/units/
done
mount -t tmpfs tmpfs "$units"
cp /run/units/* "$units/"
rm -r /run/units

mount -t tmpfs tmpfs /etc/systemd
mkdir /etc/systemd/system
# there is no journal to write to
printf '[Manager]\nDefaultStandardOutput=null\nDefaultStandardError=null\n' >/etc/systemd/system.conf
printf '[Unit]\nDescription=Nothing\n' >/etc/systemd/system/default.target

mount -t tmpfs -o mode=755 tmpfs /mnt
mkdir /mnt/app /mnt/config
touch /mnt/node
mount --bind "$app" /mnt/app
mount --bind "$node" /mnt/node
export container=private
exec /lib/systemd/systemd --system --log-target=null --show-status=no
