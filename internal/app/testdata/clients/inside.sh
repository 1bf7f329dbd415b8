# sh inside.sh ROOT FOLDER HOSTS COMMAND…, in a mount namespace of its own: runs a command in the
# Debian below ROOT, with FOLDER where it is and HOSTS as /etc/hosts.
set -e
root=$1 folder=$2 hosts=$3
shift 3
mount -t tmpfs none "$root/tmp"
mkdir -p "$root$folder"
mount --bind "$folder" "$root$folder"
mount --bind "$hosts" "$root/etc/hosts"
mount --rbind /dev "$root/dev"
mount --rbind /proc "$root/proc"
exec chroot "$root" "$@"
